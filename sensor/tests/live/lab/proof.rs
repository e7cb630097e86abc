//! What shows that a case was played: a look at it, or a trace in what the sensor recorded.
//! A silent row without one would say nothing.

use std::{fmt, path::PathBuf};

/// One sign that the act took place.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    /// It was looked at when it happened, and the case ends there when it had not: an exit
    /// status, an answer, a process.
    Seen(String),
    /// The sensor must have recorded it in the turn of the case.
    Recorded(Trace),
}

/// Something in a recording.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    /// Root of the service it happened under; `None` for any service.
    pub(crate) root: Option<u32>,
    pub(crate) act: Act,
}

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// A program was executed by the name of the first word, its last arguments were these,
    /// and it did not end with a shell's status for nothing to run, or by a crash.
    Ran(Vec<String>),
    /// A file was written, or given this name, by it.
    Wrote(PathBuf),
    /// A process was forked.
    Forked,
    /// This port of this machine was connected to.
    Connected(u16),
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seen(what) => write!(f, "seen: {what}"),
            Self::Recorded(trace) => write!(f, "recorded: {trace}"),
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.act {
            Act::Ran(words) => write!(f, "ran {words:?}"),
            Act::Wrote(path) => write!(f, "wrote {}", path.display()),
            Act::Forked => write!(f, "forked"),
            Act::Connected(port) => write!(f, "connected to port {port}"),
        }?;
        self.root.map_or(Ok(()), |root| write!(f, " below {root}"))
    }
}
