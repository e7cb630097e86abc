//! Loss is data: what the ring could not take is counted to the last record, said in
//! the alerts, and does not hide what comes after.

use std::fs;

use rustix::process::Signal;

use crate::fixture::{
    alert::link,
    php_fpm::{Pool, Start},
    process::Process,
    scene::{Case, Scene, tool},
    sensor::Sensor,
    site::{self, Site},
    wait,
};

/// Programs started while nobody reads: each takes over 3 KiB of the 16 MiB ring.
const STORM: u32 = 6_000;

/// Records in the metrics, as `(made, received, lost)`.
fn ledger(sensor: &Sensor) -> (f64, f64, f64) {
    (
        sensor.metric("kernel_records_total"),
        sensor.metric("events_total"),
        sensor.metric("events_lost_total"),
    )
}

/// Records of the lifecycle ring lost for one reason.
fn lost(sensor: &Sensor, reason: &str) -> f64 {
    let label = format!("reason=\"{reason}\",ring=\"lifecycle\"");
    let text = sensor.metrics();
    let sample = text
        .lines()
        .find(|line| line.contains("events_lost_total{") && line.contains(&label))
        .and_then(|line| line.rsplit(' ').next()?.parse().ok());
    sample.unwrap_or_else(|| panic!("no {reason} in\n{text}"))
}

/// The agent is stopped until the ring overflows, then goes on.
fn a_flood_is_counted_and_hides_nothing_after_it(case: Case) {
    let Some(scene) = Scene::begin(case.name, site::NEEDS) else {
        return;
    };
    let mut sensor = Sensor::start(case.rung);
    sensor.wait_ready();
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let agent = Process::of(sensor.pid()).expect("the sensor runs");

    agent.signal(Signal::STOP);
    let padding = "x".repeat(2_900);
    let (over, go) = (
        scene.writable("signals").join("over"),
        scene.path().join("go"),
    );
    // The last exec of the storm is the one that matters: a shell that stays, but not
    // for ever should the test fail.
    let survivor = format!(
        ": survivor; i=0; while [ $i -lt 600 ] && ! [ -e {} ]; do sleep 0.1; i=$((i+1)); done",
        go.display()
    );
    let line = format!(
        "(i=0; while [ $i -lt {STORM} ]; do /bin/true {padding}; i=$((i+1)); done; \
         : > {}; exec sh -c '{survivor}') > /dev/null 2>&1 &",
        over.display()
    );
    site.shell("storm.php", &line);
    wait::until("the end of the storm", || over.exists().then_some(()));
    agent.signal(Signal::CONT);

    wait::until("the ring is read empty and the loss is counted", || {
        let (made, received, lost) = ledger(&sensor);
        (lost > 0.0 && made - received < 0.5).then_some(())
    });
    // What was numbered is what arrived and what is missing, to the last record: the
    // gaps in the stream come to be the kernel's own count. A gap shows with the next
    // record of its CPU.
    wait::until("every gap has been seen", || {
        site.shell("next.php", "true");
        let full = lost(&sensor, "ring_full");
        let gap = sensor.metric("sequence_missing_total");
        (full > 0.0 && (gap - full).abs() < 0.5).then_some(())
    });

    // What was lost is judged by what a scan shows to run.
    let alert = sensor.alert("shell_under_app_worker", |alert| {
        alert.args() == ["sh", "-c", &survivor]
    });
    assert_eq!(alert.lineage()[0].pid(), site.php.master().pid, "{alert}");
    assert!(
        alert.json["evidence"]["lost_events"].as_u64() > Some(0),
        "{alert}"
    );
    fs::write(&go, "").expect("let the shell end");

    let said = sensor.alert("events_lost", |_| true);
    assert!(
        said.json["evidence"]["lost_events"].as_u64() > Some(0),
        "{said}"
    );

    // The kernel's marks never depended on the ring: the next attack is seen, with its
    // lineage, and the alert says that something is missing.
    let visit = site.shell("after.php", "id; : after");
    let alert = sensor.alert("shell_under_app_worker", |alert| {
        alert.args() == ["sh", "-c", "id; : after"]
    });
    let sh = link(tool("sh"), &["sh", "-c", "id; : after"])
        .part("descendant")
        .chain(&[tool("sh")]);
    alert.assert_lineage(&[site.master(), site.worker(visit.worker), sh]);
    assert!(
        alert.json["evidence"]["lost_events"].as_u64() > Some(0),
        "{alert}"
    );
    wait::until("the tree is repaired after the loss", || {
        sensor.log().contains("scanned again").then_some(())
    });
    let status = sensor.stop_within(Signal::TERM, crate::fixture::sensor::STOP);
    assert_eq!(status.code(), Some(0));
}

on_each_rung!(a_flood_is_counted_and_hides_nothing_after_it);
