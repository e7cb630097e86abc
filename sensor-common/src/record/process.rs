//! Records about processes: fork, exec, exit; and the rows of the task iterator.

use super::{Header, Written};
use crate::map::ProcessId;

/// Fork: header (the child) and who made it.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Fork {
    /// The child, with its inherited membership.
    pub header: Header,
    /// The process that called fork, whichever of its threads did.
    pub creator: ProcessId,
    /// `real_parent` at birth; differs from `creator` with `CLONE_PARENT`.
    pub parent: ProcessId,
    /// Thread that called fork.
    pub creator_tid: u32,
    /// Real uid of the creator.
    pub uid: u32,
}

/// Exit: header and status.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Exit {
    /// The process that ended.
    pub header: Header,
    /// Wait status: exit code << 8, or the signal in the low 7 bits.
    pub status: u32,
    /// Always 0.
    pub pad: u32,
}

/// What a descriptor refers to: `i_mode` type bits and device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct FdRaw {
    /// `i_mode` (type and permission bits), or [`FdRaw::CLOSED`].
    pub mode: u32,
    /// `i_rdev` of a character or block device, kernel encoding (major << 20 | minor).
    pub rdev: u32,
}

impl FdRaw {
    /// No such descriptor.
    pub const CLOSED: u32 = u32::MAX;
    /// Could not be read.
    pub const UNREADABLE: u32 = u32::MAX - 1;
}

/// Lengths in bytes of the payload strings, in payload order.
///
/// Paths (`exe`, `cwd`, `cgroup`) are components from the leaf to the root, each
/// ended by NUL; user space reverses them.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Spans {
    /// argv from its start, NUL separated.
    pub args_head: u32,
    /// argv up to its end, when the head did not reach it.
    pub args_tail: u32,
    /// Path given to exec (the script for `#!`), with NUL.
    pub filename: u32,
    /// `bprm->interp`, with NUL.
    pub interp: u32,
    /// Executable, resolved by the kernel.
    pub exe: u32,
    /// Working directory, resolved by the kernel.
    pub cwd: u32,
    /// cgroup v2 path.
    pub cgroup: u32,
    /// Environment from its start, NUL separated.
    pub env_head: u32,
    /// Environment up to its end.
    pub env_tail: u32,
    /// Always 0.
    pub pad: u32,
}

/// Exec: header, fixed fields, then the payload described by `spans`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Exec {
    /// The process, after the exec.
    pub header: Header,
    /// `real_parent` now: informative, the creator is in the fork record.
    pub parent: ProcessId,
    /// Inode number of the executable.
    pub ino: u64,
    /// Size of the executable, bytes.
    pub size: u64,
    /// Inode change time, seconds since the epoch; 0 when BTF lacks the field.
    pub ctime_s: i64,
    /// cgroup v2 id.
    pub cgroup_id: u64,
    /// Bytes of argv in the process, NULs included.
    pub args_total: u64,
    /// Bytes of the environment in the process.
    pub env_total: u64,
    /// Device of the executable, kernel encoding (major << 20 | minor).
    pub dev: u32,
    /// Links to the executable; 0 for memfd, `O_TMPFILE` and deleted files.
    pub nlink: u32,
    /// `i_mode` of the executable.
    pub mode: u32,
    /// Owner of the executable.
    pub owner: u32,
    /// Group of the executable.
    pub group: u32,
    /// Nanoseconds of `ctime_s`.
    pub ctime_ns: u32,
    /// Credentials of the process after the exec.
    pub uid: u32,
    /// See `uid`.
    pub gid: u32,
    /// See `uid`.
    pub euid: u32,
    /// See `uid`.
    pub egid: u32,
    /// Audit login uid; `u32::MAX` when unset or unknown.
    pub login_uid: u32,
    /// Audit session id; `u32::MAX` when unset or unknown.
    pub session_id: u32,
    /// Inode number of the mount namespace.
    pub mount_ns: u32,
    /// Inode number of the pid namespace (for children).
    pub pid_ns: u32,
    /// pid inside its own pid namespace.
    pub ns_pid: u32,
    /// `bprm->argc`.
    pub argc: u32,
    /// Standard input, output, error.
    pub stdio: [FdRaw; 3],
    /// Payload lengths.
    pub spans: Spans,
    /// Who last wrote the executable, as far as the kernel side remembers.
    pub written: Written,
}

/// Row written by the task iterator for each process, members or not.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct TaskRow {
    /// The process.
    pub process: ProcessId,
    /// `real_parent` now.
    pub parent: ProcessId,
    /// Service root, all zero for non-members.
    pub root: ProcessId,
    /// Forks between root and process, as far as the scan can tell.
    pub depth: u32,
    /// [`row`] bits.
    pub flags: u32,
    /// Real uid.
    pub uid: u32,
    /// Always 0.
    pub pad: u32,
}

/// Bits of [`TaskRow::flags`].
pub mod row {
    /// The process is a member.
    pub const MEMBER: u32 = 1;
    /// This pass made it one.
    pub const ADDED: u32 = 1 << 1;
    /// The executable's name is in the name map.
    pub const RECOGNISED: u32 = 1 << 2;
    /// The lineage map was full.
    pub const MAP_FULL: u32 = 1 << 3;
    /// The process stands in the candidate in `root`.
    pub const CANDIDATE: u32 = 1 << 4;
    /// The executable's name is one of an interpreter.
    pub const INTERPRETER: u32 = 1 << 5;
}

const _: () = assert!(size_of::<Fork>() == 112);
const _: () = assert!(size_of::<Exit>() == 80);
const _: () = assert!(size_of::<Spans>() == 40);
const _: () = assert!(size_of::<Exec>() == 288);
const _: () = assert!(size_of::<TaskRow>() == 64);
