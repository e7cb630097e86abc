//! EV24: a flood of programs while the sensor is held up, by a sensor of its own, since
//! every other one may lose nothing.

use rustix::process::Signal;

use super::case::{Expected, Order, Row};
use crate::fixture::{
    process::Process,
    scene::Scene,
    sensor::{Rung, STOP, Sensor},
    site::Site,
    wait::{self, PATIENCE},
};

/// Programs started meanwhile: each takes over 3 KiB of the 16 MiB ring.
const STORM: u32 = 6_000;
const RULE: &str = "events_lost";

/// The flood, and the rule that says that something was lost.
pub(crate) fn row(scene: &Scene, site: &Site) -> Row {
    let mut sensor = Sensor::start(Rung::TpBtf);
    let agent = Process::of(sensor.pid()).expect("the sensor runs");
    flood(scene, site, agent);
    let told = wait::poll(PATIENCE, || {
        site.shell("next.php", "true");
        sensor.mark();
        let mut alerts = sensor.alerts.iter();
        alerts.find(|alert| alert.rule() == RULE).cloned()
    });
    let status = sensor.stop_within(Signal::TERM, STOP);
    assert_eq!(status.code(), Some(0), "{}", sensor.log());
    let counted = told
        .iter()
        .filter_map(|alert| alert.json["evidence"]["lost_events"].as_u64());
    let failure = match counted.max() {
        None => Some("nothing says that records were lost".to_owned()),
        Some(0) => Some("the alert counts none".to_owned()),
        Some(_) => None,
    };
    Row {
        id: "EV24",
        stack: "nginx + php-fpm".to_owned(),
        order: Some(Order::Before),
        what: "flood of programs, sensor held up".to_owned(),
        expected: Expected::Alert,
        wanted: RULE.to_owned(),
        fired: told
            .iter()
            .map(|alert| (alert.rule().to_owned(), alert.level().to_owned()))
            .collect(),
        root: "no process: the sensor's own".to_owned(),
        // It is in no recording.
        alerts: Vec::new(),
        proofs: Vec::new(),
        failure,
    }
}

/// Starts programs until none is left to be started, while the sensor does not run.
fn flood(scene: &Scene, site: &Site, agent: Process) {
    let over = scene.writable("flood").join("over");
    agent.signal(Signal::STOP);
    let line = format!(
        "(i=0; while [ $i -lt {STORM} ]; do /bin/true {}; i=$((i+1)); done; : > {}) \
         > /dev/null 2>&1 &",
        "x".repeat(2_900),
        over.display()
    );
    site.shell("flood.php", &line);
    wait::until("the end of the flood", || over.exists().then_some(()));
    agent.signal(Signal::CONT);
}
