//! What stands around the loop: the outlet with sinks, HTTP and control socket, and the
//! collector's metrics. All of it is opened before the hooks are attached and closed after
//! they are gone.

use std::{
    cell::Cell, collections::HashMap, error::Error, net::SocketAddr, sync::Arc, time::Duration,
};

use rustix::process::geteuid;
use sensor_common::counter::Counter;
use tokio::sync::mpsc;
use tracing::{debug, error, info};

use super::{
    link::{self, Link, Questions, Ticket},
    self_test::Outcome,
    sinks,
    spawner::Spawner,
    start::Started,
};
use crate::{
    alert::{Document, Host},
    clock,
    config::{Config, Effective},
    control::Query,
    detect::{Excepted, MemoStats},
    engine::Engine,
    event::Event,
    exit::{Exit, Failure},
    host,
    http::{Condition, Readiness},
    incident,
    kubernetes::Pods,
    lineage::ServiceKind,
    metrics::{Build, CoreStats, KernelCounters, KernelReading, Metrics},
    probe::Counters,
    profile::Judge,
    ring::Read,
    tally, tree,
    wire::{self, Hello},
};

/// Reasons in the metric, in the order of [`Surroundings::doubts`].
const DOUBTS: [&str; 2] = ["scan_incomplete", "self_test_failed"];

/// Everything outside the loop.
pub(super) struct Surroundings {
    metrics: Arc<Metrics>,
    stats: Stats,
    readiness: Readiness,
    capturing: Condition,
    proven: Condition,
    /// What cannot be trusted at present: the tree, the kernel side.
    doubts: [Cell<bool>; 2],
    http: Option<SocketAddr>,
    link: Link,
    /// Of this node, as the outlet learns of them; `None` when they are not followed.
    pods: Option<Pods>,
}

impl Surroundings {
    /// Starts the outlet, which opens sockets, sinks and standard output.
    pub(super) async fn open(
        effective: &Effective,
        queries: mpsc::Sender<Query>,
        spawner: Spawner,
    ) -> Result<Self, Failure> {
        let config = &effective.config;
        sinks::check(config)?;
        let core = Arc::new(CoreStats::default());
        let metrics = Arc::new(metrics(&core)?);
        let readiness = Readiness::default();
        let capturing = readiness.condition("capture", "the hooks are not attached yet");
        let proven = readiness.condition("self-test", "not made yet");
        let hello = hello(config);
        let kubernetes = &config.kubernetes;
        let pods = kubernetes.watch.then(|| Pods::new(&kubernetes.labels.0));
        let settings = link::Settings {
            hello,
            launch: Box::new(spawner),
            questions: Questions::new(queries, Arc::clone(&metrics)),
            core: Arc::clone(&core),
            pods: pods.clone(),
            beat: link::BEAT,
            pause_max: link::PAUSE_MAX,
        };
        let (link, http) = Link::start(settings).await?;
        link.missing(readiness.missing());
        let stats = Stats {
            core,
            metrics: Arc::clone(&metrics),
        };
        Ok(Self {
            metrics,
            stats,
            readiness,
            capturing,
            proven,
            doubts: [const { Cell::new(false) }; 2],
            http,
            link,
            pods,
        })
    }

    /// Tells the metrics what start-up has found out.
    pub(super) fn observe(&self, started: &Started) {
        self.stats.core.set_self_test(clock::boottime_ns());
        self.proven.met();
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
        let [tree, _] = &self.doubts;
        tree.set(stale);
        self.doubt();
    }

    fn doubt(&self) {
        let reasons = self.doubts.iter().zip(DOUBTS);
        let reasons = reasons.filter(|(doubt, _)| doubt.get());
        let reasons = reasons.map(|(_, reason)| reason.to_owned());
        self.metrics.set_degraded(reasons.collect());
    }

    /// The self-test was made again. Why it failed is given once, until it passes again.
    pub(super) fn tested(&self, outcome: Outcome) -> Option<String> {
        let [_, unproven] = &self.doubts;
        let mut news = None;
        match outcome {
            Ok(()) => {
                self.stats.core.set_self_test(clock::boottime_ns());
                if unproven.replace(false) {
                    info!("the self-test passes again");
                    self.proven.met();
                }
            }
            Err(why) => {
                self.proven.unmet(&why);
                if !unproven.replace(true) {
                    error!("self-test: {why}");
                    news = Some(why);
                }
            }
        }
        self.doubt();
        self.link.missing(self.readiness.missing());
        news
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

    /// The pods of this node, when they are followed.
    pub(super) fn pods(&self) -> Option<Pods> {
        self.pods.clone()
    }

    /// The way to the outlet, for who prepares other sinks.
    pub(super) fn link(&self) -> Link {
        self.link.clone()
    }

    /// Takes levels and sinks of another configuration.
    pub(super) fn adjust(&self, sinks: Ticket) {
        self.link.commit(sinks);
    }

    /// Capture has begun.
    pub(super) fn ready(&self) {
        self.capturing.met();
        self.link.missing(self.readiness.missing());
    }

    /// Numbers the loop keeps.
    pub(super) const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Hands an alert or a notice to the outlet.
    pub(super) fn tell(&self, document: Document) {
        if let Document::Alert(alert) = &document {
            self.metrics.count_alert(alert);
        }
        self.link.tell(document);
    }

    /// Keeps how often what was silent.
    pub(super) fn count(&self, counts: &Arc<[tally::Count]>) {
        self.link.count(counts);
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

    /// Resolves when no outlet can be started any more.
    pub(super) async fn abandoned(&self) {
        self.link.abandoned().await;
    }

    /// Has the outlet write what is left and close the sockets.
    pub(super) async fn close(self, limit: Duration) {
        self.link.stop(limit).await;
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

/// What every outlet is told first. Names of users are no concern of it.
fn hello(config: &Config) -> Hello {
    Hello {
        version: wire::VERSION,
        collector: std::process::id(),
        user: geteuid().as_raw(),
        started_ns: clock::boottime_ns(),
        config: config.outlet_yaml(),
        address: None,
        sequence: 0,
        host: Host {
            users: HashMap::new(),
            ..host::gather()
        },
    }
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
