//! `evidence.*`: what an alert lacks.

use serde::{Deserialize, Serialize};

/// `evidence.*`: what this alert lacks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Fields that were cut, in capture or to keep the line within its bound.
    pub truncated: Vec<String>,
    /// Records lost while the service was alive: the lineage may lack a process.
    pub lost_events: u64,
    /// Arguments and variables in which a secret was replaced.
    #[serde(default, skip_serializing_if = "super::is_zero_count")]
    pub redacted: u64,
    /// What the sensor could not see at the time.
    pub degraded: Vec<String>,
    /// Fields that could not be read, and facts that did not arrive in time.
    pub incomplete: Vec<String>,
}

impl Evidence {
    /// Notes that `field` was cut.
    pub(in crate::alert) fn cut(&mut self, field: &str) {
        note(&mut self.truncated, field);
    }

    /// Notes that `field` is not known.
    pub(in crate::alert) fn lacks(&mut self, field: &str) {
        note(&mut self.incomplete, field);
    }
}

fn note(list: &mut Vec<String>, field: &str) {
    if !list.iter().any(|known| known == field) {
        list.push(field.to_owned());
    }
}
