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
mod escape;
mod finding;
mod id;
mod json;
mod message;
mod model;
#[cfg(test)]
pub(crate) mod sample;

pub use finding::{Finding, Host, Level, RuleInfo, UnknownLevel};
pub use model::{
    Alert, Container, Endpoint, Event, Evidence, Exit, File, HostName, Image, Inode, Matched,
    Network, Parent, Process, Profile, Reference, Relative, Rule, Service, Stdio, Target,
    Technique, Threat, User, WrittenBy,
};

/// JSON Schema (draft 2020-12) of an alert.
pub const SCHEMA: &str = include_str!("../schema/alert.schema.json");

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

    /// One line of JSON without its newline. `<`, `>` and `&` are written as `\u00XX`,
    /// so that the line is harmless inside a page too.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut line = Vec::with_capacity(4 * 1024);
        json::write(self, &mut line);
        // The serializer writes characters, never parts of one.
        String::from_utf8(line).unwrap_or_default()
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
