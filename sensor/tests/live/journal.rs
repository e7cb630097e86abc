//! A real systemd-journald gets alerts in its own protocol, and journalctl finds them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::fixture::{
    nginx,
    php_fpm::{self, Pool, Start},
    process::Guard,
    scene::{self, Need, Scene, tool},
    sensor::Sensor,
    site::Site,
    wait,
};

const NEEDS: &[Need] = &[
    nginx::program,
    php_fpm::program,
    || scene::program("journalctl"),
    journald,
];
const SOCKET: &str = "/run/systemd/journal/socket";
/// What a journal keeps that lives as long as the machine runs.
const VOLATILE: [&str; 2] = ["/run/systemd/journal", "/run/log/journal"];

/// It is not on anybody's path.
fn journald() -> Result<PathBuf, String> {
    let places = [
        "/usr/lib/systemd/systemd-journald",
        "/lib/systemd/systemd-journald",
    ];
    let mut places = places.iter().map(PathBuf::from);
    places
        .find(|place| place.is_file())
        .ok_or_else(|| "no systemd-journald".to_owned())
}

/// The journal of this machine, or one that is there for the test.
struct Journal {
    own: Option<Guard>,
    /// What was not there before.
    made: Vec<&'static str>,
}

impl Journal {
    fn ensure() -> Self {
        if Path::new(SOCKET).exists() {
            return Self {
                own: None,
                made: Vec::new(),
            };
        }
        let missing = |place: &&&str| !Path::new(place).exists();
        let made: Vec<_> = VOLATILE.iter().filter(missing).copied().collect();
        for place in &made {
            fs::create_dir_all(place).expect("make a directory of the journal");
        }
        let mut daemon = Command::new(journald().expect("the scene has looked"));
        let silent = || Stdio::null();
        daemon.stdin(silent()).stdout(silent()).stderr(silent());
        let daemon = daemon.spawn().expect("start journald");
        let journal = Self {
            own: Some(Guard::child(daemon, Signal::TERM)),
            made,
        };
        wait::until("the socket of the journal", || {
            Path::new(SOCKET).exists().then_some(())
        });
        journal
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        drop(self.own.take());
        for place in &self.made {
            fs::remove_dir_all(place).expect("remove a directory of the journal");
        }
    }
}

/// The entry that has this alert.
fn entry(id: &str) -> Option<Value> {
    let mut journalctl = Command::new(tool("journalctl"));
    // Without --all a long field is null.
    journalctl.args(["--all", "--output=json", "--no-pager", "--boot"]);
    journalctl.args(["SYSLOG_IDENTIFIER=lineage-sensor"]);
    journalctl.arg(format!("LINEAGE_EVENT_ID={id}"));
    let output = journalctl.output().expect("run journalctl");
    let lines: Vec<_> = output
        .stdout
        .split_inclusive(|&byte| byte == b'\n')
        .collect();
    assert!(lines.len() < 2, "twice: {output:?}");
    let line = lines.first()?;
    Some(serde_json::from_slice(line).expect("JSON"))
}

#[test]
fn the_journal_has_what_was_alerted() {
    let Some(scene) = Scene::begin("journal::the_journal_has_what_was_alerted", NEEDS) else {
        return;
    };
    let _journal = Journal::ensure();
    let sinks = "sinks: [{name: journal, type: journald}]";
    let mut sensor = Sensor::configured(sinks, &scene.path().join("recording"));
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let alert = site.attack(&mut sensor, "journal");

    let id = alert.json["event"]["id"].as_str().expect("an id");
    let entry = wait::until("the alert in the journal", || entry(id));
    assert_eq!(entry["MESSAGE"], alert.json["message"]);
    assert_eq!(entry["LINEAGE_RULE"], alert.json["rule"]["id"]);
    let whole = entry["LINEAGE_ALERT"].as_str().expect("text");
    let whole: Value = serde_json::from_str(whole).expect("the alert is JSON");
    assert_eq!(whole, alert.json);
    let priority: u8 = entry["PRIORITY"]
        .as_str()
        .expect("text")
        .parse()
        .expect("a digit");
    assert!((1..=4).contains(&priority), "{entry}");
    assert!(sensor.metric_where("sink_dropped_total", "sink=\"journal\"") < 1.0);
    sensor.mark();
    sensor.stop();
}
