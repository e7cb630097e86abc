//! The control of the products: a round judged once more with other profiles. What is silent
//! without a product's profile is silent whatever that says, and proves nothing of it.

use std::path::Path;

use super::{
    benign,
    case::{Profile, Row},
    learned,
    round::{self, FENCE_RULE, Worked},
};
use crate::fixture::{alert::Alert, scene};

/// Rules about programs that a profile in force does not know, by how their names begin.
const FIRST: &str = "first_seen_child";

/// Alerts of each turn of a round. The first turn is the start, which the first fence ends.
type Turns = Vec<Vec<Alert>>;

/// A round as other profiles have it.
#[derive(Default)]
pub(crate) struct Control {
    /// With no product named; empty where no row asks.
    plain: Turns,
    /// With profiles in force, so that what they do not know is told, of level low too: with
    /// no product named, and with all. Likewise.
    strict: [Turns; 2],
}

impl Control {
    /// Judges the recording of these rows.
    pub(crate) fn of(dir: &Path, recording: &Path, worked: &[Worked]) -> Self {
        let asked = |is_it: fn(&Profile) -> bool| worked.iter().any(|it| is_it(&it.profile));
        let judged = |profiles: &str| turns(dir, recording, profiles);
        let mut control = Self::default();
        if asked(|profile| matches!(profile, Profile::Product(_))) {
            control.plain = judged("profiles: {}");
        }
        if asked(|profile| matches!(profile, Profile::Knows(_))) {
            let all = benign::products();
            control.strict = ["", &all].map(|products| {
                let profiles = format!("profiles: {{ mode: alert, products: [{products}] }}");
                judged(&format!("{profiles}\noutput: {{ level: low }}"))
            });
        }
        control
    }

    /// Fails a row for which its profile makes no difference; its turn ended with this fence.
    pub(crate) fn judge(&self, row: &mut Row, profile: Profile, fence: usize) {
        let failure = match profile {
            Profile::None | Profile::Learnt => return,
            Profile::Product(_) => {
                let told = rules(&self.plain[fence - 1], "");
                row.wanted = format!("{}, without it {}", row.wanted, told.join(", "));
                let silent = told.is_empty();
                silent.then(|| "silent without the profile too".to_owned())
            }
            Profile::Knows(_) => {
                let [without, with] = &self.strict;
                let [without, with] = [without, with].map(|turns| &turns[fence - 1]);
                let is_new = |alerts: &[Alert]| !rules(alerts, FIRST).is_empty();
                match (is_new(without), is_new(with)) {
                    (false, _) => Some("there is nothing that the profile could know".to_owned()),
                    (true, true) => Some(format!("the profile does not know it: {with:?}")),
                    (true, false) => None,
                }
            }
        };
        if row.failure.is_none() {
            row.failure = failure;
        }
    }
}

/// The recording judged with these lines about profiles.
fn turns(dir: &Path, recording: &Path, profiles: &str) -> Turns {
    let config = dir.join("control.yaml");
    scene::write(&config, format!("{profiles}\n{}", benign::services()));
    let alerts = learned::replay(recording, &config, None);
    let turns = alerts.split(|alert| round::is_fence(alert) && alert.rule() == FENCE_RULE);
    let own = |turn: &[Alert]| {
        let own = turn.iter().filter(|alert| !round::is_fence(alert));
        own.cloned().collect()
    };
    turns.map(own).collect()
}

/// Names of the rules that begin so, each once.
fn rules<'a>(alerts: &'a [Alert], beginning: &str) -> Vec<&'a str> {
    let rules = alerts.iter().map(Alert::rule);
    let mut rules: Vec<&str> = rules.filter(|rule| rule.starts_with(beginning)).collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}
