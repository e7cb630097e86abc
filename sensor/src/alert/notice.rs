//! What is said of an incident besides its alerts, in a JSON form fixed by
//! [`NOTICE_SCHEMA`](super::NOTICE_SCHEMA).

use super::{Closed, Host, Level, Notice, build, json};

impl Notice {
    /// The close event of an incident; `sequence` numbers it among the alerts of this run.
    #[must_use]
    pub fn closed(closed: &Closed, host: &Host, sequence: u64) -> Self {
        build::closed(closed, host, sequence)
    }

    /// The level by which sinks take it: the incident's.
    #[must_use]
    pub const fn weight(&self) -> Level {
        self.incident.level
    }

    /// One line of JSON without its newline, harmless inside a page.
    #[must_use]
    pub fn to_json(&self) -> String {
        json::line(self)
    }
}
