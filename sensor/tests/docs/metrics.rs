//! `docs/metrics.md`: every family, and every value of labels that are fixed lists.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fmt::Write as _,
    sync::Arc,
};

use sensor::{
    alert::{Document, Level},
    decode::DecodeError,
    lineage::ServiceKind,
    metrics::{Build, CoreStats, KernelCounters, KernelReading, Metrics, OutletMetrics},
    probe::Hook,
    sink::{Deliver, DeliverError, Sinks},
};
use sensor_common::counter::Counter;

use crate::page::{code, head, page, table};

struct Zeroes;

impl KernelCounters for Zeroes {
    fn read(&self) -> Result<KernelReading, Box<dyn Error + Send + Sync>> {
        Ok(KernelReading {
            counters: Counter::ALL.iter().map(|&counter| (counter, 0)).collect(),
            recursion_misses: 0,
        })
    }
}

struct Nowhere;

impl Deliver for Nowhere {
    fn deliver(&mut self, _: &Document) -> Result<(), DeliverError> {
        Ok(())
    }
}

/// Words for labels whose values are no fixed list.
const OPEN: &[(&str, &str, &str)] = &[
    ("alerts_total", "rule", "id of a rule, or `overflow`"),
    (
        "alerts_total",
        "service",
        "kind of the service, `none`, or `overflow`",
    ),
    ("build_info", "kernel", "release of the kernel"),
    ("build_info", "version", "version of the sensor"),
    (
        "config_info",
        "hash",
        "first 12 hex digits of a SHA-256, as in the log",
    ),
    ("degraded", "reason", "a sentence of the sensor's own"),
    ("sink_dropped_total", "sink", SINK),
    ("sink_queue_length", "sink", SINK),
    ("sink_spooled", "sink", SINK),
    ("sink_written_total", "sink", SINK),
];

const SINK: &str = "`stdout`, or the name in `sinks`";

/// A page with every family on it, and every value of the labels that are fixed lists.
fn scrape() -> String {
    let core = Arc::new(CoreStats::default());
    core.set_self_test(1);
    core.outlet.set_pods(0, 0);
    core.set_services(ServiceKind::ALL.iter().map(|&kind| (kind, 1)));
    let build = Build {
        version: "0",
        kernel: "0",
    };
    let metrics = Metrics::new(core, build, || 1).expect("names of metrics are unique");
    metrics.watch_kernel(Arc::new(Zeroes));
    let sinks = Sinks::new(|_| ());
    sinks
        .add("stdout", Level::Medium, Nowhere)
        .expect("a thread can be started");
    let outlet = OutletMetrics::new(|| 1).expect("names of metrics are unique");
    outlet.watch_sinks(sinks.stats());
    outlet.watch_pods(Arc::default());
    let layers = ["capabilities", "files", "system_calls", "user"];
    outlet.set_sandbox(layers.map(|layer| (layer, true)).to_vec());
    let ladder = Hook::ladder().map(|(hook, rung)| (hook.to_owned(), rung.name().to_owned()));
    metrics.set_hooks(ladder.collect());
    metrics.set_degraded(vec!["0".to_owned()]);
    metrics.set_config("0", false);
    let levels = ["informational", "low", "medium", "high", "critical"];
    for level in levels {
        metrics.expect_alerts("0", level.parse().expect("all are levels"), "none");
    }
    for error in [DecodeError::Short, DecodeError::Kind(0), DecodeError::Spans] {
        metrics.count_decode_error(error.name());
    }
    let page = metrics.render().expect("an own registry encodes");
    outlet.render(Some(&page)).expect("an own registry encodes")
}

#[test]
fn metrics() {
    let scrape = scrape();
    let families: Vec<_> = scrape
        .split("# HELP ")
        .filter(|part| !part.is_empty())
        .collect();
    let mut text = head(
        "Metrics",
        "What `GET /metrics` answers, in Prometheus text form. Everything counts from the start of \
         the sensor. Labels are fixed lists or rule ids, never pids, paths or arguments.",
    );
    text += &table(
        ["Metric", "Type", "Labels", "What it says"],
        families.iter().map(|family| family_row(family)),
    );
    put!(
        text,
        "\n`alerts_total` has at most {} series; further rules and services count as `{}`. The \
         built-in rules have theirs when a service of the kind begins, as far as {} reach; other \
         rules from their first alert.\n",
        sensor::metrics::ALERT_SERIES,
        sensor::metrics::OVERFLOW,
        sensor::metrics::EXPECTED_SERIES
    );
    page("metrics.md", &text);
}

/// One family, from behind `# HELP ` to the next.
fn family_row(family: &str) -> [String; 4] {
    let mut lines = family.lines();
    let (name, help) = lines
        .next()
        .expect("HELP has a name and a text")
        .split_once(' ')
        .expect("HELP has a name and a text");
    let kind = lines
        .next()
        .expect("TYPE follows HELP")
        .rsplit(' ')
        .next()
        .expect("TYPE follows HELP");
    let short = name.strip_prefix("lineage_sensor_").expect("all begin so");
    let mut labels: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for series in lines {
        let inside = series
            .split_once('{')
            .and_then(|(_, rest)| rest.split_once('}'));
        for pair in inside.map_or("", |(inside, _)| inside).split(',') {
            if let Some((label, value)) = pair.split_once('=').filter(|pair| pair.0 != "le") {
                labels
                    .entry(label)
                    .or_default()
                    .insert(value.trim_matches('"'));
            }
        }
    }
    let described = labels.iter().map(|(label, values)| {
        let open = OPEN.iter().find(|open| (open.0, open.1) == (short, *label));
        let values = match open {
            Some((_, _, words)) => (*words).to_owned(),
            None => values
                .iter()
                .copied()
                .map(code)
                .collect::<Vec<_>>()
                .join(" "),
        };
        format!("{}: {values}", code(label))
    });
    let labels: Vec<_> = described.collect();
    [
        code(name),
        kind.to_owned(),
        labels.join("; "),
        help.to_owned(),
    ]
}
