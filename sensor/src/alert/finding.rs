//! What an alert is made from: a finding of `detect` and the facts of the host.

use std::{collections::HashMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::lineage::Subject;

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
    /// The exec and its lineage.
    pub subject: &'a Subject,
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
