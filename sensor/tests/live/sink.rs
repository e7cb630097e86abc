//! Sinks of the running sensor: a receiver that is away while alerts come and the sensor is
//! killed, and a sink that a reload adds.

use std::{
    fs,
    io::{BufReader, Write as _},
    net::TcpListener,
    sync::mpsc,
    thread,
};

use rustix::process::Signal;
use serde_json::Value;

use crate::fixture::{
    disk::Small,
    php_fpm::{Pool, Start},
    request,
    scene::{self, Scene},
    sensor::Sensor,
    site::{self, Site},
    wait::{self, PATIENCE},
};

/// Requests to the site, each of which alerts once or more.
const VISITS: u32 = 25;

/// Accepts on `port` and gives `event.id` and incident of every alert, as they come.
fn receive(port: u16) -> mpsc::Receiver<(String, String)> {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    let (take, taken) = mpsc::sync_channel(10_000);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut line = BufReader::new(stream.expect("a connection"));
            while let Some(body) = request::body(&mut line) {
                let Ok(Value::Array(documents)) = serde_json::from_str(&body) else {
                    panic!("no array: {body}");
                };
                for it in documents.iter().filter(|it| it["event"]["kind"] == "alert") {
                    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                    let pair = (text(&it["event"]["id"]), text(&it["incident"]["id"]));
                    take.send(pair).expect("the test reads");
                }
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                line.get_mut().write_all(answer).expect("answer");
            }
        }
    });
    taken
}

fn id(alert: &Value) -> String {
    alert["event"]["id"].as_str().expect("an id").to_owned()
}

#[test]
fn what_was_alerted_arrives_though_receiver_and_sensor_were_away() {
    let name = "sink::what_was_alerted_arrives_though_receiver_and_sensor_were_away";
    let Some(scene) = Scene::begin(name, site::NEEDS) else {
        return;
    };
    let port = scene::free_port();
    let hook = scene.webhook(port, "batch: 7");
    let lines = format!("sinks: [{hook}]");
    let mut sensor = Sensor::configured(&lines, &scene.path().join("first"));
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    for visit in 0..VISITS {
        site.shell(&format!("id-{visit}.php"), &format!("id; : {visit}"));
    }
    let last = format!("id; : {}", VISITS - 1);
    sensor.alert("shell_under_app_worker", |alert| {
        alert.args() == ["sh", "-c", &last]
    });
    wait::until("everything in the spool", || {
        let label = "sink=\"hook\"";
        let waiting = sensor.metric_where("sink_queue_length", label);
        let kept = sensor.metric_where("sink_spooled", label);
        sensor.mark();
        (waiting < 1.0 && kept >= f64::from(VISITS)).then_some(())
    });
    assert!(sensor.metric_where("sink_dropped_total", "sink=\"hook\"") < 1.0);
    sensor.stop_within(Signal::KILL, PATIENCE);
    sensor.mark();
    let expected: Vec<_> = sensor.alerts.iter().map(|alert| id(&alert.json)).collect();
    assert!(expected.len() >= VISITS as usize, "{}", expected.len());
    drop(sensor);

    let taken = receive(port);
    let mut sensor = Sensor::configured(&lines, &scene.path().join("second"));
    site.shell("after.php", ": after");
    let after = sensor.alert("shell_under_app_worker", |alert| {
        alert.args() == ["sh", "-c", ": after"]
    });
    let (mut arrived, mut alone) = (Vec::new(), 0);
    while arrived.last() != Some(&id(&after.json)) {
        let (id, incident) = taken.recv_timeout(PATIENCE).expect("an alert");
        alone += u32::from(incident.is_empty());
        arrived.push(id);
    }
    assert_eq!(alone, 1, "that capture has ended is of no incident");
    // Nobody answered before, so nothing can have come twice; all of it in order.
    let whole: Vec<_> = arrived
        .iter()
        .filter(|id| expected.contains(id))
        .cloned()
        .collect();
    assert_eq!(whole, expected);
    wait::until("the spool to be empty", || {
        (sensor.metric_where("sink_spooled", "sink=\"hook\"") < 1.0).then_some(())
    });
    sensor.stop();
}

#[test]
fn a_reload_adds_a_sink_and_takes_one_away() {
    let Some(scene) = Scene::begin("sink::a_reload_adds_a_sink_and_takes_one_away", site::NEEDS)
    else {
        return;
    };
    let file = |name: &str| scene.path().join(name);
    let sink = |name: &str, encoding: &str| {
        let path = file(name);
        format!(
            "{{name: {name}, type: file, encoding: {encoding}, path: {}}}",
            path.display()
        )
    };
    let lines = format!("sinks: [{}]", sink("one", "ecs"));
    let mut sensor = Sensor::configured(&lines, &file("recording"));
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let written = |name: &str, part: &str| {
        wait::until("the line in the file", || {
            let text = fs::read_to_string(file(name)).ok()?;
            text.lines().any(|line| line.contains(part)).then_some(())
        });
    };
    site.shell("one.php", ": before");
    written("one", ": before");

    sensor.configure("", &format!("sinks: [{}]", sink("two", "falco")));
    wait::until("the reload", || {
        (sensor.metric_where("config_reloads_total", "loaded") >= 1.0).then_some(())
    });
    site.shell("two.php", ": after");
    written("two", ": after");
    let first = fs::read_to_string(file("two")).expect("the file");
    let first: Value = serde_json::from_str(first.lines().next().expect("a line")).expect("JSON");
    assert_eq!(first["source"], "lineage_sensor", "{first}");
    let old = fs::read_to_string(file("one")).expect("the file");
    assert!(!old.contains(": after"), "{old}");
    assert!(!sensor.metrics().contains("sink=\"one\""));
    assert!(sensor.metric_where("sink_dropped_total", "sink=\"two\"") < 1.0);
    sensor.mark();
    sensor.stop();
}

#[test]
fn a_sink_that_a_reload_changes_goes_on_with_what_waits() {
    let name = "sink::a_sink_that_a_reload_changes_goes_on_with_what_waits";
    let Some(scene) = Scene::begin(name, site::NEEDS) else {
        return;
    };
    let spool = scene.path().join("spool.db");
    let hook = |port: u16| {
        let spool = spool.display();
        format!(
            "sinks: [{{name: hook, type: webhook, url: \"http://127.0.0.1:{port}/in\", spool: {spool}}}]"
        )
    };
    // Nobody is there.
    let lines = hook(scene::free_port());
    let mut sensor = Sensor::configured(&lines, &scene.path().join("recording"));
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    for word in ["one", "two", "three"] {
        site.attack(&mut sensor, word);
    }
    let port = scene::free_port();
    let taken = receive(port);
    sensor.configure("", &hook(port));
    wait::until("the reload", || {
        (sensor.metric_where("config_reloads_total", "loaded") >= 1.0).then_some(())
    });
    site.attack(&mut sensor, "four");
    sensor.mark();
    let expected: Vec<_> = sensor.alerts.iter().map(|alert| id(&alert.json)).collect();
    assert!(expected.len() >= 4, "{expected:?}");
    let next = || taken.recv_timeout(PATIENCE).expect("an alert").0;
    let arrived: Vec<_> = (0..expected.len()).map(|_| next()).collect();
    assert_eq!(arrived, expected);
    assert!(sensor.metric_where("sink_dropped_total", "sink=\"hook\"") < 1.0);
    sensor.stop();
}

#[test]
fn a_full_disk_loses_no_alert_of_a_durable_sink() {
    let name = "sink::a_full_disk_loses_no_alert_of_a_durable_sink";
    let Some(scene) = Scene::begin(name, site::NEEDS) else {
        return;
    };
    let directory = scene.path().join("small");
    let disk = Small::mount(&directory, 512);
    let port = scene::free_port();
    let hook = format!(
        "{{name: hook, type: webhook, url: \"http://127.0.0.1:{port}/in\", spool: {}}}",
        directory.join("spool.db").display()
    );
    let lines = format!("sinks: [{hook}]");
    let mut sensor = Sensor::configured(&lines, &scene.path().join("recording"));
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let filler = disk.fill();
    for visit in 0..VISITS {
        site.shell(&format!("id-{visit}.php"), &format!("id; : {visit}"));
    }
    let last = format!("id; : {}", VISITS - 1);
    sensor.alert("shell_under_app_worker", |alert| {
        alert.args() == ["sh", "-c", &last]
    });
    let label = "sink=\"hook\"";
    wait::until("everything waits", || {
        let waiting = sensor.metric_where("sink_queue_length", label);
        let kept = sensor.metric_where("sink_spooled", label);
        sensor.mark();
        (waiting < 1.0 && kept >= f64::from(VISITS)).then_some(())
    });
    let log = sensor.log();
    assert!(log.contains("no room in it, or on its disk"), "{log}");

    // The disk is still full: what waits in memory is sent after what is in the file.
    let expected: Vec<_> = sensor.alerts.iter().map(|alert| id(&alert.json)).collect();
    let taken = receive(port);
    let mut arrived = Vec::new();
    while arrived.last() != expected.last() {
        arrived.push(taken.recv_timeout(PATIENCE * 4).expect("an alert").0);
    }
    // What the file could not give up may come twice, never in another order.
    arrived.dedup();
    assert_eq!(arrived, expected);
    fs::remove_file(filler).expect("make room");
    wait::until("a spool that works again", || {
        let kept = sensor.metric_where("sink_spooled", label);
        let log = sensor.log();
        (kept < 1.0 && log.contains("the spool works again")).then_some(())
    });
    assert!(sensor.metric_where("sink_dropped_total", label) < 1.0);
    sensor.mark();
    sensor.stop();
    drop(disk);
}
