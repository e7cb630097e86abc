//! The key under which secrets are hashed: 32 random bytes in a file that only its owner
//! may read. Copied to every machine of a fleet it makes their alerts comparable.

use std::{
    fmt,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::private::{self, Access, FileError};

/// Bytes of a key.
const LENGTH: usize = 32;

/// See the module.
#[derive(Clone)]
pub struct Key([u8; LENGTH]);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be opened or made.
    #[error(transparent)]
    File(#[from] FileError),
    /// It cannot be read or written.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// Operation.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error(
        "{} holds {found} bytes, and a key has {LENGTH}: remove the file, and the sensor makes a \
         new one; or copy the one of another machine again",
        path.display()
    )]
    Length {
        /// The file.
        path: PathBuf,
        /// Its size, bytes; at most one more than a key has.
        found: usize,
    },
}

impl Key {
    /// Reads the key, or makes one where there is none.
    ///
    /// # Errors
    /// When the file cannot be read or made, or holds something else.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let (mut file, whole) = private::open(path, Access::Whole)?;
        let io = |what| {
            let path = whole.clone();
            move |source| KeyError::Io { what, path, source }
        };
        let mut bytes = Vec::with_capacity(LENGTH + 1);
        let most = u64::try_from(LENGTH).unwrap_or(u64::MAX) + 1;
        let mut limited = (&mut file).take(most);
        limited.read_to_end(&mut bytes).map_err(io("read"))?;
        if bytes.is_empty() {
            let key = Self::random().map_err(io("make a key for"))?;
            let written = file.write_all(&key.0).and_then(|()| file.sync_all());
            written.map_err(io("write"))?;
            return Ok(key);
        }
        let found = bytes.len();
        match bytes.try_into() {
            Ok(bytes) => Ok(Self(bytes)),
            Err(_) => Err(KeyError::Length { path: whole, found }),
        }
    }

    /// A key that no file holds.
    ///
    /// # Errors
    /// When the kernel gives no random numbers.
    pub fn random() -> io::Result<Self> {
        let mut key = [0; LENGTH];
        let count = rustix::rand::getrandom(&mut key, rustix::rand::GetRandomFlags::empty())?;
        // Up to 256 bytes come whole: getrandom(2).
        if count < LENGTH {
            return Err(io::ErrorKind::UnexpectedEof.into());
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
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/redact.key");
        let made = Key::load(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), made.0);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(Key::load(&path).unwrap().0, made.0);
        assert_ne!(Key::random().unwrap().0, made.0);
        assert_eq!(format!("{made:?}"), "Key");
    }

    #[test]
    fn what_is_no_key_is_refused_and_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("redact.key");
        for text in ["short", &"x".repeat(33), &"x".repeat(9_000)] {
            fs::write(&path, text).unwrap();
            let error = Key::load(&path).unwrap_err().to_string();
            assert!(error.contains("redact.key holds"), "{error}");
            assert!(error.contains("remove the file"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert!(Key::load(&path).is_err());
    }

    /// RFC 4231, test case 2, whose key is shorter: HMAC fills it up with zeros.
    #[test]
    fn the_hash_is_hmac_sha256() {
        let mut key = [0; LENGTH];
        key[..4].copy_from_slice(b"Jefe");
        let hash: [u8; 8] = Key(key).hash(b"what do ya want for nothing?");
        assert_eq!(hash, [0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e]);
    }
}
