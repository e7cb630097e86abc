//! The alert: what the sensor says, in a stable JSON form.
//!
//! Owns field names, escaping, identifiers and the bound of one line. Built from a
//! [`Finding`] and the facts of the [`Host`]; never reads a clock, a file or `/proc`,
//! so that the same finding gives the same bytes. The form is fixed by [`SCHEMA`].
//!
//! - Names follow the Elastic Common Schema 8 where it has one.
//! - Byte strings are escaped as the schema describes;
//!   a `_b64` field beside one holds its bytes whenever escaping changed something.
//! - [`Alert::to_json`] gives one line of at most [`MAX_BYTES`], newline included.

mod bound;
mod build;
mod document;
mod escape;
mod finding;
mod id;
mod json;
mod message;
mod model;
mod notice;
mod own;
#[cfg(test)]
pub(crate) mod sample;
pub(crate) mod word;

pub use self::document::Document;
pub(crate) use self::id::incident as incident_id;
pub use finding::{
    Closed, Finding, Host, Inquest, Level, Reason, RuleInfo, RuleTotal, Script, ScriptSource,
    Standing, Suppressed, UnknownLevel,
};
pub use model::{
    Alert, Container, ContainerImage, Endpoint, Event, Evidence, Exit, Far, File, FileFacts,
    HostName, Image, Incident, Inode, LeftOut, Matched, Network, Notice, NoticeEvent, Orchestrator,
    Page, Parent, Process, Profile, Reference, Relative, Request, Resource, Rule, RuleCount,
    Service, Stdio, Target, Technique, Threat, Totals, User, WrittenBy,
};
pub use own::{CAPTURE_ENDED, OWN, Own, SELF_TEST_FAILED};

/// JSON Schema (draft 2020-12) of an alert.
pub const SCHEMA: &str = include_str!("../schema/alert.schema.json");

/// JSON Schema (draft 2020-12) of a notice: what is said of an incident besides alerts.
pub const NOTICE_SCHEMA: &str = include_str!("../schema/incident.schema.json");

/// Longest JSON line of an alert in bytes, newline included.
pub const MAX_BYTES: usize = 32 * 1024;

impl Alert {
    /// Builds the alert for one finding; `sequence` numbers the alerts of this run.
    #[must_use]
    pub fn new(finding: &Finding<'_>, host: &Host, sequence: u64) -> Self {
        let mut alert = build::alert(finding, host, sequence);
        bound::fit(&mut alert);
        alert
    }

    /// The level by which sinks take it: the rule's, or that of the incident when this
    /// alert raised it.
    #[must_use]
    pub fn weight(&self) -> Level {
        let raised = self.incident.as_ref().filter(|incident| incident.raised);
        raised.map_or(self.rule.level, |incident| {
            incident.level.max(self.rule.level)
        })
    }

    /// One line of JSON without its newline. `<`, `>` and `&` are written as `\u00XX`,
    /// so that the line is harmless inside a page too.
    #[must_use]
    pub fn to_json(&self) -> String {
        json::line(self)
    }

    /// Bytes of [`Alert::to_json`], without making it.
    fn json_length(&self) -> usize {
        let mut length = json::Length(0);
        json::write(self, &mut length);
        length.0
    }
}

#[cfg(test)]
mod tests;
