//! A real rsyslogd gets alerts over UDP, TCP and the socket of a machine, and writes what it
//! has understood; also after it was ended and began anew.

use std::{fs, path::Path};

use rustix::process::Signal;
use serde_json::Value;

use crate::fixture::{
    alert::Alert,
    daemon::{Daemon, command},
    nginx,
    php_fpm::{self, Pool, Start},
    scene::{self, Need, Scene},
    sensor::Sensor,
    site::Site,
    wait,
};

const NEEDS: &[Need] = &[nginx::program, php_fpm::program, || {
    scene::program("rsyslogd")
}];

/// The inputs, by the names rsyslog gives them.
const INPUTS: [&str; 3] = ["imuxsock", "imudp", "imtcp"];

/// A rsyslogd that has nothing to do with this machine's, in the foreground.
fn rsyslogd(scene: &Scene, port: u16) -> Daemon {
    let path = |name: &str| scene.path().join(name).display().to_string();
    let config = format!(
        "global(workDirectory=\"{}\" maxMessageSize=\"64k\")
module(load=\"imuxsock\" SysSock.Use=\"off\")
module(load=\"imudp\")
module(load=\"imtcp\")
template(name=\"whole\" type=\"string\" string=\"%inputname% %pri% %app-name% %procid% %timereported:::date-unixtimestamp% %msg%\\n\")
ruleset(name=\"all\") {{ action(type=\"omfile\" file=\"{}\" template=\"whole\") }}
input(type=\"imuxsock\" Socket=\"{}\" IgnoreTimestamp=\"off\" ruleset=\"all\")
input(type=\"imudp\" address=\"127.0.0.1\" port=\"{port}\" ruleset=\"all\")
input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\" ruleset=\"all\")
",
        path(""),
        path("out"),
        path("log"),
    );
    let config = scene.file("rsyslog.conf", config);
    let mut program = command("rsyslogd", scene.path());
    program.arg("-n").arg("-f").arg(config);
    program.arg("-i").arg(scene.path().join("rsyslogd.pid"));
    Daemon::start(program, port, Signal::TERM)
}

/// One line of the file.
#[derive(Debug)]
struct Line {
    input: String,
    /// Priority, name, pid and time, s since the epoch.
    head: Vec<String>,
    alert: Value,
}

fn lines(out: &Path) -> Vec<Line> {
    let text = fs::read_to_string(out).unwrap_or_default();
    // The last may not be written whole yet.
    let whole = text.split_inclusive('\n').filter(|it| it.ends_with('\n'));
    let lines = whole.map(|line| {
        let (head, json) = line.split_once('{').expect("JSON");
        let mut head = head.split_whitespace().map(str::to_owned);
        let alert = serde_json::from_str(&format!("{{{json}"));
        Line {
            input: head.next().expect("the input"),
            head: head.collect(),
            alert: alert.unwrap_or_else(|error| panic!("{error}: {line}")),
        }
    });
    lines.collect()
}

/// Every input has written this alert, whole.
#[track_caller]
fn written(out: &Path, alert: &Alert, pid: u32) {
    let id = &alert.json["event"]["id"];
    let found = wait::until("the alert from every input", || {
        let mut found = lines(out);
        found.retain(|line| line.alert["event"]["id"] == *id);
        let all = |input: &&str| found.iter().any(|line| line.input == *input);
        INPUTS.iter().all(all).then_some(found)
    });
    let time = alert.json["@timestamp"].as_str().expect("a time");
    let time: jiff::Timestamp = time.parse().expect("a time");
    for line in found {
        assert_eq!(line.alert, alert.json, "{}", line.input);
        let [priority, name, of, reported] = &line.head[..] else {
            panic!("{line:?}");
        };
        // Facility authpriv; the severity depends on the level.
        let priority: u8 = priority.parse().expect("a priority");
        assert!((82..=86).contains(&priority), "{line:?}");
        assert_eq!((name.as_str(), of), ("lineage-sensor", &pid.to_string()));
        assert_eq!(reported, &time.as_second().to_string(), "{line:?}");
    }
}

#[test]
fn rsyslog_understands_what_it_gets() {
    let Some(scene) = Scene::begin("syslog::rsyslog_understands_what_it_gets", NEEDS) else {
        return;
    };
    let (port, out) = (scene::free_port(), scene.path().join("out"));
    let sinks = format!(
        "sinks: [{{name: local, type: syslog, address: {}}}, \
         {{name: udp, type: syslog, address: \"udp://127.0.0.1:{port}\"}}, \
         {{name: tcp, type: syslog, address: \"tcp://localhost:{port}\"}}]",
        scene.path().join("log").display(),
    );
    let rsyslog = rsyslogd(&scene, port);
    let mut sensor = Sensor::configured(&sinks, &scene.path().join("recording"));
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let first = site.attack(&mut sensor, "first");
    written(&out, &first, sensor.outlet().pid);

    drop(rsyslog);
    let _rsyslog = rsyslogd(&scene, port);
    let second = site.attack(&mut sensor, "second");
    written(&out, &second, sensor.outlet().pid);
    for sink in ["local", "udp", "tcp"] {
        let label = format!("sink=\"{sink}\"");
        assert!(sensor.metric_where("sink_dropped_total", &label) < 1.0);
    }
    sensor.mark();
    sensor.stop();
}
