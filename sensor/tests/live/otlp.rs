//! A real collector of OpenTelemetry (rotel, from `PyPI`, which `cargo xtask test` installs)
//! accepts alerts over HTTP and prints what it has understood.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::fixture::{
    daemon::{Daemon, command},
    nginx,
    php_fpm::{self, Pool, Start},
    scene::{self, Need, Scene},
    sensor::Sensor,
    site::Site,
    wait,
};

const NEEDS: &[Need] = &[nginx::program, php_fpm::program, agent];

/// Where xtask has put it.
fn agent() -> Result<PathBuf, String> {
    let places = concat!(
        env!("CARGO_TARGET_TMPDIR"),
        "/../xtask/rotel/lib/python3*/site-packages/rotel/rotel-agent"
    );
    let mut found = glob::glob(places).expect("a pattern").flatten();
    found
        .next()
        .and_then(|path| path.canonicalize().ok())
        .ok_or_else(|| "no collector: cargo xtask test installs rotel".to_owned())
}

/// The collector; what it understands goes to the file `out`.
fn collector(scene: &Scene, port: u16, out: &Path) -> Daemon {
    let agent = agent().expect("it was there a moment ago");
    let arguments = format!(
        "start --otlp-http-endpoint 127.0.0.1:{port} --otlp-grpc-endpoint 127.0.0.1:{} \
         --exporter blackhole --debug-log logs --debug-log-verbosity detailed",
        scene::free_port()
    );
    let mut program = command("sh", scene.path());
    let line = format!("exec {} {arguments} > {}", agent.display(), out.display());
    program.args(["-c", &line]);
    Daemon::start(program, port, Signal::TERM)
}

/// A record as the collector prints it.
#[derive(Debug, Default)]
struct Record {
    body: Value,
    /// `name: value` of everything else.
    lines: Vec<String>,
}

fn records(out: &Path) -> Vec<Record> {
    let text = fs::read_to_string(out).unwrap_or_default();
    let mut records = Vec::new();
    for part in text.split("LogRecord #").skip(1) {
        // One that is not written whole yet has no flags.
        let Some((whole, _)) = part.split_once("\nFlags: ") else {
            continue;
        };
        let mut record = Record::default();
        for line in whole.lines().map(str::trim) {
            match line.strip_prefix("Body: Str(") {
                Some(body) => {
                    let body = body.strip_suffix(')').expect("the end of a body");
                    record.body = serde_json::from_str(body).expect("a document");
                }
                None => record.lines.push(line.trim_start_matches("-> ").to_owned()),
            }
        }
        records.push(record);
    }
    records
}

#[test]
fn a_collector_understands_what_it_gets() {
    let Some(scene) = Scene::begin("otlp::a_collector_understands_what_it_gets", NEEDS) else {
        return;
    };
    let (port, out) = (scene::free_port(), scene.path().join("out"));
    let lines = format!(
        "sinks: [{{name: otel, type: otlp, url: \"http://127.0.0.1:{port}\", spool: {}}}]",
        scene.path().join("spool.db").display()
    );
    let mut sensor = Sensor::configured(&lines, &scene.path().join("recording"));
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    // It waits for its receiver.
    site.shell("id.php", "id; : otlp");
    let alert = sensor.alert("shell_under_app_worker", |alert| {
        alert.args() == ["sh", "-c", "id; : otlp"]
    });
    let _collector = collector(&scene, port, &out);
    let record = wait::until("the record", || {
        let mut records = records(&out).into_iter();
        records.find(|record| record.body["event"]["id"] == alert.json["event"]["id"])
    });
    assert_eq!(record.body, alert.json);
    let time = alert.json["@timestamp"].as_str().expect("a time");
    let time: jiff::Timestamp = time.parse().expect("a time");
    let id = alert.json["event"]["id"].as_str().expect("an id");
    for line in [
        format!("Timestamp: {}", time.as_nanosecond()),
        format!("event.id: Str({id})"),
        "rule.id: Str(shell_under_app_worker)".to_owned(),
        "service.kind: Str(php-fpm)".to_owned(),
    ] {
        assert!(record.lines.contains(&line), "no {line} in {record:?}");
    }
    let observed = record.lines.iter();
    let observed = observed.filter_map(|line| line.strip_prefix("ObservedTimestamp: "));
    let observed: Vec<i128> = observed.filter_map(|it| it.parse().ok()).collect();
    assert!(observed.len() == 1 && observed[0] >= time.as_nanosecond());
    wait::until("an empty spool", || {
        (sensor.metric_where("sink_spooled", "sink=\"otel\"") < 1.0).then_some(())
    });
    assert!(sensor.metric_where("sink_dropped_total", "sink=\"otel\"") < 1.0);
    sensor.mark();
    sensor.stop();
}
