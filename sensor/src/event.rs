//! Decoded, owned events: what the core consumes.
//!
//! Integers have been checked, spans resolved, the environment reduced to named
//! variables. Byte strings stay bytes: paths and argv need not be UTF-8. Times are
//! `CLOCK_BOOTTIME` nanoseconds. Nothing here reads a clock, a file or `/proc`.

mod act;
mod kin;
mod program;

use std::{fmt, sync::Arc};

use bstr::BStr;
pub use sensor_common::{
    map::ProcessId,
    record::{FileAction, PathSource, Rung, SocketAction},
};
use serde::{Deserialize, Serialize};

pub(crate) use self::kin::{FOLD, Kinds, Likeness, pair};
pub use self::{
    act::{Actor, File, Inode, Socket, Written},
    kin::Kin,
    program::{Args, Cgroup, Credentials, Fd, FileId, Image, Namespaces, Program, Source},
};

/// Where a record stood in the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// CPU that made the record.
    pub cpu: u32,
    /// Sequence number on that CPU, from 1.
    pub seq: u64,
    /// `CLOCK_BOOTTIME`, ns.
    pub time_ns: u64,
}

/// What the kernel side says about a process and its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Root of the service.
    pub root: ProcessId,
    /// Forks between root and process.
    pub depth: u32,
}

/// One thing that happened to one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A process was created.
    Fork(Fork),
    /// A process replaced its image.
    Exec(Exec),
    /// A process ended.
    Exit(Exit),
    /// A file was opened, renamed, linked or made executable.
    File(Arc<File>),
    /// A socket was connected, or began to listen.
    Socket(Arc<Socket>),
    /// Records are missing here.
    Lost(Lost),
}

impl Event {
    /// Position in the stream of its ring; `None` for a gap in one.
    #[must_use]
    pub fn stamp(&self) -> Option<Stamp> {
        match self {
            Self::Fork(fork) => Some(fork.stamp),
            Self::Exec(exec) => Some(exec.stamp),
            Self::Exit(exit) => Some(exit.stamp),
            Self::File(file) => Some(file.stamp),
            Self::Socket(socket) => Some(socket.stamp),
            Self::Lost(_) => None,
        }
    }

    /// When it happened, ns: of a gap the time of the first record after it.
    #[must_use]
    pub fn time_ns(&self) -> u64 {
        match self {
            Self::Lost(lost) => lost.time_ns,
            _ => self.stamp().unwrap_or_default().time_ns,
        }
    }
}

/// A process was created. Threads are not processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// Position in the stream.
    pub stamp: Stamp,
    /// The new process.
    pub child: ProcessId,
    /// Membership inherited by the child.
    pub membership: Option<Membership>,
    /// The process that called fork: the parent in every lineage, for ever.
    pub creator: ProcessId,
    /// The thread that called fork.
    pub creator_tid: u32,
    /// `real_parent` at birth; differs from `creator` with `CLONE_PARENT`.
    pub parent: ProcessId,
    /// Real uid of the creator.
    pub uid: u32,
}

/// A process replaced its image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exec {
    /// Position in the stream.
    pub stamp: Stamp,
    /// The process; its identity survives the exec.
    pub process: ProcessId,
    /// Membership, if any.
    pub membership: Option<Membership>,
    /// The executable's file name is one of a server program.
    pub recognised: bool,
    /// The executable's file name is one of a candidate, outside every service.
    pub candidate: bool,
    /// `real_parent` at this moment (informative: may be init or a subreaper).
    pub parent: ProcessId,
    /// What runs now.
    pub program: Arc<Program>,
}

/// A process ended: its last thread is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Position in the stream.
    pub stamp: Stamp,
    /// The process.
    pub process: ProcessId,
    /// Membership, if any.
    pub membership: Option<Membership>,
    /// How it ended.
    pub status: ExitStatus,
}

/// Wait status of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitStatus {
    /// Exit code.
    Code(u8),
    /// Killed by this signal.
    Signal(u8),
}

/// A clock tick of `/proc` times, ns (`USER_HZ` is the same on every machine).
pub const TICK_NS: u64 = 10_000_000;

/// Which ring a record came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RingKind {
    /// fork, exec, exit, listen.
    #[default]
    Lifecycle,
    /// Files and connects.
    File,
}

impl RingKind {
    /// Word used in metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lifecycle => "lifecycle",
            Self::File => "file",
        }
    }
}

/// Records of one CPU are missing: a gap in its sequence numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Ring whose records are missing.
    pub ring: RingKind,
    /// CPU whose sequence has the gap.
    pub cpu: u32,
    /// How many numbers are missing.
    pub count: u64,
    /// Time of the first record after the gap, ns.
    pub time_ns: u64,
}

/// Parts of a record that could not be read or were cut:
/// `sensor_common::record::fault` bits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults(pub u32);

impl Faults {
    /// `true` when nothing is missing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// `true` when any of `bits` is set.
    #[must_use]
    pub const fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Faults({:#x})", self.0)
    }
}

/// The processes that existed when the scan ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When the scan ended, ns.
    pub time_ns: u64,
    /// Members of services; in host scope every process.
    pub processes: Vec<Scanned>,
}

/// One process of a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scanned {
    /// The process.
    pub process: ProcessId,
    /// `real_parent` at the scan.
    pub parent: ProcessId,
    /// Membership, if any.
    pub membership: Option<Membership>,
    /// The executable's file name is one of a server program.
    pub recognised: bool,
    /// What it ran; `None` when it was gone before `/proc` could be read.
    pub program: Option<Arc<Program>>,
}

/// Last component of a path.
fn name_of(path: &[u8]) -> &BStr {
    let start = path
        .iter()
        .rposition(|&byte| byte == b'/')
        .map_or(0, |slash| slash + 1);
    path.get(start..).unwrap_or_default().into()
}
