//! Golden recordings: each server stack, attacked and in peace, as the kernel told it;
//! a replay gives the alerts beside the recording, byte for byte.
//!
//! `UPDATE_GOLDEN=1 cargo test -p sensor --test golden` writes the alerts anew, after a
//! change of rules or of the alert. The recordings themselves come from live servers:
//! see `tests/live/record.rs`.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use sensor::{app::Replay, detect::RuleSet, record::Reader};

/// Largest recording kept in the repository, bytes.
const LARGEST: u64 = 60 << 10;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a switch of the test, no setting of the sensor"
)]
fn update() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1")
}

fn recordings() -> Vec<PathBuf> {
    let entries = fs::read_dir(directory()).expect("tests/golden is there");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("list tests/golden").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rec"))
        .collect();
    paths.sort();
    paths
}

/// The alerts of a recording, one line each.
fn replay(path: &Path) -> String {
    let reader = Reader::new(File::open(path).expect("open a golden file"));
    let reader = reader.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let rules = RuleSet::load(&[]).expect("the built-in rules load");
    let mut core = Replay::new(reader.header(), rules).expect("a recorded configuration");
    let mut lines = String::new();
    for input in reader {
        let input = input.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for alert in core.step(input) {
            lines += &alert.to_json();
            lines.push('\n');
        }
    }
    lines
}

#[test]
fn replays_give_the_alerts_they_gave() {
    let paths = recordings();
    assert!(paths.len() >= 6, "{paths:?}");
    for path in paths {
        let (found, expected) = (replay(&path), path.with_extension("jsonl"));
        if update() {
            fs::write(&expected, &found).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        let differing = found.lines().zip(expected.lines()).find(|(a, b)| a != b);
        assert!(
            found == expected,
            "{}: {} alerts, expected {}; first difference: {differing:#?}\n\
             after a wanted change: UPDATE_GOLDEN=1 cargo test -p sensor --test golden",
            path.display(),
            found.lines().count(),
            expected.lines().count(),
        );
    }
}

#[test]
fn peace_is_silent_and_attacks_are_not() {
    for path in recordings() {
        let silent = replay(&path).is_empty();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(
            name.ends_with("-attack") || name.ends_with("-benign"),
            "{name}"
        );
        assert_eq!(silent, name.ends_with("-benign"), "{name}");
    }
}

/// What must not be in a repository: names and places of the machine that recorded.
#[test]
fn nothing_of_the_recording_machine_is_kept() {
    for path in recordings() {
        let metadata = path.metadata().unwrap();
        assert!(metadata.len() <= LARGEST, "{} is too large", path.display());
        let reader = Reader::new(File::open(&path).unwrap()).unwrap();
        let header = reader.header().clone();
        assert_eq!(header.host.name, "web-1");
        assert_eq!(header.host.users.len(), 2);
        let text = format!("{:?}", reader.collect::<Vec<_>>());
        for word in ["/root", "/home", "/work", "cargo"] {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
    }
}
