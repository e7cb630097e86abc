//! Reading one process from `/proc`, for the start-up snapshot and the self-test.
//!
//! `/proc` is slower and weaker than the kernel's records: argv may have been
//! rewritten since exec, and a process may end while it is read. What cannot be read
//! is left empty; what belongs to another process of the same pid is thrown away.

mod socket;

use std::{
    fs,
    io::Read,
    os::unix::{ffi::OsStringExt, fs::MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use bstr::{BString, ByteSlice};
use procfs::process::Process;
use sensor_common::{limit, record::fault};

pub use self::socket::Listening;
pub use crate::event::TICK_NS;
use crate::{
    decode,
    event::{
        Args, Cgroup, Credentials, Faults, Fd, FileId, Image, Kin, Namespaces, ProcessId, Program,
        Source,
    },
};

/// Bytes of argv or environment read at most: the kernel allows more, nobody needs it.
const READ_MAX: u64 = 1 << 20;
/// What the kernel appends to the target of a link whose file has no name any more.
const DELETED: &[u8] = b" (deleted)";
/// Audit ids that are not set.
const UNSET: u32 = u32::MAX;

/// Reads what the process `id` runs; `None` when it is gone.
///
/// `time_ns` is the time of the scan on `CLOCK_BOOTTIME`.
#[must_use]
pub fn program(id: ProcessId, time_ns: u64) -> Option<Arc<Program>> {
    let process = Process::new(i32::try_from(id.tgid).ok()?).ok()?;
    let dir = PathBuf::from(format!("/proc/{}", id.tgid));
    let image = image(&dir)?;
    let (args, cut) = args(&dir);
    let program = Program {
        time_ns,
        source: Source::Scan,
        filename: args.head.first().cloned().unwrap_or_default(),
        interp: args.head.first().cloned().unwrap_or_default(),
        image,
        args,
        cwd: link(&dir.join("cwd")).unwrap_or_default(),
        cred: credentials(&process),
        ns: namespaces(&process, &dir),
        cgroup: cgroup(&process),
        stdio: [0, 1, 2].map(|fd| descriptor(&dir, fd)),
        env: environment(&dir),
        written: None,
        faults: Faults(if cut { fault::ARGS_CUT } else { 0 }),
        kin: Kin::default(),
    };
    // Checked last: everything above was the same process if it still is.
    is(&process, id).then(|| Arc::new(program))
}

/// `true` when `process` is the one `id` names.
fn is(process: &Process, id: ProcessId) -> bool {
    process
        .stat()
        .is_ok_and(|stat| stat.starttime == id.start_ns / TICK_NS)
}

fn image(dir: &Path) -> Option<Image> {
    let exe = dir.join("exe");
    let metadata = fs::metadata(&exe).ok()?;
    let mut path = link(&exe)?;
    let unlinked = metadata.nlink() == 0;
    if unlinked && let Some(name) = path.strip_suffix(DELETED) {
        path = name.into();
    }
    if unlinked && path.starts_with(b"/memfd:") {
        path.remove(0);
    }
    Some(Image {
        path,
        file: FileId {
            dev: kernel_dev(metadata.dev()),
            ino: metadata.ino(),
        },
        size: metadata.size(),
        nlink: u32::try_from(metadata.nlink()).unwrap_or(u32::MAX),
        mode: metadata.mode(),
        owner: metadata.uid(),
        group: metadata.gid(),
        ctime_ns: metadata
            .ctime()
            .checked_mul(1_000_000_000)
            .and_then(|ns| ns.checked_add(metadata.ctime_nsec())),
        upper: None,
        unlinked,
    })
}

/// `st_dev` in the kernel's own encoding.
#[must_use]
pub fn kernel_dev(dev: u64) -> u32 {
    rustix::fs::major(dev) << 20 | rustix::fs::minor(dev)
}

fn link(path: &Path) -> Option<BString> {
    let target = fs::read_link(path).ok()?;
    Some(target.into_os_string().into_vec().into())
}

/// The whole file, up to [`READ_MAX`].
fn read(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = fs::File::open(path) {
        // What was read before an error is still true.
        drop(file.take(READ_MAX).read_to_end(&mut bytes));
    }
    bytes
}

/// argv with the bounds of an exec record, and whether its middle was dropped.
fn args(dir: &Path) -> (Args, bool) {
    let mut bytes = read(&dir.join("cmdline"));
    // A process title overwrites argv and is padded with NULs.
    let title = bytes.trim_end_with(|byte| byte == '\0').len();
    bytes.truncate(title + usize::from(title < bytes.len()));
    let total = bytes.len() as u64;
    let argc = bytes.split(|&byte| byte == 0).count().saturating_sub(1);
    let argc = u32::try_from(argc).unwrap_or(u32::MAX);
    let (head, rest) = bytes.split_at(bytes.len().min(limit::ARGS_HEAD));
    let tail = rest
        .get(rest.len().saturating_sub(limit::ARGS_TAIL)..)
        .unwrap_or_default();
    let captured = decode::args(head, tail, argc, total);
    let cut = captured.truncated;
    (captured, cut)
}

fn environment(dir: &Path) -> Vec<(BString, BString)> {
    let bytes = read(&dir.join("environ"));
    decode::environment(&bytes, &[], bytes.len() as u64)
}

fn credentials(process: &Process) -> Credentials {
    let set = |id: u32| (id != UNSET).then_some(id);
    let status = process.status();
    let ids = status.map_or((0, 0, 0, 0), |status| {
        (status.ruid, status.rgid, status.euid, status.egid)
    });
    let session = read(&PathBuf::from(format!("/proc/{}/sessionid", process.pid())));
    Credentials {
        uid: ids.0,
        gid: ids.1,
        euid: ids.2,
        egid: ids.3,
        login_uid: process.loginuid().ok().and_then(set),
        session_id: session
            .to_str()
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .and_then(set),
    }
}

fn namespaces(process: &Process, dir: &Path) -> Namespaces {
    let inner_pid = process
        .status()
        .ok()
        .and_then(|status| status.nspid?.last().copied())
        .and_then(|pid| u32::try_from(pid).ok())
        .unwrap_or_default();
    Namespaces {
        mount: namespace(&dir.join("ns/mnt")),
        pid: namespace(&dir.join("ns/pid_for_children")),
        inner_pid,
    }
}

/// Inode number of a namespace link; 0 when it cannot be read.
#[must_use]
pub fn namespace(path: &Path) -> u32 {
    fs::metadata(path)
        .ok()
        .and_then(|metadata| u32::try_from(metadata.ino()).ok())
        .unwrap_or(0)
}

fn cgroup(process: &Process) -> Cgroup {
    let path = unified(process).unwrap_or_default();
    let id = cgroup_root()
        .and_then(|root| fs::metadata(root.join(path.trim_start_matches('/'))).ok())
        .map_or(0, |metadata| metadata.ino());
    Cgroup {
        id,
        path: path.into(),
    }
}

/// The unified hierarchy is line `0::` of `/proc/PID/cgroup`.
fn unified(process: &Process) -> Option<String> {
    let groups = process.cgroups().ok()?.0;
    let group = groups.into_iter().find(|group| group.hierarchy == 0)?;
    Some(group.pathname)
}

fn open(id: ProcessId) -> Option<Process> {
    let process = Process::new(i32::try_from(id.tgid).ok()?).ok()?;
    is(&process, id).then_some(process)
}

/// `true` while the process has not exited; a zombie has.
#[must_use]
pub fn lives(id: ProcessId) -> bool {
    let stat = open(id).and_then(|process| process.stat().ok());
    stat.is_some_and(|stat| !matches!(stat.state, 'Z' | 'X' | 'x') || stat.num_threads > 1)
}

/// cgroup v2 path of a process; `None` when it is gone.
#[must_use]
pub fn cgroup_path(id: ProcessId) -> Option<BString> {
    Some(unified(&open(id)?)?.into())
}

/// `/proc/PID/cgroup` of a process, all hierarchies; `None` when it is gone.
#[must_use]
pub fn cgroups(id: ProcessId) -> Option<Vec<u8>> {
    let text = read(&PathBuf::from(format!("/proc/{}/cgroup", id.tgid)));
    open(id).map(|_| text)
}

/// `true` for the first process of a pid namespace: orphans become its children.
#[must_use]
pub fn is_init(id: ProcessId) -> bool {
    let inner = || Some(open(id)?.status().ok()?.nspid?.last() == Some(&1));
    id.tgid == 1 || inner().unwrap_or(false)
}

/// Where cgroup v2 is mounted: the usual places, alone or beside v1.
#[must_use]
pub fn cgroup_root() -> Option<PathBuf> {
    ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .into_iter()
        .map(PathBuf::from)
        .find(|root| root.join("cgroup.procs").exists() && root.join("cgroup.controllers").exists())
}

fn descriptor(dir: &Path, fd: u32) -> Fd {
    match fs::metadata(dir.join(format!("fd/{fd}"))) {
        Ok(metadata) => decode::descriptor(metadata.mode(), kernel_dev(metadata.rdev())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Fd::Closed,
        Err(_) => Fd::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_id() -> ProcessId {
        let stat = Process::myself().unwrap().stat().unwrap();
        ProcessId::new(std::process::id(), stat.starttime * TICK_NS)
    }

    #[test]
    fn this_process_is_read_whole() {
        let program = program(own_id(), 5).unwrap();
        let exe = std::env::current_exe().unwrap();
        assert_eq!(program.image.path, exe.as_os_str().as_encoded_bytes());
        assert_eq!(program.image.file.ino, fs::metadata(&exe).unwrap().ino());
        assert_eq!(program.args.argc as usize, std::env::args_os().count());
        assert_eq!(
            program.cwd,
            std::env::current_dir()
                .unwrap()
                .as_os_str()
                .as_encoded_bytes()
        );
        assert_eq!(program.source, Source::Scan);
    }

    #[test]
    fn another_process_of_the_same_pid_is_not_taken_for_it() {
        let mut id = own_id();
        id.start_ns += 5 * TICK_NS;
        assert_eq!(program(id, 5), None);
    }
}
