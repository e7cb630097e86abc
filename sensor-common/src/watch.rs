//! Classes of files worth watching, by name: which reads of members are recorded, and
//! which records are worth waking the agent for.
//!
//! The agent fills two maps with the names; both sides make keys by this module's rules.

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

/// Longest file name that can be watched as a whole, and how much of the end of a longer
/// one is looked at for its extension.
pub const TAIL: usize = 32;

/// Running hash of a part of a name (FNV-1a, 64 bit), letters in lower case. A collision
/// only makes one more name watched.
#[must_use]
pub const fn hash_byte(hash: u64, byte: u8) -> u64 {
    (hash ^ byte.to_ascii_lowercase() as u64).wrapping_mul(0x0000_0100_0000_01b3)
}

/// Hash of nothing.
pub const HASH_INIT: u64 = 0xcbf2_9ce4_8422_2325;

/// Where the hashes of a name are kept while its bytes are walked.
///
/// A trait, because the kernel side must keep them in map memory: in registers, every
/// name would be a state of its own to the verifier.
pub trait Walk {
    /// Reads a state.
    fn get(&self, state: State) -> u64;
    /// Writes a state.
    fn set(&mut self, state: State, value: u64);
}

/// What is kept of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Hash of all bytes so far.
    Name,
    /// Hash of the bytes since the last dot.
    Part,
    /// Bytes since the last dot; [`NO_DOT`] before the first.
    PartLen,
    /// That part begins with a letter.
    Lettered,
    /// Hash of the last whole part that begins with a letter: the extension, so that
    /// `libx.so.6` and `x.php.` are what they are.
    Extension,
}

/// Value of [`State::PartLen`] before the first dot.
pub const NO_DOT: u64 = u64::MAX;

/// Begins a walk.
pub fn begin(walk: &mut impl Walk) {
    walk.set(State::Name, HASH_INIT);
    walk.set(State::Part, HASH_INIT);
    walk.set(State::PartLen, NO_DOT);
    walk.set(State::Lettered, 0);
    walk.set(State::Extension, 0);
}

/// Takes the next byte.
pub fn step(walk: &mut impl Walk, byte: u8) {
    // Of a path only the last component counts.
    if byte == b'/' {
        return begin(walk);
    }
    walk.set(State::Name, hash_byte(walk.get(State::Name), byte));
    if byte == b'.' {
        close(walk);
        walk.set(State::Part, HASH_INIT);
        walk.set(State::PartLen, 0);
        walk.set(State::Lettered, 0);
        return;
    }
    if walk.get(State::PartLen) == 0 {
        walk.set(State::Lettered, u64::from(byte.is_ascii_alphabetic()));
    }
    if walk.get(State::PartLen) != NO_DOT {
        walk.set(State::PartLen, 1);
        walk.set(State::Part, hash_byte(walk.get(State::Part), byte));
    }
}

/// Ends a part: after the last byte, and at each dot.
pub fn close(walk: &mut impl Walk) {
    if walk.get(State::Lettered) != 0 {
        walk.set(State::Extension, walk.get(State::Part));
    }
}

/// Key of an extension (without its dot) or of a whole file name.
#[must_use]
pub fn key(text: &[u8]) -> u64 {
    text.iter()
        .fold(HASH_INIT, |hash, &byte| hash_byte(hash, byte))
}

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

/// A walk along an absolute path, which knows the directory of the last name.
///
/// Several slashes are one, and those behind the name count for nothing; links, `.` and
/// `..` are names like others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct PlaceWalk {
    /// Hash of the path so far, without slashes at its end.
    pub hash: u64,
    /// The same of the directory of the last name.
    pub directory: u64,
    /// 1 behind a slash.
    pub slash: u64,
}

impl PlaceWalk {
    /// Before the first byte.
    pub const START: Self = Self {
        hash: HASH_INIT,
        directory: 0,
        slash: 0,
    };

    /// Takes the next byte.
    #[must_use]
    pub const fn next(self, byte: u8) -> Self {
        if byte == b'/' {
            return Self { slash: 1, ..self };
        }
        if self.slash == 0 {
            let hash = hash_byte(self.hash, byte);
            return Self { hash, ..self };
        }
        Self {
            hash: hash_byte(hash_byte(self.hash, b'/'), byte),
            directory: self.hash,
            slash: 0,
        }
    }

    /// Behind the whole of `path`.
    #[must_use]
    pub fn along(path: &[u8]) -> Self {
        path.iter().fold(Self::START, |walk, &byte| walk.next(byte))
    }
}

/// Directory by name, as key of the map of watched places: the same words mean another
/// one below another root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct PlaceKey {
    /// [`PlaceWalk::hash`] of its absolute path.
    pub hash: u64,
    /// The root from which the path counts.
    pub root: DirectoryKey,
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

/// Read of a file by a service (its root), as key of the map of reported reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct ReadKey {
    /// File.
    pub file: FileKey,
    /// Service root.
    pub root: crate::map::ProcessId,
}

const _: () = assert!(size_of::<ReadKey>() == 32);
const _: () = assert!(size_of::<DirectoryKey>() == 16);
const _: () = assert!(size_of::<PlaceKey>() == 24);
const _: () = assert!(size_of::<FileKey>() == 16);

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Memory([u64; 5]);

    impl Walk for Memory {
        fn get(&self, state: State) -> u64 {
            self.0[state as usize]
        }

        fn set(&mut self, state: State, value: u64) {
            self.0[state as usize] = value;
        }
    }

    fn extension(name: &str) -> u64 {
        let mut memory = Memory::default();
        begin(&mut memory);
        name.bytes().for_each(|byte| step(&mut memory, byte));
        close(&mut memory);
        let last = name.rsplit('/').next().unwrap_or_default();
        assert_eq!(memory.get(State::Name), key(last.as_bytes()));
        memory.get(State::Extension)
    }

    #[test]
    fn a_path_ends_in_the_directory_of_its_name() {
        let directory = |path: &str| PlaceWalk::along(path.as_bytes()).directory;
        let cron = PlaceWalk::along(b"/etc/cron.d").hash;
        for path in [
            "/etc/cron.d/x",
            "//etc///cron.d//x",
            "/etc/cron.d/x/",
            "/etc/cron.d/other.name",
        ] {
            assert_eq!(directory(path), cron, "{path}");
        }
        assert_eq!(PlaceWalk::along(b"/etc/cron.d/").hash, cron);
        for path in ["/etc/cron.d", "/etc/cron.d/x/y", "/etc/cron.dx/x", "/x"] {
            assert_ne!(directory(path), cron, "{path}");
        }
        assert_eq!(directory("/x"), PlaceWalk::along(b"/").hash);
    }

    #[test]
    fn extensions_survive_versions_dots_and_case() {
        for (name, expected) in [
            ("x.php", "php"),
            ("x.PhP", "php"),
            ("x.php.", "php"),
            ("x.php.jpg", "jpg"),
            ("x.php8", "php8"),
            ("libx.so.6", "so"),
            ("/a.b/x.php", "php"),
            ("libphp8.2.so", "so"),
            (".htaccess", "htaccess"),
            (".user.ini", "ini"),
        ] {
            assert_eq!(extension(name), key(expected.as_bytes()), "{name}");
        }
        assert_eq!(extension("shadow"), 0);
        assert_eq!(extension("x.7z"), 0);
    }
}
