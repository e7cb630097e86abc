//! `simulate` against a running sensor: every rule fires, nothing is left behind.

use std::fs;

use serde_json::Value;

use crate::fixture::{
    scene::Scene,
    sensor::{Rung, Sensor},
};

/// Entries of the directory in which simulations work.
fn entries(scene: &Scene) -> usize {
    let entries = fs::read_dir(scene.path()).expect("list the test's directory");
    entries.count()
}

#[test]
fn every_rule_fires_and_nothing_is_left() {
    let Some(scene) = Scene::begin("every_rule_fires_and_nothing_is_left", &[]) else {
        return;
    };
    let below = scene.path().join("simulations");
    fs::create_dir(&below).expect("make a directory");
    let before = entries(&scene);
    let mut sensor = Sensor::start(Rung::TpBtf);
    let below = below.to_str().expect("a path in UTF-8");
    let output = sensor.ask(&["simulate", "--directory", below]);
    let table = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{table}{said}{}",
        sensor.log()
    );
    let fired = table.lines().filter(|line| line.ends_with(" yes")).count();
    assert!(fired >= 49, "{table}");
    assert_eq!(fs::read_dir(below).expect("list").count(), 0, "left behind");
    assert_eq!(entries(&scene), before);

    // Whoever receives an alert sees that it was a simulation.
    let alert = sensor.alert("shell_under_app_worker", |_| true);
    let lineage = alert.json["lineage"][0]["executable"].as_str();
    let named = lineage.is_some_and(|path| path.contains("/lineage-sensor-simulate."));
    assert!(named, "{}", alert.json);
    let tree = sensor.ask(&["tree", "--json"]);
    let tree: Value = serde_json::from_slice(&tree.stdout).expect("JSON");
    let services = tree["services"].to_string();
    assert!(
        !services.contains("simulate"),
        "a server is left: {services}"
    );
    sensor.stop();
}

#[test]
fn a_rule_that_is_off_or_unknown_is_said() {
    let Some(_scene) = Scene::begin("a_rule_that_is_off_or_unknown_is_said", &[]) else {
        return;
    };
    let variables = [
        (
            "LINEAGE_SENSOR__RULES__ADJUST",
            "[{rule: recon_tool_under_service, enabled: false}]",
        ),
        (
            "LINEAGE_SENSOR__RULES__EXCEPTIONS",
            "[{rule: shell_under_app_worker, owner: test, reason: tested, expires: 2100-01-01, \
             Image: \"/**/dash\", CommandLine: \"sh -c :\"}]",
        ),
    ];
    let mut sensor = Sensor::launch_with(&[], &variables);
    sensor.wait_ready();
    let ask = |rule: &str| {
        let output = sensor.ask(&["simulate", "--rule", rule]);
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    for (rule, expected) in [
        ("recon_tool_under_service", "off in the configuration"),
        ("shell_under_app_worker", "excused by an exception"),
    ] {
        let (code, table) = ask(rule);
        assert_eq!(code, Some(0), "{table}");
        assert!(table.contains(expected), "{table}");
    }
    assert_eq!(ask("no_such_rule").0, Some(64));
    let silenced = sensor.metrics();
    let line = "lineage_sensor_alerts_excepted_total 1";
    assert!(silenced.contains(line), "{silenced}");
    sensor.stop();
}
