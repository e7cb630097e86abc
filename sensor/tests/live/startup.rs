//! Servers that were there before the sensor, and servers that fork while it starts.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::Value;

use crate::fixture::{
    alert::link,
    cgroup::{self, Cgroup},
    http,
    php_fpm::{Pool, Start},
    process::Process,
    scene::{self, Case, Need, Scene, tool},
    sensor::Sensor,
    site::{self, Site},
    wait,
};

/// A master and workers that existed: scanned, with the parents they had.
fn a_running_site_is_known(case: Case) {
    let Some(scene) = Scene::begin(case.name, site::NEEDS) else {
        return;
    };
    for start in [Start::Foreground, Start::Daemon] {
        let site = Site::start(&scene, start, Pool::Steady);
        let mut sensor = Sensor::start(case.rung);
        let ready = sensor.wait_ready();
        for master in [site.php.master(), site.nginx.master()] {
            assert!(
                ready.contains(&master.pid.to_string()),
                "{master:?} is not in {ready}"
            );
        }
        let visit = site.shell("shop/id.php", "id; :");
        let alert = sensor.alert("recon_tool_under_service", |alert| {
            alert.concerns(visit.worker) && alert.args() == ["id"]
        });
        alert.assert_lineage(&[
            site.master().titled("php-fpm: master process"),
            site.worker(visit.worker).titled("php-fpm: "),
            link(tool("sh"), &["sh", "-c", "id; :"])
                .part("descendant")
                .chain(&[tool("sh")]),
            link(tool("id"), &["id"])
                .part("descendant")
                .chain(&[tool("id")]),
        ]);
        assert_eq!(
            Path::new(alert.working_directory()),
            site.root().join("shop")
        );
        sensor.stop();
    }
}

/// An orphan whose forks nobody saw: its cgroup and uid are its service's.
fn an_orphan_from_before_is_inferred(case: Case) {
    let Some(scene) = Scene::begin(case.name, NEEDS_CGROUP) else {
        return;
    };
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let cgroup = Cgroup::new();
    cgroup.take(site.php.master());
    site.php
        .workers()
        .into_iter()
        .for_each(|worker| cgroup.take(worker));
    let go = scene.writable("signals").join("go");
    let wait_then_id = format!(
        "while ! [ -e {} ]; do sleep 0.05; done; id; :",
        go.display()
    );
    let visit = site.shell(
        "orphan.php",
        &format!("setsid sh -c '{wait_then_id}' > /dev/null 2>&1 & echo $!"),
    );
    let orphan = Process::of(visit.spawned()).expect("the orphan runs");

    let mut sensor = Sensor::start(case.rung);
    sensor.wait_ready();
    fs::write(&go, "").expect("let the orphan go on");
    let alert = sensor.alert("recon_tool_under_service", |alert| alert.args() == ["id"]);
    let waiting = link(tool("sh"), &["sh", "-c", &wait_then_id]);
    alert.assert_lineage(&[
        site.master().titled("php-fpm: master process").scanned(),
        waiting
            .pid(orphan.pid)
            .part("descendant")
            .chain(&[tool("sh")])
            .provenance("inferred"),
        link(tool("id"), &["id"])
            .part("descendant")
            .chain(&[tool("id")]),
    ]);
    sensor.stop();
}

const NEEDS_CGROUP: &[Need] = &[site::NEEDS[0], site::NEEDS[1], cgroup::root];

/// A daemon started after the sensor: the program that forked it is the root.
fn a_daemon_started_later_is_known(case: Case) {
    let Some(scene) = Scene::begin(case.name, site::NEEDS) else {
        return;
    };
    let mut sensor = Sensor::start(case.rung);
    let site = Site::start(&scene, Start::Daemon, Pool::OnDemand);
    let visit = site.spawn("id.php", &[b"id"]);
    let alert = sensor.alert("recon_tool_under_service", |alert| {
        alert.concerns(visit.worker) && alert.args() == ["id"]
    });
    alert.assert_lineage(&[
        site.php_fpm().part("master").chain(&[&site.php.program]),
        site.php_fpm()
            .pid(site.php.master().pid)
            .part("master")
            .forked(),
        site.worker(visit.worker),
        link(tool("id"), &["id"])
            .pid(visit.spawned())
            .part("descendant"),
    ]);
    assert!(alert.json["lineage"][0].get("exit").is_some(), "{alert}");
    sensor.stop();
}

/// Workers come and go with every request while the sensor starts; afterwards its tree is
/// the one in `/proc`, and an attack is still php-fpm's.
fn a_pool_that_forks_during_start_up_is_known(case: Case) {
    let Some(scene) = Scene::begin(case.name, site::NEEDS) else {
        return;
    };
    let site = Site::start(&scene, Start::Foreground, Pool::Restless(1));
    let stop = AtomicBool::new(false);
    let mut sensor = thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    // A refused request is no matter: the load is what counts.
                    let _response = http::get(site.nginx.port, "/ping.php");
                }
            });
        }
        let sensor = Sensor::start(case.rung);
        site.nginx.reload();
        stop.store(true, Ordering::Relaxed);
        sensor
    });
    assert_same_tree(&sensor, &[site.php.master(), site.nginx.master()]);

    let visit = site.spawn("id.php", &[b"id"]);
    let alert = sensor.alert("recon_tool_under_service", |alert| {
        alert.concerns(visit.worker) && alert.args() == ["id"]
    });
    alert.assert_lineage(&[
        site.master().titled("php-fpm: master process"),
        // Made after the sensor was ready, as a fork of the master it had found.
        site.worker(visit.worker)
            .titled("php-fpm: ")
            .provenance("observed"),
        link(tool("id"), &["id"]).pid(visit.spawned()),
    ]);
    sensor.stop();
}

/// A worker's child forks all the time; its children, made before, during and after the
/// sensor's start, all become shells in the end.
fn every_child_of_a_forking_program_is_known(case: Case) {
    const FORKER: &str = "
import os, random, sys, time
ledger, stop = sys.argv[1:3]
limit = time.monotonic() + 60
def child(stays):
    end = time.monotonic() + random.uniform(0.005, 0.05)
    while time.monotonic() < (limit if stays else end):
        if os.path.exists(stop):
            note = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(note, b'%d\\n' % os.getpid())
            os.execv('/bin/sh', ['sh', '-c', ': forked-%d' % os.getpid()])
        time.sleep(0.005)
    os._exit(0)
count = stayed = 0
while not os.path.exists(stop) and time.monotonic() < limit:
    count += 1
    stays = stayed < 80 and (count <= 10 or count % 15 == 0)
    stayed += stays
    if os.fork() == 0: child(stays)
    while os.waitpid(-1, os.WNOHANG)[0]: pass
    time.sleep(0.001)
while True:
    try: os.wait()
    except ChildProcessError: break
";
    let needs = [site::NEEDS, &[scene::python as Need]].concat();
    let Some(scene) = Scene::begin(case.name, &needs) else {
        return;
    };
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let script = scene.file("forker.py", FORKER);
    let python = tool("python3");
    let (ledger, stop) = (
        scene.writable("ledger").join("pids"),
        scene.path().join("stop"),
    );
    let command = [&python, Path::new("-I"), &script, &ledger, &stop];
    let command = command.map(|arg| arg.display().to_string());

    // The page waits for the program, so the worker stays its parent.
    let (visit, mut sensor) = thread::scope(|scope| {
        let bytes: Vec<&[u8]> = command.iter().map(String::as_bytes).collect();
        let (site, stop) = (&site, StopFile(&stop));
        let visiting = scope.spawn(move || site.spawn("forker.php", &bytes));
        let forks = || site.php.master().descendants().len();
        wait::until("children of the forking program", || {
            (forks() > 15).then_some(())
        });
        let sensor = Sensor::start(case.rung);
        assert_known(&sensor, site.php.master());
        let after = forks();
        wait::until("more children", || (forks() > after + 3).then_some(()));
        drop(stop);
        (visiting.join().expect("the page was shown"), sensor)
    });

    let pids = fs::read_to_string(ledger).expect("read the ledger");
    let pids: Vec<u32> = pids
        .lines()
        .map(|pid| pid.parse().expect("a pid"))
        .collect();
    assert!(pids.len() > 15, "{pids:?}");
    let mut known = BTreeMap::new();
    let mut incident = None;
    // Those that alerted first: the others name their incident.
    let mut pids = pids;
    pids.sort_by_key(|&pid| decided(&sensor, pid).is_none_or(|it| it.outcome == "folded"));
    for pid in pids {
        let line = format!(": forked-{pid}");
        let args = ["sh", "-c", &line];
        // Below one spawn root a rule alerts ten times in a row; of the rest it is told that
        // they were left out, and of which incident.
        let decided = wait::until("what was decided", || decided(&sensor, pid));
        if decided.outcome == "folded" {
            assert_eq!(Some(&decided.incident), incident.as_ref(), "{pid}");
            *known.entry("folded".to_owned()).or_insert(0) += 1;
            continue;
        }
        let alert = sensor.alert("shell_under_app_worker", |alert| alert.args() == args);
        incident = alert.json["incident"]["id"].as_str().map(str::to_owned);
        let last = alert
            .lineage()
            .last()
            .map(|last| last.provenance())
            .unwrap_or_default();
        *known.entry(last.to_owned()).or_insert(0) += 1;
        alert.assert_lineage(&[
            site.master().titled("php-fpm: master process"),
            site.worker(visit.worker).titled("php-fpm: "),
            link(&python, &command)
                .pid(visit.spawned())
                .scanned()
                .part("descendant"),
            link(tool("sh"), &args)
                .pid(pid)
                .provenance(if last == "scanned" { last } else { "observed" }),
        ]);
    }
    assert!(known.contains_key("scanned"), "{known:?}");
    assert!(known.contains_key("folded"), "{known:?}");
    sensor.stop();
}

/// What became of `shell_under_app_worker` at a process.
struct Decided {
    outcome: String,
    incident: String,
}

fn decided(sensor: &Sensor, pid: u32) -> Option<Decided> {
    let output = sensor.ask(&["why-not", &pid.to_string(), "--json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).ok()?;
    let decisions = answer["decisions"].as_array()?.iter();
    let mut verdicts = decisions.flat_map(|it| it["verdicts"].as_array().into_iter().flatten());
    let verdict = verdicts.find(|it| it["rule"] == "shell_under_app_worker")?;
    let text = |key: &str| verdict[key].as_str().unwrap_or_default().to_owned();
    Some(Decided {
        outcome: text("outcome"),
        incident: text("incident"),
    })
}

/// Appears when dropped, so that the program ends also when the test fails.
struct StopFile<'a>(&'a Path);

impl Drop for StopFile<'_> {
    fn drop(&mut self) {
        scene::write(self.0, "");
    }
}

/// Each descendant that is there now, and stays for the look, is in the tree under its
/// true parent. Forks wake nobody, so the tree may be a moment behind.
#[track_caller]
fn assert_known(sensor: &Sensor, root: Process) {
    let there = root.descendants();
    assert!(!there.is_empty());
    let known = wait::poll(wait::PATIENCE, || {
        let tree = tree(sensor);
        let mut stayed = there.iter().filter(|(_, process)| process.is_alive());
        let known = tree.contains_key(&root.pid)
            && stayed.all(|(parent, process)| tree.get(&process.pid) == Some(parent));
        known.then_some(())
    });
    assert!(known.is_some(), "{there:?}\n{:?}", tree(sensor));
}

/// The tree holds these families, with their true parents, and nothing else of them.
#[track_caller]
fn assert_same_tree(sensor: &Sensor, roots: &[Process]) {
    for root in roots {
        let same = wait::poll(wait::PATIENCE, || {
            let expected: BTreeMap<u32, u32> = root
                .descendants()
                .iter()
                .map(|(parent, process)| (process.pid, *parent))
                .collect();
            let mut found = tree(sensor);
            found.retain(|pid, parent| {
                *pid != root.pid && (expected.contains_key(parent) || *parent == root.pid)
            });
            (expected == found && !found.is_empty()).then_some(())
        });
        assert!(
            same.is_some(),
            "{root:?}: {:?}\n{:?}",
            root.descendants(),
            tree(sensor)
        );
    }
}

/// `tree --json` as living processes and their parents.
#[track_caller]
fn tree(sensor: &Sensor) -> BTreeMap<u32, u32> {
    let output = sensor.ask(&["tree", "--json"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let json = serde_json::from_slice(&output.stdout).expect("the tree is JSON");
    let mut parents = BTreeMap::new();
    collect(&json, 0, &mut parents);
    parents
}

fn collect(value: &Value, parent: u32, parents: &mut BTreeMap<u32, u32>) {
    let pid = value["pid"]
        .as_u64()
        .and_then(|pid| u32::try_from(pid).ok());
    if let Some(pid) = pid.filter(|_| value["exited"] != true) {
        parents.insert(pid, parent);
    }
    let parent = pid.unwrap_or(parent);
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, parent, parents)),
        Value::Object(fields) => fields
            .values()
            .for_each(|field| collect(field, parent, parents)),
        _ => {}
    }
}

on_each_rung!(
    an_orphan_from_before_is_inferred,
    a_running_site_is_known,
    a_daemon_started_later_is_known,
    a_pool_that_forks_during_start_up_is_known,
    every_child_of_a_forking_program_is_known,
);
