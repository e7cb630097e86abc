//! What strangers do in watched directories is seen, however they name them.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use crate::fixture::{
    scene::{self, Scene},
    sensor::Sensor,
};

/// A rule about names that only these tests make.
const RULE: &str = "title: Watched file of the live tests
id: 0b0f7c0e-6f5e-4f3a-9a59-3f6f0e8f7d21
name: live_test_watched
status: test
description: A name that only these tests use
logsource:
    product: linux
    category: file_event
detection:
    selection:
        TargetFilename|endswith: '.live-test-module'
    condition: selection
level: high
";

/// What is done with the first path and the second.
type Deed = fn(&Path, &Path) -> std::io::Result<()>;

/// Renames and links by absolute paths: on the rung of system calls no descriptor tells
/// where they lead.
#[test]
fn a_stranger_in_a_watched_directory_is_seen_by_absolute_paths() {
    let name = "watched::a_stranger_in_a_watched_directory_is_seen_by_absolute_paths";
    let Some(scene) = Scene::begin(name, &[]) else {
        return;
    };
    let rules = scene.path().join("rules");
    scene::write(&rules.join("watched.yml"), RULE);
    let watched = scene.writable("watched");
    let elsewhere = scene.writable("elsewhere");
    let directory = watched.to_str().expect("a temporary path is UTF-8");
    let rules = rules.to_str().expect("a temporary path is UTF-8");
    let variables = [("LINEAGE_SENSOR__WATCH__DIRECTORIES", directory)];
    let mut sensor = Sensor::launch_with(&["--rules", rules], &variables);
    sensor.wait_ready();

    let deeds: [(&str, Deed); 4] = [
        ("written", |_, to| fs::write(to, "x")),
        ("renamed", |from, to| fs::rename(from, to)),
        ("linked", |from, to| fs::hard_link(from, to)),
        ("pointed", |from, to| symlink(from, to)),
    ];
    for (name, deed) in deeds {
        let from = elsewhere.join(name);
        scene::write(&from, "x");
        let to: PathBuf = watched.join(format!("{name}.live-test-module"));
        deed(&from, &to).expect("act in the watched directory");
        let alert = sensor.alert("live_test_watched", |alert| {
            alert.json["file"]["path"].as_str() == to.to_str()
        });
        assert_eq!(alert.pid(), std::process::id(), "{alert}");
        assert!(alert.service().is_empty(), "{alert}");
        // Next to it nobody is watched.
        let beside = elsewhere.join(format!("{name}.live-test-module"));
        let from = elsewhere.join(format!("{name}.2"));
        scene::write(&from, "x");
        deed(&from, &beside).expect("act beside it");
    }
    let alerts = sensor.stop();
    let ours = alerts.iter().filter(|it| it.rule() == "live_test_watched");
    assert_eq!(ours.count(), deeds.len());
}
