//! The outlet's own metrics, and the page that joins them with the collector's.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use prometheus::{
    Histogram, HistogramOpts, Opts, Registry, TextEncoder,
    core::{Collector, Desc, Describer as _},
    proto::MetricFamily,
};

use super::{PREFIX, scrape::Page};
use crate::{kubernetes::WatchStats, sink::SinkStats};

/// From half the promised median to the longest stall one can still call detection, s.
const LATENCY_BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

const LATENCY: &str =
    "Time from the event in the kernel to the alert written by a sink or accepted by its receiver.";
const UP: &str = "1 when the collector has answered this scrape.";

/// Those of the outlet.
pub struct OutletMetrics {
    registry: Registry,
    latency: Histogram,
    sinks: Sinks,
    clock: fn() -> u64,
}

#[derive(Clone)]
struct Sinks {
    stats: Arc<Mutex<Vec<Arc<SinkStats>>>>,
    up: Arc<AtomicBool>,
    /// Layers of the sandbox, and whether they hold.
    layers: Arc<Mutex<Vec<(&'static str, bool)>>>,
    /// How following pods goes; empty where they are not followed.
    pods: Arc<OnceLock<Arc<WatchStats>>>,
    desc: Desc,
}

impl OutletMetrics {
    /// `clock` gives `CLOCK_BOOTTIME` in ns, the clock of the kernel's records.
    ///
    /// # Errors
    /// When two metrics have one name, which tests exclude.
    pub fn new(clock: fn() -> u64) -> prometheus::Result<Self> {
        let registry = Registry::new_custom(Some(PREFIX.to_owned()), None)?;
        let latency = HistogramOpts::new("detection_latency_seconds", LATENCY);
        let latency = Histogram::with_opts(latency.buckets(LATENCY_BUCKETS.to_vec()))?;
        let sinks = Sinks {
            stats: Arc::default(),
            up: Arc::default(),
            layers: Arc::default(),
            pods: Arc::default(),
            desc: Opts::new("collector_up", UP).describe()?,
        };
        registry.register(Box::new(latency.clone()))?;
        registry.register(Box::new(sinks.clone()))?;
        Ok(Self {
            registry,
            latency,
            sinks,
            clock,
        })
    }

    /// Makes the numbers of these sinks, and no others, part of every scrape.
    pub fn watch_sinks(&self, stats: Vec<Arc<SinkStats>>) {
        *self
            .sinks
            .stats
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = stats;
    }

    /// States which layers of the outlet's sandbox hold.
    pub fn set_sandbox(&self, layers: Vec<(&'static str, bool)>) {
        let mut known = self
            .sinks
            .layers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *known = layers;
    }

    /// Makes how following pods goes part of every scrape. The first to be told of counts.
    pub fn watch_pods(&self, stats: Arc<WatchStats>) {
        let _first = self.sinks.pods.set(stats);
    }

    /// Measures an alert that a sink has just written, or its receiver accepted; the kernel
    /// saw at `time_ns` what it is about.
    pub fn observe_written(&self, time_ns: u64) {
        let age = (self.clock)().saturating_sub(time_ns);
        self.latency
            .observe(Duration::from_nanos(age).as_secs_f64());
    }

    /// How long ago a moment of the kernel's clock is.
    #[must_use]
    pub fn since(&self, time_ns: u64) -> Duration {
        Duration::from_nanos((self.clock)().saturating_sub(time_ns))
    }

    /// The page that Prometheus scrapes: own families and those of the collector, when it
    /// has answered, by name.
    ///
    /// # Errors
    /// When the encoder refuses a metric, which tests exclude.
    pub fn render(&self, collector: Option<&str>) -> prometheus::Result<String> {
        self.sinks.up.store(collector.is_some(), Relaxed);
        let own = TextEncoder::new().encode_to_string(&self.registry.gather())?;
        Ok(match collector {
            Some(theirs) => join(&own, theirs),
            None => own,
        })
    }
}

/// Families of two texts, by name; those of the first win.
fn join(own: &str, theirs: &str) -> String {
    let mut families = BTreeMap::new();
    for family in families_of(theirs).chain(families_of(own)) {
        let name = family.split_whitespace().nth(2).unwrap_or_default();
        families.insert(name, family);
    }
    families.into_values().collect()
}

/// Each from its `# HELP` to the next.
fn families_of(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.find("\n# HELP ").map_or(rest.len(), |at| at + 1);
        let (family, behind) = rest.split_at(end);
        rest = behind;
        Some(family)
    })
}

impl Collector for Sinks {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let sinks = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        let mut page = Page::default();
        page.gauges(
            "collector_up",
            UP,
            [],
            [([], u64::from(self.up.load(Relaxed)))],
        );
        let layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        page.gauges(
            "outlet_sandbox",
            "1 for each layer of the outlet's sandbox that holds here.",
            ["layer"],
            layers
                .iter()
                .map(|(layer, holds)| ([*layer], u64::from(*holds))),
        );
        page.sinks(&sinks);
        if let Some(pods) = self.pods.get() {
            page.watch(pods);
        }
        page.0
    }
}

impl Page {
    fn sinks(&mut self, sinks: &[Arc<SinkStats>]) {
        let rows = |value: fn(&SinkStats) -> u64| {
            sinks.iter().map(move |sink| ([sink.name()], value(sink)))
        };
        self.gauges(
            "sink_queue_length",
            "Alerts taken by a sink and not yet written.",
            ["sink"],
            rows(|sink| sink.queue_length() as u64),
        );
        self.gauges(
            "sink_spooled",
            "Alerts that wait in the spool of a sink, or before it in memory, until its receiver accepts them.",
            ["sink"],
            rows(|sink| sink.spooled() as u64),
        );
        self.counters(
            "sink_dropped_total",
            "Alerts a sink lost: queue or spool full, reader gone, write failed, refused.",
            ["sink"],
            rows(SinkStats::dropped_total),
        );
        self.counters(
            "sink_refused_total",
            "Alerts among those a sink lost that its receiver will never accept.",
            ["sink"],
            rows(SinkStats::refused_total),
        );
        self.counters(
            "sink_written_total",
            "Alerts a sink has written, or that its receiver has accepted.",
            ["sink"],
            rows(SinkStats::written_total),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_family_once_in_order() {
        let own = "# HELP b x\n# TYPE b gauge\nb 1\n# HELP d x\nd 1\n";
        let theirs = "# HELP a x\na 2\n# HELP b x\nb 2\n# HELP c # HELP\nc 2\n";
        assert_eq!(
            join(own, theirs),
            "# HELP a x\na 2\n# HELP b x\n# TYPE b gauge\nb 1\n# HELP c # HELP\nc 2\n# HELP d x\nd 1\n"
        );
        assert_eq!(join(own, ""), own);
        assert_eq!(join("", ""), "");
    }
}
