//! `--scope host`: every process is seen, and the user's own Sigma rules judge it.

use std::process::Command;

use crate::fixture::{
    php_fpm::{Pool, Start},
    process::succeed,
    scene::{self, Case, Scene, tool},
    sensor::Sensor,
    site::{self, Site},
};

/// A rule as a user would write it: plain Sigma, nothing of this sensor's.
pub(crate) const RULE: &str = "title: Marker of the live tests
id: 6d1f1a3e-9d0f-4c55-8f5e-0d6a6f3f5a11
name: live_test_marker
status: test
description: A word that only these tests use
logsource:
    product: linux
    category: process_creation
detection:
    selection:
        Image|endswith: '/dash'
        CommandLine|contains: 'marker-of-the-live-tests'
    condition: selection
level: high
";

fn a_users_rule_sees_processes_outside_every_service(case: Case) {
    let Some(scene) = Scene::begin(case.name, &[]) else {
        return;
    };
    let rules = scene.path().join("rules");
    scene::write(&rules.join("marker.yml"), RULE);
    let rules = rules.to_str().expect("a temporary path is UTF-8");
    let mut sensor = Sensor::start_with(&[
        "--rung",
        case.rung.name(),
        "--scope",
        "host",
        "--rules",
        rules,
    ]);

    // Shipped rules are about services: an administrator's shell is none of theirs.
    succeed(
        Command::new("sh")
            .args(["-c", "id; uname -a; :"])
            .current_dir(scene.path()),
    );
    let marker = ": marker-of-the-live-tests";
    let child = Command::new("dash")
        .args(["-c", marker])
        .current_dir(scene.path())
        .spawn();
    let mut child = child.expect("start a shell");
    let pid = child.id();
    child.wait().expect("wait for a shell");

    let alert = sensor.alert("live_test_marker", |alert| alert.pid() == pid);
    let others = sensor.alerts.iter().take_while(|other| other.pid() != pid);
    for other in others {
        assert!(!other.service().is_empty(), "not silent: {other}");
    }
    assert_eq!(
        (alert.rule(), alert.level(), alert.pid()),
        ("live_test_marker", "high", pid),
        "{alert}"
    );
    assert_eq!(alert.args(), ["dash", "-c", marker]);
    assert_eq!(alert.working_directory(), scene.path().to_string_lossy());
    assert!(alert.json.get("service").is_none(), "{alert}");
    let lineage = alert.lineage();
    let parent = lineage
        .get(lineage.len().wrapping_sub(2))
        .map(|parent| parent.pid());
    assert_eq!(parent, Some(std::process::id()), "{alert}");
    let shell = lineage
        .last()
        .map(|last| (last.pid(), last.provenance(), last.executable()));
    let dash = tool("dash").display().to_string();
    assert_eq!(shell, Some((pid, "observed", dash.as_str())), "{alert}");
    sensor.stop();
}

/// In service scope the same processes are not even looked at.
fn in_service_scope_it_sees_nothing_of_them(case: Case) {
    let Some(scene) = Scene::begin(case.name, site::NEEDS) else {
        return;
    };
    let rules = scene.path().join("rules");
    scene::write(&rules.join("marker.yml"), RULE);
    let rules = rules.to_str().expect("a temporary path is UTF-8");
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let mut sensor = Sensor::start_with(&["--rung", case.rung.name(), "--rules", rules]);
    succeed(Command::new("dash").args(["-c", ": marker-of-the-live-tests"]));
    site.fence(&mut sensor, 0);
    // The user's rule does see the services.
    let visit = site.shell("marker.php", ": marker-of-the-live-tests");
    let alert = sensor.alert("live_test_marker", |alert| alert.concerns(visit.worker));
    assert_eq!(alert.service(), "php-fpm");
    assert_eq!(alert.lineage()[0].pid(), site.php.master().pid, "{alert}");
    sensor.stop();
}

on_each_rung!(
    a_users_rule_sees_processes_outside_every_service,
    in_service_scope_it_sees_nothing_of_them,
);
