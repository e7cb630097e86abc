//! Ways for a file to get a name, and to get another mode.

use std::{
    fs, io,
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags};

use super::{file::make, skip};
use crate::ledger::{FileKind, moded, named, touched};

/// A file that has no name while it is written, and then one.
pub(super) fn tmpfile_linkat() -> io::Result<()> {
    let made = rustix::fs::open(".", OFlags::TMPFILE | OFlags::WRONLY, Mode::RUSR);
    let file = match made {
        Ok(file) => file,
        Err(rustix::io::Errno::OPNOTSUPP) => return skip("no O_TMPFILE on this file system"),
        Err(error) => return Err(error.into()),
    };
    touched(FileKind::Open, &file, None, None)?;
    let old = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, old, CWD, "named", AtFlags::SYMLINK_FOLLOW)?;
    named(FileKind::Link, "named", None)
}

/// What a file is called in full, as long as it is called so.
fn resolved(name: &str) -> io::Result<Option<String>> {
    Ok(Some(fs::canonicalize(name)?.to_string_lossy().into_owned()))
}

pub(super) fn rename() -> io::Result<()> {
    drop(make("upload.tmp")?);
    let old = resolved("upload.tmp")?;
    fs::rename("upload.tmp", "shell.php")?;
    named(FileKind::Rename, "shell.php", old)
}

/// Two files change names at once: both are renamed.
pub(super) fn rename_exchange() -> io::Result<()> {
    drop(make("good.php")?);
    drop(make("bad.php")?);
    let old = resolved("bad.php")?;
    rustix::fs::renameat_with(CWD, "bad.php", CWD, "good.php", RenameFlags::EXCHANGE)?;
    named(FileKind::Exchange, "good.php", old)
}

pub(super) fn link() -> io::Result<()> {
    drop(make("first")?);
    let old = resolved("first")?;
    fs::hard_link("first", "second")?;
    named(FileKind::Link, "second", old)
}

pub(super) fn symlink() -> io::Result<()> {
    rustix::fs::symlink("/etc/passwd", "page.txt")?;
    named(
        FileKind::Symlink,
        "page.txt",
        Some("/etc/passwd".to_owned()),
    )
}

/// A directory with what is in it moves into another, named from descriptors; what is
/// written in it afterwards is where it is now.
pub(super) fn rename_directory() -> io::Result<()> {
    fs::create_dir_all("upload/deep")?;
    fs::create_dir("site")?;
    drop(make("upload/deep/shell.php")?);
    let old = resolved("upload")?;
    let place = |name| rustix::fs::open(name, OFlags::DIRECTORY, Mode::empty());
    let (from, to) = (place(".")?, place("site")?);
    rustix::fs::renameat_with(&from, "upload", &to, "theme", RenameFlags::NOREPLACE)?;
    named(FileKind::Rename, "site/theme", old)?;
    drop(make("site/theme/deep/later.php")?);
    Ok(())
}

/// A file is made, and then given `mode`, by name.
fn chmod_to(name: &str, mode: Mode) -> io::Result<()> {
    let file = make(name)?;
    let before = fs::File::from(file.try_clone()?).metadata()?.mode();
    rustix::fs::chmod(name, mode)?;
    moded(&file, before)
}

/// It becomes a program.
pub(super) fn chmod() -> io::Result<()> {
    chmod_to("tool", Mode::RWXU)?;
    // What takes rights away is nobody's business.
    Ok(rustix::fs::chmod("tool", Mode::RUSR | Mode::WUSR)?)
}

/// It runs with its owner's rights, and its group's.
pub(super) fn chmod_set_id() -> io::Result<()> {
    chmod_to("setuid", Mode::RUSR | Mode::WUSR | Mode::SUID)?;
    chmod_to("setgid", Mode::RWXU | Mode::SUID | Mode::SGID)
}

/// By descriptor, and once more without another bit.
pub(super) fn fchmod() -> io::Result<()> {
    let file = make("tool")?;
    let before = fs::File::from(file.try_clone()?).metadata()?.mode();
    rustix::fs::fchmod(&file, Mode::RWXU | Mode::XGRP)?;
    moded(&file, before)?;
    Ok(rustix::fs::fchmod(&file, Mode::RWXU)?)
}
