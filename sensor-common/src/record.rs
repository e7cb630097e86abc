//! Records of the two rings: lifecycle (fork, exec, exit, listen) and file (files, sockets).
//!
//! A record is a header, the fixed part of its kind and, for exec and file, a payload
//! of byte strings whose lengths stand in the fixed part, in payload order. All
//! integers are native-endian; every byte is written by the kernel side.

mod file;
mod process;
mod socket;

pub use self::{
    file::{File, FileAction, FileSpans, PathSource},
    process::{Exec, Exit, FdRaw, Fork, Spans, TaskRow, row},
    socket::{Socket, SocketAction},
};
use crate::map::ProcessId;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum RecordKind {
    /// A process (never a thread) was created.
    Fork = 1,
    /// A process replaced its image.
    Exec = 2,
    /// The last thread of a process is gone.
    Exit = 3,
    /// A file was opened, renamed, linked or made executable.
    File = 4,
    /// A socket was connected, or began to listen.
    Socket = 5,
}

impl TryFrom<u32> for RecordKind {
    type Error = u32;

    fn try_from(value: u32) -> Result<Self, u32> {
        match value {
            1 => Ok(Self::Fork),
            2 => Ok(Self::Exec),
            3 => Ok(Self::Exit),
            4 => Ok(Self::File),
            5 => Ok(Self::Socket),
            other => Err(other),
        }
    }
}

/// Common start of all records.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Header {
    /// [`RecordKind`].
    pub kind: u32,
    /// Bytes of the whole record.
    pub len: u32,
    /// Sequence number on this CPU, from 1; a gap proves a loss.
    pub seq: u64,
    /// `CLOCK_BOOTTIME`, ns.
    pub time_ns: u64,
    /// CPU the record was made on.
    pub cpu: u32,
    /// [`fault`] bits: parts that could not be read or were cut.
    pub faults: u32,
    /// The process the record is about; for fork the child.
    pub process: ProcessId,
    /// Service root, all zero for a process outside every service.
    pub root: ProcessId,
    /// Forks between root and process.
    pub depth: u32,
    /// [`flag`] bits.
    pub flags: u32,
}

/// Bits of [`Header::flags`].
pub mod flag {
    /// The process is a member of the service in `root`.
    pub const MEMBER: u32 = 1;
    /// Exec: the executable's name is in the name map.
    pub const RECOGNISED: u32 = 1 << 1;
    /// Exec: the executable is a memfd or has no link in any directory.
    pub const UNLINKED: u32 = 1 << 2;
    /// Exec: the file lives in the upper (writable) layer of an overlay.
    pub const OVERLAY_UPPER: u32 = 1 << 3;
    /// Exec: `overlay` layer known at all (overlayfs and BTF had the field).
    pub const OVERLAY: u32 = 1 << 4;
    /// The process belongs to a candidate: an interpreter that may turn out a server.
    pub const CANDIDATE: u32 = 1 << 5;
    /// File: made by this very open (`FMODE_CREATED`).
    pub const CREATED: u32 = 1 << 6;
    /// File: the parent directory is a watched one.
    pub const WATCHED_DIRECTORY: u32 = 1 << 7;
    /// File, socket: reported by a permission hook, before the kernel did it.
    pub const ATTEMPT: u32 = 1 << 8;
    /// File, socket: came through `io_uring`.
    pub const IO_URING: u32 = 1 << 9;
    /// File: there is an inode in the record.
    pub const INODE: u32 = 1 << 10;
    /// Listen: a candidate became a service by it.
    pub const PROMOTED: u32 = 1 << 11;
}

/// Bits of [`Header::faults`].
pub mod fault {
    /// argv could not be read (in part).
    pub const ARGS: u32 = 1;
    /// The middle of argv is missing: it is longer than head and tail together.
    pub const ARGS_CUT: u32 = 1 << 1;
    /// The executable's path lost its root end.
    pub const EXE_CUT: u32 = 1 << 2;
    /// The working directory's path lost its root end.
    pub const CWD_CUT: u32 = 1 << 3;
    /// The file name given to exec could not be read or was cut.
    pub const FILENAME: u32 = 1 << 4;
    /// The environment could not be read.
    pub const ENV: u32 = 1 << 5;
    /// The middle of the environment is missing.
    pub const ENV_CUT: u32 = 1 << 6;
    /// A descriptor table or inode could not be read.
    pub const STDIO: u32 = 1 << 7;
    /// A path component or cgroup name could not be read.
    pub const PATH: u32 = 1 << 8;
    /// The lineage map was full: descendants of this process are not marked.
    pub const MAP_FULL: u32 = 1 << 9;
    /// File: the beginning of the typed path is missing.
    pub const TYPED: u32 = 1 << 10;
    /// File: the beginning of the other typed path is missing.
    pub const TYPED_OTHER: u32 = 1 << 11;
}

/// A member's last write to a file; all zero when none is remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Written {
    /// Root of the service whose member wrote it.
    pub root: ProcessId,
    /// How long ago, ns.
    pub age_ns: u64,
}

/// Ways to attach, best first; the discriminant stands in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
#[repr(u32)]
pub enum Rung {
    /// BTF-typed raw tracepoint.
    TpBtf = 1,
    /// Raw tracepoint.
    RawTp = 2,
    /// BPF trampoline at a kernel function.
    Fentry = 3,
    /// LSM hook.
    Lsm = 4,
    /// Breakpoint at a kernel function.
    Kprobe = 5,
    /// Tracepoints of the system calls.
    Syscall = 6,
}

impl Rung {
    /// Every rung.
    pub const ALL: &'static [Self] = &[
        Self::TpBtf,
        Self::RawTp,
        Self::Fentry,
        Self::Lsm,
        Self::Kprobe,
        Self::Syscall,
    ];

    /// Word used in metric labels and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TpBtf => "tp_btf",
            Self::RawTp => "raw_tp",
            Self::Fentry => "fentry",
            Self::Lsm => "lsm",
            Self::Kprobe => "kprobe",
            Self::Syscall => "syscall",
        }
    }
}

impl core::fmt::Display for Rung {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl TryFrom<u32> for Rung {
    type Error = u32;

    fn try_from(value: u32) -> Result<Self, u32> {
        Self::ALL
            .iter()
            .copied()
            .find(|rung| *rung as u32 == value)
            .ok_or(value)
    }
}

const _: () = assert!(size_of::<Header>() == 72);
const _: () = assert!(size_of::<Written>() == 24);
