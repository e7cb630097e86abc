//! Classes of files worth watching, by name: which reads of members are recorded, and
//! which records are worth waking the agent for.
//!
//! The agent fills two maps with the names; both sides make keys by this module's rules.

use crate::limit::CLASS_NAME;

/// Class bits.
pub mod class {
    /// Source of a script or page that a server runs.
    pub const SCRIPT: u32 = 1;
    /// Shared object.
    pub const LIBRARY: u32 = 1 << 1;
    /// Archive that a server deploys.
    pub const ARCHIVE: u32 = 1 << 2;
    /// Configuration that changes how files are handled: `.htaccess`, `.user.ini`.
    pub const HANDLER: u32 = 1 << 3;
    /// Credentials.
    pub const CREDENTIAL: u32 = 1 << 4;
    /// Configuration of servers and their modules.
    pub const CONFIGURATION: u32 = 1 << 5;
}

/// Key of the class map: a whole file name, or a dot and an extension; lower case, NUL
/// padded.
pub type ClassKey = [u8; CLASS_NAME];

/// Directory, as key of the watched-directory map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct DirectoryKey {
    /// Inode number.
    pub ino: u64,
    /// Device, kernel encoding.
    pub dev: u32,
    /// Always 0: map keys are compared byte by byte.
    pub pad: u32,
}

/// File, as key of the maps that remember writes and reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct FileKey {
    /// Inode number.
    pub ino: u64,
    /// Device, kernel encoding.
    pub dev: u32,
    /// `i_generation`: another one means a reused inode number.
    pub generation: u32,
}

const _: () = assert!(size_of::<DirectoryKey>() == 16);
const _: () = assert!(size_of::<FileKey>() == 16);
