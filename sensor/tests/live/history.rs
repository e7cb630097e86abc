//! Incidents and the history, against the running sensor: what is told is kept, explained
//! and found; what is not told says why; a disk without room delays nothing.

use std::{fs, net::TcpListener, process::Command, str, thread};

use serde_json::Value;

use crate::fixture::{
    disk::Small,
    http,
    php_fpm::{Pool, Start},
    process::succeed,
    scene::{Scene, tool},
    sensor::Sensor,
    site::{self, Site},
    wait,
};

/// Alerts of one rule below one spawn root before it is limited.
const BURST: u64 = 10;

fn stdout(sensor: &Sensor, args: &[&str]) -> String {
    let output = sensor.ask(args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {error}");
    String::from_utf8(output.stdout).expect("text")
}

/// What `args` fails with.
fn failure(sensor: &Sensor, args: &[&str]) -> (Option<i32>, String) {
    let output = sensor.ask(args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), error)
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn what_was_told_is_found_and_explained() {
    let name = "history::what_was_told_is_found_and_explained";
    let Some(scene) = Scene::begin(name, site::NEEDS) else {
        return;
    };
    let mut sensor = Sensor::start_with(&[]);
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    site.shell("id.php", "id; whoami; \x1b[2J: hidden");
    let alert = sensor.alert("recon_tool_under_service", |alert| alert.args() == ["id"]);
    let first = sensor.alert("shell_under_app_worker", |_| true);
    let incident = first.json["incident"]["id"].as_str().expect("an incident");
    assert_eq!(first.json["incident"]["state"], "opened", "{first}");
    assert_eq!(alert.json["incident"]["id"], incident, "{alert}");
    assert_eq!(alert.json["incident"]["state"], "updated", "{alert}");

    let id = alert.json["event"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    // The history is written by a thread of its own.
    let explained = wait::until("the alert in the history", || {
        let output = sensor.ask(&["explain", &id]);
        output.status.success().then_some(output.stdout)
    });
    let explained = str::from_utf8(&explained).expect("text");
    for part in [
        "recon_tool_under_service",
        "What to do",
        "matched",
        incident,
    ] {
        assert!(explained.contains(part), "no {part} in\n{explained}");
    }
    let all = stdout(&sensor, &["alerts", "--json", "--incident", &incident[..8]]);
    let all = json_lines(&all);
    assert!(all.contains(&alert.json) && all.contains(&first.json));
    let shell = first.pid().to_string();
    let drawn = stdout(&sensor, &["alerts", "--since", "1h", "--pid", &shell]);
    assert!(
        drawn.lines().count() >= 2 && drawn.contains("\\x1b[2J"),
        "{drawn}"
    );
    assert!(!drawn.contains('\x1b'), "{drawn:?}");
    assert_eq!(
        stdout(&sensor, &["alerts", "--pid", "1"]),
        "no alerts that fit\n"
    );

    let (code, error) = failure(&sensor, &["explain", &format!("{}0000", &id[..28])]);
    assert_eq!(code, Some(64), "{error}");
    assert!(error.contains(&format!("the nearest is {id}")), "{error}");
    let (code, error) = failure(&sensor, &["explain", "no id"]);
    assert_eq!(code, Some(64), "{error}");

    let why = stdout(&sensor, &["why-not", &alert.pid().to_string()]);
    assert!(
        why.contains(&format!("recon_tool_under_service (medium): alert {id}")),
        "{why}"
    );
    let worker = site.visit("ping.php").worker.to_string();
    let why = stdout(&sensor, &["why-not", &worker]);
    assert!(
        why.contains("worker in php-fpm app") && why.contains("no exec of it"),
        "{why}"
    );
    let why = stdout(&sensor, &["why-not", "1"]);
    assert!(why.starts_with("pid 1 is in no service"), "{why}");
    sensor.stop();
}

#[test]
fn a_flood_is_limited_counted_and_closed() {
    let name = "history::a_flood_is_limited_counted_and_closed";
    let Some(scene) = Scene::begin(name, site::NEEDS) else {
        return;
    };
    let mut sensor = Sensor::start_with(&[]);
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let count = 60;
    site.shell(
        "flood.php",
        &format!("for i in $(seq {count}); do id -u; done; exec nc -h"),
    );
    sensor.alert("shell_under_app_worker", |_| true);
    let left_out = wait::until("all of the flood", || {
        let left_out = sensor.metric("alerts_suppressed_total");
        (left_out > f64::from(count) - 11.0).then_some(left_out)
    });
    let why = stdout(&sensor, &["why-not", &sensor.pid().to_string()]);
    assert!(why.contains("is in no service"), "{why}");
    let text = String::from_utf8(sensor.stop_and_read()).expect("text");
    let documents = json_lines(&text);
    let recon = |document: &&Value| document["rule"]["id"] == "recon_tool_under_service";
    assert_eq!(documents.iter().filter(recon).count() as u64, BURST);
    let closed: Vec<_> = documents
        .iter()
        .filter(|document| document["event"]["action"] == "incident-closed")
        .collect();
    let [closed] = closed[..] else {
        panic!("{closed:#?}");
    };
    assert_eq!(closed["incident"]["reason"], "stopped");
    assert_eq!(closed["incident"]["folded"].as_f64(), Some(left_out));
    let said = |document: &Value| {
        let list = document["incident"]["suppressed"].as_array();
        let counts = list.into_iter().flatten().map(|it| it["count"].as_u64());
        counts.map(|count| count.expect("a number")).sum::<u64>()
    };
    let said: u64 = documents.iter().map(said).sum();
    assert_eq!(
        Some(said),
        closed["incident"]["folded"].as_u64(),
        "{closed:#}"
    );
}

/// Waits for the notice about a file of this role.
fn examined(sensor: &Sensor, role: &str, path: &str) -> Value {
    wait::until("a notice about a file", || {
        let output = sensor.ask(&["alerts", "--json", "--limit", "1000"]);
        let documents = json_lines(str::from_utf8(&output.stdout).ok()?);
        documents.into_iter().find(|document| {
            let file = &document["file"];
            document["event"]["action"] == "file-examined"
                && file["role"] == role
                && file["path"] == path
        })
    })
}

/// The page, when it was written, and what its files are.
#[test]
fn an_alert_names_its_page_and_its_files_are_looked_at() {
    let name = "history::an_alert_names_its_page_and_its_files_are_looked_at";
    let Some(scene) = Scene::begin(name, site::NEEDS) else {
        return;
    };
    let mut sensor = Sensor::start_with(&[]);
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let public = scene.writable("www/public");
    let dropped = public.join("x.php");
    let dropped = dropped.to_str().expect("UTF-8");
    site.page(
        "drop.php",
        &format!("file_put_contents('{dropped}', '<?php system(\"id; :\");'); echo 'done';"),
    );
    site.visit("drop.php");
    // As the service left it: no page of the tests, so it prints no pid.
    let response = http::get(site.nginx.port, "/public/x.php").expect("the page");
    assert_eq!(response.status, 200, "{}", response.body);
    let alert = sensor.alert("shell_under_app_worker", |_| true);
    let script = &alert.json["script"];
    assert_eq!(
        (&script["path"], &script["source"]),
        (&dropped.into(), &"read".into()),
        "{script}"
    );
    assert_eq!(
        script["written_by"]["service"], alert.json["service"]["id"],
        "{script}"
    );
    let written = examined(&sensor, "written", dropped);
    assert_eq!(written["file"]["kind"], "php", "{written}");
    assert_eq!(written["file"]["package"], "", "{written}");
    let hash = succeed(Command::new(tool("sha256sum")).arg(dropped)).stdout;
    let hash = str::from_utf8(&hash).expect("text").split(' ').next();
    assert_eq!(written["file"]["sha256"].as_str(), hash, "{written}");

    let shell = tool("sh");
    let shell = shell.to_str().expect("UTF-8");
    let system = examined(&sensor, "executable", shell);
    assert_eq!(system["file"]["kind"], "elf", "{system}");
    assert_ne!(system["file"]["package"], "", "{system}");
    let text = stdout(
        &sensor,
        &[
            "explain",
            alert.json["event"]["id"].as_str().expect("an id"),
        ],
    );
    assert!(
        text.contains(&format!("script     {dropped} (read)")),
        "{text}"
    );
    assert!(text.contains("the page by a service"), "{text}");
    let told = String::from_utf8(sensor.stop_and_read()).expect("text");
    assert!(told.contains("file-examined"), "{told}");
    assert!(
        !told.contains(&format!("{shell}, executable, is elf")),
        "of a package: {told}"
    );
}

/// A shell of the system whose input is a connection: that is told, though every package
/// has it.
#[test]
fn a_shell_that_talks_to_the_network_is_told() {
    let name = "history::a_shell_that_talks_to_the_network_is_told";
    let Some(scene) = Scene::begin(name, site::NEEDS) else {
        return;
    };
    let sensor = Sensor::start_with(&[]);
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let far = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = far.local_addr().expect("an address");
    let code = format!(
        "$far = fsockopen('127.0.0.1', {});
proc_close(proc_open(['/bin/sh', '-c', 'read line; :'], [$far, $far, $far], $pipes));",
        address.port()
    );
    site.page("back.php", &code);
    let shell = tool("sh");
    let notice = thread::scope(|scope| {
        // The page waits for the shell, which waits for a line.
        scope.spawn(|| site.visit("back.php"));
        let (connection, _) = far.accept().expect("the page connects");
        let notice = examined(&sensor, "executable", shell.to_str().expect("UTF-8"));
        drop(connection);
        notice
    });
    let peers = notice["file"]["peers"].as_array().expect("a list").clone();
    assert_eq!(peers.len(), 3, "{notice}");
    assert_eq!(peers[0]["far"], address.to_string(), "{notice}");
    let told = String::from_utf8(sensor.stop_and_read()).expect("text");
    assert!(
        told.contains(&format!("descriptor 0 leads to {address}")),
        "{told}"
    );
}

#[test]
fn a_full_disk_costs_history_and_nothing_else() {
    let name = "history::a_full_disk_costs_history_and_nothing_else";
    let Some(scene) = Scene::begin(name, site::NEEDS) else {
        return;
    };
    let directory = scene.path().join("small");
    let disk = Small::mount(&directory, 256);
    let filler = disk.fill();
    let path = directory.join("history.db");
    let path = path.to_str().expect("UTF-8");
    let variables = [("LINEAGE_SENSOR__HISTORY__PATH", path)];
    let mut sensor = Sensor::launch_with(&[], &variables);
    sensor.wait_ready();
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let metric = |sensor: &Sensor, name: &str| {
        let line = format!("lineage_sensor_sink_{name}_total{{sink=\"history\"}} ");
        let text = sensor.metrics();
        let value = text.lines().find_map(|it| it.strip_prefix(&line));
        value.and_then(|it| it.parse().ok()).unwrap_or(-1.0)
    };
    let visit = site.shell("id.php", "id; :");
    let alert = sensor.alert("shell_under_app_worker", |_| true);
    let delay = alert.at.saturating_duration_since(visit.sent);
    assert!(delay.as_secs() < 2, "{delay:?}");
    wait::until("a loss that is counted", || {
        (metric(&sensor, "dropped") >= 1.0).then_some(())
    });
    assert!(metric(&sensor, "written") < 1.0);
    let log = sensor.log();
    assert!(log.contains("history") && log.contains("full"), "{log}");

    fs::remove_file(&filler).expect("make room");
    wait::until("a history again", || {
        site.shell("id.php", "id; :");
        (metric(&sensor, "written") >= 1.0).then_some(())
    });
    assert!(sensor.log().contains("works again"), "{}", sensor.log());
    sensor.stop();
    drop(disk);
}
