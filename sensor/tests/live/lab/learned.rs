//! A profile learnt from the benign half, before the recorded attack half: it may silence
//! nothing of it. That it silences something is shown on the products' work.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use serde_json::{Value, json};

use super::{
    case::{Expected, Row},
    round::is_fence,
};
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
    /// Alerts about the products' work without any profile, and with the learnt one.
    products: Option<(usize, usize)>,
}

/// What was recorded.
#[derive(Debug, Default)]
pub(crate) struct Recordings {
    pub(crate) benign: Vec<PathBuf>,
    /// Of the products' work, with their profiles on.
    pub(crate) products: Option<PathBuf>,
    pub(crate) attacks: Vec<PathBuf>,
}

/// Learns, and judges the attack half anew with every product's profile on as well.
pub(crate) fn judge(dir: &Path, recordings: &Recordings, rows: &[Row]) -> Learned {
    let lock = dir.join("lineage.lock");
    let benign = recordings.benign.iter().chain(&recordings.products);
    let mut learn = sensor::program();
    learn.args(["profile", "learn", "--output"]).arg(&lock);
    for recording in benign {
        learn.arg("--recording").arg(recording);
    }
    succeed(&mut learn);
    let text = std::fs::read_to_string(&lock).expect("read the learnt profile");
    let silent = configuration(dir, "silent", "{ mode: alert, products: [ALL] }");
    let alerts: Vec<Alert> = recordings
        .attacks
        .iter()
        .flat_map(|file| replayed(file, &silent, Some(&lock)))
        .collect();
    let attacks = rows.iter().filter(|row| row.expected == Expected::Alert);
    let attacks: Vec<&Row> = attacks.filter(|row| !row.alerts.is_empty()).collect();
    let is_left = |row: &Row| {
        let mut alerts = alerts.iter();
        alerts.any(|alert| {
            let id = alert.json["event"]["id"].as_str().unwrap_or_default();
            row.alerts.iter().any(|known| known == id)
        })
    };
    let silenced = attacks.iter().filter(|row| !is_left(row));
    let silenced = silenced.map(|row| format!("{} {} ({})", row.id, row.stack, row.what));
    Learned {
        chains: text.matches("- steps:").count(),
        attacks: attacks.len(),
        silenced: silenced.collect(),
        products: recordings.products.as_deref().map(|file| {
            let none = configuration(dir, "none", "{ mode: learn }");
            let only = configuration(dir, "only", "{ mode: alert }");
            let count = |config: &Path, lock| replayed(file, config, lock).len();
            (count(&none, None), count(&only, Some(&lock)))
        }),
    }
}

/// A configuration that says this of profiles.
fn configuration(dir: &Path, name: &str, profiles: &str) -> PathBuf {
    let products = super::benign::products().join(", ");
    let profiles = profiles.replace("ALL", &products);
    let path = dir.join(format!("profiles-{name}.yaml"));
    scene::write(&path, format!("profiles: {profiles}\n"));
    path
}

/// Alerts of a recording, medium and above, fences left out.
fn replayed(file: &Path, config: &Path, lock: Option<&PathBuf>) -> Vec<Alert> {
    let path = |path: &Path| path.to_str().expect("a plain path").to_owned();
    let mut args = vec!["--config".to_owned(), path(config)];
    args.extend(["--output".to_owned(), "json".to_owned()]);
    if let Some(lock) = lock {
        args.extend(["--profile".to_owned(), path(lock)]);
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let output = recording::replay(file, &args);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let lines = output.stdout.split_inclusive(|byte| *byte == b'\n');
    let alerts = lines.filter_map(|line| Alert::read(Instant::now(), line.to_vec()));
    // Servers of others on this machine are nobody's case.
    alerts
        .filter(|alert| !is_fence(alert) && !scene::was_there_before(alert.root()))
        .collect()
}

impl Learned {
    /// Whether the proof holds: nothing silenced of the attacks, something of the work.
    pub(crate) fn failure(&self) -> Option<String> {
        if !self.silenced.is_empty() {
            return Some(format!("silenced by the profile: {:?}", self.silenced));
        }
        match self.products {
            Some((0, _)) => Some("without a profile the products' work is silent too".to_owned()),
            Some((_, left @ 1..)) => Some(format!("{left} alerts about the products' work")),
            _ => None,
        }
    }

    /// What was learnt, in a line.
    pub(crate) fn line(&self) -> String {
        let mut line = format!("learned profile: {} chains", self.chains);
        if let Some((without, with)) = self.products {
            line += &format!(
                "; of {without} alerts that the products' work causes without any profile it \
                 leaves {with}"
            );
        }
        line
    }

    pub(crate) fn json(&self) -> Value {
        json!({"chains": self.chains, "attacks": self.attacks, "silenced": self.silenced})
    }
}
