//! The fields of an alert, in the order in which they are written.
//!
//! `Option` and empty lists that carry no meaning are left out of the JSON. Fields named
//! `*_b64` are present only when escaping changed their twin.

mod act;
mod evidence;
mod incident;
mod request;

use serde::Serialize;

pub use self::{
    act::{Endpoint, Inode, Network, Target, WrittenBy},
    evidence::Evidence,
    incident::{Far, FileFacts, Incident, LeftOut, Notice, NoticeEvent, RuleCount, Totals},
    request::{Page, Request},
};
use super::Level;

/// One alert. See [`super::SCHEMA`] for the meaning of each field.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// The machine.
    pub host: HostName,
    /// What this alert lacks, and why.
    pub evidence: Evidence,
    /// Time of the act, `CLOCK_BOOTTIME` ns: for latency, not part of the JSON.
    #[serde(skip)]
    pub time_ns: u64,
}

/// `event.*`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Always `alert`.
    pub kind: &'static str,
    /// Derived from content: the same act and rule give the same id.
    pub id: String,
    /// Number of the alert in this run of the sensor.
    pub sequence: u64,
    /// [`Level::severity`].
    pub severity: u8,
    /// ECS categories: `process`, `file` or `network`.
    pub category: &'static [&'static str],
    /// What was done.
    pub action: &'static str,
    /// Always `lineage_sensor.alert`.
    pub dataset: &'static str,
}

/// `rule.*`.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What to do; may have several lines.
    pub triage: String,
    /// Known benign causes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub false_positives: Vec<String>,
    /// What the rule matched on.
    pub matched: Vec<Matched>,
}

/// A field and the value that matched.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Matched {
    /// Sigma field.
    pub field: String,
    /// Its value.
    pub value: String,
}

/// `threat.*`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Threat {
    /// Techniques.
    pub technique: Technique,
}

/// `threat.technique.*`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Technique {
    /// `T1505.003`, ...
    pub id: Vec<String>,
}

/// `service.*`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Service {
    /// `nginx`, `php-fpm`, ...
    pub kind: &'static str,
    /// `edge`, `app`, `cgi`, `db`, `ci`.
    pub role: &'static str,
    /// Name by which the configuration declares it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// systemd unit.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// `entity_id` of the root process.
    pub id: String,
}

/// A user.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct User {
    /// uid, as a string (ECS).
    pub id: String,
    /// Name, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// `process.*`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Process {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Identity across pid reuse, boots and hosts.
    pub entity_id: String,
    /// When it was forked.
    pub start: String,
    /// The file the kernel runs.
    pub executable: String,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable_b64: Option<String>,
    /// What was asked for, when the kernel resolved it to another file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename_b64: Option<String>,
    /// The `#!` script that `executable` interprets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script_b64: Option<String>,
    /// The service that wrote the script it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script_written_by: Option<WrittenBy>,
    /// argv; `[...]` stands for what is missing.
    pub args: Vec<String>,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args_b64: Option<Vec<String>>,
    /// How many arguments there were.
    pub args_count: u32,
    /// argv joined by blanks.
    pub command_line: String,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_line_b64: Option<String>,
    /// Working directory.
    pub working_directory: String,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_directory_b64: Option<String>,
    /// Effective user.
    pub user: User,
    /// Real user, when another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub real_user: Option<User>,
    /// Descriptors 0, 1, 2.
    pub stdio: Stdio,
    /// pid in its own pid namespace.
    pub namespace_pid: u32,
    /// The executable file.
    pub file: File,
    /// Telling environment variables that were set, `NAME=value`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env_vars: Vec<String>,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env_vars_b64: Option<Vec<String>>,
    /// What the same process exec'ed before, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub previous: Vec<Image>,
    /// The process that forked it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// Who had adopted it by the time of the exec, when not the parent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopted_by: Option<Reference>,
}

/// A program run earlier.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Image {
    /// The file.
    pub executable: String,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable_b64: Option<String>,
    /// argv.
    pub args: Vec<String>,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args_b64: Option<Vec<String>>,
}

/// `process.stdio.*`: what each descriptor is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stdio {
    /// Descriptor 0.
    pub stdin: &'static str,
    /// Descriptor 1.
    pub stdout: &'static str,
    /// Descriptor 2.
    pub stderr: &'static str,
}

/// `process.file.*`: facts of the executable file.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct File {
    /// `major:minor`.
    pub device: String,
    /// Inode number, as a string (ECS).
    pub inode: String,
    /// Bytes.
    pub size: u64,
    /// Permission bits in octal.
    pub mode: String,
    /// Owner.
    pub uid: String,
    /// Group.
    pub gid: String,
    /// It has no name in any directory: memfd, deleted.
    pub unlinked: bool,
    /// Inode change time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ctime: Option<String>,
    /// Written since the container image was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlay_upper: Option<bool>,
    /// The service that wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_by: Option<WrittenBy>,
}

/// `process.parent.*`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parent {
    /// See [`Process::pid`].
    pub pid: u32,
    /// See [`Process::entity_id`].
    pub entity_id: String,
    /// When it was forked.
    pub start: String,
    /// Its program; absent when its records were lost.
    #[serde(flatten)]
    pub image: Option<Image>,
    /// Real user.
    pub user: User,
    /// How it became known.
    pub provenance: &'static str,
}

/// Another process by its identity.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reference {
    /// See [`Process::pid`].
    pub pid: u32,
    /// See [`Process::entity_id`].
    pub entity_id: String,
}

/// One process of `lineage[]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Relative {
    /// Steps from the root, which is 0.
    pub position: u32,
    /// See [`Process::pid`].
    pub pid: u32,
    /// See [`Process::entity_id`].
    pub entity_id: String,
    /// When it was forked.
    pub start: String,
    /// Part it has in its service.
    pub part: &'static str,
    /// How it became known.
    pub provenance: &'static str,
    /// Its program; absent when its records were lost.
    #[serde(flatten)]
    pub image: Option<Image>,
    /// Executables it has exec'ed itself, oldest first, the current one last.
    pub chain: Vec<String>,
    /// Executables left out of the middle of `chain`.
    #[serde(skip_serializing_if = "is_zero")]
    pub chain_elided: u32,
    /// Real user.
    pub user: User,
    /// How it ended, when it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Exit {
    /// When.
    pub time: String,
    /// Exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
    /// Or the signal that killed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<u8>,
}

/// `container.*`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Container {
    /// 64 hex digits.
    pub id: String,
}

/// `host.*`.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
const fn is_zero_count(number: &u64) -> bool {
    *number == 0
}
