//! The control of the products: their round judged once more with no profile named. What
//! is silent then too is silent whatever the profile says, and proves nothing of it.

use std::path::Path;

use super::{
    benign,
    case::Row,
    learned,
    round::{self, FENCE_RULE},
};
use crate::fixture::{alert::Alert, scene};

/// Alerts of each turn without the products' profiles.
pub(crate) struct Control {
    /// The first turn is the start, which the first fence ends.
    turns: Vec<Vec<Alert>>,
}

impl Control {
    /// Judges a recording of the products' round.
    pub(crate) fn of(dir: &Path, recording: &Path) -> Self {
        let config = dir.join("no-products.yaml");
        scene::write(&config, benign::without_products());
        let alerts = learned::replay(recording, &config, None);
        let turns = alerts.split(|alert| round::is_fence(alert) && alert.rule() == FENCE_RULE);
        let own = |turn: &[Alert]| {
            let own = turn.iter().filter(|alert| !round::is_fence(alert));
            own.cloned().collect()
        };
        Self {
            turns: turns.map(own).collect(),
        }
    }

    /// Fails a row that the profile is not what silences; its turn ended with this fence.
    pub(crate) fn judge(&self, row: &mut Row, fence: usize) {
        let mut rules: Vec<&str> = self.turns[fence - 1].iter().map(Alert::rule).collect();
        rules.sort_unstable();
        rules.dedup();
        let told = rules.join(", ");
        row.wanted = format!("{}, without it {told}", row.wanted);
        if rules.is_empty() && row.failure.is_none() {
            row.failure = Some("silent without the profile too".to_owned());
        }
    }
}
