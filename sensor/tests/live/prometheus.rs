//! A real Prometheus scrapes the sensor, a rule of deploy/prometheus fires on an attack,
//! and the alert reaches a real Alertmanager.
//!
//! The rule file is the shipped one. Prometheus evaluates it every second; rules of
//! detection have no `for:`, so nothing else is shortened.

use std::{
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::fixture::{
    daemon::{Daemon, command},
    http, nginx,
    php_fpm::{self, Pool, Start},
    scene::{self, Need, Scene, tool},
    sensor::{Rung, Sensor},
    site::Site,
    wait,
};

const NEEDS: &[Need] = &[
    nginx::program,
    php_fpm::program,
    || scene::program("prometheus"),
    || scene::program("promtool"),
    || scene::program("prometheus-alertmanager"),
];

/// Who is told does not matter here: the alert is asked for over Alertmanager's interface.
const ALERTMANAGER: &str = "route: { receiver: nobody, group_wait: 1s }
receivers: [{ name: nobody }]
";

#[test]
fn an_attack_reaches_alertmanager() {
    let name = "prometheus::an_attack_reaches_alertmanager";
    let Some(scene) = Scene::begin(name, NEEDS) else {
        return;
    };
    let sensor = Sensor::start(Rung::TpBtf);
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let alertmanager = alertmanager(&scene);
    let prometheus = prometheus(&scene, sensor.port, alertmanager.port);

    // increase() needs to have seen the series before the attack.
    let seen = r#"count_over_time(lineage_sensor_alerts_total{rule="hostile_shell_command",service="php-fpm"}[1m]) >= 2"#;
    wait::until("two scrapes", || {
        one(query(prometheus.port, seen))?;
        Some(())
    });
    assert!(detections(alertmanager.port).is_empty());
    let visit = site.shell("attack.php", "echo id | sh");
    assert!(visit.output.contains("(www-data)"), "{visit:?}");

    let alert = wait::until("the alert in Alertmanager", || {
        let alerts = detections(alertmanager.port);
        let critical = |alert: &&Value| alert["labels"]["rule"] == "hostile_shell_command";
        alerts.iter().find(critical).cloned()
    });
    let labels = &alert["labels"];
    assert_eq!(labels["alertname"], "LineageSensorCriticalDetection");
    assert_eq!(labels["severity"], "critical");
    assert_eq!(labels["service"], "php-fpm");
    assert_eq!(labels["instance"], format!("127.0.0.1:{}", sensor.port));
    let summary = format!(
        "hostile_shell_command below php-fpm on 127.0.0.1:{}",
        sensor.port
    );
    assert_eq!(alert["annotations"]["summary"], summary);
    assert_eq!(
        alert["annotations"]["runbook"],
        "docs/runbook.md#lineagesensorcriticaldetection"
    );
    healthy(&prometheus);
    lint(&sensor.metrics());
    sensor.stop();
}

/// No rule of blindness or saturation is on its way, but for a kernel that has nothing
/// better than system call tracepoints.
#[track_caller]
fn healthy(prometheus: &Daemon) {
    let alerts = ask(prometheus.port, "/api/v1/alerts").expect("Prometheus answers");
    for alert in alerts["data"]["alerts"].as_array().expect("a list") {
        let name = alert["labels"]["alertname"].as_str().expect("a name");
        assert!(
            name.ends_with("Detection") || name == "LineageSensorHooksOnLastRung",
            "{alert}"
        );
    }
    let rules = ask(prometheus.port, "/api/v1/rules").expect("Prometheus answers");
    for group in rules["data"]["groups"].as_array().expect("a list") {
        for rule in group["rules"].as_array().expect("a list") {
            assert_eq!(rule["health"], "ok", "{rule}");
        }
    }
}

/// What Prometheus' own tool says about a page as the running sensor gives it.
#[track_caller]
fn lint(page: &str) {
    let mut promtool = Command::new(tool("promtool"));
    promtool.args(["check", "metrics"]).stdin(Stdio::piped());
    promtool.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = promtool.spawn().expect("start promtool");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(page.as_bytes()).expect("write the metrics");
    drop(stdin);
    let output = child.wait_with_output().expect("wait for promtool");
    assert!(
        output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(),
        "{output:?}"
    );
}

fn alertmanager(scene: &Scene) -> Daemon {
    let port = scene::free_port();
    let config = scene.file("alertmanager.yaml", ALERTMANAGER);
    let mut program = command("prometheus-alertmanager", scene.path());
    program.arg(flag("config.file", &config));
    program.arg(flag("storage.path", &scene.path().join("alertmanager")));
    program.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    program.arg("--cluster.listen-address=");
    Daemon::start(program, port, Signal::TERM)
}

fn prometheus(scene: &Scene, sensor: u16, alertmanager: u16) -> Daemon {
    let port = scene::free_port();
    let rules = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy/prometheus/lineage-sensor.rules.yaml")
        .canonicalize()
        .expect("the rules are there");
    let config = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: ['{}']
scrape_configs: [{{ job_name: lineage-sensor, static_configs: [{{ targets: ['127.0.0.1:{sensor}'] }}] }}]
alerting: {{ alertmanagers: [{{ static_configs: [{{ targets: ['127.0.0.1:{alertmanager}'] }}] }}] }}
",
        rules.display()
    );
    let config = scene.file("prometheus.yaml", config);
    let mut program = command("prometheus", scene.path());
    program.arg(flag("config.file", &config));
    program.arg(flag("storage.tsdb.path", &scene.path().join("prometheus")));
    program.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    Daemon::start(program, port, Signal::TERM)
}

fn flag(name: &str, path: &Path) -> PathBuf {
    let mut flag = std::ffi::OsString::from(format!("--{name}="));
    flag.push(path);
    flag.into()
}

/// Alerts of the group detection that Alertmanager has.
fn detections(port: u16) -> Vec<Value> {
    let all = ask(port, "/api/v2/alerts").and_then(|answer| answer.as_array().cloned());
    let mut all = all.unwrap_or_default();
    all.retain(|alert| {
        let name = alert["labels"]["alertname"].as_str();
        name.is_some_and(|name| name.ends_with("Detection"))
    });
    all
}

/// The answer to a query.
fn query(port: u16, text: &str) -> Option<Value> {
    let mut escaped = String::new();
    for byte in text.bytes() {
        write!(escaped, "%{byte:02X}").expect("a String takes everything");
    }
    ask(port, &format!("/api/v1/query?query={escaped}"))
}

/// The only series of an answer.
fn one(answer: Option<Value>) -> Option<Value> {
    let answer = answer?;
    let series = answer["data"]["result"].as_array()?;
    match series.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    }
}

/// What Prometheus or Alertmanager answers, once it is up.
fn ask(port: u16, path: &str) -> Option<Value> {
    let response = http::get(port, path).ok()?;
    if response.status != 200 {
        return None;
    }
    serde_json::from_str(&response.body).ok()
}
