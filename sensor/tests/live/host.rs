//! `--scope host`: every process is seen, and the user's own Sigma rules judge it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

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

/// A file that was written after the image of a container was made lies in the upper
/// layer of its overlay; one that came with the image in a lower one.
fn layers_of_an_overlay_are_told_apart(case: Case) {
    const RULE: &str = "title: Anything in the overlay
id: 3d5c7b0a-4a0e-4a53-9a0f-0a7c3f5f9b22
name: live_test_overlay
status: test
logsource:
    product: linux
    category: process_creation
detection:
    selection:
        Image|contains: '/overlay-of-the-live-tests/'
    condition: selection
level: high
";
    let Some(scene) = Scene::begin(case.name, &[]) else {
        return;
    };
    let rules = scene.path().join("rules");
    scene::write(&rules.join("overlay.yml"), RULE);
    let overlay = Overlay::mount(scene.path());
    let mut sensor = Sensor::start_with(&[
        "--rung",
        case.rung.name(),
        "--scope",
        "host",
        "--rules",
        rules.to_str().expect("a temporary path is UTF-8"),
    ]);
    for (name, upper) in [("shipped", false), ("written", true)] {
        let path = overlay.0.join(name);
        succeed(Command::new(&path).args(["-c", ":"]));
        let path = path.to_string_lossy();
        let alert = sensor.alert("live_test_overlay", |alert| alert.executable() == path);
        assert_eq!(
            alert.json["process"]["file"]["overlay_upper"], upper,
            "{alert}"
        );
    }
    sensor.stop();
}

/// A mounted overlay with a shell in either layer.
struct Overlay(PathBuf);

impl Overlay {
    fn mount(dir: &Path) -> Self {
        let [lower, upper, work] = ["lower", "upper", "work"].map(|name| dir.join(name));
        let merged = dir.join("overlay-of-the-live-tests");
        for part in [&lower, &upper, &work, &merged] {
            fs::create_dir(part).expect("make a directory");
        }
        fs::copy(tool("dash"), lower.join("shipped")).expect("copy a shell");
        let layers = format!(
            "lowerdir={},upperdir={},workdir={}",
            lower.display(),
            upper.display(),
            work.display()
        );
        succeed(
            Command::new("mount")
                .args(["-t", "overlay", "overlay", "-o", &layers])
                .arg(&merged),
        );
        let overlay = Self(merged);
        fs::copy(tool("dash"), overlay.0.join("written")).expect("copy a shell");
        overlay
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        // Lazily: a program that has just ended may still hold it.
        let _status = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

on_each_rung!(
    layers_of_an_overlay_are_told_apart,
    a_users_rule_sees_processes_outside_every_service,
    in_service_scope_it_sees_nothing_of_them,
);
