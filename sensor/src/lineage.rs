//! A lineage: the chain of processes from a service root to one process, and what
//! is known about each. Built by `tree`, read by `detect` and `alert`.

mod kind;
mod standing;

use std::sync::Arc;

use bstr::BStr;
use serde::{Serialize, Serializer};

pub use self::{
    kind::ServiceKind,
    standing::{Judgement, Known, Mode, Standing},
};
use crate::event::{ExitStatus, File, ProcessId, Program, Socket, Stamp, Written};

/// How an ancestor became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// Its fork (or, for a root, its exec) was seen.
    Observed,
    /// It was there when the sensor started; its parent is the one it had then.
    Scanned,
    /// It was there when it was scanned, its parent was not: only its service is certain.
    Inferred,
    /// The kernel names it as a member, but its records were lost.
    Lost,
}

impl Provenance {
    /// Word used in alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Scanned => "scanned",
            Self::Inferred => "inferred",
            Self::Lost => "lost",
        }
    }
}

/// One process of a lineage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ancestor {
    /// The process.
    pub id: ProcessId,
    /// How it became known.
    pub provenance: Provenance,
    /// What it runs now; for a forked process that never exec'ed, its creator's program
    /// at the fork. `None` when lost.
    pub program: Option<Arc<Program>>,
    /// Programs it has exec'ed itself, oldest first, the current one last. Empty for a
    /// process that only forked.
    pub chain: Vec<Arc<Program>>,
    /// Programs dropped from the middle of `chain` to keep it bounded.
    pub chain_elided: u32,
    /// Part it has in its service.
    pub part: Part,
    /// Real uid last known.
    pub uid: u32,
    /// When and how it ended.
    pub exit: Option<(u64, ExitStatus)>,
}

/// Part a process has in its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Recognised at exec (or its daemonised child, or a re-exec of the own image).
    Master,
    /// Forked from the master, never exec'ed.
    Worker,
    /// A single process that is master and worker at once (java, orphaned workers).
    Both,
    /// Has left the service's own image: whatever the service spawned.
    Descendant,
}

impl Part {
    /// Word used in Sigma fields and alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Worker => "worker",
            Self::Both => "both",
            Self::Descendant => "descendant",
        }
    }
}

/// A chain of processes, root first, the subject last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    /// At most [`Lineage::HEAD`] from the root and [`Lineage::TAIL`] up to the subject.
    pub ancestors: Vec<Ancestor>,
    /// Ancestors left out between the two.
    pub elided: u32,
}

impl Lineage {
    /// Ancestors kept from the root.
    pub const HEAD: usize = 8;
    /// Ancestors kept up to the subject.
    pub const TAIL: usize = 24;
}

/// What a service may do by its nature; sets the default severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Executes nothing but itself.
    Edge,
    /// Runs an application, which may execute programs.
    App,
    /// Executes the scripts it was set up for, one for each request.
    Cgi,
    /// Keeps data; its queries may execute programs, and should not.
    Db,
    /// Builds and deploys: executing programs is its work.
    Ci,
}

impl Role {
    /// Every role, in order of declaration.
    pub const ALL: [Self; 5] = [Self::Edge, Self::App, Self::Cgi, Self::Db, Self::Ci];

    /// Word used in Sigma fields, alerts and the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::App => "app",
            Self::Cgi => "cgi",
            Self::Db => "db",
            Self::Ci => "ci",
        }
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A service as rules and alerts see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Root process: the identity of the service.
    pub id: ProcessId,
    /// Kind of program.
    pub kind: ServiceKind,
    /// Role.
    pub role: Role,
    /// Name by which the configuration declares it.
    pub name: Option<Arc<str>>,
    /// systemd unit, from the cgroup path; empty when in none.
    pub unit: String,
}

/// What a process did, for rules to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// It replaced its image; what it runs now is [`Subject::program`].
    Exec,
    /// It did something to a file.
    File(Arc<File>),
    /// It did something to a socket.
    Socket(Arc<Socket>),
    /// It still runs, a while after what spawned its branch has ended.
    Outlive,
    /// Nobody's: this many records are missing.
    Lose(u64),
}

/// An act under a service (in host scope and in watched directories: anybody's), with
/// everything rules and alerts are made from.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Position of its record in the stream.
    pub stamp: Stamp,
    /// The process that acts.
    pub process: ProcessId,
    /// Its `real_parent` at an exec (informative); `None` for other acts.
    pub parent: Option<ProcessId>,
    /// What it runs: for an exec the new program. Empty when its records were lost.
    pub program: Arc<Program>,
    /// What it did.
    pub act: Act,
    /// Service that wrote the `#!` script it runs, or the file named as its first
    /// argument, and how long ago.
    pub script_written: Option<Written>,
    /// The service it happened under; `None` only in host scope.
    pub service: Option<Arc<Service>>,
    /// Service root to the process itself, which is the last.
    pub lineage: Lineage,
    /// The process that made this one; `None` when unknown.
    pub creator: Option<Ancestor>,
    /// What this process ran before this exec, its own or inherited.
    pub previous: Option<Arc<Program>>,
    /// Part of the service process from which this branch left the service's own image:
    /// a worker (or both) for a request, the master for a helper like a log pipe.
    pub origin: Part,
    /// Transparent helpers (`jspawnhelper`, env, nohup, timeout, ...) between the service
    /// and the process left out: forks and execs that count.
    pub depth: u32,
    /// The exec is of the service's own image (re-exec, binary upgrade).
    pub own_image: bool,
    /// First process of this branch that left the service's own image.
    pub spawn_root: ProcessId,
    /// Records lost while the service was alive, so the lineage may be incomplete.
    pub lost_events: u64,
    /// How the exec stands to the profile of its service; `None` where none was asked.
    pub profile: Option<Arc<Standing>>,
}

impl Subject {
    /// Records are missing, and nobody knows whose they were.
    #[must_use]
    pub fn of_nobody(records: u64, time_ns: u64) -> Self {
        let process = ProcessId::default();
        let nobody = Ancestor {
            id: process,
            provenance: Provenance::Lost,
            program: None,
            chain: Vec::new(),
            chain_elided: 0,
            part: Part::Descendant,
            uid: 0,
            exit: None,
        };
        Self {
            stamp: Stamp {
                time_ns,
                ..Stamp::default()
            },
            process,
            parent: None,
            program: Arc::new(Program::default()),
            act: Act::Lose(records),
            script_written: None,
            profile: None,
            service: None,
            lineage: Lineage {
                ancestors: vec![nobody],
                elided: 0,
            },
            creator: None,
            previous: None,
            origin: Part::Descendant,
            depth: 0,
            own_image: false,
            spawn_root: process,
            lost_events: records,
        }
    }

    /// A variable of the environment, of the process itself or the nearest ancestor that
    /// left the service and has it.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&BStr> {
        let left = self.lineage.ancestors.iter().rev();
        let left = left.take_while(|ancestor| ancestor.part == Part::Descendant);
        let above = left.filter_map(|ancestor| ancestor.program.as_deref());
        let mut programs = std::iter::once(&*self.program).chain(above);
        programs.find_map(|program| {
            let found = program.env.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.as_ref())
        })
    }
}
