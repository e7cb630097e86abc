//! A profile learnt from the benign half, before the recorded attack half: it may silence
//! nothing of it, and must silence what there was to be learnt.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    time::Instant,
};

use serde_json::{Value, json};

use super::case::{Expected, Row};
use crate::fixture::{alert::Alert, process::succeed, recording, scene, sensor};

/// What the profile makes of the recordings.
#[derive(Debug)]
pub(crate) struct Learned {
    /// Chains it holds.
    chains: usize,
    /// Attacks that were replayed.
    pub(crate) attacks: usize,
    /// Those of which no alert is left.
    pub(crate) silenced: Vec<String>,
}

/// What was recorded.
#[derive(Debug, Default)]
pub(crate) struct Recordings {
    /// Of the benign half, and of what must be learnt.
    pub(crate) benign: Vec<PathBuf>,
    pub(crate) learning: Option<PathBuf>,
    pub(crate) attacks: Vec<PathBuf>,
}

impl Recordings {
    /// There is something to learn from.
    pub(crate) fn has_work(&self) -> bool {
        !self.benign.is_empty() || self.learning.is_some()
    }
}

/// Learns, and judges the attack half anew with every product's profile on as well; then
/// what had to be learnt, with the learnt profile alone.
pub(crate) fn judge(dir: &Path, recordings: &Recordings, rows: &mut [Row]) -> Learned {
    let lock = dir.join("lineage.lock");
    let mut learn = sensor::program();
    learn.args(["profile", "learn", "--output"]).arg(&lock);
    for recording in recordings.benign.iter().chain(&recordings.learning) {
        learn.arg("--recording").arg(recording);
    }
    succeed(&mut learn);
    let text = std::fs::read_to_string(&lock).expect("read the learnt profile");

    let all = configuration(dir, "all", "{ mode: alert, products: [ALL] }");
    let left = replayed(&recordings.attacks, &all, &lock);
    let told = |row: &&Row| row.expected == Expected::Alert && !row.alerts.is_empty();
    let attacks: Vec<&Row> = rows.iter().filter(told).collect();
    let gone = |row: &&&Row| !row.alerts.iter().all(|alert| left.contains(alert));
    let learned = Learned {
        chains: text.matches("- steps:").count(),
        attacks: attacks.len(),
        silenced: attacks.iter().filter(gone).map(|row| row.name()).collect(),
    };

    let only = configuration(dir, "only", "{ mode: alert }");
    let left = replayed(recordings.learning.as_slice(), &only, &lock);
    let played = |row: &&mut Row| row.expected == Expected::Learning && row.failure.is_none();
    for row in rows.iter_mut().filter(played) {
        let known = row.alerts.iter().filter(|alert| left.contains(*alert));
        let (left, all) = (known.count(), row.alerts.len());
        row.failure = (left > 0).then(|| format!("{left} of {all} alerts once learnt"));
    }
    learned
}

/// A configuration that says this of profiles.
fn configuration(dir: &Path, name: &str, profiles: &str) -> PathBuf {
    let profiles = profiles.replace("ALL", &super::benign::products());
    let path = dir.join(format!("profiles-{name}.yaml"));
    scene::write(&path, format!("profiles: {profiles}\n"));
    path
}

/// Ids of the alerts of recordings, medium and above.
fn replayed(files: &[PathBuf], config: &Path, lock: &Path) -> HashSet<String> {
    let alerts = files
        .iter()
        .flat_map(|file| replay(file, config, Some(lock)));
    alerts.map(|alert| alert.id()).collect()
}

/// Alerts of a recording, medium and above, as this configuration has it, and this profile.
pub(crate) fn replay(file: &Path, config: &Path, lock: Option<&Path>) -> Vec<Alert> {
    let path = |path: &Path| path.to_str().expect("a plain path").to_owned();
    let mut args = vec![
        "--output".to_owned(),
        "json".to_owned(),
        "--config".to_owned(),
        path(config),
    ];
    args.extend(
        lock.into_iter()
            .flat_map(|lock| ["--profile".to_owned(), path(lock)]),
    );
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let output = recording::replay(file, &args);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let lines = output.stdout.split_inclusive(|byte| *byte == b'\n');
    let alerts = lines.filter_map(|line| Alert::read(Instant::now(), line.to_vec()));
    alerts.collect()
}

impl Learned {
    /// Whether the proof holds.
    pub(crate) fn failure(&self) -> Option<String> {
        let silenced = &self.silenced;
        (!silenced.is_empty()).then(|| format!("silenced by the profile: {silenced:?}"))
    }

    /// What was learnt, in a line.
    pub(crate) fn line(&self) -> String {
        format!("learned profile: {} chains", self.chains)
    }

    pub(crate) fn json(&self) -> Value {
        json!({"chains": self.chains, "attacks": self.attacks, "silenced": self.silenced})
    }
}
