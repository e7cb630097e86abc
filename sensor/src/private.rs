//! Files that only their owner may read: made so, or refused.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

/// What the system refused.
#[derive(Debug, thiserror::Error)]
#[error("{what} {}: {source}", path.display())]
pub struct FileError {
    /// Operation.
    pub what: &'static str,
    /// On what.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To be read and written anywhere.
    Whole,
    /// Behind what is there.
    Append,
}

/// Makes the file and its directory, for this user only; its path without symbolic links
/// in the directory.
///
/// # Errors
/// When the system refuses, or something that is no file is in the way.
pub fn open(path: &Path, access: Access) -> Result<(File, PathBuf), FileError> {
    let io = |what| {
        move |source| FileError {
            what,
            path: path.into(),
            source,
        }
    };
    let directory = path.parent().unwrap_or(Path::new("/"));
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory);
    made.map_err(io("create the directory of"))?;
    let directory = directory
        .canonicalize()
        .map_err(io("find the directory of"))?;
    let whole = directory.join(path.file_name().unwrap_or_default());
    let options = OpenOptions::new()
        .read(true)
        .write(access == Access::Whole)
        .append(access == Access::Append)
        .create(true)
        .truncate(false)
        .mode(0o600)
        // A device or a pipe in its place must not make the thread hang.
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(&whole);
    let file: File = options.map_err(io("open"))?;
    if !file.metadata().map_err(io("examine"))?.is_file() {
        return Err(io("open")(io::Error::other(
            "something that is not a file is in the way",
        )));
    }
    let restricted = file.set_permissions(Permissions::from_mode(0o600));
    restricted.map_err(io("restrict"))?;
    Ok((file, whole))
}

/// Renames a database and its log; an earlier one that was set aside is replaced.
///
/// # Errors
/// When the system refuses.
pub fn set_aside(path: &Path) -> Result<PathBuf, FileError> {
    let with = |suffix: &str| {
        let mut name = OsString::from(path);
        name.push(suffix);
        PathBuf::from(name)
    };
    let aside = with(".corrupt");
    fs::rename(path, &aside).map_err(|source| FileError {
        what: "set aside",
        path: path.into(),
        source,
    })?;
    for log in ["-wal", "-shm"] {
        // Often there is none.
        drop(fs::rename(with(log), with(&format!(".corrupt{log}"))));
    }
    Ok(aside)
}
