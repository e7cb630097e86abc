//! Secrets in command lines, from the kernel to what is read.

use crate::fixture::{
    php_fpm::{Pool, Start},
    scene::Scene,
    sensor::Sensor,
    site::{self, Site},
};

const RULE: &str = "shell_under_app_worker";

#[test]
fn a_secret_has_one_mark_before_and_after_a_restart() {
    let name = "redact::a_secret_has_one_mark_before_and_after_a_restart";
    let Some(scene) = Scene::begin(name, site::NEEDS) else {
        return;
    };
    let key = scene.path().join("redact.key");
    let key = key.to_str().expect("UTF-8");
    let variables = [
        ("LINEAGE_SENSOR__REDACT__KEY_FILE", key),
        ("LINEAGE_SENSOR__REDACT__PATTERNS", "CUST-[0-9]{4}"),
    ];
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let mut marks = Vec::new();
    for page in ["first.php", "second.php"] {
        let mut sensor = Sensor::launch_with(&[], &variables);
        sensor.wait_ready();
        site.shell(page, "PGPASSWORD='hunter two' id -u CUST-0815; :");
        let alert = sensor.alert(RULE, |_| true);
        let line = alert.args()[2].to_owned();
        let said = alert.json.to_string();
        assert!(!said.contains("CUST-0815"), "{said}");
        assert!(!said.contains("hunter") && !said.contains("two"), "{said}");
        assert!(
            alert.json["evidence"]["redacted"].as_u64() >= Some(1),
            "{said}"
        );
        let pid = alert.pid().to_string();
        let why = sensor.ask(&["why-not", &pid]);
        let why = String::from_utf8_lossy(&why.stdout).into_owned();
        assert!(why.contains(RULE) && !why.contains("hunter"), "{why}");
        marks.push(line);
        sensor.stop();
    }
    assert!(marks[0].contains("id -u [REDACTED#"), "{marks:?}");
    assert_eq!(marks[0], marks[1], "one key");
}
