//! The key under which secrets are hashed: what a file holds that only its owner should
//! read. Copied to every machine of a fleet it makes their alerts comparable.

use std::{
    fmt,
    fs::OpenOptions,
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use hmac::{Hmac, Mac as _};
use rustix::{fs::OFlags, process::geteuid, rand};
use sha2::Sha256;
use tempfile::NamedTempFile;

/// Bytes of a key that is made here.
const LENGTH: usize = 32;
/// Fewest bytes of one: what is shorter can be guessed.
const SHORTEST: usize = 16;
/// Most bytes of one.
const LONGEST: usize = 4_096;

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Vec<u8>);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read or made.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// Operation.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no file, or others may write it.
    #[error("{}: {why}", path.display())]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: &'static str,
    },
    /// It is not what it should be.
    #[error(
        "{} holds {found} bytes, and a key has {SHORTEST} to {LONGEST}: remove the file, and the \
         sensor makes a new one",
        path.display()
    )]
    Length {
        /// The file.
        path: PathBuf,
        /// Its size, bytes; at most one more than a key can have.
        found: usize,
    },
}

impl Key {
    /// Reads the key, or makes one where there is none.
    ///
    /// # Errors
    /// When the file cannot be read or made, or holds something else.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let io = |what| {
            move |source| KeyError::Io {
                what,
                path: path.into(),
                source,
            }
        };
        match Self::read(path) {
            Err(KeyError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            result => return result,
        }
        let directory = path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(directory).map_err(io("create the directory of"))?;
        // Only its owner may read it, from the first moment; it appears whole.
        let mut file = NamedTempFile::new_in(directory).map_err(io("make"))?;
        let key = Self::random().map_err(io("make a key for"))?;
        let written = file
            .write_all(&key.0)
            .and_then(|()| file.as_file().sync_all());
        written.map_err(io("write"))?;
        match file.persist_noclobber(path) {
            Ok(_) => Ok(key),
            // Another sensor was faster.
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Self::read(path),
            Err(error) => Err(io("make")(error.error)),
        }
    }

    /// The key in a file: all of it but the ends of lines behind it.
    fn read(path: &Path) -> Result<Self, KeyError> {
        let io = |what| {
            move |source| KeyError::Io {
                what,
                path: path.into(),
                source,
            }
        };
        let refuse = |why| KeyError::Unsafe {
            path: path.into(),
            why,
        };
        // Links are followed: secrets of Kubernetes are such. A pipe must not hang.
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(path)
            .map_err(io("open"))?;
        let metadata = file.metadata().map_err(io("examine"))?;
        if !metadata.is_file() {
            return Err(refuse("it is no regular file: name another one"));
        }
        if metadata.mode() & 0o022 != 0 {
            return Err(refuse("others may write it: chmod go-w"));
        }
        // Who had made it would know it.
        if metadata.uid() != 0 && metadata.uid() != geteuid().as_raw() {
            return Err(refuse(
                "it is neither root's nor this user's: remove it, or chown",
            ));
        }
        let mut bytes = Vec::new();
        let most = LONGEST as u64 + 1;
        let mut limited = (&mut file).take(most);
        limited.read_to_end(&mut bytes).map_err(io("read"))?;
        let found = bytes.len();
        while bytes
            .last()
            .is_some_and(|byte| matches!(byte, b'\n' | b'\r'))
            && found != LENGTH
        {
            bytes.pop();
        }
        if !(SHORTEST..=LONGEST).contains(&bytes.len()) {
            return Err(KeyError::Length {
                path: path.into(),
                found,
            });
        }
        Ok(Self(bytes))
    }

    /// A key that no file holds.
    ///
    /// # Errors
    /// When the kernel gives no random numbers.
    pub fn random() -> io::Result<Self> {
        let mut key = vec![0; LENGTH];
        let count = rand::getrandom(&mut key[..], rand::GetRandomFlags::empty())?;
        // Up to 256 bytes come whole: getrandom(2).
        if count < LENGTH {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(Self(key))
    }

    /// The first bytes of HMAC-SHA256.
    pub(super) fn hash<const N: usize>(&self, secret: &[u8]) -> [u8; N] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length is a key");
        mac.update(secret);
        let whole = mac.finalize().into_bytes();
        std::array::from_fn(|index| whole.get(index).copied().unwrap_or_default())
    }
}

/// A key is nothing for a log.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, thread};

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/redact.key");
        let keys: Vec<_> = thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| Key::load(&path))).collect();
            all.into_iter()
                .map(|it| it.join().unwrap().unwrap())
                .collect()
        });
        let made = fs::read(&path).unwrap();
        assert!(keys.iter().all(|key| key.0 == made), "whoever is first");
        assert_eq!(made.len(), LENGTH);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_ne!(Key::random().unwrap().0, made);
        assert_eq!(format!("{:?}", keys[0]), "Key");
    }

    #[test]
    fn a_key_of_ones_own_is_taken_as_it_is_and_left_so() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, "correct horse battery staple\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for path in [&path, &link] {
            assert_eq!(Key::load(path).unwrap().0, b"correct horse battery staple");
        }
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o444
        );
    }

    #[test]
    fn what_is_no_key_is_refused_and_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("redact.key");
        for text in ["", "short", &"x".repeat(5_000), "123456789012345\n\n"] {
            fs::write(&path, text).unwrap();
            let error = Key::load(&path).unwrap_err().to_string();
            assert!(error.contains("redact.key holds"), "{error}");
            assert!(error.contains("remove the file"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        fs::write(&path, "x".repeat(32)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let error = Key::load(&path).unwrap_err().to_string();
        assert!(error.contains("chmod go-w"), "{error}");
        let error = Key::load(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(error.contains("no regular file"), "{error}");
    }

    /// RFC 4231, test case 2.
    #[test]
    fn the_hash_is_hmac_sha256() {
        let hash: [u8; 8] = Key(b"Jefe".to_vec()).hash(b"what do ya want for nothing?");
        assert_eq!(hash, [0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e]);
    }
}
