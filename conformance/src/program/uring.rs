//! File operations that are no system calls: a ring carries them to the kernel.

use std::{ffi::CStr, io};

use io_uring::{IoUring, opcode, squeue::Entry, types};

use super::{file::make, skip};
use crate::ledger::{FileKind, named};

fn at() -> types::Fd {
    types::Fd(libc::AT_FDCWD)
}

/// Hands one operation to the kernel; `None` where there is no ring.
fn submit(entry: &Entry) -> io::Result<Option<i32>> {
    let mut ring = match IoUring::new(4) {
        Ok(ring) => ring,
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    // SAFETY: the entry's strings are static.
    unsafe { ring.submission().push(entry) }.map_err(io::Error::other)?;
    ring.submit_and_wait(1)?;
    let done = ring.completion().next().map(|done| done.result());
    match done {
        Some(result) if result < 0 => Err(io::Error::from_raw_os_error(-result)),
        done => Ok(done),
    }
}

const NO_RING: &str = "io_uring is not allowed here";

pub(super) fn openat() -> io::Result<()> {
    let name: &CStr = c"ringed";
    let open = opcode::OpenAt::new(at(), name.as_ptr())
        .flags(libc::O_CREAT | libc::O_WRONLY)
        .mode(0o600);
    match submit(&open.build())? {
        None => skip(NO_RING),
        Some(_) => named(FileKind::Open, "ringed", None),
    }
}

pub(super) fn rename() -> io::Result<()> {
    drop(make("before")?);
    let rename = opcode::RenameAt::new(at(), c"before".as_ptr(), at(), c"after".as_ptr());
    match submit(&rename.build())? {
        None => skip(NO_RING),
        Some(_) => named(FileKind::Rename, "after", None),
    }
}

pub(super) fn link() -> io::Result<()> {
    drop(make("first")?);
    let link = opcode::LinkAt::new(at(), c"first".as_ptr(), at(), c"second".as_ptr());
    match submit(&link.build())? {
        None => skip(NO_RING),
        Some(_) => named(FileKind::Link, "second", None),
    }
}
