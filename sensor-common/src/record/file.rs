//! Records about files, and how the kernel side came to their paths.

use super::{Header, Written};

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

const _: () = assert!(size_of::<File>() == 208);
