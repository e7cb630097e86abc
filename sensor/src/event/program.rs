//! What a process runs: its executable, its arguments, what was around it.

use bstr::{BStr, BString};
use serde::{Deserialize, Serialize};

use super::{Faults, Kin, Written, name_of};

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
    /// What tells those that are alike.
    #[serde(skip)]
    pub kin: Kin,
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
