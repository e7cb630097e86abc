//! Decoded, owned events: what the core consumes.
//!
//! Integers have been checked, spans resolved, the environment reduced to named
//! variables. Byte strings stay bytes: paths and argv need not be UTF-8. Times are
//! `CLOCK_BOOTTIME` nanoseconds. Nothing here reads a clock, a file or `/proc`.

use std::{fmt, net::SocketAddr, sync::Arc};

use bstr::{BStr, BString};
pub use sensor_common::{
    map::ProcessId,
    record::{FileAction, PathSource, Rung, SocketAction},
};
use serde::{Deserialize, Serialize};

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

/// A process did something to a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct File {
    /// Position in the stream of the file ring.
    pub stamp: Stamp,
    /// The process.
    pub process: ProcessId,
    /// Membership; `None` for a stranger in a watched directory.
    pub membership: Option<Membership>,
    /// What it did.
    pub action: FileAction,
    /// Path in the process's mount namespace; for a rename or link the new name.
    pub path: BString,
    /// How the kernel side came to the paths.
    pub source: PathSource,
    /// Old name of a rename or link, target text of a symbolic link.
    pub other: Option<BString>,
    /// The file itself; `None` where the hook does not know it.
    pub inode: Option<Inode>,
    /// Made by this very open.
    pub created: bool,
    /// `open` or `renameat2` flags, or the mode `chmod` asked for.
    pub argument: u32,
    /// `sensor_common::watch::class` bits of the file's name.
    pub class: u32,
    /// The parent directory is a watched one.
    pub in_watched_directory: bool,
    /// Reported before the kernel did it: it may have failed.
    pub attempt: bool,
    /// Came through `io_uring`.
    pub io_uring: bool,
    /// Service that wrote the file before, and how long ago.
    pub written: Option<Written>,
    /// What the process is, when it is a stranger of which the tree knows nothing.
    pub actor: Option<Actor>,
    /// Real uid of the process.
    pub uid: u32,
    /// Effective uid.
    pub euid: u32,
    /// Mount namespace.
    pub mount_ns: u32,
    /// How the hook is attached.
    pub rung: Rung,
    /// What is missing or cut.
    pub faults: Faults,
}

impl File {
    /// Last component of the path.
    #[must_use]
    pub fn name(&self) -> &BStr {
        name_of(&self.path)
    }

    /// An open that made the file. Of one that was only asked for (`io_uring` where nothing
    /// better can be hooked) it is taken for granted when it may have.
    #[must_use]
    pub fn creates(&self) -> bool {
        const O_CREAT: u32 = 0o100;
        let asked = self.attempt && self.argument & O_CREAT != 0;
        self.action == FileAction::Write && (self.created || asked)
    }
}

/// A clock tick of `/proc` times, ns (`USER_HZ` is the same on every machine).
pub const TICK_NS: u64 = 10_000_000;

/// A process outside every service, as its record describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Path of its executable.
    pub exe: BString,
    /// File names of the executables of its parents, the nearest first; at most
    /// `sensor_common::limit::PARENTS`.
    pub parents: Vec<BString>,
}

/// A file as its inode describes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inode {
    /// Device and number.
    pub file: FileId,
    /// Generation: another one means a reused number.
    pub generation: u32,
    /// Bytes.
    pub size: u64,
    /// Links.
    pub nlink: u32,
    /// `st_mode`.
    pub mode: u32,
    /// Owner uid.
    pub owner: u32,
    /// Group gid.
    pub group: u32,
    /// Change time, ns since the epoch, where BTF has the field.
    pub ctime_ns: Option<i64>,
}

/// A service's last write to a file, as the kernel side remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Root of the service.
    pub root: ProcessId,
    /// How long ago, ns.
    pub age_ns: u64,
}

/// A process did something to a socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Socket {
    /// Position in the stream.
    pub stamp: Stamp,
    /// The process.
    pub process: ProcessId,
    /// Membership, if any.
    pub membership: Option<Membership>,
    /// What it did.
    pub action: SocketAction,
    /// `IPPROTO_*`: 6 is TCP, 17 is UDP.
    pub protocol: u32,
    /// Local end.
    pub local: SocketAddr,
    /// Remote end of a connect.
    pub remote: Option<SocketAddr>,
    /// Descriptor, where the hook knows it.
    pub fd: Option<u32>,
    /// 0, or a negative errno.
    pub result: i32,
    /// Network namespace.
    pub net_ns: u32,
    /// Real uid of the process.
    pub uid: u32,
    /// A candidate became a service by listening.
    pub promoted: bool,
    /// The process belongs to a candidate: see `sensor_common::map::service`.
    pub candidate: bool,
    /// Reported before the kernel did it.
    pub attempt: bool,
    /// Came through `io_uring`.
    pub io_uring: bool,
    /// How the hook is attached.
    pub rung: Rung,
}

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

/// What a process runs: executable, argv, surroundings, as they were at exec (or when
/// the start-up scan read `/proc`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// When it was seen, ns; for a scanned program the time of the scan.
    pub time_ns: u64,
    /// Exec event or scan.
    pub source: Source,
    /// The executable file.
    pub image: Image,
    /// Path given to exec: for a `#!` script the script, else the program as named.
    pub filename: BString,
    /// Interpreter named by `#!`, as the kernel recorded it; equals `filename` otherwise.
    pub interp: BString,
    /// Command line.
    pub args: Args,
    /// Working directory, resolved by the kernel.
    pub cwd: BString,
    /// User and group ids.
    pub cred: Credentials,
    /// Namespaces and the pid inside them.
    pub ns: Namespaces,
    /// Control group.
    pub cgroup: Cgroup,
    /// Descriptors 0, 1, 2.
    pub stdio: [Fd; 3],
    /// The variables of the allow-list that were set, in environment order.
    pub env: Vec<(BString, BString)>,
    /// Service that wrote the executable, and how long before the exec.
    pub written: Option<Written>,
    /// What is missing or cut.
    pub faults: Faults,
}

impl Program {
    /// The `#!` script this program interprets, when it was started through one.
    #[must_use]
    pub fn script(&self) -> Option<&BStr> {
        (self.interp != self.filename && !self.interp.is_empty() && !self.filename.is_empty())
            .then_some(self.filename.as_ref())
    }
}

/// How a program became known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// By an exec event.
    #[default]
    Exec,
    /// By reading `/proc` at start-up or after a loss.
    Scan,
}

/// An executable file, as the kernel resolved it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Path in the process's own mount namespace, from its root; `memfd:name` for a
    /// memory file.
    pub path: BString,
    /// Device and inode.
    pub file: FileId,
    /// Bytes.
    pub size: u64,
    /// Links; 0 for memory files and deleted files.
    pub nlink: u32,
    /// `st_mode`.
    pub mode: u32,
    /// Owner uid.
    pub owner: u32,
    /// Group gid.
    pub group: u32,
    /// Inode change time, ns since the epoch, where BTF has the field.
    pub ctime_ns: Option<i64>,
    /// Written since the container image was made (overlayfs upper layer); `None` when
    /// the file is on no overlay or the kernel does not tell.
    pub upper: Option<bool>,
    /// The file has no name in any directory (memfd, `O_TMPFILE`, deleted).
    pub unlinked: bool,
}

impl Image {
    /// Last component of the path.
    #[must_use]
    pub fn name(&self) -> &BStr {
        name_of(&self.path)
    }

    /// `true` when the executable lives in anonymous memory.
    #[must_use]
    pub fn is_memfd(&self) -> bool {
        self.unlinked && self.name().starts_with(b"memfd:")
    }
}

/// Last component of a path.
fn name_of(path: &[u8]) -> &BStr {
    let start = path
        .iter()
        .rposition(|&byte| byte == b'/')
        .map_or(0, |slash| slash + 1);
    path.get(start..).unwrap_or_default().into()
}

/// Device (kernel encoding, `major << 20 | minor`) and inode number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileId {
    /// Device.
    pub dev: u32,
    /// Inode number.
    pub ino: u64,
}

/// argv, possibly without its middle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Args {
    /// Arguments from the first; the last may be cut when `truncated`.
    pub head: Vec<BString>,
    /// Arguments up to the last, when the head did not reach them; the first may be cut.
    pub tail: Vec<BString>,
    /// How many there were.
    pub argc: u32,
    /// Bytes of argv in the process, NULs included.
    pub total: u64,
    /// The middle is missing.
    pub truncated: bool,
}

impl Args {
    /// What stands for the missing middle.
    pub const ELISION: &'static str = "[...]";

    /// All captured arguments in order, [`Self::ELISION`] for a missing middle.
    pub fn iter(&self) -> impl Iterator<Item = &BStr> {
        let gap = self.truncated.then(|| BStr::new(Self::ELISION));
        self.head
            .iter()
            .map(AsRef::as_ref)
            .chain(gap)
            .chain(self.tail.iter().map(AsRef::as_ref))
    }

    /// The arguments joined by blanks, without quoting: Sigma's `CommandLine`.
    #[must_use]
    pub fn command_line(&self) -> BString {
        let mut line = BString::default();
        for (index, arg) in self.iter().enumerate() {
            if index > 0 {
                line.push(b' ');
            }
            line.extend_from_slice(arg);
        }
        line
    }
}

/// User and group ids of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Real uid.
    pub uid: u32,
    /// Real gid.
    pub gid: u32,
    /// Effective uid.
    pub euid: u32,
    /// Effective gid.
    pub egid: u32,
    /// Audit login uid; `None` when unset.
    pub login_uid: Option<u32>,
    /// Audit session; `None` when unset.
    pub session_id: Option<u32>,
}

/// Namespace inode numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespaces {
    /// Mount namespace.
    pub mount: u32,
    /// pid namespace.
    pub pid: u32,
    /// pid inside it.
    pub inner_pid: u32,
}

/// Control group of the unified hierarchy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    /// cgroup v2 id: the inode number of its directory.
    pub id: u64,
    /// Path below the hierarchy's root.
    pub path: BString,
}

/// What a descriptor refers to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fd {
    /// Could not be read.
    #[default]
    Unknown,
    /// Not open.
    Closed,
    /// A pipe.
    Pipe,
    /// A socket.
    Socket,
    /// A terminal or pseudo-terminal.
    Tty,
    /// `/dev/null`.
    Null,
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// Another character or block device.
    Device,
    /// An anonymous inode (eventfd, epoll, ...).
    Anonymous,
}

impl Fd {
    /// Word used in Sigma fields and alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Closed => "closed",
            Self::Pipe => "pipe",
            Self::Socket => "socket",
            Self::Tty => "tty",
            Self::Null => "null",
            Self::File => "file",
            Self::Directory => "directory",
            Self::Device => "device",
            Self::Anonymous => "anonymous",
        }
    }
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
