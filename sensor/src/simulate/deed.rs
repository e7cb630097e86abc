//! What simulated processes do. A list of deeds travels to the process that does them in
//! one environment variable, as JSON; programs are copies of this binary under the names
//! that rules look for. Only a shell that does nothing is real, where the file matters.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    os::unix::{fs::symlink, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, PidfdFlags, WaitOptions, getppid, pidfd_open, waitpid},
};
use serde::{Deserialize, Serialize};

use crate::{config::environment::SIMULATED, privilege};

/// The user and group that owns nothing.
const NOBODY: u32 = 65_534;

/// One thing a process does. Paths are absolute.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Deed {
    /// Forks a child that does this; waits for it.
    Fork(Vec<Deed>),
    /// Forks a child whose child does this once its parent is gone.
    Orphan(Vec<Deed>),
    /// Runs a program, in a child or in place.
    Exec(Box<Exec>),
    /// Opens for writing.
    Write(PathBuf, How),
    /// Opens for reading.
    Read(PathBuf),
    /// Renames.
    Rename(PathBuf, PathBuf),
    /// Makes a symbolic link to the first at the second.
    Symlink(PathBuf, PathBuf),
    /// Connects a UDP socket: no packet leaves the machine.
    Connect(SocketAddr),
    /// Connects a TCP socket to this machine; whether anybody listens does not matter.
    Knock(u16),
}

/// How a file is opened for writing.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum How {
    /// Made, or emptied.
    Create,
    /// For reading too; not made.
    Update,
    /// At its end.
    Append,
}

/// A program to run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Exec {
    /// Executable.
    pub(super) path: PathBuf,
    /// Arguments from the zeroth.
    pub(super) argv: Vec<String>,
    /// Variables besides [`SIMULATED`].
    pub(super) env: BTreeMap<String, String>,
    /// What it does.
    pub(super) deeds: Vec<Deed>,
    /// Without a fork.
    pub(super) in_place: bool,
    /// From memory, a copy of `path`.
    pub(super) memory: bool,
    /// As [`NOBODY`], where root simulates: for programs outside of the simulation's
    /// directory, which nobody else can enter.
    pub(super) nobody: bool,
}

/// Does every deed, in order.
///
/// # Errors
/// The first deed that fails; those behind it are not done.
pub(super) fn all(deeds: &[Deed]) -> io::Result<()> {
    deeds.iter().try_for_each(one)
}

fn one(deed: &Deed) -> io::Result<()> {
    match deed {
        Deed::Fork(deeds) => fork(|| all(deeds)),
        Deed::Orphan(deeds) => orphan(deeds),
        Deed::Exec(exec) => run(exec),
        Deed::Write(path, how) => write(path, *how),
        Deed::Read(path) => fs::File::open(path)?.read(&mut [0; 1]).map(drop),
        Deed::Rename(from, to) => fs::rename(from, to),
        Deed::Symlink(target, path) => symlink(target, path),
        Deed::Connect(address) => {
            let any: SocketAddr = if address.is_ipv4() {
                ([0, 0, 0, 0], 0).into()
            } else {
                ([0_u16; 8], 0).into()
            };
            match UdpSocket::bind(any)?.connect(address) {
                // No way there: the kernel was asked, which is what is looked for.
                Err(error) if is_unreachable(&error) => Ok(()),
                result => result,
            }
        }
        Deed::Knock(port) => {
            drop(TcpStream::connect((Ipv4Addr::LOCALHOST, *port)));
            Ok(())
        }
    }
}

fn write(path: &Path, how: How) -> io::Result<()> {
    let mut options = OpenOptions::new();
    match how {
        How::Create => options.write(true).create(true).truncate(true),
        How::Update => options.read(true).write(true),
        How::Append => options.append(true),
    };
    let mut file = options.open(path)?;
    match how {
        // What is only opened keeps its content.
        How::Update => Ok(()),
        How::Create | How::Append => file.write_all(b"simulated by lineage-sensor\n"),
    }
}

fn run(exec: &Exec) -> io::Result<()> {
    let memory = exec.memory.then(|| memory(&exec.path)).transpose()?;
    let path = match &memory {
        Some(file) => {
            use std::os::fd::AsRawFd as _;
            PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
        }
        None => exec.path.clone(),
    };
    let mut command = Command::new(path);
    let (name, arguments) = exec
        .argv
        .split_first()
        .map_or(("", &[][..]), |(name, rest)| (name.as_str(), rest));
    let deeds = serde_json::to_string(&exec.deeds)?;
    command.arg0(name).args(arguments).env_clear();
    command.envs(&exec.env).env(SIMULATED, deeds);
    if exec.nobody && privilege::may_change_user() {
        command.uid(NOBODY).gid(NOBODY);
    }
    if exec.in_place {
        return Err(command.exec());
    }
    let status = command.status()?;
    // Real programs may end as they like.
    let simulated = exec
        .path
        .parent()
        .is_some_and(|above| above.ends_with("bin"));
    if status.success() || !simulated {
        return Ok(());
    }
    let name = exec.path.display();
    Err(io::Error::other(format!("{name} ended with {status}")))
}

fn is_unreachable(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::NetworkUnreachable | Kind::HostUnreachable
    )
}

/// The content of a file, in memory.
fn memory(path: &Path) -> io::Result<fs::File> {
    // Not close-on-exec: the path under /proc must hold until the program is loaded.
    let memory = rustix::fs::memfd_create("simulated", rustix::fs::MemfdFlags::empty())?;
    let mut memory = fs::File::from(memory);
    io::copy(&mut fs::File::open(path)?, &mut memory)?;
    Ok(memory)
}

/// Runs `child` in a forked process and waits for it.
fn fork(child: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let pid = split(child)?;
    let status = waitpid(Some(pid), WaitOptions::empty())?;
    match status.and_then(|(_, status)| status.exit_status()) {
        Some(0) => Ok(()),
        code => Err(io::Error::other(format!(
            "a simulated child ended with {code:?}"
        ))),
    }
}

/// A grandchild does the deeds after its parent has ended. It is waited for through a pipe.
fn orphan(deeds: &[Deed]) -> io::Result<()> {
    let (mut reader, writer) = io::pipe()?;
    fork(|| {
        let parent = rustix::process::getpid();
        split(|| {
            let result = wait_until_orphaned(parent).and_then(|()| all(deeds));
            drop(writer);
            result
        })
        .map(drop)
    })?;
    // The copies of the writer are gone when the grandchild is.
    reader.read_to_end(&mut Vec::new()).map(drop)
}

/// Waits until this process's parent is no longer `parent`.
///
/// # Errors
/// When the kernel has no handles of processes (Linux before 5.3).
pub fn wait_until_orphaned(parent: Pid) -> io::Result<()> {
    let handle = match pidfd_open(parent, PidfdFlags::empty()) {
        Ok(handle) => handle,
        // Gone, or (EINVAL on older kernels) going: its last task is unlinked already.
        Err(_) if getppid() != Some(parent) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    // While it is the parent, the handle is its; children get another before it tells.
    if getppid() == Some(parent) {
        poll(&mut [PollFd::new(&handle, PollFlags::IN)], None)?;
    }
    if getppid() == Some(parent) {
        return Err(io::Error::other("the parent ended and is the parent still"));
    }
    Ok(())
}

/// Forks; the child ends with what `child` returns.
fn split(child: impl FnOnce() -> io::Result<()>) -> io::Result<Pid> {
    #[expect(unsafe_code, reason = "the library has no safe fork")]
    // SAFETY: a simulated process has one thread, so the child's locks and allocator are
    // whole; it leaves by `_exit` and runs nothing of its parent's on the way.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let result = child();
            if let Err(error) = &result {
                drop(writeln!(io::stderr(), "{error}"));
            }
            let code = i32::from(result.is_err());
            #[expect(unsafe_code, reason = "the library has no safe _exit")]
            // SAFETY: ends the process; nothing is borrowed by what follows.
            unsafe {
                libc::_exit(code)
            }
        }
        pid => Pid::from_raw(pid).ok_or_else(|| io::Error::other("fork gave pid 0")),
    }
}
