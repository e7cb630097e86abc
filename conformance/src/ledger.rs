//! What a program did, in its own words: one JSON line for each fact, on standard output.
//!
//! The harness passes an unlinked file opened for appending, so lines of many processes
//! never mix and a full pipe stops nobody. Nothing here asks the sensor anything.

use std::{
    fs, io,
    net::SocketAddr,
    os::{
        fd::{AsFd, AsRawFd as _},
        unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    },
    path::Path,
};

use rustix::process::{Pid, WaitStatus};
use sensor_common::limit::{ARGS_HEAD, ARGS_TAIL};
use serde::{Deserialize, Serialize};

use crate::sys;

/// A process: pid in the root namespace, and start in clock ticks, as /proc has it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) struct Who {
    pub(crate) pid: u32,
    pub(crate) start: u64,
}

/// One fact.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(crate) enum Line {
    /// A process was made.
    Fork { who: Who, creator: Who, parent: Who },
    /// A process has this image now.
    Exec(Exec),
    /// A process ended and was waited for: wait status as the kernel has it.
    Exit { who: Who, status: i32 },
    /// A file was opened for writing, or got or lost a name.
    File(File),
    /// A socket was connected, or began to listen.
    Socket(Socket),
    /// The program cannot run here.
    Skip { reason: String },
    /// The program came to its end.
    Done,
}

/// An image, as the process itself or the one that ran it knows it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Exec {
    pub(crate) who: Who,
    pub(crate) file: FileId,
    pub(crate) nlink: u64,
    pub(crate) argv: Argv,
    /// Path as it was given to exec; for a script the script's.
    pub(crate) filename: String,
    /// Resolved path, where the file has one.
    pub(crate) path: Option<String>,
    pub(crate) uid: u32,
    /// Interpreter of a script.
    pub(crate) interp: Option<String>,
}

/// argv in numbers: long ones are known by their ends.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Argv {
    /// Bytes with every NUL.
    pub(crate) total: u64,
    pub(crate) argc: u64,
    /// Of all bytes, or of the ends that the sensor promises to keep.
    pub(crate) hash: u64,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct FileId {
    /// `major << 20 | minor`.
    pub(crate) dev: u32,
    pub(crate) ino: u64,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FileKind {
    Open,
    Rename,
    Exchange,
    Link,
    Symlink,
    Chmod,
}

/// Something a process did to a file.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct File {
    pub(crate) who: Who,
    pub(crate) kind: FileKind,
    /// Resolved path; for rename, link and symlink the new name.
    pub(crate) path: Option<String>,
    /// The old name, or a symbolic link's content.
    pub(crate) other: Option<String>,
    /// The file opened, renamed, linked or changed; a symbolic link itself.
    pub(crate) id: Option<FileId>,
    /// `st_mode` afterwards.
    pub(crate) mode: u32,
    /// `st_mode` before a chmod.
    pub(crate) before: Option<u32>,
    /// The open made the file, where the program knows.
    pub(crate) created: Option<bool>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SocketKind {
    Connect,
    Listen,
}

/// Something a process did with a socket.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Socket {
    pub(crate) who: Who,
    pub(crate) kind: SocketKind,
    /// `IPPROTO_*`.
    pub(crate) protocol: u32,
    /// Own end; `None` where the program does not know it any more.
    pub(crate) local: Option<SocketAddr>,
    /// Other end of a connect, as asked for.
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) fd: u32,
    /// 0, or a negative errno.
    pub(crate) result: i32,
    pub(crate) uid: u32,
    /// Inode number of the network namespace.
    pub(crate) net_ns: u32,
}

impl FileId {
    pub(crate) fn of(metadata: &fs::Metadata) -> Self {
        let dev = metadata.dev();
        let (major, minor) = (rustix::fs::major(dev), rustix::fs::minor(dev));
        Self {
            dev: major << 20 | minor,
            ino: metadata.ino(),
        }
    }
}

impl Argv {
    /// Of argv as it lies in memory: each string with its NUL.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let hash = if bytes.len() <= ARGS_HEAD + ARGS_TAIL {
            fnv(bytes)
        } else {
            let (head, tail) = (&bytes[..ARGS_HEAD], &bytes[bytes.len() - ARGS_TAIL..]);
            fnv(&[head, tail].concat())
        };
        Self {
            total: bytes.len() as u64,
            argc: bytes.split(|&byte| byte == 0).count() as u64 - 1,
            hash,
        }
    }

    /// Of strings as given to exec.
    pub(crate) fn of_strings<T: AsRef<[u8]>>(strings: &[T]) -> Self {
        let mut bytes = Vec::new();
        for string in strings {
            bytes.extend_from_slice(string.as_ref());
            bytes.push(0);
        }
        Self::of(&bytes)
    }
}

/// FNV-1a, 64 bits: nobody here forges collisions.
pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl Who {
    /// This process.
    pub(crate) fn me() -> io::Result<Self> {
        Self::at("/proc/self/stat")
    }

    /// A living process or a zombie.
    pub(crate) fn of(pid: Pid) -> io::Result<Self> {
        Self::at(format!("/proc/{}/stat", pid.as_raw_nonzero()))
    }

    fn at(stat: impl AsRef<Path>) -> io::Result<Self> {
        let stat = fs::read(stat)?;
        let stat = String::from_utf8_lossy(&stat);
        let pid = stat.split(' ').next().unwrap_or_default();
        Ok(Self {
            pid: pid.parse().map_err(io::Error::other)?,
            start: field(&stat, 21)?,
        })
    }
}

/// Field of /proc/*/stat, counted from 0; the second may hold anything.
pub(crate) fn field(stat: &str, index: usize) -> io::Result<u64> {
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let value = rest.split_whitespace().nth(index.saturating_sub(2));
    let value = value.ok_or_else(|| io::Error::other("/proc/*/stat is short"))?;
    value.parse().map_err(io::Error::other)
}

/// Writes one line.
pub(crate) fn say(line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    let written = rustix::io::write(rustix::stdio::stdout(), &text)?;
    if written == text.len() {
        Ok(())
    } else {
        Err(io::Error::other("the ledger took half a line"))
    }
}

/// This process's image, as it stands in /proc.
pub(crate) fn own_image() -> io::Result<Exec> {
    let exe = fs::metadata("/proc/self/exe")?;
    let path = fs::read_link("/proc/self/exe")?;
    let path = String::from_utf8_lossy(path.as_os_str().as_bytes()).into_owned();
    Ok(Exec {
        who: Who::me()?,
        file: FileId::of(&exe),
        nlink: exe.nlink(),
        argv: Argv::of(&fs::read("/proc/self/cmdline")?),
        filename: String::from_utf8_lossy(&sys::exec_filename()).into_owned(),
        path: (exe.nlink() > 0).then_some(path),
        uid: rustix::process::getuid().as_raw(),
        interp: None,
    })
}

/// Says that `child` was made by this process, and is its child.
pub(crate) fn forked(child: Pid) -> io::Result<Who> {
    let (who, me) = (Who::of(child)?, Who::me()?);
    say(&Line::Fork {
        who,
        creator: me,
        parent: me,
    })?;
    Ok(who)
}

/// Waits for a child and says how it ended.
pub(crate) fn reap(pid: Pid, who: Who) -> io::Result<WaitStatus> {
    let status = sys::wait(pid)?;
    say(&Line::Exit {
        who,
        status: status.as_raw(),
    })?;
    Ok(status)
}

/// Both for a child of this process; a child that fails is an error.
pub(crate) fn see_through(pid: Pid) -> io::Result<()> {
    let who = forked(pid)?;
    let status = reap(pid, who)?;
    if status.exit_status() == Some(0) {
        Ok(())
    } else {
        Err(io::Error::other(format!("child {}: {status:?}", who.pid)))
    }
}

/// Says what this process did to an open file.
pub(crate) fn touched(
    kind: FileKind,
    file: impl AsFd,
    other: Option<String>,
    created: Option<bool>,
) -> io::Result<()> {
    let link = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    let path = fs::read_link(link)?;
    let mut fact = described(kind, file, created)?;
    // A file without a name has none to compare.
    fact.path = fact.path.and(Some(path.to_string_lossy().into_owned()));
    fact.other = other;
    say(&Line::File(fact))
}

/// [`touched`], where the path depends on who looks.
pub(crate) fn touched_without_path(
    kind: FileKind,
    file: impl AsFd,
    created: Option<bool>,
) -> io::Result<()> {
    let mut fact = described(kind, file, created)?;
    fact.path = None;
    say(&Line::File(fact))
}

/// An open file; the path is there when it has one, but not yet the right one.
fn described(kind: FileKind, file: impl AsFd, created: Option<bool>) -> io::Result<File> {
    let metadata = fs::File::from(file.as_fd().try_clone_to_owned()?).metadata()?;
    Ok(File {
        who: Who::me()?,
        kind,
        path: (metadata.nlink() > 0).then(String::new),
        other: None,
        id: Some(FileId::of(&metadata)),
        mode: metadata.mode(),
        before: None,
        created,
    })
}

/// Says that this process gave the open `file` another mode than `before`.
pub(crate) fn moded(file: impl AsFd, before: u32) -> io::Result<()> {
    let link = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    let path = fs::read_link(link)?;
    let mut fact = described(FileKind::Chmod, file, None)?;
    fact.path = Some(path.to_string_lossy().into_owned());
    fact.before = Some(before);
    say(&Line::File(fact))
}

/// Says what this process did to what has the name `name` now.
pub(crate) fn named(kind: FileKind, name: &str, other: Option<String>) -> io::Result<()> {
    named_by(Who::me()?, kind, name, other)
}

/// [`named`], done by `who`.
pub(crate) fn named_by(
    who: Who,
    kind: FileKind,
    name: &str,
    other: Option<String>,
) -> io::Result<()> {
    let metadata = fs::symlink_metadata(name)?;
    let path = fs::canonicalize(".")?.join(name);
    say(&Line::File(File {
        who,
        kind,
        path: Some(path.to_string_lossy().into_owned()),
        other,
        id: Some(FileId::of(&metadata)),
        mode: metadata.mode(),
        before: None,
        created: None,
    }))
}
