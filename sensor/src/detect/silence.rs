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
