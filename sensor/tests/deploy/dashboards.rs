//! deploy/grafana: three dashboards.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{file, path, promql::Query, rules};

/// Files of dashboards, without the suffix.
pub(crate) const NAMES: [&str; 3] = ["health", "overview", "service"];

fn dashboard(name: &str) -> Value {
    let text = file(&format!("deploy/grafana/dashboards/{name}.json"));
    serde_json::from_str(&text).expect("JSON")
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    let found = value[key].as_str();
    found.unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// Every target of a dashboard's panels.
fn targets(dashboard: &Value) -> impl Iterator<Item = &Value> {
    list(dashboard, "panels")
        .iter()
        .flat_map(|panel| list(panel, "targets"))
}

/// Every query of a dashboard's panels.
pub(crate) fn queries(name: &str) -> Vec<String> {
    let dashboard = dashboard(name);
    let found: Vec<_> = targets(&dashboard)
        .map(|target| text(target, "expr").to_owned())
        .collect();
    assert!(found.len() > 8, "{name} has {} queries", found.len());
    found
}

/// Queries that fill the lists at the top.
fn variables(name: &str) -> Vec<String> {
    let dashboard = dashboard(name);
    let variables = list(&dashboard["templating"], "list");
    let queries = variables.iter().filter(|it| it["type"] == "query");
    queries
        .map(|variable| text(&variable["query"], "query").to_owned())
        .collect()
}

#[test]
fn files_are_the_dashboards_that_are_known() {
    let entries = std::fs::read_dir(path("deploy/grafana/dashboards")).expect("a directory");
    let names: BTreeSet<_> = entries
        .map(|entry| entry.expect("a file").file_name().into_string())
        .collect();
    assert_eq!(names, NAMES.map(|name| Ok(format!("{name}.json"))).into());
}

#[test]
fn queries_name_what_is_exported() {
    let exported = rules::exported();
    for name in NAMES {
        for query in queries(name).into_iter().chain(variables(name)) {
            let unknown = exported.unknown(&Query::read(&query));
            assert!(unknown.is_empty(), "{name}: {query}: {unknown:?}");
        }
    }
}

#[test]
fn every_metric_is_on_a_dashboard() {
    let exported = rules::exported();
    let queries = NAMES.into_iter().flat_map(queries);
    let shown: BTreeSet<_> = queries
        .flat_map(|query| Query::read(&query).selectors)
        .map(|selector| selector.metric.trim_end_matches("_bucket").to_owned())
        .collect();
    let missing: Vec<_> = exported
        .names()
        .filter(|name| !shown.contains(*name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// `{{rule}}` in a legend is a label that the query leaves.
#[test]
fn legends_name_labels_of_their_query() {
    let exported = rules::exported();
    for name in NAMES {
        let dashboard = dashboard(name);
        for target in targets(&dashboard) {
            let query = text(target, "expr");
            for label in text(target, "legendFormat").split("{{").skip(1) {
                let (label, _) = label.split_once("}}").expect("}} follows {{");
                let mut query = Query::read(query);
                let grouped = std::mem::replace(&mut query.labels, vec![label.to_owned()]);
                assert!(
                    exported.unknown(&query).is_empty()
                        && (grouped.is_empty() || grouped.iter().any(|it| it == label)),
                    "{name}: {label} in {target}"
                );
            }
        }
    }
}

#[test]
fn panels_have_a_place_a_title_and_a_number_of_their_own() {
    let mut uids = BTreeSet::new();
    for name in NAMES {
        let dashboard = dashboard(name);
        assert!(uids.insert(text(&dashboard, "uid").to_owned()));
        let mut ids = BTreeSet::new();
        let mut taken = BTreeSet::new();
        for panel in list(&dashboard, "panels") {
            assert!(ids.insert(panel["id"].as_u64()), "{panel}");
            assert!(!text(panel, "title").is_empty(), "{panel}");
            for cell in cells(&panel["gridPos"]) {
                assert!(
                    taken.insert(cell),
                    "{name}: two panels at {cell:?}: {panel}"
                );
            }
        }
    }
}

fn cells(place: &Value) -> Vec<(u64, u64)> {
    let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| place[key].as_u64().expect("a number"));
    assert!(x + w <= 24, "{place}");
    (x..x + w)
        .flat_map(|x| (y..y + h).map(move |y| (x, y)))
        .collect()
}
