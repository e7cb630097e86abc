//! `profile ...` of the built binary, on the golden recordings. Needs no privilege.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.rec"))
}

fn run(line: &[&dyn AsRef<std::ffi::OsStr>]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lineage-sensor"));
    command.env_clear().arg("profile");
    for word in line {
        command.arg(word.as_ref());
    }
    command
        .output()
        .expect("the binary was built for this test")
}

/// Standard output of a run that ended with `code`.
fn text(output: &Output, code: i32) -> String {
    let stdout = String::from_utf8(output.stdout.clone()).expect("output is escaped");
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    stdout
}

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The profile learnt from these recordings.
    fn learn(&self, name: &str, recordings: &[&str]) -> (PathBuf, String) {
        let path = self.path(name);
        let mut text_out = String::new();
        for recording in recordings {
            let output = run(&[
                &"learn",
                &"--recording",
                &golden(recording),
                &"--output",
                &path,
            ]);
            text_out = text(&output, 0);
        }
        (path, text_out)
    }
}

#[test]
fn learning_is_the_same_each_time_and_merges() {
    let place = Place::new();
    let (path, said) = place.learn("a.lock", &["apache-mod-php-attack"]);
    assert!(
        said.contains("+ apache /usr/sbin/apache2 uid 0: "),
        "{said}"
    );
    let once = fs::read_to_string(&path).unwrap();
    let (_, said) = place.learn("a.lock", &["apache-mod-php-attack"]);
    assert!(
        said.starts_with(&path.display().to_string()),
        "nothing new: {said}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), once);
    let output = run(&[&"learn", &"--recording", &golden("apache-mod-php-attack")]);
    assert_eq!(text(&output, 0), once);
    let (both, _) = place.learn("b.lock", &["apache-mod-php-attack", "java-attack"]);
    let (other, _) = place.learn("c.lock", &["java-attack", "apache-mod-php-attack"]);
    assert_eq!(
        fs::read_to_string(both).unwrap(),
        fs::read_to_string(other).unwrap()
    );
}

#[test]
fn what_may_never_be_learnt_is_said() {
    let output = run(&[&"learn", &"--recording", &golden("nginx-php-fpm-attack")]);
    let lock = text(&output, 0);
    assert!(!lock.contains("kworker"), "{lock}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("kworker, 1 times: rule "), "{said}");
    let few = run(&[
        &"learn",
        &"--recording",
        &golden("nginx-php-fpm-attack"),
        &"--min-days",
        &"2",
    ]);
    assert!(text(&few, 0).ends_with("services: []\n"));
}

#[test]
fn show_marks_what_is_to_be_reviewed() {
    let place = Place::new();
    let (path, _) = place.learn("a.lock", &["apache-mod-php-attack"]);
    let all = text(&run(&[&"show", &path]), 0);
    assert!(
        all.contains("[recon] /usr/bin/dash -c \"id ; :\" -> /usr/bin/id  # 1 times on 1 days"),
        "{all}"
    );
    assert!(all.contains("rotatelogs"), "{all}");
    let review = text(&run(&[&"show", &"--review", &path]), 0);
    assert!(
        review.contains("/usr/bin/id") && !review.contains("rotatelogs"),
        "{review}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&text(&run(&[&"show", &"--json", &path]), 0)).unwrap();
    assert_eq!(json[0]["kind"], "apache");
    assert!(
        json.as_array()
            .unwrap()
            .iter()
            .any(|row| row["review"][0] == "recon")
    );
}

#[test]
fn diff_ends_with_one_when_there_is_a_difference() {
    let place = Place::new();
    let (a, _) = place.learn("a.lock", &["apache-mod-php-attack"]);
    let (b, _) = place.learn("b.lock", &["apache-mod-php-attack", "java-attack"]);
    assert_eq!(text(&run(&[&"diff", &a, &a]), 0), "");
    let added = text(&run(&[&"diff", &a, &b]), 1);
    assert!(
        !added.is_empty() && added.lines().all(|line| line.starts_with("+ java ")),
        "{added}"
    );
    let removed = text(&run(&[&"diff", &b, &a]), 1);
    assert!(
        removed.lines().all(|line| line.starts_with("- java ")),
        "{removed}"
    );
}

#[test]
fn check_is_a_gate() {
    let place = Place::new();
    let recording = golden("apache-mod-php-attack");
    let (full, _) = place.learn("full.lock", &["apache-mod-php-attack"]);
    let known = run(&[&"check", &"--recording", &recording, &"--profile", &full]);
    assert_eq!(text(&known, 0), "the profile knows every chain\n");

    let (other, _) = place.learn("other.lock", &["java-attack"]);
    let lacking = text(
        &run(&[&"check", &"--recording", &recording, &"--profile", &other]),
        1,
    );
    assert!(
        lacking.contains("apache /usr/sbin/apache2 uid 33: /usr/bin/dash -c \"id ; :\""),
        "{lacking}"
    );
    assert!(
        lacking.contains("the profile has nothing of this service"),
        "{lacking}"
    );
    assert!(lacking.trim_end().ends_with("execs"), "{lacking}");

    // The same application on a machine with other names.
    let moved = fs::read_to_string(&full)
        .unwrap()
        .replace("exe: /usr/sbin/apache2\n", "unit: apache2.service\n");
    fs::write(&full, moved).unwrap();
    text(
        &run(&[&"check", &"--recording", &recording, &"--profile", &full]),
        1,
    );
    let by_kind = run(&[
        &"check",
        &"--recording",
        &recording,
        &"--profile",
        &full,
        &"--by-kind",
    ]);
    text(&by_kind, 0);
}

#[test]
fn check_without_a_recording_checks_the_files() {
    let place = Place::new();
    let (path, _) = place.learn("a.lock", &["apache-mod-php-attack"]);
    let valid = text(&run(&[&"check", &"--profile", &path]), 0);
    assert!(valid.contains("chains of 2 services: valid\n"), "{valid}");
    assert!(valid.contains("examples: as they should be"), "{valid}");
    for (from, to, expected) in [
        (
            "count:",
            "cuont:",
            "unknown key `cuont`: did you mean `count`?",
        ),
        (
            "version: 1",
            "version: 7",
            "version 7: this sensor reads version 1",
        ),
    ] {
        let broken = place.path("broken.lock");
        fs::write(
            &broken,
            fs::read_to_string(&path).unwrap().replacen(from, to, 1),
        )
        .unwrap();
        let output = run(&[&"check", &"--profile", &broken]);
        assert_eq!(text(&output, 64), "");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(expected), "{error}");
    }
    let missing = run(&[&"check", &"--profile", &place.path("absent.lock")]);
    assert_eq!(text(&missing, 64), "");
    let products = text(&run(&[&"products"]), 0);
    assert!(
        products.contains("wordpress (off until named)"),
        "{products}"
    );
}

/// A profile learnt from what happens in peace silences no alert of an attack.
#[test]
fn a_profile_of_peace_silences_no_attack() {
    let place = Place::new();
    let replay = |recording: &str, profile: &Path| {
        let config = place.path("config.yaml");
        fs::write(&config, "profiles:\n  mode: alert\n").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_lineage-sensor"));
        command
            .env_clear()
            .args(["replay", "--output", "json", "--config"]);
        command
            .arg(&config)
            .arg("--profile")
            .arg(profile)
            .arg(golden(recording));
        let output = command.output().unwrap();
        let alerts = text(&output, 0);
        let rules = alerts.lines().map(|line| {
            let alert: serde_json::Value = serde_json::from_str(line).unwrap();
            alert["rule"]["id"].as_str().unwrap().to_owned()
        });
        rules.collect::<Vec<_>>()
    };
    for stack in ["nginx-php-fpm", "apache-mod-php", "java"] {
        let (benign, _) = place.learn(&format!("{stack}.lock"), &[&format!("{stack}-benign")]);
        let empty = place.path("empty.lock");
        fs::write(&empty, "version: 1\n").unwrap();
        let attack = format!("{stack}-attack");
        let loud = replay(&attack, &empty);
        assert!(!loud.is_empty());
        assert_eq!(replay(&attack, &benign), loud, "{stack}");
        assert!(replay(&format!("{stack}-benign"), &benign).is_empty());
        // And one learnt from the attack itself does, where that may be learnt.
        let (own, _) = place.learn(&format!("{stack}-own.lock"), &[&attack]);
        assert!(replay(&attack, &own).len() < loud.len(), "{stack}");
    }
}
