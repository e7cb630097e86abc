//! The collector of what is looked up when a scrape asks: kernel counters, core, state.

use std::{
    error::Error,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use prometheus::{
    GaugeVec, IntCounterVec, IntGaugeVec, Opts,
    core::{Collector, Desc, Describer as _},
    proto::MetricFamily,
};
use sensor_common::counter::Counter;

use super::{
    CoreStats,
    core::{IncidentStats, MemoCounts, OutletStats},
};
use crate::alert::Reason;

/// The one ring there is.
const LIFECYCLE: &str = "lifecycle";
/// Label of the ring of files and sockets.
const FILE: &str = "file";

/// Counters of the kernel programs, summed over CPUs, in events since they were loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelReading {
    /// The counter map.
    pub counters: Vec<(Counter, u64)>,
    /// `recursion_misses` of all programs together (`bpf_prog_info`).
    pub recursion_misses: u64,
}

/// Access to the kernel's counters. Called once a scrape, from the HTTP server.
pub trait KernelCounters: Send + Sync {
    /// Reads all counters now.
    ///
    /// # Errors
    ///
    /// When the kernel refuses. The scrape then goes without them and says so in
    /// `kernel_counters_readable`.
    fn read(&self) -> Result<KernelReading, Box<dyn Error + Send + Sync>>;
}

/// What is looked up besides the core.
#[derive(Default)]
pub(super) struct State {
    pub(super) kernel: Option<Arc<dyn KernelCounters>>,
    pub(super) hooks: Vec<(String, String)>,
    pub(super) degraded: Vec<String>,
    pub(super) config: Config,
}

/// Which configuration is in force, and what came of reading it again.
#[derive(Default)]
pub(super) struct Config {
    /// Begin of its hash; empty before there is one.
    pub(super) hash: String,
    pub(super) loaded: u64,
    pub(super) refused: u64,
    /// The last was refused.
    pub(super) failing: bool,
}

/// The collector.
#[derive(Clone)]
pub(super) struct Scrape {
    core: Arc<CoreStats>,
    clock: fn() -> u64,
    state: Arc<Mutex<State>>,
    /// A registry wants to know one name at least; this one is always there.
    desc: Desc,
}

impl Scrape {
    pub(super) fn new(core: Arc<CoreStats>, clock: fn() -> u64) -> prometheus::Result<Self> {
        let desc = Opts::new("events_total", EVENTS)
            .variable_label("kind")
            .describe()?;
        Ok(Self {
            core,
            clock,
            state: Arc::default(),
            desc,
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const EVENTS: &str = "Events consumed by the core.";

impl Collector for Scrape {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut page = Page::default();
        let state = self.lock();
        let reading = state.kernel.as_ref().map(|kernel| kernel.read());
        let readable = reading.as_ref().map(Result::is_ok);
        if let Some(Err(error)) = &reading {
            tracing::warn!(%error, "kernel counters cannot be read");
        }
        page.core(&self.core, (self.clock)());
        page.kernel(&self.core, reading.and_then(Result::ok), readable);
        page.state(&state);
        page.config(&state.config);
        page.0
    }
}

/// The families of one scrape.
#[derive(Default)]
pub(super) struct Page(pub(super) Vec<MetricFamily>);

impl Page {
    fn profiles(&mut self, core: &CoreStats) {
        let modes = [("alert", &core.silenced), ("shadow", &core.would_silence)];
        let modes = modes.map(|(mode, count)| ([mode], count.load(Relaxed)));
        self.counters(
            "alerts_silenced_total",
            "Matches that a profile silenced; under shadow those it would have.",
            ["mode"],
            modes,
        );
        let chains = [([], core.chains.load(Relaxed))];
        self.gauges("profile_chains", "Chains of programs learnt.", [], chains);
        let missed = [([], core.not_learnt.load(Relaxed))];
        self.counters(
            "profile_overflow_total",
            "Execs that were not learnt because there was no room.",
            [],
            missed,
        );
    }

    fn core(&mut self, core: &CoreStats, now_ns: u64) {
        let events = [
            ("exec", &core.execs),
            ("fork", &core.forks),
            ("exit", &core.exits),
            ("file", &core.files),
            ("socket", &core.sockets),
        ];
        let events = events.map(|(kind, count)| ([kind], count.load(Relaxed)));
        self.counters("events_total", EVENTS, ["kind"], events);
        let evicted = [([], core.evicted.load(Relaxed))];
        self.counters(
            "processes_evicted_total",
            "Processes dropped from the tree to keep its bound.",
            [],
            evicted,
        );
        let states = [("live", &core.live), ("exited", &core.exited)];
        let states = states.map(|(state, gauge)| ([state], gauge.load(Relaxed)));
        self.gauges("processes", "Processes in the tree.", ["state"], states);
        let services = core.services.met().map(|(kind, live)| ([kind], live));
        self.gauges(
            "services",
            "Services alive, of the kinds met since the start.",
            ["kind"],
            services,
        );
        self.incidents(&core.incidents);
        self.profiles(core);
        self.outlet(&core.outlet);
        self.memo(&core.memo);
        if let Some(age) = core.self_test_age(now_ns) {
            let opts = Opts::new(
                "self_test_age_seconds",
                "Time since the self-test last passed.",
            );
            let gauge = GaugeVec::new(opts, &[]).expect("a constant, valid name");
            gauge.with_label_values::<&str>(&[]).set(age.as_secs_f64());
            self.0.extend(gauge.collect());
        }
    }

    fn memo(&mut self, memo: &MemoCounts) {
        let outcomes = [
            ("hit", &memo.hits),
            ("miss", &memo.misses),
            ("unkept", &memo.unkept),
        ];
        let outcomes = outcomes.map(|(outcome, count)| ([outcome], count.load(Relaxed)));
        self.counters(
            "verdicts_total",
            "Verdicts on execs: remembered (hit), come to and kept (miss), or come to by what changes each time (unkept).",
            ["outcome"],
            outcomes,
        );
        let entries = [([], memo.entries.load(Relaxed))];
        self.gauges("verdicts_remembered", "Verdicts in the memo.", [], entries);
    }

    fn incidents(&mut self, incidents: &IncidentStats) {
        let load = |counter: &AtomicU64| counter.load(Relaxed);
        self.gauges(
            "incidents",
            "Incidents open.",
            [],
            [([], load(&incidents.open))],
        );
        self.counters(
            "incidents_opened_total",
            "Incidents opened: spawn roots that alerted.",
            [],
            [([], load(&incidents.opened))],
        );
        let closed = Reason::ALL.iter().zip(&incidents.closed);
        let closed = closed.map(|(reason, count)| ([reason.name()], load(count)));
        self.counters(
            "incidents_closed_total",
            "Incidents closed, by reason.",
            ["reason"],
            closed,
        );
        self.counters(
            "alerts_suppressed_total",
            "Alerts left out because their rule had alerted too often below one spawn root.",
            [],
            [([], load(&incidents.suppressed))],
        );
    }

    fn kernel(&mut self, core: &CoreStats, reading: Option<KernelReading>, readable: Option<bool>) {
        let mut lost = Vec::new();
        let (mut records, mut stale) = (Vec::new(), Vec::new());
        let mut repeated = Vec::new();
        if let Some(reading) = reading {
            lost.push(([LIFECYCLE, "recursion"], reading.recursion_misses));
            for (counter, count) in reading.counters {
                match counter {
                    Counter::ExecEmitted
                    | Counter::ForkEmitted
                    | Counter::ExitEmitted
                    | Counter::FileEmitted
                    | Counter::SocketEmitted => {
                        records.push(([counter.name()], count));
                    }
                    Counter::RingFull | Counter::MapFull | Counter::ReadFault => {
                        lost.push(([LIFECYCLE, counter.name()], count));
                    }
                    Counter::FileRingFull => lost.push(([FILE, "ring_full"], count)),
                    Counter::ReadRepeated => repeated.push(([], count)),
                    Counter::StaleEntry => stale.push(([], count)),
                }
            }
        }
        self.counters(
            "events_lost_total",
            "Events lost or incomplete, by ring and reason.",
            ["ring", "reason"],
            lost,
        );
        self.counters(
            "sequence_missing_total",
            "Sequence numbers missing in a ring: comes to what ring_full counts.",
            ["ring"],
            vec![
                ([LIFECYCLE], core.missing.load(Relaxed)),
                ([FILE], core.missing_files.load(Relaxed)),
            ],
        );
        self.counters(
            "kernel_records_total",
            "Records written to the rings.",
            ["kind"],
            records,
        );
        self.counters(
            "stale_entries_total",
            "Lineage entries found to belong to an earlier process of the same pid.",
            [],
            stale,
        );
        self.counters(
            "reads_repeated_total",
            "Reads of files not recorded because the same file was reported within a minute.",
            [],
            repeated,
        );
        let readable = readable.map(|readable| ([], u64::from(readable)));
        self.gauges(
            "kernel_counters_readable",
            "1 when the counters of the kernel programs could be read.",
            [],
            readable,
        );
    }

    fn state(&mut self, state: &State) {
        let hooks = state
            .hooks
            .iter()
            .map(|(hook, rung)| ([hook.as_str(), rung.as_str()], 1));
        self.gauges(
            "hook_info",
            "How each hook is attached; always 1.",
            ["hook", "rung"],
            hooks,
        );
        let degraded = state.degraded.iter().map(|reason| ([reason.as_str()], 1));
        self.gauges(
            "degraded",
            "What cannot be seen at present; 1 for each.",
            ["reason"],
            degraded,
        );
    }

    fn outlet(&mut self, outlet: &OutletStats) {
        let restarts = outlet.restarts.iter().zip(OutletStats::REASONS);
        let restarts = restarts.map(|(count, reason)| ([*reason], count.load(Relaxed)));
        self.counters(
            "outlet_restarts_total",
            "Times the outlet was started again, by reason: it had ended, was silent, said what it may not, or needed another sandbox.",
            ["reason"],
            restarts,
        );
        self.gauges(
            "outlet_queue_length",
            "Alerts and notices that the outlet has not said are written or spooled.",
            [],
            [([], outlet.waiting.load(Relaxed))],
        );
        self.counters(
            "outlet_dropped_total",
            "Alerts and notices lost on the way to the outlet: too many waited while it was away.",
            [],
            [([], outlet.dropped.load(Relaxed))],
        );
        if outlet.follows_pods.load(Relaxed) {
            self.pods(outlet);
        }
    }

    fn config(&mut self, config: &Config) {
        let hash = (!config.hash.is_empty()).then_some(([config.hash.as_str()], 1));
        self.gauges(
            "config_info",
            "Hash of the configuration, rules and profile in force; always 1.",
            ["hash"],
            hash,
        );
        let results = [("loaded", config.loaded), ("refused", config.refused)];
        self.counters(
            "config_reloads_total",
            "Times the configuration was read again, by what came of it.",
            ["result"],
            results.map(|(result, count)| ([result], count)),
        );
        self.gauges(
            "config_last_reload_successful",
            "0 when what was last read was refused and the old set is in force.",
            [],
            [([], u64::from(!config.failing))],
        );
    }

    pub(super) fn counters<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&str; N],
        rows: impl IntoIterator<Item = ([&'a str; N], u64)>,
    ) {
        let family = IntCounterVec::new(Opts::new(name, help), &labels);
        let family = family.expect("constant, valid names");
        for (values, count) in rows {
            family.with_label_values(&values).inc_by(count);
        }
        self.0.extend(family.collect());
    }

    pub(super) fn gauges<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&str; N],
        rows: impl IntoIterator<Item = ([&'a str; N], u64)>,
    ) {
        let family = IntGaugeVec::new(Opts::new(name, help), &labels);
        let family = family.expect("constant, valid names");
        for (values, value) in rows {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            family.with_label_values(&values).set(value);
        }
        self.0.extend(family.collect());
    }
}
