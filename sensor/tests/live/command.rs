//! What the sensor answers: HTTP, and the other commands of the program.

use std::process::Output;

use rustix::process::Signal;
use serde_json::Value;

use crate::fixture::{
    http,
    php_fpm::{Pool, Start},
    scene::{self, Scene},
    sensor::{self, Rung, Sensor},
    site::{self, Site},
    wait,
};

/// Slugs of the shipped rules.
const RULES: [&str; 10] = [
    "edge_server_executed_program",
    "shell_under_app_worker",
    "hostile_shell_command",
    "recon_tool_under_service",
    "network_tool_under_service",
    "exec_from_writable_directory",
    "memory_only_execution",
    "masqueraded_shell",
    "masqueraded_server",
    "loader_started_shell",
];

#[track_caller]
fn text(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    String::from_utf8(output.stdout.clone()).expect("output is UTF-8")
}

#[track_caller]
fn run(args: &[&str]) -> Output {
    sensor::program()
        .args(args)
        .output()
        .expect("run the program")
}

#[test]
fn the_ready_line_says_what_is_watched() {
    let Some(scene) = Scene::begin("the_ready_line_says_what_is_watched", site::NEEDS) else {
        return;
    };
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    for rung in [Rung::TpBtf, Rung::RawTp] {
        let mut sensor = Sensor::start(rung);
        let ready = sensor.wait_ready();
        let release =
            std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("read the release");
        let address = format!("127.0.0.1:{}", sensor.port);
        let php = site.php.master().pid.to_string();
        let nginx = site.nginx.master().pid.to_string();
        for part in [
            release.trim(),
            "exec",
            "fork",
            "exit",
            rung.name(),
            "nginx",
            &nginx,
            "php-fpm",
            &php,
            &address,
        ] {
            assert!(ready.contains(part), "{part} is not in {ready}");
        }
        let _fields: Value = serde_json::from_str(&ready).expect("a log line in a pipe is JSON");
        assert_eq!(
            sensor
                .log()
                .lines()
                .filter(|line| sensor::is_ready(line))
                .count(),
            1
        );
        sensor.stop();
    }
}

#[test]
fn health_and_metrics_are_served() {
    let Some(scene) = Scene::begin("health_and_metrics_are_served", site::NEEDS) else {
        return;
    };
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let mut sensor = Sensor::start(Rung::TpBtf);
    for path in ["/livez", "/readyz"] {
        assert_eq!(
            http::get(sensor.port, path).expect("ask").status,
            200,
            "{path}"
        );
    }
    assert_eq!(
        http::get(sensor.port, "/etc/passwd").expect("ask").status,
        404
    );
    let visit = site.spawn("id.php", &[b"id"]);
    sensor.alert("recon_tool_under_service", |alert| {
        alert.concerns(visit.worker)
    });

    let metrics = sensor.metrics();
    for line in metrics
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        assert!(
            line.starts_with("lineage_sensor_") || line.starts_with("process_"),
            "{line}"
        );
        assert!(
            line.rsplit(' ')
                .next()
                .is_some_and(|value| value.parse::<f64>().is_ok()),
            "{line}"
        );
    }
    for name in [
        "events_total",
        "events_lost_total",
        "alerts_total",
        "detection_latency_seconds_count",
        "processes",
        "services",
        "hook_info",
        "build_info",
    ] {
        assert!(
            metrics.contains(&format!("lineage_sensor_{name}")),
            "{name} is not in\n{metrics}"
        );
    }
    assert!(sensor.metric("alerts_total") >= 1.0);
    assert!(sensor.metric("events_total") >= 1.0);
    assert!(sensor.metric("services") >= 2.0);
    let label = "rule=\"recon_tool_under_service\"";
    assert!(
        metrics
            .lines()
            .any(|line| line.contains("alerts_total{") && line.contains(label)),
        "{metrics}"
    );
    assert!(
        !metrics.contains(&site.php.master().pid.to_string()),
        "a pid in\n{metrics}"
    );
    sensor.stop();
}

#[test]
fn the_tree_shows_the_services() {
    let Some(scene) = Scene::begin("the_tree_shows_the_services", site::NEEDS) else {
        return;
    };
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let mut sensor = Sensor::start(Rung::TpBtf);
    let tree = text(&sensor.ask(&["tree"]));
    let pids = site.php.workers().into_iter().chain(site.nginx.workers());
    for process in pids.chain([site.php.master(), site.nginx.master()]) {
        assert!(
            tree.contains(&process.pid.to_string()),
            "{process:?} is not in\n{tree}"
        );
    }
    assert!(tree.contains("php-fpm") && tree.contains("nginx"), "{tree}");
    assert!(!tree.contains('\x1b'), "colours in a pipe: {tree:?}");
    let _json: Value = serde_json::from_str(&text(&sensor.ask(&["tree", "--json"]))).expect("JSON");

    sensor.stop_within(Signal::TERM, wait::PATIENCE);
    let output = sensor.ask(&["tree"]);
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr).lines().count(),
        1,
        "{output:?}"
    );
}

#[test]
fn the_doctor_names_each_hook() {
    let Some(_scene) = Scene::begin("the_doctor_names_each_hook", &[]) else {
        return;
    };
    let report = text(&run(&["doctor"])).to_lowercase();
    for word in ["exec", "fork", "exit", "tp_btf", "btf", "kernel"] {
        assert!(report.contains(word), "{word} is not in\n{report}");
    }
    let json: Value = serde_json::from_str(&text(&run(&["doctor", "--json"]))).expect("JSON");
    assert!(json.is_object(), "{json}");
}

#[test]
fn rules_are_listed_and_checked() {
    let Some(scene) = Scene::begin("rules_are_listed_and_checked", &[]) else {
        return;
    };
    let list = text(&run(&["rules", "list"]));
    for rule in RULES {
        assert!(list.contains(rule), "{rule} is not in\n{list}");
    }

    let good = scene.path().join("good");
    scene::write(&good.join("marker.yml"), super::host::RULE);
    text(&run(&["rules", "check", &good.to_string_lossy()]));
    let list = text(&run(&["rules", "list", "--rules", &good.to_string_lossy()]));
    assert!(list.contains("live_test_marker"), "{list}");

    let bad = scene.path().join("bad");
    scene::write(&bad.join("broken.yml"), "title: [\n");
    let output = run(&["rules", "check", &bad.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("broken.yml"),
        "{output:?}"
    );
}

#[test]
fn the_configuration_is_checked_and_shown() {
    let Some(scene) = Scene::begin("the_configuration_is_checked_and_shown", &[]) else {
        return;
    };
    let good = scene.file("good.yaml", "output: { level: high }\n");
    text(&run(&["config", "check", &good.to_string_lossy()]));
    let bad = scene.file("bad.yaml", "outptu: { level: high }\n");
    let output = run(&["config", "check", &bad.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("output"),
        "no suggestion: {output:?}"
    );

    let shown = text(&run(&[
        "config",
        "show",
        "--config",
        &good.to_string_lossy(),
    ]));
    assert!(shown.contains("high") && shown.contains("9753"), "{shown}");
}

/// Messages of the kernel programs come when asked for, and only then.
#[test]
fn kernel_messages_come_when_asked_for() {
    let Some(scene) = Scene::begin("kernel_messages_come_when_asked_for", site::NEEDS) else {
        return;
    };
    for (level, expected) in [("off", false), ("debug", true)] {
        let mut sensor = Sensor::launch_with(&[], &[("LINEAGE_SENSOR__LOG__KERNEL", level)]);
        sensor.wait_ready();
        let site = Site::start(&scene, Start::Foreground, Pool::Steady);
        let root = format!("service root: tgid {}", site.php.master().pid);
        let mark = sensor.mark();
        site.fence(&mut sensor, mark);
        let said = || sensor.log().contains(&root).then_some(());
        if expected {
            wait::until("the message of the exec program", said);
        } else {
            assert!(said().is_none(), "{}", sensor.log());
        }
        sensor.stop();
    }
}
