//! Each server stack, attacked and in peace, recorded: a replay gives what was alerted
//! live, byte for byte.
//!
//! `UPDATE_GOLDEN=1 cargo test -p sensor --test live record` (as root) keeps the
//! recordings, cleaned, as golden files for `tests/golden.rs`.

use std::{fs, path::Path};

use crate::fixture::{
    apache::{self, Apache},
    golden,
    java::{self, Shop},
    nginx::{self, Nginx},
    php_fpm::{Pool, Start},
    recording::{self, replay},
    scene::{self, Case, Need, Scene, tool},
    sensor::{Rung, Sensor},
    site::{self, Site},
    wait,
};

/// Records while `act` runs, replays, compares; keeps the recording when told to.
fn recorded(stack: &str, rung: Rung, needs: &[Need], act: impl FnOnce(&Scene, &mut Sensor)) {
    let name = format!("record::{stack}::{}", rung.name());
    let Some(scene) = Scene::begin(&name, needs) else {
        return;
    };
    let file = scene.path().join("recording");
    let mut sensor = Sensor::record(rung, &file);
    act(&scene, &mut sensor);
    let live = sensor.stop_and_read();
    recording::assert_equal(&file, &live);
    if golden::update() && rung == Rung::TpBtf {
        golden::keep(stack, &file, scene.path());
    }
}

fn nginx_php_fpm_attack(case: Case) {
    recorded(
        "nginx-php-fpm-attack",
        case.rung,
        site::NEEDS,
        |scene, sensor| {
            let site = Site::start(scene, Start::Foreground, Pool::Steady);
            site.shell("id.php", "id");
            site.spawn("who.php", &[b"whoami"]);
            // A shell under another name is told by its content: a fact that comes later.
            let copy = scene.writable("upload").join("kworker");
            fs::copy(tool("sh"), &copy).expect("copy a program");
            site.spawn(
                "copy.php",
                &[copy.as_os_str().as_encoded_bytes(), b"-c", b":"],
            );
            sensor.alert("masqueraded_shell", |alert| {
                alert.executable() == copy.to_string_lossy()
            });
        },
    );
}

fn nginx_php_fpm_benign(case: Case) {
    recorded(
        "nginx-php-fpm-benign",
        case.rung,
        site::NEEDS,
        |scene, _| {
            let site = Site::start(scene, Start::Foreground, Pool::Steady);
            for _ in 0..5 {
                site.visit("ping.php");
            }
            site.nginx.reload();
            site.php.reload();
            site.visit("ping.php");
        },
    );
}

const NGINX: &[Need] = &[nginx::program, scene::compiler];

fn nginx_attack(case: Case) {
    recorded("nginx-attack", case.rung, NGINX, |scene, sensor| {
        let _nginx = Nginx::start_with_back_door(scene);
        sensor.alert("edge_server_executed_program", |alert| {
            alert.args() == ["sh", "-c", ": rogue"]
        });
    });
}

fn nginx_benign(case: Case) {
    recorded("nginx-benign", case.rung, NGINX, |scene, _| {
        let nginx = Nginx::start(scene.path(), scene.path(), Path::new("none.sock"));
        nginx.reload();
    });
}

const APACHE: &[Need] = &[apache::program, apache::php_module];

fn apache_mod_php_attack(case: Case) {
    recorded(
        "apache-mod-php-attack",
        case.rung,
        APACHE,
        |scene, sensor| {
            let apache = Apache::start(scene.path());
            site::page(&apache.root.join("id.php"), "system('id; :');");
            site::visit(apache.port, "id.php");
            sensor.alert("recon_tool_under_service", |alert| alert.args() == ["id"]);
        },
    );
}

fn apache_mod_php_benign(case: Case) {
    recorded("apache-mod-php-benign", case.rung, APACHE, |scene, _| {
        let apache = Apache::start(scene.path());
        site::page(&apache.root.join("ping.php"), "echo 'pong';");
        site::visit(apache.port, "ping.php");
        apache.graceful();
        site::visit(apache.port, "ping.php");
    });
}

const JAVA: &[Need] = &[java::program, java::compiler];

fn java_attack(case: Case) {
    recorded("java-attack", case.rung, JAVA, |scene, sensor| {
        let shop = Shop::start(scene.path(), &java::compile(scene.path()));
        shop.get("/id");
        shop.get("/shell/order-7");
        sensor.alert("shell_under_app_worker", |alert| {
            alert.args() == ["sh", "-c", ": order-7"]
        });
    });
}

fn java_benign(case: Case) {
    recorded("java-benign", case.rung, JAVA, |scene, _| {
        let shop = Shop::start(scene.path(), &java::compile(scene.path()));
        shop.get("/ping");
    });
}

on_each_rung!(
    nginx_attack,
    nginx_benign,
    nginx_php_fpm_attack,
    nginx_php_fpm_benign,
    apache_mod_php_attack,
    apache_mod_php_benign,
    java_attack,
    java_benign,
);

/// Secrets are replaced, the alert stays; a recorder that was killed leaves what it had.
#[test]
fn a_recording_is_redacted_and_survives_a_kill() {
    let name = "a_recording_is_redacted_and_survives_a_kill";
    let Some(scene) = Scene::begin(name, site::NEEDS) else {
        return;
    };
    let file = scene.path().join("recording");
    let command = ["record".as_ref(), file.as_os_str()];
    let mut sensor = Sensor::start_as(&command, Rung::TpBtf);
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    site.shell("id.php", "id --password=hunter2");
    let alert = sensor.alert("shell_under_app_worker", |alert| {
        alert.args().iter().any(|arg| arg.starts_with("id "))
    });
    let shown = alert.args()[2].to_owned();
    assert!(shown.starts_with("id --password=[REDACTED#"), "{shown}");
    let recorded = wait::until("the alert in the recording", || {
        let replayed = replay(&file, &[]);
        let lines = String::from_utf8_lossy(&replayed.stdout).into_owned();
        lines.contains(&shown).then_some(replayed)
    });
    assert_eq!(recorded.status.code(), Some(65), "{recorded:?}");
    let log = String::from_utf8_lossy(&recorded.stderr);
    assert!(log.contains("truncated at frame"), "{log}");
    assert!(!String::from_utf8_lossy(&recorded.stdout).contains("hunter2"));

    let second = Sensor::refused(&command);
    assert!(
        second.contains("remove it or give another name"),
        "{second}"
    );
    sensor.stop();
    let replayed = replay(&file, &[]);
    let log = String::from_utf8_lossy(&replayed.stderr);
    assert_eq!(replayed.status.code(), Some(0), "{log}");
    assert!(log.contains("arguments were redacted"), "{log}");
}
