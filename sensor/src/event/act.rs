//! What a process did to a file or a socket.

use std::net::SocketAddr;

use bstr::{BStr, BString};
use sensor_common::{
    map::ProcessId,
    record::{FileAction, PathSource, Rung, SocketAction},
};
use serde::{Deserialize, Serialize};

use super::{Faults, FileId, Membership, Stamp, name_of};

/// `IPPROTO_TCP`.
const TCP: u32 = 6;

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
    /// Who did what to which file, on a rung that knows paths; nothing else is known.
    #[must_use]
    pub fn bare(process: ProcessId, action: FileAction, path: BString) -> Self {
        Self {
            stamp: Stamp::default(),
            process,
            membership: None,
            action,
            path,
            source: PathSource::Object,
            other: None,
            inode: None,
            created: false,
            argument: 0,
            class: 0,
            in_watched_directory: false,
            attempt: false,
            io_uring: false,
            written: None,
            actor: None,
            uid: 0,
            euid: 0,
            mount_ns: 0,
            rung: Rung::Fentry,
            faults: Faults::default(),
        }
    }

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

impl Socket {
    /// Who did what to a TCP socket, which succeeded; nothing else is known.
    #[must_use]
    pub fn bare(process: ProcessId, action: SocketAction, local: SocketAddr) -> Self {
        Self {
            stamp: Stamp::default(),
            process,
            membership: None,
            action,
            protocol: TCP,
            local,
            remote: None,
            fd: None,
            result: 0,
            net_ns: 0,
            uid: 0,
            promoted: false,
            candidate: false,
            attempt: false,
            io_uring: false,
            rung: Rung::Fentry,
        }
    }
}
