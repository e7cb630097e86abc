//! The processes of a running sensor: what each may do, and what becomes of one when the
//! other is killed or hangs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt as _,
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::fixture::{
    http,
    php_fpm::{Pool, Start},
    scene::Scene,
    sensor::{self, Rung, Sensor},
    site::{self, Site},
    wait,
};

/// Fields of `/proc/PID/task/TID/status`, of each thread.
fn statuses(pid: u32) -> Vec<BTreeMap<String, String>> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("its threads");
    let texts = tasks.map(|task| {
        let path = task.expect("a thread").path().join("status");
        fs::read_to_string(path).expect("a live thread")
    });
    texts
        .map(|text| {
            let fields = text.lines().filter_map(|line| line.split_once(':'));
            fields
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect()
        })
        .collect()
}

/// `CAP_SYS_ADMIN`, `CAP_PERFMON`, `CAP_BPF`: only loading and attaching want them, on the
/// kernels that tests run on.
const ATTACHING: u64 = 1 << 21 | 1 << 38 | 1 << 39;
/// `CAP_DAC_OVERRIDE`, `CAP_DAC_READ_SEARCH`, `CAP_SYS_PTRACE`.
const WATCHING: u64 = 1 << 1 | 1 << 2 | 1 << 19;

/// A set of capabilities as `/proc` writes it.
fn bits(set: &str) -> u64 {
    u64::from_str_radix(set, 16).expect("hex digits")
}

/// This layer of the outlet's sandbox is closed, as it says.
#[track_caller]
fn holds(sensor: &Sensor, layer: &str) {
    let label = format!("layer=\"{layer}\"");
    let holds = sensor.metric_where("outlet_sandbox", &label);
    assert!((holds - 1.0).abs() < f64::EPSILON, "{layer}: {holds}");
}

#[test]
fn each_process_may_do_what_it_needs() {
    let Some(_scene) = Scene::begin("privilege::each_process_may_do_what_it_needs", &[]) else {
        return;
    };
    let sensor = Sensor::start(Rung::TpBtf);
    let outlet = sensor.outlet();
    let threads = statuses(outlet.pid);
    assert!(threads.len() > 1, "{threads:?}");
    for status in threads {
        for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
            assert_eq!(status[set], "0000000000000000", "{set} {status:?}");
        }
        assert_eq!(status["NoNewPrivs"], "1");
        assert_eq!(status["Seccomp"], "2", "{status:?}");
    }
    for status in statuses(sensor.pid()) {
        assert_eq!(status["NoNewPrivs"], "1");
        assert_eq!(status["Seccomp"], "2", "the collector: {status:?}");
        for set in ["CapEff", "CapPrm"] {
            let held = bits(&status[set]);
            assert_eq!(held & ATTACHING, 0, "{set} {status:?}");
            assert_eq!(held & !WATCHING, 0, "{set} {status:?}");
        }
    }
    let spawner = sensor.below("__spawner").expect("the spawner");
    for status in statuses(spawner.pid) {
        // CAP_NET_BIND_SERVICE, for an outlet that listens on a low port.
        for set in ["CapEff", "CapPrm", "CapBnd"] {
            assert_eq!(bits(&status[set]) & !(1 << 10), 0, "{set} {status:?}");
        }
        assert_eq!(status["NoNewPrivs"], "1");
        assert_eq!(status["Seccomp"], "2", "the spawner: {status:?}");
    }
    // No program, no map, no event of the kernel.
    for fd in fs::read_dir(format!("/proc/{}/fd", outlet.pid)).expect("its descriptors") {
        let link = fs::read_link(fd.expect("a descriptor").path()).unwrap_or_default();
        let link = link.to_string_lossy().into_owned();
        assert!(!link.contains("bpf") && !link.contains("perf"), "{link}");
    }
    let layers = ["capabilities", "files", "system_calls"];
    for layer in layers {
        holds(&sensor, layer);
    }
    sensor.stop();
}

#[test]
fn in_its_sandbox_nothing_is_written_elsewhere_and_nothing_is_started() {
    let name = "privilege::in_its_sandbox_nothing_is_written_elsewhere_and_nothing_is_started";
    let Some(scene) = Scene::begin(name, &[]) else {
        return;
    };
    let (own, other) = (scene.path().join("own"), scene.path().join("other"));
    for directory in [&own, &other] {
        fs::create_dir(directory).expect("make a directory");
    }
    let (inside, outside) = (own.join("file"), other.join("file"));
    let output = Command::new(sensor::program_path())
        .arg("__outlet-trial")
        .args([&own, &inside, &outside])
        .output()
        .expect("run the program");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    if said.contains("any, for lack of Landlock") {
        println!("SKIP {name}: no Landlock");
        return;
    }
    assert!(inside.exists() && !outside.exists(), "{said}");
    for refused in [
        format!("{}: Permission denied", outside.display()),
        "a process: Operation not permitted".to_owned(),
        "/proc: Permission denied".to_owned(),
    ] {
        assert!(said.contains(&refused), "{said}");
    }
}

#[test]
fn behind_its_filters_the_collector_opens_no_socket() {
    let output = Command::new(sensor::program_path())
        .arg("__collector-trial")
        .output()
        .expect("run the program");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(said.starts_with("filters: on\n"), "{said}");
    for kind in ["tcp", "udp", "unix"] {
        let refused = format!("\n{kind}: Operation not permitted");
        assert!(said.contains(&refused), "{kind}: {said}");
    }
}

/// Lines of the history with this id.
fn kept(sensor: &Sensor, id: &str) -> usize {
    let output = sensor.ask(&["alerts", "--json", "--limit", "1000"]);
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter(|line| line.contains(id)).count()
}

/// An attack while there is no outlet: its alert comes all the same, once.
#[test]
fn an_outlet_that_is_killed_is_replaced_and_nothing_is_lost() {
    let name = "privilege::an_outlet_that_is_killed_is_replaced_and_nothing_is_lost";
    let Some(scene) = Scene::begin(name, site::NEEDS) else {
        return;
    };
    let mut sensor = Sensor::start(Rung::TpBtf);
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    for round in 0..3 {
        let first = sensor.outlet();
        first.signal(Signal::KILL);
        let line = format!(": round-{round}");
        site.shell(&format!("round-{round}.php"), &line);
        let alert = sensor.alert("shell_under_app_worker", |alert| {
            alert.args() == ["sh", "-c", &line]
        });
        let id = alert.json["event"]["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        wait::until("the history", || (kept(&sensor, &id) > 0).then_some(()));
        sensor.mark();
        let same = sensor.alerts.iter();
        let same = same.filter(|alert| alert.json["event"]["id"] == id.as_str());
        assert_eq!(same.count(), 1);
        assert!(sensor.outlet().pid != first.pid);
    }
    let restarts = sensor.metric_where("outlet_restarts_total", "reason=\"ended\"");
    assert!((restarts - 3.0).abs() < f64::EPSILON, "{restarts}");
    assert!(
        sensor.log().contains("the outlet is gone"),
        "{}",
        sensor.log()
    );
    assert!(sensor.metric("outlet_dropped_total") < 1.0);
    sensor.stop();
}

/// It neither reads nor answers: capture goes on, and another takes its place.
#[test]
fn an_outlet_that_hangs_is_replaced() {
    let name = "privilege::an_outlet_that_hangs_is_replaced";
    let Some(scene) = Scene::begin(name, site::NEEDS) else {
        return;
    };
    let mut sensor = Sensor::start(Rung::TpBtf);
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let hanging = sensor.outlet();
    hanging.signal(Signal::STOP);
    site.shell("hang.php", ": while it hangs");
    let alert = sensor.alert_within(Duration::from_mins(1), "shell_under_app_worker", |alert| {
        alert.args() == ["sh", "-c", ": while it hangs"]
    });
    assert!(!hanging.is_alive(), "{alert}");
    let restarts = sensor.metric_where("outlet_restarts_total", "reason=\"silent\"");
    assert!((restarts - 1.0).abs() < f64::EPSILON, "{restarts}");
    sensor.stop();
}

/// The user is the outlet's alone: it writes what is its own, and is ended and replaced all
/// the same, though nobody may signal it for being root.
#[test]
fn an_outlet_of_its_own_user() {
    const NOBODY: u32 = 65_432;
    let name = "privilege::an_outlet_of_its_own_user";
    let Some(scene) = Scene::begin(name, site::NEEDS) else {
        return;
    };
    let mut sensor = Sensor::with_outlet_of(NOBODY);
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let ids = |pid, field| -> Vec<BTreeSet<String>> {
        let of_each = statuses(pid).into_iter().map(|status| {
            let ids = status[field].split_whitespace();
            ids.map(str::to_owned).collect()
        });
        of_each.collect()
    };
    let nobody = BTreeSet::from([NOBODY.to_string()]);
    let hanging = sensor.outlet();
    for field in ["Uid", "Gid"] {
        for ids in ids(hanging.pid, field) {
            assert_eq!(ids, nobody, "{field} of the outlet");
        }
        for ids in ids(sensor.pid(), field) {
            assert_eq!(ids, BTreeSet::from(["0".to_owned()]), "the collector's");
        }
    }
    for status in statuses(hanging.pid) {
        assert_eq!(status["Groups"], "", "{status:?}");
    }
    holds(&sensor, "user");
    // Root may ask it.
    assert!(sensor.ask(&["tree"]).status.success());

    hanging.signal(Signal::STOP);
    site.shell("own.php", ": of another user");
    let alert = sensor.alert_within(Duration::from_mins(1), "shell_under_app_worker", |alert| {
        alert.args() == ["sh", "-c", ": of another user"]
    });
    assert!(!hanging.is_alive(), "{alert}");
    let id = alert.json["event"]["id"].as_str().expect("an id");
    wait::until("the history", || (kept(&sensor, id) > 0).then_some(()));
    let history = fs::metadata(sensor.socket.with_file_name("history.db")).expect("a history");
    assert_eq!((history.uid(), history.mode() & 0o777), (NOBODY, 0o600));
    sensor.stop();
}

#[test]
fn directories_that_are_closed_to_its_user_are_named() {
    let name = "privilege::directories_that_are_closed_to_its_user_are_named";
    let Some(_scene) = Scene::begin(name, &[]) else {
        return;
    };
    let said = Sensor::refused_for("65432", 77);
    for part in [
        "install -d -m 1770 -g 65432",
        "outlet.user: none",
        "control.sock",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let said = Sensor::refused_for("no-such-user", 64);
    assert!(said.contains("useradd --system no-such-user"), "{said}");
}

/// Killed, the collector cannot say anything: the outlet does, everywhere, and ends.
#[test]
fn the_outlet_says_that_capture_has_ended() {
    let name = "privilege::the_outlet_says_that_capture_has_ended";
    let Some(scene) = Scene::begin(name, &[]) else {
        return;
    };
    let log = scene.path().join("alerts.log");
    let lines = format!(
        "sinks: [{{name: log, type: file, path: {}}}]",
        log.display()
    );
    let mut sensor = Sensor::configured(&lines, &scene.path().join("recording"));
    let outlet = sensor.outlet();
    let collector = sensor.pid();
    let killed = Instant::now();
    sensor.stop_within(Signal::KILL, wait::PATIENCE);
    wait::until("the outlet to end", || (!outlet.is_alive()).then_some(()));
    assert!(killed.elapsed() < Duration::from_secs(10));
    let written = fs::read_to_string(&log).expect("the file");
    let last: Value = serde_json::from_str(written.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["rule"]["id"], "capture_ended");
    let number = |line: &Value| line["event"]["sequence"].as_u64();
    let before = written.lines().rev().skip(1);
    let before = before.map(|line| serde_json::from_str(line).expect("JSON"));
    assert!(
        number(&last)
            > before
                .map(|line: Value| number(&line))
                .max()
                .unwrap_or(Some(0))
    );
    assert_eq!(last["process"]["pid"], collector);
    assert!(!sensor.socket.exists(), "the control socket is left");
    let output = sensor.ask(&["alerts", "--json"]);
    let kept = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(kept.contains("capture_ended"), "{kept}");
}

/// The test is made again while the sensor runs; when it cannot be, that is said.
#[test]
fn the_self_test_is_made_again_and_its_failure_is_said() {
    let name = "privilege::the_self_test_is_made_again_and_its_failure_is_said";
    let Some(_scene) = Scene::begin(name, &[]) else {
        return;
    };
    let mut sensor = Sensor::start(Rung::TpBtf);
    // That of the start only gets older.
    let mut oldest = sensor.metric("self_test_age_seconds");
    wait::until("another self-test", || {
        let age = sensor.metric("self_test_age_seconds");
        let made_again = age < oldest;
        oldest = age;
        made_again.then_some(())
    });
    let spawner = sensor.below("__spawner").expect("the spawner");
    spawner.signal(Signal::KILL);
    let alert = sensor.alert_within(Duration::from_secs(90), "self_test_failed", |_| true);
    assert_eq!(alert.json["process"]["pid"], sensor.pid());
    assert!(
        alert.json["event"]["sequence"].as_u64() >= Some(1),
        "{alert}"
    );
    let unready = http::get(sensor.port, "/readyz").expect("ask");
    assert_eq!(unready.status, 503);
    assert!(unready.body.contains("self-test: "), "{}", unready.body);
    let degraded = sensor.metric_where("degraded", "self_test_failed");
    assert!((degraded - 1.0).abs() < f64::EPSILON, "{degraded}");
    sensor.stop();
}
