//! Why something can neither be learnt nor be matched by what was learnt.

use std::fmt;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// A command or an argument is longer than the bounds allow.
    Long,
    /// Control characters, line breaks among them.
    Control,
    /// `$(...)`, backticks, `<(...)`.
    Substitution,
    /// `$NAME`, `${...}`, `$'...'`.
    Expansion,
    /// A quote or a backslash without an end.
    Unclosed,
    /// `#`.
    Comment,
    /// `<<`.
    Document,
    /// Bytes that are not UTF-8.
    Encoding,
    /// Nothing says what the shell or interpreter runs: it reads it from a descriptor.
    Input,
    /// An option of a shell that is not understood.
    Option,
    /// A dynamic loader runs something else.
    Loader,
    /// Part of the arguments or of a path was not captured.
    Truncated,
    /// The executable has no name in any directory.
    Unlinked,
    /// The mount namespace is not that of the service: a path names another file there.
    Namespace,
    /// A variable makes the program load or run something else.
    Environment,
    /// A service wrote what runs.
    Written,
    /// Processes between the service and this one are not known.
    Incomplete,
    /// More programs one after another than a chain holds.
    Deep,
}

impl Refusal {
    /// Every reason.
    pub const ALL: &'static [Self] = &[
        Self::Long,
        Self::Control,
        Self::Substitution,
        Self::Expansion,
        Self::Unclosed,
        Self::Comment,
        Self::Document,
        Self::Encoding,
        Self::Input,
        Self::Option,
        Self::Loader,
        Self::Truncated,
        Self::Unlinked,
        Self::Namespace,
        Self::Environment,
        Self::Written,
        Self::Incomplete,
        Self::Deep,
    ];

    /// Word used in alerts and history.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Long => "long",
            Self::Control => "control",
            Self::Substitution => "substitution",
            Self::Expansion => "expansion",
            Self::Unclosed => "unclosed",
            Self::Comment => "comment",
            Self::Document => "document",
            Self::Encoding => "encoding",
            Self::Input => "input",
            Self::Option => "option",
            Self::Loader => "loader",
            Self::Truncated => "truncated",
            Self::Unlinked => "unlinked",
            Self::Namespace => "namespace",
            Self::Environment => "environment",
            Self::Written => "written",
            Self::Incomplete => "incomplete",
            Self::Deep => "deep",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Long => "a command or an argument is too long",
            Self::Control => "a command or an argument holds control characters",
            Self::Substitution => "the command runs others by substitution ($(...), backticks)",
            Self::Expansion => "the command holds a variable",
            Self::Unclosed => "a quote in the command does not end",
            Self::Comment => "the command holds a comment",
            Self::Document => "the command holds a here-document",
            Self::Encoding => "an argument is not UTF-8",
            Self::Input => "what it runs comes through a descriptor",
            Self::Option => "the shell has an option that is not understood",
            Self::Loader => "a dynamic loader runs another file",
            Self::Truncated => "arguments or a path were not captured whole",
            Self::Unlinked => "the executable has no name",
            Self::Namespace => "the mount namespace is not that of the service",
            Self::Environment => "a variable makes it load or run something else",
            Self::Written => "a service wrote what runs",
            Self::Incomplete => "the lineage is incomplete",
            Self::Deep => "too many programs ran one after another",
        })
    }
}
