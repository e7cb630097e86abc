//! What a path means: the file it leads to, not the words.

use std::{fs, io, os::fd::AsRawFd as _, os::unix::fs::symlink as make_symlink};

use rustix::mount::MountFlags;

use super::{SERVER, skip, status};
use crate::{ledger::see_through, step::become_step, sys};

const DONE: [&str; 2] = ["code", "0"];

pub(super) fn symlink() -> io::Result<()> {
    make_symlink(SERVER, "innocent")?;
    see_through(sys::fork(|| become_step("./innocent", &DONE))?)
}

pub(super) fn dots() -> io::Result<()> {
    fs::create_dir_all("a/b")?;
    see_through(sys::fork(|| become_step("./a/b/../../a/../nginx", &DONE))?)
}

pub(super) fn proc_fd() -> io::Result<()> {
    let file = fs::File::open(SERVER)?;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    see_through(sys::fork(|| become_step(path, &DONE))?)
}

/// A root of its own: the same words mean another file. `/proc` comes along for the
/// ledger.
pub(super) fn chroot() -> io::Result<()> {
    fs::create_dir_all("jail/proc")?;
    fs::create_dir_all("jail/bin")?;
    fs::copy(SERVER, "jail/bin/sh")?;
    let outside = fs::canonicalize("jail")?;
    let outside = outside.to_string_lossy();
    see_through(sys::fork(|| {
        let inside = own_mounts()
            .and_then(|()| {
                Ok(rustix::mount::mount(
                    "proc",
                    "jail/proc",
                    "proc",
                    MountFlags::empty(),
                    None,
                )?)
            })
            .and_then(|()| Ok(rustix::process::chroot("jail")?))
            .and_then(|()| Ok(rustix::process::chdir("/")?));
        match inside {
            Ok(()) => become_step("/bin/sh", &["jailed", &outside]),
            Err(error) => status(Err(error)),
        }
    })?)
}

/// Mounts made from here on are seen by this process and its children alone.
pub(super) fn own_mounts() -> io::Result<()> {
    sys::unshare_mounts()?;
    let flags =
        rustix::mount::MountPropagationFlags::PRIVATE | rustix::mount::MountPropagationFlags::REC;
    Ok(rustix::mount::mount_change("/", flags)?)
}

/// Executed from a merged directory: the file lies in the lower one.
pub(super) fn overlay() -> io::Result<()> {
    fs::create_dir("lower")?;
    fs::copy(SERVER, "lower/tool")?;
    let mounted = match mount_overlay() {
        Ok(()) => true,
        Err(error) => return skip(format!("no overlay here: {error}")),
    };
    let done = sys::fork(|| become_step("merged/tool", &DONE)).and_then(see_through);
    if mounted {
        rustix::mount::unmount("merged", rustix::mount::UnmountFlags::DETACH)?;
    }
    done
}

/// Makes `merged` of `lower` and `upper`, for this process and its children alone.
pub(super) fn mount_overlay() -> io::Result<()> {
    own_mounts()?;
    for directory in ["upper", "work", "merged"] {
        fs::create_dir(directory)?;
    }
    let options = c"lowerdir=lower,upperdir=upper,workdir=work";
    rustix::mount::mount("overlay", "merged", "overlay", MountFlags::empty(), options)?;
    Ok(())
}
