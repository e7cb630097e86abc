//! Opening a file that must be believed: who may have written it, how much is read.
//!
//! All checks are made on the open descriptor, so that what was checked is what is read.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use rustix::{fs::OFlags, process::geteuid};

use super::error::{ConfigError, Place};

/// Most bytes of a configuration file.
pub const SIZE_MAX: u64 = 1 << 20;

/// Text of the file at `path`; `None` when there is none.
///
/// # Errors
/// When it cannot be read, may have been written by anybody, is larger than
/// [`SIZE_MAX`] or is not UTF-8.
pub fn read(path: &Path) -> Result<Option<String>, ConfigError> {
    read_up_to(path, SIZE_MAX)
}

/// [`read`] with another bound, bytes.
///
/// # Errors
/// Like [`read`].
pub fn read_up_to(path: &Path, size_max: u64) -> Result<Option<String>, ConfigError> {
    let io = |source| ConfigError::Read {
        path: path.into(),
        source,
    };
    let file = match open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(io)?,
    };
    let refused = |reason| ConfigError::Untrusted {
        path: path.into(),
        reason,
    };
    trust(&file).map_err(io)?.map_err(refused)?;
    let mut bytes = Vec::new();
    file.take(size_max + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    if bytes.len() as u64 > size_max {
        return Err(refused(format!("it is larger than {} KiB", size_max >> 10)));
    }
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let valid = error
            .as_bytes()
            .get(..error.utf8_error().valid_up_to())
            .unwrap_or_default();
        let line = valid.split(|&byte| byte == b'\n').count();
        ConfigError::Encoding {
            place: Place::File(path.into(), Some(line)),
        }
    })
}

/// Opens without waiting: a named pipe would block until somebody writes.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Whether what stands in an open file may be believed: a regular file, owned by root or
/// the running user, not writable by everyone. The inner error is the reason, with the
/// remedy, to stand behind "is refused".
///
/// # Errors
/// When the descriptor cannot be examined.
pub fn trust(file: &File) -> io::Result<Result<(), String>> {
    let meta = file.metadata()?;
    let me = geteuid().as_raw();
    Ok(if !meta.is_file() {
        Err("it is not a regular file".into())
    } else if meta.mode() & 0o002 != 0 {
        Err("everyone may write it (chmod o-w)".into())
    } else if meta.uid() != 0 && meta.uid() != me {
        Err(format!(
            "it belongs to uid {}, neither root nor the running user (chown)",
            meta.uid()
        ))
    } else {
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    fn error(path: &Path) -> String {
        read(path).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_believed_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.yaml");
        assert_eq!(read(&path).unwrap(), None);
        fs::write(&path, "scope: host\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some("scope: host\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o646)).unwrap();
        assert!(error(&path).ends_with("is refused: everyone may write it (chmod o-w)"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(
            &path,
            "a: b\nscope: \u{fc}".replace('\u{fc}', "x").into_bytes(),
        )
        .unwrap();
        fs::write(&path, b"a: b\nscope: \xfc\n").unwrap();
        assert!(error(&path).ends_with("c.yaml:2: not valid UTF-8"));
        fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
        assert!(error(&path).ends_with("larger than 1024 KiB"));
        assert!(error(dir.path()).ends_with("not a regular file"));
        if geteuid().is_root() {
            fs::write(&path, "").unwrap();
            std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
            assert!(error(&path).contains("belongs to uid 12345"));
        }
    }

    #[test]
    fn a_named_pipe_does_not_block() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            0o600.into(),
            0,
        )
        .unwrap();
        assert!(error(&path).ends_with("not a regular file"));
    }
}
