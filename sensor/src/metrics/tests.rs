//! The scrape, as text.

use std::{collections::BTreeMap, error::Error, sync::Arc};

use sensor_common::counter::Counter;

use super::{
    ALERT_SERIES, Build, CoreStats, EXPECTED_SERIES, KernelCounters, KernelReading, MAX_SERIES,
    Metrics, OutletMetrics,
};
use crate::{
    alert::{Level, sample::sample},
    decode::DecodeError,
    event::{Event, Lost},
    lineage::ServiceKind,
    probe::Hook,
    sink::Sinks,
};

const NOW: u64 = 90_003_000_000;

fn metrics() -> (Arc<CoreStats>, Metrics) {
    let core = Arc::new(CoreStats::default());
    let build = Build {
        version: "0.1.0",
        kernel: "6.18.0",
    };
    (
        Arc::clone(&core),
        Metrics::new(core, build, || NOW).unwrap(),
    )
}

struct Fixed(Option<u64>);

impl KernelCounters for Fixed {
    fn read(&self) -> Result<KernelReading, Box<dyn Error + Send + Sync>> {
        let first = self.0.ok_or("map is gone")?;
        let counters = Counter::ALL.iter().copied().zip(first..).collect();
        Ok(KernelReading {
            counters,
            recursion_misses: 9,
        })
    }
}

struct Nowhere;

impl crate::sink::Deliver for Nowhere {
    fn deliver(&mut self, _: &crate::alert::Document) -> Result<(), crate::sink::DeliverError> {
        Ok(())
    }
}

#[tokio::test]
async fn the_whole_page() {
    let (core, metrics) = metrics();
    let sinks = Sinks::new(|_| ());
    sinks.add("stdout", Level::Medium, Nowhere).unwrap();
    let alert = Arc::new(sample().alert());
    sinks.send(Arc::clone(&alert));
    sinks.drain(std::time::Duration::from_secs(5)).await;
    let outlet = OutletMetrics::new(|| NOW).unwrap();
    outlet.watch_sinks(sinks.stats());
    let layers = ["capabilities", "files", "system_calls", "user"];
    outlet.set_sandbox(layers.map(|layer| (layer, true)).to_vec());
    metrics.watch_kernel(Arc::new(Fixed(Some(1))));
    metrics.set_hooks(vec![("sched_process_exec".to_owned(), "tp_btf".to_owned())]);
    metrics.set_degraded(vec!["files".to_owned()]);
    metrics.set_config("0123456789ab", false);
    metrics.expect_alerts("never", Level::Low, "nginx");
    metrics.count_alert(&alert);
    outlet.observe_written(alert.time_ns);
    outlet.watch_pods(Arc::default());
    core.outlet.set_pods(7, 2);
    metrics.count_decode_error("short");
    core.count(&Event::Lost(Lost {
        ring: crate::event::RingKind::Lifecycle,
        cpu: 0,
        count: 5,
        time_ns: 1,
    }));
    core.set_processes(3, 1);
    core.set_services([(ServiceKind::Java, 2)]);
    core.set_self_test(NOW - 1_500_000_000);
    let page = metrics.render().unwrap();
    insta::assert_snapshot!(outlet.render(Some(&page)).unwrap());
}

#[test]
fn which_configuration_is_in_force_and_whether_the_last_was_refused() {
    let (_, metrics) = metrics();
    metrics.set_config("first", false);
    metrics.set_config("second", true);
    metrics.count_refused_config();
    let text = metrics.render().unwrap();
    let has = |line: &str| text.contains(&format!("lineage_sensor_config_{line}\n"));
    assert!(
        has("info{hash=\"second\"} 1") && !text.contains("first"),
        "{text}"
    );
    assert!(has("reloads_total{result=\"loaded\"} 1"), "{text}");
    assert!(has("reloads_total{result=\"refused\"} 1"), "{text}");
    assert!(has("last_reload_successful 0"), "{text}");
    metrics.set_config("third", true);
    assert!(
        metrics
            .render()
            .unwrap()
            .contains("last_reload_successful 1")
    );
}

#[test]
fn names_are_as_prometheus_wants_them() {
    let (core, metrics) = metrics();
    metrics.watch_kernel(Arc::new(Fixed(Some(0))));
    core.set_self_test(1);
    for family in metrics.registry.gather() {
        let name = family.name();
        assert!(name.starts_with("lineage_sensor_"), "{name}");
        assert!(
            family.help().ends_with('.') && family.help().len() > 10,
            "{name}"
        );
        let counter = family.get_field_type() == prometheus::proto::MetricType::COUNTER;
        assert_eq!(name.ends_with("_total"), counter, "{name}");
        assert!(
            name.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{name}"
        );
    }
}

#[test]
fn unreadable_kernel_counters_are_absent_and_said() {
    let (_, metrics) = metrics();
    metrics.watch_kernel(Arc::new(Fixed(None)));
    let text = metrics.render().unwrap();
    assert!(
        text.contains("lineage_sensor_kernel_counters_readable 0\n"),
        "{text}"
    );
    assert!(!text.contains("ring_full\""), "{text}");
    assert!(
        text.contains(r#"sequence_missing_total{ring="lifecycle"} 0"#),
        "{text}"
    );
}

#[test]
fn alert_series_are_bounded() {
    let (_, metrics) = metrics();
    for rule in 0..2 * ALERT_SERIES {
        metrics.expect_alerts(&format!("rule_{rule}"), Level::Low, "nginx");
    }
    assert_eq!(metrics.series().len(), EXPECTED_SERIES);
    for rule in 0..2 * ALERT_SERIES {
        let rule = format!("rule_{rule}");
        metrics.alert_series(&rule, Level::Low, "apache").inc();
    }
    let text = metrics.render().unwrap();
    let series = text
        .lines()
        .filter(|line| line.starts_with("lineage_sensor_alerts_total{"));
    assert_eq!(series.count(), ALERT_SERIES + 1);
    assert!(text.contains(r#"rule="overflow""#));
}

/// Ten thousand services of every kind, below each of which 60 rules alert, on
/// a machine where every hook is attached and all is counted.
#[tokio::test]
async fn ten_thousand_services_keep_within_the_bound_of_series() {
    const SERVICES: u64 = 10_000;
    /// As many as are built in, about.
    const RULES: u64 = 60;
    let (core, metrics) = metrics();
    let sinks = Sinks::new(|_| ());
    sinks.add("stdout", Level::Medium, Nowhere).unwrap();
    let outlet = OutletMetrics::new(|| NOW).unwrap();
    outlet.watch_sinks(sinks.stats());
    let layers = ["capabilities", "files", "system_calls", "user"];
    outlet.set_sandbox(layers.map(|layer| (layer, true)).to_vec());
    metrics.watch_kernel(Arc::new(Fixed(Some(1))));
    let hooks: BTreeMap<_, _> = Hook::ladder()
        .map(|(hook, rung)| (hook.to_owned(), rung.name().to_owned()))
        .collect();
    metrics.set_hooks(hooks.into_iter().collect());
    metrics.set_degraded(vec!["scan_incomplete".to_owned()]);
    for error in [DecodeError::Short, DecodeError::Kind(0), DecodeError::Spans] {
        metrics.count_decode_error(error.name());
    }
    core.set_self_test(1);
    core.outlet.set_pods(1, 0);
    outlet.watch_pods(Arc::default());
    let levels = ["informational", "low", "medium", "high", "critical"];
    let levels = levels.map(|level| level.parse::<Level>().unwrap());
    let rules = levels.into_iter().cycle().zip(0..RULES);
    let rules: Vec<_> = rules
        .map(|(level, rule)| (format!("rule_{rule}"), level))
        .collect();
    let kinds = ServiceKind::ALL.iter().cycle();
    let mut met = BTreeMap::<_, u64>::new();
    for (kind, _) in kinds.zip(0..SERVICES) {
        *met.entry(*kind).or_default() += 1;
        for (rule, level) in &rules {
            metrics.expect_alerts(rule, *level, kind.name());
        }
        for (rule, level) in &rules {
            metrics.alert_series(rule, *level, kind.name()).inc();
        }
    }
    assert_eq!(met.values().sum::<u64>(), SERVICES);
    core.set_services(met);
    let text = outlet.render(Some(&metrics.render().unwrap())).unwrap();
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    assert!(series <= MAX_SERIES, "{series}");
    let alerts: u64 = text
        .lines()
        .filter(|line| line.starts_with("lineage_sensor_alerts_total{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(alerts, SERVICES * RULES, "each is counted somewhere");
}
