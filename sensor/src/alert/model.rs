//! The fields of an alert, in the order in which they are written.
//!
//! `Option` and empty lists that carry no meaning are left out of the JSON. Fields named
//! `*_b64` are present only when escaping changed their twin.

mod act;
mod container;
mod evidence;
mod incident;
mod process;
mod request;

use serde::{Deserialize, Serialize};

pub use self::{
    act::{Endpoint, Inode, Network, Target, WrittenBy},
    container::{Container, ContainerImage, Orchestrator, Resource},
    evidence::Evidence,
    incident::{Far, FileFacts, Incident, LeftOut, Notice, NoticeEvent, RuleCount, Totals},
    process::{Exit, File, Image, Parent, Process, Reference, Relative, Stdio, User},
    request::{Page, Request},
};
use super::{
    Level,
    word::{self, Word},
};

/// One alert. See [`super::SCHEMA`] for the meaning of each field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Time of the act, RFC 3339 with nanoseconds, UTC.
    #[serde(rename = "@timestamp")]
    pub timestamp: String,
    /// What kind of record this is.
    pub event: Event,
    /// The rule that matched.
    pub rule: Rule,
    /// ATT&CK.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threat: Option<Threat>,
    /// One sentence a person can act on.
    pub message: String,
    /// Its place in the incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<Box<Incident>>,
    /// The service it happened under; absent for host-scope events outside all services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// The script behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<Box<Page>>,
    /// The request behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Box<Request>>,
    /// The file acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Box<Target>>,
    /// Own end of a connect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Endpoint>,
    /// Other end of a connect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<Endpoint>,
    /// How a connect is carried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// The process that acts.
    pub process: Box<Process>,
    /// Service root first, the process itself last.
    pub lineage: Vec<Relative>,
    /// Processes left out of `lineage`; `position` tells where.
    pub lineage_elided: u32,
    /// The container it ran in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// The pod it ran in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orchestrator: Option<Orchestrator>,
    /// The machine.
    pub host: HostName,
    /// How the exec stands to the profile of its service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// What this alert lacks, and why.
    pub evidence: Evidence,
    /// Time of the act, `CLOCK_BOOTTIME` ns: for latency, not part of the JSON.
    #[serde(skip)]
    pub time_ns: u64,
}

/// `event.*`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Always `alert`.
    #[serde(deserialize_with = "word::one")]
    pub kind: Word,
    /// Derived from content: the same act and rule give the same id.
    pub id: String,
    /// Number of the alert in this run of the sensor.
    pub sequence: u64,
    /// [`Level::severity`].
    pub severity: u8,
    /// ECS categories: `process`, `file` or `network`.
    #[serde(deserialize_with = "word::several")]
    pub category: &'static [Word],
    /// What was done.
    #[serde(deserialize_with = "word::one")]
    pub action: Word,
    /// Always `lineage_sensor.alert`.
    #[serde(deserialize_with = "word::one")]
    pub dataset: Word,
}

/// `rule.*`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Stable slug.
    pub id: String,
    /// Sigma id.
    pub uuid: String,
    /// Title.
    pub name: String,
    /// Level.
    pub level: Level,
    /// What the rule looks for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What to do; may have several lines.
    pub triage: String,
    /// Known benign causes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub false_positives: Vec<String>,
    /// What the rule matched on.
    pub matched: Vec<Matched>,
}

/// A field and the value that matched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matched {
    /// Sigma field.
    pub field: String,
    /// Its value.
    pub value: String,
}

/// `threat.*`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Threat {
    /// Techniques.
    pub technique: Technique,
}

/// `threat.technique.*`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Technique {
    /// `T1505.003`, ...
    pub id: Vec<String>,
}

/// `service.*`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// `nginx`, `php-fpm`, ...
    #[serde(deserialize_with = "word::one")]
    pub kind: Word,
    /// `edge`, `app`, `cgi`, `db`, `ci`.
    #[serde(deserialize_with = "word::one")]
    pub role: Word,
    /// Name by which the configuration declares it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// systemd unit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// `entity_id` of the root process.
    pub id: String,
}

/// `profile.*`: absent where no profile is in force, or none was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// `shadow` or `alert`.
    #[serde(deserialize_with = "word::one")]
    pub mode: Word,
    /// `known`, `unknown`, `expired` or `refused`.
    #[serde(deserialize_with = "word::one")]
    pub judgement: Word,
    /// Why, in words.
    pub reason: String,
    /// In mode `alert` this alert would be silenced.
    pub would_silence: bool,
}

/// `host.*`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostName {
    /// Host name.
    pub name: String,
    /// Scope of pids and start times.
    pub boot_id: String,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
const fn is_zero_count(number: &u64) -> bool {
    *number == 0
}
