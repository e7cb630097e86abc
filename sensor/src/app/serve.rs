//! What stands around the loop: sinks, metrics, HTTP, control socket. All of it is
//! opened before the hooks are attached and closed after they are gone.

use std::{error::Error, io, net::SocketAddr, sync::Arc, time::Duration};

use sensor_common::counter::Counter;

use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tracing::{debug, warn};

use super::{
    outlet::{self, Change},
    start::Started,
};
use crate::{
    alert::{Document, Level},
    clock,
    config::{self, Config, Effective, Format},
    control::{self, Query},
    detect::{Excepted, MemoStats},
    engine::Engine,
    event::Event,
    exit::{Exit, Failure, chain},
    history::{self, History},
    http::{self, Condition, Readiness},
    incident,
    lineage::ServiceKind,
    metrics::{Build, CoreStats, KernelCounters, KernelReading, Metrics},
    probe::Counters,
    profile::Judge,
    ring::Read,
    sink::{Colour, Encoding, Maker, Sinks, Stream, tail::Tail},
    tally, tree,
};

/// Everything outside the loop.
pub(super) struct Surroundings {
    sinks: Sinks,
    tail: Arc<Tail>,
    metrics: Arc<Metrics>,
    stats: Stats,
    capturing: Condition,
    http: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    servers: Vec<JoinHandle<()>>,
}

impl Surroundings {
    /// Opens sockets and standard output.
    pub(super) async fn open(
        effective: &Effective,
        queries: mpsc::Sender<Query>,
    ) -> Result<Self, Failure> {
        let config = &effective.config;
        let core = Arc::new(CoreStats::default());
        let metrics = Arc::new(metrics(&core)?);
        let readiness = Readiness::default();
        let capturing = readiness.condition("capture", "the hooks are not attached yet");
        let (stop, stopped) = watch::channel(false);
        let sinks = sinks(config, &metrics)?;
        metrics.watch_sinks(sinks.stats());
        let http = if config.http.enabled {
            Some(listen(config).await?)
        } else {
            None
        };
        // The socket is a file: nothing may fail between making it and serving it.
        let tail = Arc::<Tail>::default();
        let control = control::Server::bind(&config.control.socket)?;
        let control = control.with_tail(Arc::clone(&tail));
        let mut servers = vec![tokio::spawn(control.serve(queries, end(stopped.clone())))];
        let address = http.as_ref().map(http::Server::address);
        if let Some(server) = http {
            let serve = server.serve(Arc::clone(&metrics), readiness, end(stopped));
            servers.push(tokio::spawn(serve));
        }
        let stats = Stats {
            core,
            metrics: Arc::clone(&metrics),
        };
        Ok(Self {
            sinks,
            tail,
            metrics,
            stats,
            capturing,
            http: address,
            stop,
            servers,
        })
    }

    /// Tells the metrics what start-up has found out.
    pub(super) fn observe(&self, started: &Started) {
        self.stats.core.set_self_test(clock::boottime_ns());
        self.metrics
            .watch_kernel(Arc::<Counters>::clone(&started.counters));
        let hooks = started.hooks.iter();
        self.metrics.set_hooks(
            hooks
                .map(|hook| (hook.name.to_owned(), hook.rung.name().to_owned()))
                .collect(),
        );
        self.stale(started.stale);
        for read in &started.reads {
            self.stats.read(read);
        }
        self.stats.tree(&started.core.engine.stats());
    }

    /// A service of this kind has begun: its rules may match from now on.
    pub(super) fn expect(&self, engine: &Engine, kind: ServiceKind) {
        for (rule, level) in engine.shipped_rules() {
            self.metrics.expect_alerts(rule, level, kind.name());
        }
    }

    /// Says whether processes may be missing in the tree.
    pub(super) fn stale(&self, stale: bool) {
        let reasons = if stale {
            vec!["scan_incomplete".to_owned()]
        } else {
            Vec::new()
        };
        self.metrics.set_degraded(reasons);
    }

    /// Which configuration is in force; `reloaded` when it took the place of another.
    pub(super) fn configured(&self, hash: &str, reloaded: bool) {
        self.metrics.set_config(hash, reloaded);
    }

    /// What was refused has been taken back.
    pub(super) fn as_before(&self) {
        self.metrics.restore_config();
    }

    /// A configuration was refused, and the old one stays in force.
    pub(super) fn refused(&self) {
        self.metrics.count_refused_config();
    }

    /// Makes sinks that can be put in place.
    pub(super) fn maker(&self) -> Maker {
        self.sinks.maker()
    }

    /// Takes levels and sinks of another configuration.
    pub(super) fn adjust(&self, config: &Config, sinks: Change) {
        self.sinks
            .set_threshold("stdout", level(config.output.level));
        self.sinks.exchange(&sinks.gone, sinks.new);
        self.metrics.watch_sinks(self.sinks.stats());
    }

    /// Capture has begun.
    pub(super) fn ready(&self) {
        self.capturing.met();
    }

    /// Numbers the loop keeps.
    pub(super) const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Hands an alert or a notice to every sink.
    pub(super) fn tell(&self, document: Document) {
        if let Document::Alert(alert) = &document {
            self.metrics.count_alert(alert);
        }
        self.tail.send(&document);
        self.sinks.send(document);
    }

    /// Keeps how often what was silent.
    pub(super) fn count(&self, counts: &Arc<[tally::Count]>) {
        self.sinks.count(counts);
    }

    /// Counts what an exception has excused.
    pub(super) fn excepted(&self, excepted: &Excepted) {
        let pid = excepted.subject.process.tgid;
        debug!(
            "{} at pid {pid}: {}",
            excepted.rule.name, excepted.exception
        );
        self.metrics.count_excepted();
    }

    /// Where the metrics are, in words.
    pub(super) fn address(&self) -> String {
        self.http.map_or_else(
            || "no HTTP (http.enabled is false)".to_owned(),
            |address| format!("metrics http://{address}/metrics"),
        )
    }

    /// Writes what is left, closes the sockets.
    pub(super) async fn close(self, limit: Duration) {
        let left = self.sinks.drain(limit).await;
        if left > 0 {
            warn!("{left} alerts could not be written in time and are lost");
        }
        self.stop.send_replace(true);
        for server in self.servers {
            // A server that panicked has been logged by its task.
            drop(server.await);
        }
    }
}

/// Numbers the loop keeps, and the counters it feeds.
pub(super) struct Stats {
    core: Arc<CoreStats>,
    metrics: Arc<Metrics>,
}

impl Stats {
    /// Counts what was read from the ring: an event, the gap before it, or neither.
    pub(super) fn read(&self, read: &Read) {
        match read {
            Read::Event(event, lost) => {
                self.core.count(event);
                if let Some(lost) = lost {
                    self.core.count(&Event::Lost(*lost));
                }
            }
            Read::Malformed(error) => self.metrics.count_decode_error(error.name()),
        }
    }

    /// Notes the numbers of incidents.
    pub(super) fn incidents(&self, stats: &incident::Stats) {
        self.core.set_incidents(stats);
    }

    /// Notes how the memo of verdicts has served.
    pub(super) fn memo(&self, stats: MemoStats) {
        self.core.set_memo(stats);
    }

    /// Notes what profiles have silenced and learnt.
    pub(super) fn profiles(&self, judge: &Judge) {
        let (silenced, would_silence) = judge.counts();
        self.core.set_silenced(silenced, would_silence);
        let learner = judge.learner();
        self.core
            .set_learnt(learner.chains() as u64, learner.overflow());
    }

    /// Notes the state of the tree, and that the loop turns.
    pub(super) fn tree(&self, stats: &tree::Stats) {
        self.core
            .set_processes(stats.live as u64, stats.exited as u64);
        self.core.set_evicted(stats.evicted);
        self.core.set_services(
            stats
                .services
                .iter()
                .map(|(&kind, &count)| (kind, count as u64)),
        );
        self.core.tick(clock::boottime_ns());
    }
}

fn metrics(core: &Arc<CoreStats>) -> Result<Metrics, Failure> {
    let uname = rustix::system::uname();
    let kernel = uname.release().to_string_lossy();
    let build = Build {
        version: env!("CARGO_PKG_VERSION"),
        kernel: &kernel,
    };
    Metrics::new(Arc::clone(core), build, clock::boottime_ns)
        .map_err(|error| Failure::new(Exit::Internal, format_args!("set up metrics: {error}")))
}

async fn listen(config: &Config) -> Result<http::Server, Failure> {
    let server = http::Server::bind(config.http.listen).await;
    server.map_err(|error| Failure::new(Exit::Usage, chain(&error)))
}

fn sinks(config: &Config, metrics: &Arc<Metrics>) -> Result<Sinks, Failure> {
    let written = Arc::clone(metrics);
    let sinks = Sinks::new(move |time_ns| written.observe_written(time_ns));
    let stdout = stdout(config)?;
    sinks
        .add("stdout", level(config.output.level), stdout)
        .map_err(|error| failed(&error))?;
    outlet::check(config)?;
    outlet::start_all(&sinks, &config.sinks)?;
    if config.history.enabled {
        let history = History::new(history(&config.history));
        sinks
            .keep("history", history)
            .map_err(|error| Failure::new(Exit::Internal, format_args!("history: {error}")))?;
    }
    Ok(sinks)
}

fn history(config: &config::History) -> history::Settings {
    history::Settings {
        path: config.path.clone(),
        max_bytes: config.max_bytes.get(),
        max_age_s: config.max_age_days.get().saturating_mul(86_400),
    }
}

/// Standard output as the configuration wants it.
pub(super) fn stdout(config: &Config) -> Result<Stream, Failure> {
    let encoding = match config.output.format {
        Format::Auto => None,
        Format::Pretty => Some(Encoding::Pretty),
        Format::Json => Some(Encoding::Json),
    };
    let colour = match config.output.color {
        config::Color::Auto => Colour::Auto,
        config::Color::Always => Colour::Always,
        config::Color::Never => Colour::Never,
    };
    Stream::stdout(encoding, colour).map_err(|error| failed(&error))
}

fn failed(error: &io::Error) -> Failure {
    Failure::new(Exit::Internal, format_args!("standard output: {error}"))
}

/// The least level that is written.
pub(crate) const fn level(level: config::Level) -> Level {
    match level {
        config::Level::Informational => Level::Informational,
        config::Level::Low => Level::Low,
        config::Level::Medium => Level::Medium,
        config::Level::High => Level::High,
        config::Level::Critical => Level::Critical,
    }
}

/// Resolves when the sensor stops.
async fn end(mut stopped: watch::Receiver<bool>) {
    // The sender gone means the same.
    drop(stopped.wait_for(|stop| *stop).await);
}

impl KernelCounters for Counters {
    fn read(&self) -> Result<KernelReading, Box<dyn Error + Send + Sync>> {
        let mut counters = Vec::with_capacity(Counter::ALL.len());
        for &counter in Counter::ALL {
            counters.push((counter, self.sum(counter)?));
        }
        Ok(KernelReading {
            counters,
            recursion_misses: self.recursion_misses(),
        })
    }
}
