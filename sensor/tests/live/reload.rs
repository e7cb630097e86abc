//! Rules and levels that change while the sensor runs: by a changed file and by SIGHUP, all
//! or nothing, and a replay of the recording says the same.

use rustix::process::Signal;

use crate::fixture::{
    php_fpm::{Pool, Start},
    recording,
    scene::Scene,
    sensor::Sensor,
    site::{self, Site},
    wait,
};

const RULE: &str = "recon_tool_under_service";
const OFF: &str = "adjust: [{rule: recon_tool_under_service, enabled: false}]";

/// Waits until so many reloads came out like this.
fn reloads(sensor: &Sensor, result: &str, count: f64) {
    let label = format!("result=\"{result}\"");
    wait::until("the reload", || {
        (sensor.metric_where("config_reloads_total", &label) >= count).then_some(())
    });
}

/// The hash that the metric shows.
fn hash(sensor: &Sensor) -> String {
    let metrics = sensor.metrics();
    let (_, rest) = metrics.split_once("config_info{hash=\"").expect("the hash");
    rest.split('"').next().expect("its end").to_owned()
}

/// Whether `id` under the site alerts by [`RULE`]: a shell that does comes after it.
fn alerts(sensor: &mut Sensor, site: &Site, number: u32) -> bool {
    let mark = sensor.mark();
    site.spawn(&format!("id-{number}.php"), &[b"id"]);
    let line = format!(": after-{number}");
    site.shell(&format!("after-{number}.php"), &line);
    sensor.alert("shell_under_app_worker", |alert| {
        alert.args() == ["sh", "-c", &line]
    });
    sensor.alerts[mark..]
        .iter()
        .any(|alert| alert.rule() == RULE)
}

#[test]
fn a_rule_goes_off_and_on_and_a_broken_file_changes_nothing() {
    let name = "reload::a_rule_goes_off_and_on_and_a_broken_file_changes_nothing";
    let Some(scene) = Scene::begin(name, site::NEEDS) else {
        return;
    };
    let file = scene.path().join("recording");
    let mut sensor = Sensor::configured("", &file);
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let first = hash(&sensor);
    assert!(alerts(&mut sensor, &site, 1));

    sensor.configure(OFF, "limits: {processes: 2048}");
    reloads(&sensor, "loaded", 1.0);
    let second = hash(&sensor);
    assert_ne!(first, second);
    assert!(!alerts(&mut sensor, &site, 2));
    let log = sensor.log();
    assert!(
        log.contains(&format!("configuration {second} is in force")),
        "{log}"
    );
    assert!(
        log.contains("`limits.processes` has another value now"),
        "{log}"
    );

    sensor.configure(
        "adjust: [{rule: recon_tol_under_service, enabled: true}]",
        "",
    );
    reloads(&sensor, "refused", 1.0);
    assert_eq!(
        (
            sensor.metric("config_last_reload_successful"),
            hash(&sensor)
        ),
        (0.0, second)
    );
    assert!(
        sensor
            .log()
            .contains("did you mean `recon_tool_under_service`"),
        "{}",
        sensor.log()
    );
    assert!(!alerts(&mut sensor, &site, 3));

    sensor.configure("", "");
    sensor.signal(Signal::HUP);
    reloads(&sensor, "loaded", 2.0);
    assert_eq!(
        (
            sensor.metric("config_last_reload_successful"),
            hash(&sensor)
        ),
        (1.0, first)
    );
    assert!(alerts(&mut sensor, &site, 4));

    sensor.signal(Signal::HUP);
    wait::until("the answer to SIGHUP", || {
        sensor
            .log()
            .contains("it is what is in force")
            .then_some(())
    });
    let live = sensor.stop_and_read();
    recording::assert_equal(&file, &live);
}
