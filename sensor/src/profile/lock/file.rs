//! Reading and writing the file of a lock; for start-up and commands only.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::Lock;
use crate::config::{ConfigError, file::read_up_to};

/// Most bytes of a file.
const SIZE_MAX: u64 = 8 << 20;

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It cannot be read or believed.
    #[error(transparent)]
    Read(#[from] ConfigError),
    /// There is none.
    #[error("{}: no such file", .0.display())]
    Missing(PathBuf),
    /// It is no lock.
    #[error("{}: {reason}", path.display())]
    Form {
        /// File.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It cannot be written.
    #[error("write {}: {source}", path.display())]
    Write {
        /// File.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The lock in the file at `path`; `None` when there is none.
///
/// # Errors
/// When it cannot be read, may have been written by anybody, or is no lock.
pub fn read(path: &Path) -> Result<Option<Lock>, LockError> {
    let Some(text) = read_up_to(path, SIZE_MAX)? else {
        return Ok(None);
    };
    let lock = Lock::parse(&text).map_err(|reason| LockError::Form {
        path: path.into(),
        reason,
    });
    lock.map(Some)
}

/// Puts `lock` into the file at `path`, whole or not at all.
///
/// # Errors
/// When the directory cannot be written.
pub fn write(path: &Path, lock: &Lock) -> Result<(), LockError> {
    let io = |source| LockError::Write {
        path: path.into(),
        source,
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    // Left behind by a run that was killed.
    drop(fs::remove_file(&beside));
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(&beside)
        .map_err(io)?;
    let written = file
        .write_all(lock.to_yaml().as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        drop(fs::remove_file(&beside));
    }
    written.map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_and_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lineage.lock");
        assert!(read(&path).unwrap().is_none());
        let lock = Lock::default();
        fs::write(directory.path().join("lineage.lock.new"), "left").unwrap();
        write(&path, &lock).unwrap();
        assert_eq!(read(&path).unwrap(), Some(lock));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        fs::write(&path, "version: 9").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("lineage.lock: version 9"), "{error}");
        let absent = directory.path().join("absent/lineage.lock");
        assert!(write(&absent, &Lock::default()).is_err());
    }
}
