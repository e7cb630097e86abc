//! `simulate` against a running sensor: every rule fires, nothing is left behind.

use std::{fs, path::Path, process::Stdio, time::Duration};

use rustix::process::Signal;
use serde_json::Value;

use crate::fixture::{
    process::{self, Process},
    scene::Scene,
    sensor::{Rung, Sensor},
    wait,
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
    assert!(fired >= 51, "{table}");
    assert_eq!(fs::read_dir(below).expect("list").count(), 0, "left behind");
    assert_eq!(entries(&scene), before);

    // Whoever receives an alert sees that it was a simulation.
    let alert = sensor.alert("shell_under_app_worker", |_| true);
    let lineage = alert.json["lineage"][0]["executable"].as_str();
    let named = lineage.is_some_and(|path| path.contains("/lineage-sensor-simulate."));
    assert!(named, "{}", alert.json);
    // By default services learn; what nobody will do again is not learnt.
    let lock = scene.path().join("lineage.lock");
    let path = lock.to_str().expect("a path in UTF-8");
    let learnt = sensor.ask(&["profile", "learn", "--output", path]);
    assert!(learnt.status.success(), "{learnt:?}");
    let learnt = fs::read_to_string(&lock).expect("read what was learnt");
    assert!(!learnt.contains("simulate"), "{learnt}");
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

/// Processes that run a program below a directory.
fn running(below: &Path) -> Vec<u32> {
    let below = fs::canonicalize(below).expect("it is there");
    let all = process::all_pids().into_iter();
    let own = |pid: &u32| {
        let exe = Process::of(*pid).and_then(Process::executable);
        exe.is_some_and(|exe| exe.starts_with(&below))
    };
    all.filter(own).collect()
}

/// Interrupted while a simulated server runs, at whatever it does then.
#[test]
fn a_simulation_that_is_interrupted_leaves_nothing() {
    let name = "a_simulation_that_is_interrupted_leaves_nothing";
    let Some(scene) = Scene::begin(name, &[]) else {
        return;
    };
    let sensor = Sensor::start(Rung::TpBtf);
    for (number, signal) in [Signal::INT, Signal::TERM, Signal::HUP]
        .into_iter()
        .enumerate()
    {
        let below = scene.path().join(format!("interrupted-{number}"));
        fs::create_dir(&below).expect("make a directory");
        let path = below.to_str().expect("a path in UTF-8");
        let mut command = sensor.asking(&["simulate", "--directory", path]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("run the program");
        let simulation = Process::of(child.id()).expect("it runs");
        wait::until("a simulated process", || {
            (!running(&below).is_empty()).then_some(())
        });
        simulation.signal(signal);
        assert!(
            simulation.ends_within(Duration::from_secs(10)),
            "{signal:?}"
        );
        let output = child.wait_with_output().expect("its words");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(69), "{said}");
        assert!(
            said.contains("interrupted: nothing of the simulation is left"),
            "{said}"
        );
        assert_eq!(running(&below), [0_u32; 0]);
        let left: Vec<_> = fs::read_dir(&below).expect("list").collect();
        assert_eq!(left.len(), 0, "{left:?}");
    }
    sensor.stop();
}
