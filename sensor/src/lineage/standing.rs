//! How an exec stands to the profile of its service: vocabulary between the judge of
//! profiles, rules, alerts and history.

use std::sync::Arc;

/// What a profile does to alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// Nothing, and nothing is learnt.
    Off,
    /// Nothing: what services spawn is noted.
    Learn,
    /// Nothing: alerts say that they would be silenced.
    Shadow,
    /// Alerts of rules that may be learnt are silenced for chains it knows.
    Alert,
}

impl Mode {
    /// Word used in the configuration, rules and alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Learn => "learn",
            Self::Shadow => "shadow",
            Self::Alert => "alert",
        }
    }
}

/// What a profile says of a chain of programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is in a profile.
    Known(Known),
    /// It is in none; where it first differs from the nearest one.
    Unknown(String),
    /// Its entry has not been used for too long: the day it was last.
    Expired(String),
    /// It is of a kind that no profile may hold: word and sentence.
    Refused(&'static str, String),
}

/// Where a chain is known from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// `lineage.lock`, or the name of a built-in profile.
    pub profile: Arc<str>,
    /// The entry, as people read it.
    pub chain: Arc<str>,
    /// It has no placeholder.
    pub exact: bool,
}

impl Judgement {
    /// Word used in rules, alerts and history.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Known(_) => "known",
            Self::Unknown(_) => "unknown",
            Self::Expired(_) => "expired",
            Self::Refused(..) => "refused",
        }
    }

    /// The reason in words, for alerts and `explain`.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Known(known) => format!("{} has `{}`", known.profile, known.chain),
            Self::Unknown(difference) => difference.clone(),
            Self::Expired(last) => format!("its entry has not been used since {last}"),
            Self::Refused(_, reason) => format!("no profile may hold it: {reason}"),
        }
    }
}

/// How an exec stands to the profile of its service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Mode in force for it: of its service, or [`Mode::Alert`] for what a built-in
    /// profile knows.
    pub mode: Mode,
    /// What the profile says.
    pub judgement: Judgement,
    /// This run of the sensor has not seen the chain under this service before.
    pub first: bool,
}
