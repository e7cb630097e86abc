//! What an alert is made from: a finding of `detect` and the facts of the host.

use std::{collections::HashMap, fmt, str::FromStr, sync::Arc};

use bstr::BString;
use serde::{Deserialize, Serialize};

use crate::{
    detect::Placed,
    event::{ProcessId, Written},
    lineage::{Service, Subject},
};

/// How grave an alert is; Sigma's levels, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Context for other alerts.
    Informational,
    /// Worth keeping.
    Low,
    /// Worth a look; what sinks forward by default.
    Medium,
    /// Worth a look now.
    High,
    /// Take the machine for compromised.
    Critical,
}

impl Level {
    /// Every level, least first.
    pub const ALL: &'static [Self] = &[
        Self::Informational,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Critical,
    ];

    /// Word used in rules, configuration, metric labels and alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// `event.severity`: the numbers that Elastic Security uses for these words.
    #[must_use]
    pub const fn severity(self) -> u8 {
        match self {
            Self::Informational => 1,
            Self::Low => 21,
            Self::Medium => 47,
            Self::High => 73,
            Self::Critical => 99,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that names no [`Level`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no level: use informational, low, medium, high or critical")]
pub struct UnknownLevel(pub String);

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().copied().find(|level| level.name() == word);
        found.ok_or_else(|| UnknownLevel(word.to_owned()))
    }
}

/// The rule, as alerts present it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleInfo {
    /// Sigma's `name`: a stable slug, `rule.id` of the alert.
    pub name: String,
    /// Sigma's `id`.
    pub uuid: String,
    /// One line.
    pub title: String,
    /// Level.
    pub level: Level,
    /// ATT&CK technique ids, `T1505.003`.
    pub techniques: Vec<String>,
    /// What the rule looks for; may be empty.
    pub description: String,
    /// What to do about an alert, first line first; may be empty.
    pub triage: String,
    /// Known benign causes.
    pub falsepositives: Vec<String>,
}

/// One rule matched one exec.
#[derive(Clone, Copy, Debug)]
pub struct Finding<'a> {
    /// The exec and its lineage, as they may be shown.
    pub subject: &'a Subject,
    /// Arguments and variables of it in which a secret was replaced.
    pub redacted: u64,
    /// The rule.
    pub rule: &'a RuleInfo,
    /// Fields the rule matched on, with the value that matched.
    pub fields: &'a [(String, String)],
    /// In mode alert the profile would silence it.
    pub would_silence: bool,
    /// Facts the rule wanted and did not get.
    pub incomplete: &'a [&'static str],
    /// What the sensor cannot see at present, and why.
    pub degraded: &'a [String],
    /// Its place in an incident.
    pub standing: Option<&'a Standing>,
    /// The script behind it.
    pub script: Option<&'a Script>,
    /// What is known of its container.
    pub placed: Option<&'a Placed>,
}

/// What a notice with facts about an alert, found out after it, is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inquest {
    /// Id of the incident.
    pub incident: String,
    /// Id of the alert.
    pub alert: String,
    /// Level of the alert.
    pub level: Level,
    /// The file is one of an update: what it is goes to the history only.
    pub expected: bool,
    /// The service it happened under.
    pub service: Option<Arc<Service>>,
    /// The first process that left the service's own image.
    pub spawn_root: ProcessId,
}

/// The script behind an act, as far as it can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Path; of a directory when nothing more is known.
    pub path: BString,
    /// How it is known.
    pub source: ScriptSource,
    /// How long before it was read, ns.
    pub age_ns: Option<u64>,
    /// Service that wrote it, and how long before the act.
    pub written: Option<Written>,
}

/// How the script behind an act is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptSource {
    /// `SCRIPT_FILENAME` in the environment.
    Environment,
    /// The worker read it, and its directory is the working directory.
    Read,
    /// The last script the worker read, maybe for an earlier request.
    LastRead,
    /// The working directory alone.
    Directory,
}

impl ScriptSource {
    /// Word used in alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Read => "read",
            Self::LastRead => "last_read",
            Self::Directory => "directory",
        }
    }
}

/// Place of an alert in its incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Id of the incident.
    pub id: String,
    /// It is the first alert of the incident.
    pub opens: bool,
    /// Alerts given so far, this one included.
    pub alerts: u64,
    /// Alerts left out so far.
    pub folded: u64,
    /// Level of the incident.
    pub level: Level,
    /// This alert raised it.
    pub raised: bool,
    /// Different rules that matched.
    pub rules: usize,
    /// What was left out since the last alert.
    pub suppressed: Vec<Suppressed>,
}

/// Alerts of one rule that were left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppressed {
    /// Name of the rule.
    pub rule: String,
    /// How many.
    pub count: u64,
    /// Since when, `CLOCK_BOOTTIME` ns.
    pub since_ns: u64,
}

/// Why an incident is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The spawn root and all its descendants have ended.
    Ended,
    /// Nothing has matched for long.
    Quiet,
    /// Too many incidents were open.
    Evicted,
    /// The sensor stops.
    Stopped,
}

impl Reason {
    /// Every reason.
    pub const ALL: &'static [Self] = &[Self::Ended, Self::Quiet, Self::Evicted, Self::Stopped];

    /// Word used in metric labels and notices.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Quiet => "quiet",
            Self::Evicted => "evicted",
            Self::Stopped => "stopped",
        }
    }

    /// The same as the end of a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Ended => "its processes have ended",
            Self::Quiet => "nothing more has matched",
            Self::Evicted => "too many incidents are open",
            Self::Stopped => "the sensor stops",
        }
    }
}

/// An incident that is over. Times are `CLOCK_BOOTTIME` ns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Its id.
    pub id: String,
    /// The service it happened under.
    pub service: Option<Arc<Service>>,
    /// The first process that left the service's own image.
    pub spawn_root: ProcessId,
    /// Why it is over.
    pub reason: Reason,
    /// Level it has reached.
    pub level: Level,
    /// Alerts given.
    pub alerts: u64,
    /// Alerts left out.
    pub folded: u64,
    /// What was left out since the last alert.
    pub suppressed: Vec<Suppressed>,
    /// The rules that matched, by name.
    pub rules: Vec<RuleTotal>,
    /// First alert.
    pub opened_ns: u64,
    /// Last match.
    pub last_ns: u64,
    /// Now.
    pub closed_ns: u64,
    /// The sentence of the first alert.
    pub what: String,
}

/// What one rule has to do with an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleTotal {
    /// Name of the rule.
    pub rule: String,
    /// Level.
    pub level: Level,
    /// Alerts given.
    pub alerts: u64,
    /// Alerts left out.
    pub folded: u64,
}

/// Facts of the machine that alerts carry. Gathered outside the core.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Host name.
    pub name: String,
    /// `/proc/sys/kernel/random/boot_id`: scope of every pid and start time.
    pub boot_id: String,
    /// `CLOCK_REALTIME - CLOCK_BOOTTIME`, ns.
    pub realtime_minus_boottime_ns: i64,
    /// Names by uid.
    pub users: HashMap<u32, String>,
}
