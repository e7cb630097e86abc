//! The fields of alerts about processes: the one that acts, its parent, its lineage.

use serde::{Deserialize, Serialize};

use super::WrittenBy;
use crate::alert::word::{self, Word};

/// A user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// uid, as a string (ECS).
    pub id: String,
    /// Name, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// `process.*`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Identity across pid reuse, boots and hosts.
    pub entity_id: String,
    /// When it was forked.
    pub start: String,
    /// The file the kernel runs.
    pub executable: String,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable_b64: Option<String>,
    /// What was asked for, when the kernel resolved it to another file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename_b64: Option<String>,
    /// The `#!` script that `executable` interprets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script_b64: Option<String>,
    /// The service that wrote the script it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script_written_by: Option<WrittenBy>,
    /// argv; `[...]` stands for what is missing.
    pub args: Vec<String>,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args_b64: Option<Vec<String>>,
    /// How many arguments there were.
    pub args_count: u32,
    /// argv joined by blanks.
    pub command_line: String,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_line_b64: Option<String>,
    /// Working directory.
    pub working_directory: String,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_directory_b64: Option<String>,
    /// Effective user.
    pub user: User,
    /// Real user, when another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub real_user: Option<User>,
    /// Descriptors 0, 1, 2.
    pub stdio: Stdio,
    /// pid in its own pid namespace.
    pub namespace_pid: u32,
    /// The executable file.
    pub file: File,
    /// Telling environment variables that were set, `NAME=value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_vars: Vec<String>,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env_vars_b64: Option<Vec<String>>,
    /// What the same process exec'ed before, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub previous: Vec<Image>,
    /// The process that forked it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// Who had adopted it by the time of the exec, when not the parent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopted_by: Option<Reference>,
}

/// A program run earlier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// The file.
    pub executable: String,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable_b64: Option<String>,
    /// argv.
    pub args: Vec<String>,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args_b64: Option<Vec<String>>,
}

/// `process.stdio.*`: what each descriptor is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stdio {
    /// Descriptor 0.
    #[serde(deserialize_with = "word::one")]
    pub stdin: Word,
    /// Descriptor 1.
    #[serde(deserialize_with = "word::one")]
    pub stdout: Word,
    /// Descriptor 2.
    #[serde(deserialize_with = "word::one")]
    pub stderr: Word,
}

/// `process.file.*`: facts of the executable file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// `major:minor`.
    pub device: String,
    /// Inode number, as a string (ECS).
    pub inode: String,
    /// Bytes.
    pub size: u64,
    /// Permission bits in octal.
    pub mode: String,
    /// Owner.
    pub uid: String,
    /// Group.
    pub gid: String,
    /// It has no name in any directory: memfd, deleted.
    pub unlinked: bool,
    /// Inode change time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ctime: Option<String>,
    /// Written since the container image was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlay_upper: Option<bool>,
    /// The service that wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_by: Option<WrittenBy>,
}

/// `process.parent.*`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parent {
    /// See [`Process::pid`].
    pub pid: u32,
    /// See [`Process::entity_id`].
    pub entity_id: String,
    /// When it was forked.
    pub start: String,
    /// Its program; absent when its records were lost.
    #[serde(flatten)]
    pub image: Option<Image>,
    /// Real user.
    pub user: User,
    /// How it became known.
    #[serde(deserialize_with = "word::one")]
    pub provenance: Word,
}

/// Another process by its identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// See [`Process::pid`].
    pub pid: u32,
    /// See [`Process::entity_id`].
    pub entity_id: String,
}

/// One process of `lineage[]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Relative {
    /// Steps from the root, which is 0.
    pub position: u32,
    /// See [`Process::pid`].
    pub pid: u32,
    /// See [`Process::entity_id`].
    pub entity_id: String,
    /// When it was forked.
    pub start: String,
    /// Part it has in its service.
    #[serde(deserialize_with = "word::one")]
    pub part: Word,
    /// How it became known.
    #[serde(deserialize_with = "word::one")]
    pub provenance: Word,
    /// Its program; absent when its records were lost.
    #[serde(flatten)]
    pub image: Option<Image>,
    /// Executables it has exec'ed itself, oldest first, the current one last.
    pub chain: Vec<String>,
    /// Executables left out of the middle of `chain`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub chain_elided: u32,
    /// Real user.
    pub user: User,
    /// How it ended, when it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exit {
    /// When.
    pub time: String,
    /// Exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
    /// Or the signal that killed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<u8>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}
