//! What keeps a rule that matched, or all rules, from alerting. The decision log keeps it
//! for `why-not`.

/// What silenced a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// An exception of the configuration.
    Exception,
    /// The profile of the service knows it.
    Profile,
}

impl Silence {
    /// Word used in answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exception => "exception",
            Self::Profile => "profile",
        }
    }
}

/// A rule that matched and was silenced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silenced {
    /// Name of the rule; empty when all were.
    pub rule: String,
    /// What silenced it.
    pub silence: Silence,
    /// Which exception, which entry of the profile, in words.
    pub text: String,
}
