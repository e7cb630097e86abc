//! Ways to open a file for writing.

use std::{
    fs,
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, AsRawFd as _, OwnedFd},
        unix::{fs::MetadataExt as _, net::UnixStream},
    },
};

use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags},
    mount::MountFlags,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags,
    },
};

use super::{elf, image, path, skip, status};
use crate::{
    ledger::{self, File, FileId, FileKind, Line, forked, reap, say, see_through, touched},
    sys,
};

const NEW: OFlags = OFlags::CREATE.union(OFlags::WRONLY);

fn mode() -> Mode {
    Mode::RUSR | Mode::WUSR
}

/// Says that `file` was opened.
fn opened(file: impl AsFd, created: bool) -> io::Result<()> {
    touched(FileKind::Open, file, None, Some(created))
}

/// A new file, which is an open like any other.
pub(super) fn make(name: &str) -> io::Result<OwnedFd> {
    let file = rustix::fs::open(name, NEW, mode())?;
    opened(&file, true)?;
    Ok(file)
}

pub(super) fn open() -> io::Result<()> {
    let flags = libc::O_CREAT | libc::O_WRONLY;
    opened(sys::open(c"opened", flags, 0o600)?, true)?;
    opened(
        sys::open(c"opened", libc::O_WRONLY | libc::O_APPEND, 0)?,
        false,
    )
}

pub(super) fn creat() -> io::Result<()> {
    opened(sys::creat(c"created", 0o600)?, true)
}

pub(super) fn openat() -> io::Result<()> {
    fs::create_dir("directory")?;
    let directory = rustix::fs::open("directory", OFlags::DIRECTORY, Mode::empty())?;
    opened(rustix::fs::openat(&directory, "file", NEW, mode())?, true)
}

pub(super) fn openat2() -> io::Result<()> {
    opened(
        rustix::fs::openat2(CWD, "second", NEW, mode(), ResolveFlags::BENEATH)?,
        true,
    )
}

/// No path is typed at all.
pub(super) fn open_by_handle_at() -> io::Result<()> {
    drop(make("handled")?);
    let directory = rustix::fs::open(".", OFlags::DIRECTORY, Mode::empty())?;
    match sys::open_by_handle(directory.as_fd(), c"handled", libc::O_WRONLY) {
        Ok(file) => opened(file, false),
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            skip("this file system has no handles")
        }
        Err(error) => Err(error),
    }
}

/// Neither `O_CREAT` nor `O_TRUNC`: the file changes all the same.
pub(super) fn overwrite_in_place() -> io::Result<()> {
    drop(make("page.php")?);
    let file = rustix::fs::open("page.php", OFlags::RDWR, Mode::empty())?;
    rustix::io::write(&file, b"changed")?;
    opened(file, false)
}

/// A link, dots and a descriptor lead to one file.
pub(super) fn path_meaning() -> io::Result<()> {
    let file = make("meant")?;
    fs::create_dir("aside")?;
    let by_descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::symlink("meant", "words")?;
    ledger::named(FileKind::Symlink, "words", Some("meant".to_owned()))?;
    for name in ["words", "aside/../aside/../meant", &by_descriptor] {
        opened(
            rustix::fs::open(name, OFlags::WRONLY, Mode::empty())?,
            false,
        )?;
    }
    Ok(())
}

/// The kernel opens the real file below as well: one event is enough. The inode is the
/// overlay's or the layer's, which is the file system's own business.
pub(super) fn overlay() -> io::Result<()> {
    fs::create_dir("lower")?;
    if let Err(error) = path::mount_overlay() {
        return skip(format!("no overlay here: {error}"));
    }
    let done = rustix::fs::open("merged/dropped", NEW, mode())
        .map_err(io::Error::from)
        .and_then(|file| {
            let path = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
            say(&Line::File(File {
                who: ledger::Who::me()?,
                kind: FileKind::Open,
                path: Some(path.to_string_lossy().into_owned()),
                other: None,
                id: None,
                mode: 0o100_600,
                before: None,
                created: Some(true),
            }))
        });
    rustix::mount::unmount("merged", rustix::mount::UnmountFlags::DETACH)?;
    done
}

/// The path is another one outside.
pub(super) fn chroot() -> io::Result<()> {
    fs::create_dir_all("jail/proc")?;
    see_through(sys::fork(|| {
        status((|| {
            path::own_mounts()?;
            rustix::mount::mount("proc", "jail/proc", "proc", MountFlags::empty(), None)?;
            rustix::process::chroot("jail")?;
            rustix::process::chdir("/")?;
            let file = rustix::fs::open("/inside", NEW, mode())?;
            ledger::touched_without_path(FileKind::Open, &file, Some(true))
        })())
    })?)
}

/// `open("made32", O_CREAT | O_WRONLY, 0600)` by `int 0x80`.
pub(super) fn elf32() -> io::Result<()> {
    let path = (elf::BASE + elf::CODE32 + 31).to_le_bytes();
    let mut code = vec![0xb8, 5, 0, 0, 0, 0xbb];
    code.extend(path);
    code.extend([0xb9, 0x41, 0, 0, 0, 0xba, 0x80, 1, 0, 0, 0xcd, 0x80]);
    code.extend([0xb8, 1, 0, 0, 0, 0x31, 0xdb, 0xcd, 0x80]);
    elf::write32("open32", &code, b"made32\0")?;
    ledger::named(FileKind::Open, "open32", None)?;
    let before = image::run_foreign("./open32", "./open32", &["open32"], None);
    match before {
        Ok(who) => ledger::named_by(who, FileKind::Open, "made32", None),
        Err(error) if error.raw_os_error() == Some(libc::ENOEXEC) => {
            skip("this kernel runs no 32-bit programs")
        }
        Err(error) => Err(error),
    }
}

/// One process opens, another writes: the open is the first one's.
pub(super) fn fd_passing() -> io::Result<()> {
    let (ours, theirs) = UnixStream::pair()?;
    let giver = sys::fork(|| status(make("passed").and_then(|file| send(&ours, &file))))?;
    let who = forked(giver)?;
    reap(giver, who)?;
    let file = receive(&theirs)?;
    rustix::io::write(&file, b"by another")?;
    let metadata = fs::File::from(file).metadata()?;
    if metadata.size() == 0 || FileId::of(&metadata).ino == 0 {
        return Err(io::Error::other("nothing was written"));
    }
    Ok(())
}

fn send(socket: &UnixStream, file: &OwnedFd) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let files = [file.as_fd()];
    control.push(SendAncillaryMessage::ScmRights(&files));
    let data = [IoSlice::new(b".")];
    rustix::net::sendmsg(socket, &data, &mut control, SendFlags::empty())?;
    Ok(())
}

fn receive(socket: &UnixStream) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut data = [IoSliceMut::new(&mut byte)];
    rustix::net::recvmsg(socket, &mut data, &mut control, RecvFlags::empty())?;
    let mut files = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    files
        .next()
        .ok_or_else(|| io::Error::other("no descriptor came"))
}
