//! The metrics of the sensor, from the table in docs/metrics.md.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    file,
    promql::{Call, Query, Selector},
};

/// Labels that Prometheus puts on what it scrapes.
const TARGET: [&str; 2] = ["job", "instance"];

/// One metric.
struct Metric {
    kind: String,
    /// Labels and, where they are a fixed list, their values.
    labels: BTreeMap<String, Option<BTreeSet<String>>>,
}

/// All metrics, and the series that recording rules make of them.
pub(crate) struct Exported {
    metrics: BTreeMap<String, Metric>,
    recorded: BTreeMap<String, BTreeSet<String>>,
}

impl Exported {
    pub(crate) fn read() -> Self {
        let page = file("docs/metrics.md");
        let rows = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
        let metrics = rows.map(|(name, rest)| {
            let mut cells = rest.split(" | ");
            let kind = cells.next().expect("a type").to_owned();
            let labels = cells.next().expect("labels").split("; ");
            let labels = labels.filter(|label| !label.trim().is_empty()).map(label);
            let labels = labels.collect();
            (name.to_owned(), Metric { kind, labels })
        });
        let metrics: BTreeMap<_, _> = metrics.collect();
        assert!(metrics.len() > 20, "the table has changed its form");
        Self {
            metrics,
            recorded: BTreeMap::new(),
        }
    }

    /// Adds what a recording rule makes; only labels that the query keeps can be asked for.
    pub(crate) fn record(&mut self, name: &str, query: &Query) {
        let mut labels: BTreeSet<_> = TARGET.map(str::to_owned).into();
        for metric in query.selectors.iter().map(|it| self.family(&it.metric)) {
            labels.extend(metric.into_iter().flat_map(|it| it.labels.keys().cloned()));
        }
        self.recorded.insert(name.to_owned(), labels);
    }

    /// Names of all metrics.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.metrics.keys().map(String::as_str)
    }

    /// The metric a selector means: the series of a histogram have names of their own.
    fn family(&self, name: &str) -> Option<&Metric> {
        let whole = self.metrics.get(name);
        whole.or_else(|| {
            let stem = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix))?;
            self.metrics
                .get(stem)
                .filter(|metric| metric.kind == "histogram")
        })
    }

    /// Whatever a query names and the sensor does not export; empty when it is right.
    pub(crate) fn unknown(&self, query: &Query) -> Vec<String> {
        let mut found: Vec<_> = query
            .selectors
            .iter()
            .flat_map(|selector| self.unknown_of(selector))
            .collect();
        for label in &query.labels {
            let kept = |selector: &Selector| self.has(selector, label);
            if !query.selectors.iter().any(kept) {
                found.push(format!("no metric of it has the label {label}"));
            }
        }
        found
    }

    fn unknown_of(&self, selector: &Selector) -> Vec<String> {
        let name = &selector.metric;
        if name != "up" && !self.recorded.contains_key(name) {
            let Some(metric) = self.family(name) else {
                return vec![format!("no metric {name}")];
            };
            if selector.call == Some(Call::Counter) && metric.kind == "gauge" {
                return vec![format!("{name} is a gauge under rate()")];
            }
        }
        let mut found = Vec::new();
        for (label, value) in &selector.matchers {
            if !self.has(selector, label) {
                found.push(format!("{name} has no label {label}"));
            } else if let Some(fixed) = self.values(name, label) {
                let words = value.split('|').filter(|word| !word.starts_with('$'));
                let strange = words.filter(|word| !fixed.contains(*word));
                found.extend(strange.map(|word| format!("{name}: {label} is never {word}")));
            }
        }
        found
    }

    fn has(&self, selector: &Selector, label: &str) -> bool {
        let name = &selector.metric;
        TARGET.contains(&label)
            || (label == "le" && name.ends_with("_bucket"))
            || self
                .recorded
                .get(name)
                .is_some_and(|labels| labels.contains(label))
            || self
                .family(name)
                .is_some_and(|metric| metric.labels.contains_key(label))
    }

    fn values(&self, name: &str, label: &str) -> Option<&BTreeSet<String>> {
        self.family(name)?.labels.get(label)?.as_ref()
    }
}

/// `` `ring`: `file` `lifecycle` ``, or words where the values are no fixed list.
fn label(text: &str) -> (String, Option<BTreeSet<String>>) {
    let (name, values) = text.split_once(": ").expect("a label and its values");
    let listed = |word: &str| {
        let word = word.strip_prefix('`')?.strip_suffix('`')?;
        Some(word.to_owned())
    };
    (
        name.trim_matches('`').to_owned(),
        values.split_whitespace().map(listed).collect(),
    )
}

#[test]
fn what_is_not_exported_is_found() {
    let exported = Exported::read();
    let complaints = |text: &str| exported.unknown(&Query::read(text)).join("; ");
    assert_eq!(
        complaints(r#"sum by (ring) (rate(lineage_sensor_events_lost_total{job="x"}[5m])) > 0"#),
        ""
    );
    for (text, complaint) in [
        (
            "lineage_sensor_event_total",
            "no metric lineage_sensor_event_total",
        ),
        (
            r#"lineage_sensor_events_total{sort="exec"}"#,
            "lineage_sensor_events_total has no label sort",
        ),
        (
            r#"lineage_sensor_events_total{kind=~"exec|exce"}"#,
            "lineage_sensor_events_total: kind is never exce",
        ),
        (
            "rate(lineage_sensor_incidents[5m])",
            "lineage_sensor_incidents is a gauge under rate()",
        ),
        (
            "sum by (rule) (lineage_sensor_incidents)",
            "no metric of it has the label rule",
        ),
        (
            "lineage_sensor_events_total_bucket",
            "no metric lineage_sensor_events_total_bucket",
        ),
    ] {
        assert_eq!(complaints(text), complaint);
    }
}
