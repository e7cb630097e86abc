//! The numbers of the sensor, in Prometheus form.
//!
//! [`Metrics`] are the collector's, [`OutletMetrics`] those of the outlet, which joins both
//! into one page: no family is in both.
//!
//! What the core knows comes in through [`CoreStats`], plain atomics; what the kernel
//! programs count is read through [`KernelCounters`] when a scrape asks, never kept here.
//! Label values are words from fixed lists or rule names, never pids, paths or argv, and
//! the series of `alerts_total` are bounded by [`ALERT_SERIES`].

mod core;
mod outlet;
mod pods;
mod scrape;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

use self::scrape::Scrape;
pub use self::{
    core::{CoreStats, OutletStats},
    outlet::OutletMetrics,
    scrape::{KernelCounters, KernelReading},
};
use crate::{
    alert::{Alert, Level},
    decode::DecodeError,
};

/// Most series of a whole scrape, as the tests count them.
#[cfg(test)]
const MAX_SERIES: usize = 300;
/// Most series of `alerts_total`; further rules count as [`OVERFLOW`].
pub const ALERT_SERIES: usize = 152;
/// Of these, the most that may be made before their first alert: room for two kinds of service.
pub const EXPECTED_SERIES: usize = 115;
/// Label value that stands for what found no room.
pub const OVERFLOW: &str = "overflow";

/// Begin of every name.
const PREFIX: &str = "lineage_sensor";

const EXCEPTED: &str = "Matches that an exception of the configuration kept from alerting.";
const UNDECODED: &str = "Records of the kernel that could not be decoded.";
const BUILD: &str = "Version of the sensor and release of the kernel; always 1.";

/// Identity of the build, for `build_info`.
#[derive(Clone, Copy, Debug)]
pub struct Build<'a> {
    /// Version of the sensor.
    pub version: &'a str,
    /// Release of the running kernel.
    pub kernel: &'a str,
}

/// Those of the collector. Shared by the parts that count and who answers a scrape.
pub struct Metrics {
    registry: Registry,
    scrape: Scrape,
    alerts: IntCounterVec,
    series: Mutex<BTreeSet<(String, Level, &'static str)>>,
    decode_errors: IntCounterVec,
    excepted: IntCounter,
}

impl Metrics {
    /// `clock` gives `CLOCK_BOOTTIME` in ns, the clock of the kernel's records.
    ///
    /// # Errors
    ///
    /// When two metrics have one name, which tests exclude.
    pub fn new(
        core: Arc<CoreStats>,
        build: Build<'_>,
        clock: fn() -> u64,
    ) -> prometheus::Result<Self> {
        let registry = Registry::new_custom(Some(PREFIX.to_owned()), None)?;
        let alerts = counter(
            "alerts_total",
            "Alerts raised.",
            &["rule", "severity", "service"],
        )?;
        let decode_errors = decode_errors()?;
        let build_info = IntGaugeVec::new(Opts::new("build_info", BUILD), &["version", "kernel"])?;
        build_info
            .with_label_values(&[build.version, build.kernel])
            .set(1);
        let scrape = Scrape::new(core, clock)?;
        registry.register(Box::new(alerts.clone()))?;
        registry.register(Box::new(decode_errors.clone()))?;
        let excepted = IntCounter::new("alerts_excepted_total", EXCEPTED)?;
        registry.register(Box::new(excepted.clone()))?;
        registry.register(Box::new(build_info))?;
        registry.register(Box::new(scrape.clone()))?;
        let series = Mutex::default();
        Ok(Self {
            registry,
            scrape,
            alerts,
            series,
            decode_errors,
            excepted,
        })
    }

    /// Makes the kernel's counters part of every scrape.
    pub fn watch_kernel(&self, counters: Arc<dyn KernelCounters>) {
        self.scrape.lock().kernel = Some(counters);
    }

    /// States by which mechanism each hook is attached: `(sched_process_exec, tp_btf)`.
    pub fn set_hooks(&self, hooks: Vec<(String, String)>) {
        self.scrape.lock().hooks = hooks;
    }

    /// States what the sensor cannot see at present; empty when nothing.
    pub fn set_degraded(&self, reasons: Vec<String>) {
        self.scrape.lock().degraded = reasons;
    }

    /// States which configuration is in force, by its hash; `reloaded` when it took the
    /// place of another.
    pub fn set_config(&self, hash: &str, reloaded: bool) {
        let config = &mut self.scrape.lock().config;
        hash.clone_into(&mut config.hash);
        config.failing = false;
        config.loaded += u64::from(reloaded);
    }

    /// What was refused is gone: what is there again is in force.
    pub fn restore_config(&self) {
        self.scrape.lock().config.failing = false;
    }

    /// A configuration was read and refused: the old one stays in force.
    pub fn count_refused_config(&self) {
        let config = &mut self.scrape.lock().config;
        config.failing = true;
        config.refused += 1;
    }

    /// Makes the series of a rule exist before it matches, so that `increase()` sees the
    /// first alert; not when there are [`EXPECTED_SERIES`] already, so that room is left
    /// for alerts that are raised.
    pub fn expect_alerts(&self, rule: &str, level: Level, service: &'static str) {
        if self.series().len() < EXPECTED_SERIES {
            self.alert_series(rule, level, service).inc_by(0);
        }
    }

    /// Counts an alert.
    pub fn count_alert(&self, alert: &Alert) {
        let service = alert
            .service
            .as_ref()
            .map_or("none", |service| service.kind);
        self.alert_series(&alert.rule.id, alert.rule.level, service)
            .inc();
    }

    /// Counts a rule that matched and was excused by an exception.
    pub fn count_excepted(&self) {
        self.excepted.inc();
    }

    /// Counts a record that could not be decoded.
    pub fn count_decode_error(&self, reason: &'static str) {
        self.decode_errors.with_label_values(&[reason]).inc();
    }

    /// The text of the collector's part of a scrape.
    ///
    /// # Errors
    ///
    /// When the encoder refuses a metric, which tests exclude.
    pub fn render(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    fn series(&self) -> MutexGuard<'_, BTreeSet<(String, Level, &'static str)>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn alert_series(&self, rule: &str, level: Level, service: &'static str) -> IntCounter {
        let key = (rule.to_owned(), level, service);
        let mut series = self.series();
        let room = series.contains(&key) || series.len() < ALERT_SERIES;
        let (rule, service) = if room {
            series.insert(key);
            (rule, service)
        } else {
            (OVERFLOW, OVERFLOW)
        };
        self.alerts
            .with_label_values(&[rule, level.name(), service])
    }
}

/// With all its series, so that `increase()` sees the first error.
fn decode_errors() -> prometheus::Result<IntCounterVec> {
    use DecodeError::{Kind, Short, Spans, Value};

    let errors = counter("decode_errors_total", UNDECODED, &["reason"])?;
    for error in [Kind(0), Short, Spans, Value("")] {
        errors.with_label_values(&[error.name()]).inc_by(0);
    }
    Ok(errors)
}

fn counter(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
    IntCounterVec::new(Opts::new(name, help), labels)
}
