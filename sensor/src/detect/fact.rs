//! What is asked of enrichment, and what it answers.

use bstr::BString;
use serde::{Deserialize, Serialize};

use super::masquerade::KnownShell;
use crate::{
    event::{FileId, ProcessId},
    service::container::Runtime,
};

/// What enrichment found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// The shells installed here; replaces the table.
    Shells(Vec<KnownShell>),
    /// Content of an executable, as asked for by [`Request::Hash`].
    Hash {
        /// Process it was asked for.
        process: ProcessId,
        /// Executable it was asked for.
        file: FileId,
        /// SHA-256; `None` when the file could not be read any more.
        sha256: Option<[u8; 32]>,
    },
    /// A file that an alert names, as asked for by [`Examine`].
    Examined(Box<Examined>),
    /// Names of a container and its pod, as asked for by [`Locate`].
    Located(Box<Located>),
}

/// A fact that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// SHA-256 of an executable; `/proc/<tgid>/exe` is the surest way to it.
    Hash {
        /// Process that runs it.
        process: ProcessId,
        /// Device and inode it must have.
        file: FileId,
        /// Bytes it must have.
        size: u64,
        /// Path in the process's mount namespace.
        path: BString,
        /// That namespace.
        mount_ns: u32,
    },
}

/// What a file has to do with an alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileRole {
    /// It was executed.
    #[default]
    Executable,
    /// It is the script that was run.
    Script,
    /// It was written, renamed, linked.
    Written,
}

impl FileRole {
    /// Word used in notices.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Executable => "executable",
            Self::Script => "script",
            Self::Written => "written",
        }
    }
}

/// A file to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examine {
    /// Number of the question.
    pub number: u64,
    /// What it has to do with the alert.
    pub role: FileRole,
    /// Path in the mount namespace.
    pub path: BString,
    /// Device and inode it had.
    pub file: Option<FileId>,
    /// Processes in that namespace, of which one may still live; the first acts.
    pub processes: Vec<ProcessId>,
    /// Mount namespace.
    pub mount_ns: u32,
}

impl Examine {
    /// It is what the first process runs.
    #[must_use]
    pub fn running(&self) -> bool {
        self.role == FileRole::Executable
    }
}

/// What a file was found to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examined {
    /// Number of the question.
    pub number: u64,
    /// What it has to do with the alert.
    pub role: FileRole,
    /// Path in its mount namespace.
    pub path: BString,
    /// SHA-256, of files up to 64 MiB.
    pub sha256: Option<[u8; 32]>,
    /// Bytes.
    pub size: Option<u64>,
    /// What it is, by how it begins.
    pub kind: Option<String>,
    /// The packages of its machine are known.
    pub packages_known: bool,
    /// The package that owns the path.
    pub package: Option<String>,
    /// Why this is not all, or not about the file of the alert.
    pub problem: Option<String>,
    /// Far ends of the sockets on descriptors 0, 1 and 2 of the process that runs it.
    pub peers: Vec<Peer>,
}

/// The far end of a socket on a standard descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Descriptor.
    pub fd: u8,
    /// Address and port, `listens at` its own, or `unix` and a path.
    pub far: String,
}

/// Whose container is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Whose {
    /// The container with this id.
    Container(String),
    /// That of a service whose control group, as the kernel's records have it, tells none:
    /// it may be in one of cgroup version 1.
    Service(ProcessId),
}

/// A container that is to be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locate {
    /// Which.
    pub whose: Whose,
    /// A process in it, which may have ended.
    pub process: ProcessId,
    /// Path of its control group.
    pub cgroup: BString,
}

/// What was found out about a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Located {
    /// As asked.
    pub whose: Whose,
    /// `None` when there is no container.
    pub container: Option<Placed>,
}

/// A container and its pod, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// 64 hex digits.
    pub id: String,
    /// What runs it.
    pub runtime: Option<Runtime>,
    /// Its image, as it was named when the container was made.
    pub image: Option<String>,
    /// Its name; in a pod the one of the pod's description.
    pub name: Option<String>,
    /// Its pod.
    pub pod: Option<PodFacts>,
}

/// A pod of Kubernetes, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodFacts {
    /// UUID, or the hash of a static pod.
    pub uid: String,
    /// Namespace and name: both or none.
    pub name: Option<(String, String)>,
    /// Labels that the configuration allows, by key.
    pub labels: Vec<(String, String)>,
}
