//! deploy/prometheus: rules and their unit tests.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::{
    exported::Exported,
    file, path,
    promql::Query,
    runbook::{Entry, entries},
};

const RULES: &str = "deploy/prometheus/lineage-sensor.rules.yaml";
pub(crate) const TESTS: &str = "deploy/prometheus/tests";

#[derive(Deserialize)]
struct File {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
pub(crate) struct Rule {
    record: Option<String>,
    pub(crate) alert: Option<String>,
    expr: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Tests {
    tests: Vec<Test>,
}

#[derive(Deserialize)]
struct Test {
    #[serde(default)]
    alert_rule_test: Vec<Expectation>,
}

#[derive(Deserialize)]
struct Expectation {
    alertname: String,
    exp_alerts: Vec<yaml_serde::Value>,
}

/// Every rule, in order.
pub(crate) fn rules() -> Vec<Rule> {
    let file: File = yaml_serde::from_str(&file(RULES)).expect("a file of rules");
    file.groups
        .into_iter()
        .flat_map(|group| group.rules)
        .collect()
}

fn alerts() -> BTreeMap<String, Rule> {
    let named = rules().into_iter().filter_map(|rule| {
        let name = rule.alert.clone()?;
        Some((name, rule))
    });
    named.collect()
}

/// What the sensor exports and what the recording rules add.
pub(crate) fn exported() -> Exported {
    let mut exported = Exported::read();
    for rule in rules() {
        if let Some(name) = rule.record {
            exported.record(&name, &Query::read(&rule.expr));
        }
    }
    exported
}

#[test]
fn expressions_name_what_is_exported() {
    let exported = exported();
    for rule in rules() {
        let unknown = exported.unknown(&Query::read(&rule.expr));
        assert!(unknown.is_empty(), "{}: {unknown:?}", rule.expr);
    }
}

#[test]
fn every_alert_says_what_it_is_and_what_to_do() {
    let entries = entries();
    let alerts = alerts();
    for (name, rule) in &alerts {
        let severity = &rule.labels["severity"];
        assert!(
            ["critical", "warning", "info"].contains(&severity.as_str()),
            "{name}: {severity}"
        );
        for annotation in ["summary", "description"] {
            assert!(rule.annotations[annotation].len() > 20, "{name}");
        }
        let anchor = name.to_lowercase();
        assert_eq!(
            rule.annotations["runbook"],
            format!("docs/runbook.md#{anchor}")
        );
        let Entry { means, look, act } = &entries
            .get(name)
            .unwrap_or_else(|| panic!("the runbook says nothing about {name}"));
        assert!(
            !means.is_empty() && !look.is_empty() && !act.is_empty(),
            "{name}"
        );
    }
    let without_alert: Vec<_> = entries
        .keys()
        .filter(|name| !alerts.contains_key(*name))
        .collect();
    assert!(without_alert.is_empty(), "{without_alert:?}");
}

#[test]
fn every_alert_is_tested_firing_and_silent() {
    let mut firing = BTreeSet::new();
    let mut silent = BTreeSet::new();
    for entry in std::fs::read_dir(path(TESTS)).expect("a directory of tests") {
        let path = entry.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("a file of tests");
        let tests: Tests = yaml_serde::from_str(&text).expect("tests");
        for expectation in tests
            .tests
            .into_iter()
            .flat_map(|test| test.alert_rule_test)
        {
            let set = if expectation.exp_alerts.is_empty() {
                &mut silent
            } else {
                &mut firing
            };
            set.insert(expectation.alertname);
        }
    }
    let alerts: BTreeSet<_> = alerts().into_keys().collect();
    assert_eq!(alerts, firing, "firing");
    assert_eq!(alerts, silent, "silent");
}
