//! Servers that daemonise while the sensor starts: the process it has just recognised
//! is gone, and what it forked must not be overlooked.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use rustix::process::Signal;
use serde_json::Value;

use crate::fixture::{
    process::Process,
    scene::{Case, Scene, tool},
    sensor::Sensor,
    wait,
};

/// Forks a process that waits, says its pid, and exits: a daemon's start.
const DAEMONISE: &str = "{ read line < \"$1\"; } > /dev/null 2>&1 & echo $!";

/// The processes left behind; ended with the test.
struct Daemons(Vec<Process>);

impl Drop for Daemons {
    fn drop(&mut self) {
        for daemon in &self.0 {
            daemon.signal(Signal::KILL);
        }
    }
}

fn daemonise(server: &Path, fifo: &Path) -> Option<Process> {
    let output = Command::new(server)
        .args(["-c", DAEMONISE, "nginx"])
        .arg(fifo)
        .stdin(Stdio::null())
        .output()
        .expect("run the server");
    let pid = String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .ok()?;
    Process::of(pid)
}

/// Every pid in the answer of `tree --json`.
fn pids(value: &Value, found: &mut BTreeSet<u64>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| pids(item, found)),
        Value::Object(fields) => {
            found.extend(fields.get("pid").and_then(Value::as_u64));
            fields.values().for_each(|field| pids(field, found));
        }
        _ => {}
    }
}

fn daemons_of_the_start_are_all_known(case: Case) {
    let Some(scene) = Scene::begin(case.name, &[]) else {
        return;
    };
    // Named like a server, so it is one to the sensor.
    let server = scene.path().join("nginx");
    fs::copy(tool("dash"), &server).expect("copy a shell");
    fs::set_permissions(&server, fs::Permissions::from_mode(0o755)).expect("make it executable");
    let fifo = scene.path().join("fifo");
    let made = Command::new(tool("mkfifo")).arg(&fifo).status();
    assert!(made.is_ok_and(|status| status.success()));

    let stop = AtomicBool::new(false);
    let (daemons, sensor) = thread::scope(|scope| {
        let launching = scope.spawn(|| {
            let mut daemons = Daemons(Vec::new());
            while !stop.load(Ordering::Relaxed) && daemons.0.len() < 2_000 {
                daemons.0.extend(daemonise(&server, &fifo));
            }
            daemons
        });
        let sensor = Sensor::start(case.rung);
        stop.store(true, Ordering::Relaxed);
        (launching.join().expect("the daemons were started"), sensor)
    });
    assert!(daemons.0.len() > 20, "{}", daemons.0.len());

    let missing = || {
        let answer = sensor.ask(&["tree", "--json"]);
        let answer: Value = serde_json::from_slice(&answer.stdout).expect("JSON");
        let mut known = BTreeSet::new();
        pids(&answer, &mut known);
        let living = daemons.0.iter().filter(|daemon| daemon.is_alive());
        living
            .filter(|daemon| !known.contains(&u64::from(daemon.pid)))
            .count()
    };
    wait::until("every daemon is in the tree", || {
        (missing() == 0).then_some(())
    });
    sensor.stop();
}

on_each_rung!(daemons_of_the_start_are_all_known);
