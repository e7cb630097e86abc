//! deploy/kubernetes, as far as the sensor itself can say whether it is true: the suite of
//! `cargo xtask chart` does the rest, and keeps the base equal to the chart.

use std::{collections::BTreeSet, process::Command};

use serde::Deserialize as _;
use yaml_serde::Value;

use crate::{file, path};

const BASE: &str = "deploy/kubernetes/base/lineage-sensor.yaml";
const UNIT: &str = "deploy/systemd/lineage-sensor.service";

fn object(kind: &str) -> Value {
    let base = file(BASE);
    let objects = yaml_serde::Deserializer::from_str(&base);
    let mut objects = objects.map(|object| Value::deserialize(object).expect("an object"));
    objects
        .find(|object| object["kind"] == kind)
        .unwrap_or_else(|| panic!("no {kind}"))
}

fn container() -> Value {
    let daemon_set = object("DaemonSet");
    daemon_set["spec"]["template"]["spec"]["containers"][0].clone()
}

fn strings(value: &Value) -> Vec<&str> {
    let list = value.as_sequence().expect("a list");
    list.iter()
        .map(|item| item.as_str().expect("text"))
        .collect()
}

#[test]
fn the_sensor_takes_the_configuration_and_the_variables() {
    let directory = tempfile::tempdir().expect("make a directory");
    let config = directory.path().join("config.yaml");
    let map = object("ConfigMap");
    let text = map["data"]["config.yaml"].as_str().expect("text");
    std::fs::write(&config, text).expect("write a file");
    for address in ["10.1.2.3", "[fd00::1]"] {
        let mut sensor = Command::new(env!("CARGO_BIN_EXE_lineage-sensor"));
        sensor.args(["config", "show", "--config"]).arg(&config);
        let mut set = 0;
        for variable in container()["env"].as_sequence().expect("a list") {
            let name = variable["name"].as_str().expect("a name");
            if name.starts_with("LINEAGE_SENSOR__") {
                let value = variable["value"].as_str().expect("a value");
                sensor.env(name, value.replace("$(POD_IP)", address));
                set += 1;
            }
        }
        assert_eq!(set, 1);
        let output = sensor.output().expect("run the sensor");
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(&format!("{address}:9753")), "{said}");
        assert!(said.contains("/proc/1/root/etc/cron.d"), "{said}");
    }
}

/// The pod's own directories are nobody's; the node's are below `/proc/1/root`.
#[test]
fn the_watched_directories_are_the_default_ones_of_the_node() {
    let map = object("ConfigMap");
    let config = map["data"]["config.yaml"].as_str().expect("text");
    let config: Value = yaml_serde::from_str(config).expect("YAML");
    let watched: BTreeSet<_> = strings(&config["watch"]["directories"])
        .into_iter()
        .collect();
    let default: Vec<_> = sensor::watch::default_directories()
        .iter()
        .map(|directory| format!("/proc/1/root{}", directory.display()))
        .collect();
    assert_eq!(watched, default.iter().map(String::as_str).collect());
}

#[test]
fn the_arguments_are_of_the_command_line() {
    use clap::Parser as _;

    let container = container();
    let args = strings(&container["args"]);
    let line = [&["lineage-sensor"], &args[..]].concat();
    if let Err(error) = sensor::cli::Cli::try_parse_from(line) {
        panic!("{error}");
    }
}

#[test]
fn the_pod_has_the_capabilities_of_the_unit_and_no_more() {
    let unit = file(UNIT);
    let bounding = unit
        .lines()
        .find_map(|line| line.strip_prefix("CapabilityBoundingSet="))
        .expect("the unit bounds capabilities");
    let unit: BTreeSet<_> = bounding
        .split_whitespace()
        .filter_map(|name| name.strip_prefix("CAP_"))
        .collect();
    let container = container();
    let context = &container["securityContext"];
    assert_eq!(strings(&context["capabilities"]["drop"]), ["ALL"]);
    let pod: BTreeSet<_> = strings(&context["capabilities"]["add"])
        .into_iter()
        .collect();
    assert_eq!(pod, unit);
    assert_eq!(context["runAsUser"], 0);
    for (key, value) in [
        ("privileged", false),
        ("allowPrivilegeEscalation", false),
        ("readOnlyRootFilesystem", true),
    ] {
        assert_eq!(context[key], value, "{key}");
    }
}

/// What the sensor writes by default goes to mounts that can be written.
#[test]
fn default_paths_are_mounted() {
    let container = container();
    let mounts = container["volumeMounts"].as_sequence().expect("a list");
    let page = file("docs/configuration.md");
    for key in ["control.socket", "history.path"] {
        let row = page
            .lines()
            .find_map(|line| line.strip_prefix(&format!("| `{key}` | `")))
            .expect("the page has the key");
        let (default, _) = row.split_once('`').expect("a default");
        let mount = mounts
            .iter()
            .find(|mount| default.starts_with(mount["mountPath"].as_str().expect("a path")))
            .unwrap_or_else(|| panic!("{default} is on no mount"));
        assert!(mount.get("readOnly").is_none(), "{default}");
    }
}

/// Names of pods are where the sensor looks for them, and nobody writes there.
#[test]
fn the_directories_of_the_kubelet_are_mounted_read_only() {
    let container = container();
    let mounts = container["volumeMounts"].as_sequence().expect("a list");
    let logs = sensor::config::Config::default().kubernetes.pod_logs;
    for path in [logs.clone(), logs.with_file_name("containers")] {
        let mount = mounts
            .iter()
            .find(|mount| mount["mountPath"].as_str() == path.to_str());
        let mount = mount.unwrap_or_else(|| panic!("{} is not mounted", path.display()));
        assert_eq!(mount["readOnly"], true, "{}", path.display());
    }
}

/// The chart holds no second copy.
#[test]
fn the_rules_of_the_chart_are_those_of_deploy_prometheus() {
    let chart = "deploy/kubernetes/lineage-sensor/files/lineage-sensor.rules.yaml";
    let rules = "deploy/prometheus/lineage-sensor.rules.yaml";
    let real = |name| path(name).canonicalize().expect("it is there");
    assert_eq!(real(chart), real(rules));
}
