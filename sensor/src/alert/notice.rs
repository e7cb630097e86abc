//! What is said of an incident besides its alerts, in a JSON form fixed by
//! [`NOTICE_SCHEMA`](super::NOTICE_SCHEMA).

use super::{Closed, Far, Host, Inquest, Level, Notice, build, json};
use crate::detect::{Examined, Placed};

impl Notice {
    /// The close event of an incident; `sequence` numbers it among the alerts of this run.
    #[must_use]
    pub fn closed(closed: &Closed, host: &Host, sequence: u64) -> Self {
        build::closed(closed, host, sequence)
    }

    /// What a file that an alert names was found to be, at `time_ns`.
    #[must_use]
    pub fn examined(
        inquest: &Inquest,
        examined: &Examined,
        host: &Host,
        time_ns: u64,
        sequence: u64,
    ) -> Self {
        build::examined(inquest, examined, host, (time_ns, sequence))
    }

    /// What the container of an alert was found to be, at `time_ns`, after the alert.
    #[must_use]
    pub fn located(
        inquest: &Inquest,
        placed: &Placed,
        host: &Host,
        time_ns: u64,
        sequence: u64,
    ) -> Self {
        build::located(inquest, placed, host, (time_ns, sequence))
    }

    /// The level by which sinks take it: the incident's. For the history only are that a
    /// file is what a package has put there, unless its process talks to the network, that
    /// it is one of an update, and the end of an incident of one alert.
    #[must_use]
    pub fn weight(&self) -> Level {
        let expected = self.file.as_ref().is_some_and(|file| {
            let owner = file.package.as_deref().unwrap_or_default();
            let quiet = |it: &Far| it.far.starts_with("unix ") || it.far.starts_with("listens ");
            !owner.is_empty() && file.problem.is_none() && file.peers.iter().all(quiet)
        });
        if expected || self.expected {
            return Level::Informational;
        }
        self.incident.level
    }

    /// One line of JSON without its newline, harmless inside a page.
    #[must_use]
    pub fn to_json(&self) -> String {
        json::line(self)
    }
}
