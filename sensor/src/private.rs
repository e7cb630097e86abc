//! Files that only their owner may read, where nobody else can put another in their place:
//! made so, or refused.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions},
    io,
    os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::OFlags,
    process::{getegid, geteuid},
};

/// Bits of a mode.
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
/// Who may write to such a directory may not rename or remove what is another's.
const STICKY: u32 = 0o1000;

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
    /// To be read and written anywhere, with others beside it that are its own by their names.
    Whole,
    /// Behind what is there.
    Append,
}

/// Makes the file and its directory, for this user only; its path without symbolic links
/// in the directory.
///
/// # Errors
/// When the system refuses, something that is no file or another's is in the way, or others
/// than this user and root could put something there.
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
    let named = directory;
    let directory = named.canonicalize().map_err(io("find the directory of"))?;
    // Both: the links on the way are in the one, what they lead to is in the other.
    for ancestor in named.ancestors().chain(directory.ancestors().skip(1)) {
        ours(ancestor).map_err(io("trust the directory of"))?;
    }
    if access == Access::Whole {
        only_ours(&directory).map_err(io("trust the directory of"))?;
    }
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
    let meta = file.metadata().map_err(io("examine"))?;
    if !meta.is_file() {
        return Err(io("open")(io::Error::other(
            "something that is not a file is in the way",
        )));
    }
    owned(&meta, &whole).map_err(io("open"))?;
    let restricted = file.set_permissions(Permissions::from_mode(0o600));
    restricted.map_err(io("restrict"))?;
    Ok((file, whole))
}

/// Only this user and root can put something else in the place of what is in this directory.
fn ours(directory: &Path) -> io::Result<()> {
    // What a path without a directory begins with.
    if directory.as_os_str().is_empty() {
        return Ok(());
    }
    let meta = fs::metadata(directory)?;
    owned(&meta, directory)?;
    if meta.mode() & OTHERS_WRITE != 0 && meta.mode() & STICKY == 0 {
        let wrong = format!("everybody may write to {}", directory.display());
        return Err(io::Error::other(wrong));
    }
    Ok(())
}

/// Nobody else can put anything into this directory either: `SQLite` takes what is beside
/// its file for its own.
fn only_ours(directory: &Path) -> io::Result<()> {
    let meta = fs::metadata(directory)?;
    let foreign = ![0, getegid().as_raw()].contains(&meta.gid());
    if meta.mode() & OTHERS_WRITE != 0 || foreign && meta.mode() & GROUP_WRITES != 0 {
        let wrong = format!("others may write to {}", directory.display());
        return Err(io::Error::other(wrong));
    }
    Ok(())
}

fn owned(meta: &Metadata, path: &Path) -> io::Result<()> {
    let owner = meta.uid();
    if [0, geteuid().as_raw()].contains(&owner) {
        return Ok(());
    }
    let wrong = format!("{} belongs to uid {owner}", path.display());
    Err(io::Error::other(wrong))
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn refusal(path: &Path, access: Access) -> String {
        open(path, access).unwrap_err().to_string()
    }

    #[test]
    fn file_and_directory_are_made_for_their_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/file");
        let (file, real) = open(&path, Access::Whole).unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
        let made = dir.path().join("a").metadata().unwrap();
        assert_eq!(made.mode() & 0o777, 0o700);
        assert_eq!(real, dir.path().canonicalize().unwrap().join("a/b/file"));
        mode(&path, 0o666);
        open(&path, Access::Append).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn where_others_may_write_is_no_place_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let shared = dir.path().join("shared");
        fs::create_dir_all(shared.join("own")).unwrap();
        mode(&shared, 0o777);
        for path in [shared.join("file"), shared.join("own/file")] {
            let why = refusal(&path, Access::Append);
            assert!(why.contains("everybody may write to"), "{why}");
        }
        // As /tmp is: a log may be there, a database not, for others make files beside it.
        mode(&shared, 0o1777);
        open(&shared.join("own/file"), Access::Whole).unwrap();
        open(&shared.join("log"), Access::Append).unwrap();
        let why = refusal(&shared.join("file"), Access::Whole);
        assert!(why.contains("others may write to"), "{why}");
    }

    #[test]
    fn a_link_is_followed_to_a_directory_that_is_trusted_and_never_to_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real");
        fs::create_dir(&real).unwrap();
        let link = dir.path().join("link");
        symlink(&real, &link).unwrap();
        let (_, path) = open(&link.join("file"), Access::Whole).unwrap();
        assert_eq!(path, real.canonicalize().unwrap().join("file"));
        symlink(real.join("file"), real.join("other")).unwrap();
        assert!(refusal(&real.join("other"), Access::Whole).starts_with("open "));
        mode(&real, 0o777);
        let why = refusal(&link.join("file"), Access::Append);
        assert!(why.contains("everybody may write to"), "{why}");
        // The link itself is where others could make it lead elsewhere.
        mode(&real, 0o700);
        let loose = dir.path().join("loose");
        fs::create_dir(&loose).unwrap();
        symlink(&real, loose.join("link")).unwrap();
        mode(&loose, 0o777);
        let why = refusal(&loose.join("link/file"), Access::Append);
        assert!(why.contains("loose"), "{why}");
    }

    #[test]
    fn what_is_of_another_user_is_refused() {
        if !geteuid().is_root() {
            // Only root can give a file away.
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "").unwrap();
        std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
        let why = refusal(&path, Access::Append);
        assert!(why.ends_with("file belongs to uid 65534"), "{why}");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::chown(dir.path(), Some(65_534), None).unwrap();
        let why = refusal(&path, Access::Append);
        assert!(why.ends_with("belongs to uid 65534"), "{why}");
        std::os::unix::fs::chown(dir.path(), Some(0), Some(65_534)).unwrap();
        mode(dir.path(), 0o770);
        let why = refusal(&path, Access::Whole);
        assert!(why.contains("others may write to"), "{why}");
        open(&path, Access::Append).unwrap();
    }
}
