//! `incident.*`: the place of an alert in its incident, and what closes one.

use serde::{Deserialize, Serialize};

use super::{Container, HostName, Orchestrator, Reference, Service, is_zero_count};
use crate::alert::{
    Level,
    word::{self, Word},
};

/// `incident.*` of an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Derived from content: all alerts of one incident have it.
    pub id: String,
    /// `opened` by its first alert, `updated` by every other.
    #[serde(deserialize_with = "word::one")]
    pub state: Word,
    /// Alerts given so far, this one included.
    pub alerts: u64,
    /// Alerts left out so far.
    pub folded: u64,
    /// [`Level::severity`] of the incident.
    pub severity: u8,
    /// The highest level of its rules, raised when many different ones matched.
    pub level: Level,
    /// This alert raised `level`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub raised: bool,
    /// Different rules that matched.
    pub rules: usize,
    /// What was left out since the last word about this incident.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suppressed: Vec<LeftOut>,
}

/// Alerts of one rule that were left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// `rule.id`.
    pub rule: String,
    /// How many.
    pub count: u64,
    /// Since when.
    pub since: String,
}

/// A word about an incident that is no alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// When.
    #[serde(rename = "@timestamp")]
    pub timestamp: String,
    /// What kind of record this is.
    pub event: NoticeEvent,
    /// One sentence.
    pub message: String,
    /// The incident, with its totals.
    pub incident: Totals,
    /// A file that one of its alerts names, as it was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Box<FileFacts>>,
    /// The container of its alerts, as it became known after the first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// The pod, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orchestrator: Option<Orchestrator>,
    /// The service it happened under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// The spawn root.
    pub process: Reference,
    /// The machine.
    pub host: HostName,
    /// Time of it, `CLOCK_BOOTTIME` ns; not part of the JSON.
    #[serde(skip)]
    pub time_ns: u64,
    /// It tells nothing that calls for a look: for the history only; not part of the JSON.
    #[serde(skip)]
    pub expected: bool,
}

/// `event.*` of a [`Notice`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoticeEvent {
    /// Always `event`.
    #[serde(deserialize_with = "word::one")]
    pub kind: Word,
    /// Derived from content.
    pub id: String,
    /// Number in this run, in one count with the alerts.
    pub sequence: u64,
    /// [`Level::severity`] of the incident.
    pub severity: u8,
    /// `incident-closed`, `file-examined` or `container-named`.
    #[serde(deserialize_with = "word::one")]
    pub action: Word,
    /// Always `lineage_sensor.incident`.
    #[serde(deserialize_with = "word::one")]
    pub dataset: Word,
}

/// `incident.*` of a [`Notice`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// See [`Incident::id`].
    pub id: String,
    /// `closed` or `updated`.
    #[serde(deserialize_with = "word::one")]
    pub state: Word,
    /// Why it is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(default, deserialize_with = "word::option")]
    pub reason: Option<Word>,
    /// Alerts given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alerts: Option<u64>,
    /// Alerts left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folded: Option<u64>,
    /// [`Level::severity`] of the incident; while it is open, of the alert.
    pub severity: u8,
    /// Its level, likewise.
    pub level: Level,
    /// Time of the first alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened: Option<String>,
    /// Time of the last match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// The rules that matched, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleCount>,
    /// What was left out since the last word about this incident.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suppressed: Vec<LeftOut>,
}

/// What a file was found to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Id of the alert that names it.
    pub alert: String,
    /// `executable`, `script` or `written`.
    #[serde(deserialize_with = "word::one")]
    pub role: Word,
    /// Path.
    pub path: String,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_b64: Option<String>,
    /// Content hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// `elf`, `php`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The package that owns the path; empty when none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Why this is not all, or not about the file of the alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Far ends of the sockets on descriptors 0, 1 and 2 of the process that runs it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<Far>,
}

/// The far end of a socket on a standard descriptor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Far {
    /// Descriptor.
    pub fd: u8,
    /// Address and port, `listens at` its own, or `unix` and a path.
    pub far: String,
}

/// What one rule has to do with an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleCount {
    /// `rule.id`.
    pub id: String,
    /// Its level.
    pub level: Level,
    /// Alerts given.
    pub alerts: u64,
    /// Alerts left out.
    #[serde(default, skip_serializing_if = "is_zero_count")]
    pub folded: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}
