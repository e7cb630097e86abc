//! The fields of alerts about files and connects.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::alert::word::{self, Word};

/// `file.*`: the file acted on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Path; of a rename or link the new name.
    pub path: String,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_b64: Option<String>,
    /// Last component of `path`.
    pub name: String,
    /// `path` without it.
    pub directory: String,
    /// What follows the last dot, lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// Old name of a rename or link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_path: Option<String>,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_path_b64: Option<String>,
    /// What a symbolic link says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_path: Option<String>,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_path_b64: Option<String>,
    /// `object`, `fd` or `joined`.
    #[serde(deserialize_with = "word::one")]
    pub path_source: Word,
    /// The act made the file.
    pub created: bool,
    /// It came through `io_uring`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub io_uring: bool,
    /// Facts of the inode, where the hook knew it.
    #[serde(flatten)]
    pub inode: Option<Inode>,
    /// The service that wrote it before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_by: Option<WrittenBy>,
}

/// Facts of an inode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inode {
    /// `major:minor`.
    pub device: String,
    /// Inode number, as a string (ECS).
    pub inode: String,
    /// Bytes before the act.
    pub size: u64,
    /// Permission bits in octal; of a chmod those asked for.
    pub mode: String,
    /// Owner.
    pub uid: String,
    /// Name of the owner, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Group.
    pub gid: String,
    /// Inode change time before the act.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ctime: Option<String>,
}

/// Who wrote a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WrittenBy {
    /// `entity_id` of the service's root.
    pub service: String,
    /// How long before.
    pub seconds: u64,
}

/// `source.*` or `destination.*`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Address.
    pub ip: IpAddr,
    /// Port.
    pub port: u16,
}

/// `network.*`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// `tcp`, `udp`, `sctp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(default, deserialize_with = "word::option")]
    pub transport: Option<Word>,
    /// IANA protocol number.
    pub iana_number: u32,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}
