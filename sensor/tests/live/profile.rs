//! A profile learnt from the running sensor, and what it silences in the next run.

use crate::fixture::{
    php_fpm::{Pool, Start},
    scene::Scene,
    sensor::{Rung, Sensor},
    site::{self, Site},
};

#[test]
fn a_profile_is_learnt_and_then_silences() {
    let Some(scene) = Scene::begin("a_profile_is_learnt_and_then_silences", site::NEEDS) else {
        return;
    };
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let mut sensor = Sensor::start(Rung::TpBtf);
    let line = "test -d /srv 2>/dev/null && : order-7";
    let visit = site.shell("order.php", line);
    sensor.alert("shell_under_app_worker", |alert| {
        alert.args() == ["sh", "-c", line] && alert.concerns(visit.worker)
    });
    let lock = scene.path().join("lineage.lock");
    let path = lock.to_str().expect("a plain path");
    let learnt = sensor.ask(&["profile", "learn", "--output", path]);
    assert!(learnt.status.success(), "{learnt:?}");
    let said = String::from_utf8_lossy(&learnt.stdout);
    assert!(
        said.contains("+ php-fpm ") && said.contains("order-7"),
        "{said}"
    );
    sensor.stop();

    let alert = [("LINEAGE_SENSOR__PROFILES__MODE", "alert")];
    let mut sensor = Sensor::launch_with(&["--profile", path], &alert);
    sensor.wait_ready();
    let mark = sensor.mark();
    site.visit("order.php");
    // Were the page's command not silent, the fence would not be the next to alert.
    site.fence(&mut sensor, mark);
    let more = format!("{line}; id");
    // Another page: OPcache may go on with the old one for a while.
    site.shell("more.php", &more);
    let loud = sensor.alert("shell_under_app_worker", |alert| {
        alert.args() == ["sh", "-c", more.as_str()]
    });
    let reason = &loud.json["profile"]["reason"];
    assert_eq!(reason, "the command goes on with `;`", "{loud}");
    sensor.stop();
}
