//! Records of the two rings: lifecycle (fork, exec, exit, listen) and file (files, sockets).
//!
//! A record is a header, the fixed part of its kind and, for exec and file, a payload
//! of byte strings whose lengths stand in the fixed part, in payload order. All
//! integers are native-endian; every byte is written by the kernel side.

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

/// A member's last write to a file; all zero when none is remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Written {
    /// Root of the service whose member wrote it.
    pub root: ProcessId,
    /// How long ago, ns.
    pub age_ns: u64,
}

/// What was done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
#[repr(u32)]
pub enum FileAction {
    /// Opened for writing.
    Write = 1,
    /// Opened for reading.
    Read = 2,
    /// Renamed; another file of the new name is gone.
    Rename = 3,
    /// Two names exchanged (`RENAME_EXCHANGE`).
    Exchange = 4,
    /// Given one more name.
    Link = 5,
    /// A symbolic link made.
    Symlink = 6,
    /// Execute or set-id bits were added.
    Chmod = 7,
}

impl TryFrom<u32> for FileAction {
    type Error = u32;

    fn try_from(value: u32) -> Result<Self, u32> {
        [
            Self::Write,
            Self::Read,
            Self::Rename,
            Self::Exchange,
            Self::Link,
            Self::Symlink,
            Self::Chmod,
        ]
        .into_iter()
        .find(|action| *action as u32 == value)
        .ok_or(value)
    }
}

/// How the kernel side came to the paths of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
#[repr(u32)]
pub enum PathSource {
    /// From the kernel objects the operation works on.
    Object = 1,
    /// From the file behind the descriptor the call returned or was given.
    Fd = 2,
    /// Typed by the caller, joined to the kernel's path of the directory it counts from:
    /// symbolic links and `..` are not resolved.
    Joined = 3,
}

impl TryFrom<u32> for PathSource {
    type Error = u32;

    fn try_from(value: u32) -> Result<Self, u32> {
        match value {
            1 => Ok(Self::Object),
            2 => Ok(Self::Fd),
            3 => Ok(Self::Joined),
            other => Err(other),
        }
    }
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

/// Lengths in bytes of a file record's strings, in payload order.
///
/// Each path is the components of a kernel object from the leaf to the root, each ended
/// by NUL, and behind it text that is still to be joined to it, ended by NUL.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct FileSpans {
    /// Components of the path acted on; for rename and link the new name's.
    pub path: u32,
    /// Text to be joined to `path`.
    pub path_text: u32,
    /// Components of the other path: the old name of a rename or link.
    pub other: u32,
    /// Text to be joined to `other`; the target of a symbolic link, as it is.
    pub other_text: u32,
    /// Strangers only: components of the executable of the process.
    pub exe: u32,
    /// Strangers only: file names of the executables of its parents as they are now, the
    /// nearest first, each ended by NUL.
    pub parents: u32,
}

/// File: header, fixed fields, then the payload described by `spans`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct File {
    /// The process that acts.
    pub header: Header,
    /// Inode number.
    pub ino: u64,
    /// Bytes, at the time of the act.
    pub size: u64,
    /// Inode change time, seconds since the epoch; 0 when unknown.
    pub ctime_s: i64,
    /// Who wrote the file before this act.
    pub written: Written,
    /// [`FileAction`].
    pub action: u32,
    /// [`PathSource`].
    pub source: u32,
    /// [`Rung`] that reported it.
    pub rung: u32,
    /// `open` flags, `renameat2` flags, or the mode `chmod` asked for.
    pub argument: u32,
    /// [`crate::watch`] class bits of the file's name.
    pub class: u32,
    /// Device, kernel encoding.
    pub dev: u32,
    /// Inode generation: tells a reused inode number.
    pub generation: u32,
    /// Links.
    pub nlink: u32,
    /// `i_mode`.
    pub mode: u32,
    /// Owner.
    pub owner: u32,
    /// Group.
    pub group: u32,
    /// Nanoseconds of `ctime_s`.
    pub ctime_ns: u32,
    /// Real uid of the process.
    pub uid: u32,
    /// Effective uid.
    pub euid: u32,
    /// Inode number of the mount namespace.
    pub mount_ns: u32,
    /// Always 0.
    pub pad: u32,
    /// Payload lengths.
    pub spans: FileSpans,
}

/// What happened to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
#[repr(u32)]
pub enum SocketAction {
    /// `connect` was called; for a socket that does not block it may go on.
    Connect = 1,
    /// `listen` was called.
    Listen = 2,
}

impl TryFrom<u32> for SocketAction {
    type Error = u32;

    fn try_from(value: u32) -> Result<Self, u32> {
        match value {
            1 => Ok(Self::Connect),
            2 => Ok(Self::Listen),
            other => Err(other),
        }
    }
}

/// Socket: header and both ends.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Socket {
    /// The process that acts.
    pub header: Header,
    /// Remote address of a connect, network order; IPv4 in the first four bytes.
    pub remote: [u8; 16],
    /// Local address, likewise.
    pub local: [u8; 16],
    /// [`SocketAction`].
    pub action: u32,
    /// [`Rung`] that reported it.
    pub rung: u32,
    /// `AF_INET` (2) or `AF_INET6` (10).
    pub family: u32,
    /// `IPPROTO_*`.
    pub protocol: u32,
    /// Remote port, host order.
    pub remote_port: u32,
    /// Local port, host order.
    pub local_port: u32,
    /// Descriptor; negative when the hook does not know it.
    pub fd: i32,
    /// Result: 0, or a negative errno (`-EINPROGRESS` for one that does not block).
    pub result: i32,
    /// Inode number of the network namespace.
    pub net_ns: u32,
    /// Real uid of the process.
    pub uid: u32,
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

const _: () = assert!(size_of::<Header>() == 72);
const _: () = assert!(size_of::<Fork>() == 112);
const _: () = assert!(size_of::<Exit>() == 80);
const _: () = assert!(size_of::<Spans>() == 40);
const _: () = assert!(size_of::<Exec>() == 288);
const _: () = assert!(size_of::<Written>() == 24);
const _: () = assert!(size_of::<File>() == 208);
const _: () = assert!(size_of::<Socket>() == 144);
const _: () = assert!(size_of::<TaskRow>() == 64);
