//! The start-up self-test: a helper is forked and executed, and what the kernel side
//! reports about it is compared with `/proc`, field by field. Wrong offsets would make
//! everything else a well-formed lie.

use std::{
    io::Read as _,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{Probe, ProbeError};
use crate::{
    clock,
    event::{Credentials, Event, Exec, Fork, Image, Program},
    ring::Read,
    scan,
};

/// First argument of the helper: the binary must call [`helper`] when it sees it.
pub const HELPER_ARG: &str = "__self-test-helper";
/// How long a record may take to arrive.
const DEADLINE: Duration = Duration::from_secs(2);
/// Pause between looks at the ring: the helper's records force no wake-up.
const PAUSE: Duration = Duration::from_millis(1);
/// Inode number of the initial cgroup namespace (`include/uapi/linux/nsfs.h`).
const INITIAL_CGROUP_NS: u32 = 0xefff_fffb;

/// Life of the helper: until its standard input is closed.
pub fn helper() {
    let mut buffer = [0; 1];
    while matches!(std::io::stdin().read(&mut buffer), Ok(1..)) {}
}

impl Probe {
    /// Runs the self-test. Must come before seeding, while every event is emitted.
    ///
    /// # Errors
    /// A mismatch, which names the field, or a record that does not arrive.
    pub fn self_test(&mut self) -> Result<(), ProbeError> {
        let failed = |error: std::io::Error| ProbeError::SelfTest(format!("run helper: {error}"));
        let exe = std::env::current_exe().map_err(failed)?;
        let child = Command::new(exe)
            .arg0("lineage-sensor")
            .arg(HELPER_ARG)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let mut helper = Helper(child);
        let result = self.compare(helper.0.id());
        helper.stop();
        result
    }

    fn compare(&mut self, pid: u32) -> Result<(), ProbeError> {
        let (fork, exec) = self.await_records(pid)?;
        same("pid", &fork.child.tgid, &exec.process.tgid)?;
        same("creator", &fork.creator.tgid, &std::process::id())?;
        same(
            "start time at fork and exec, in ns",
            &fork.child.start_ns,
            &exec.process.start_ns,
        )?;
        verify(&exec, std::process::id())?;
        let row = self.row_of(pid)?.ok_or_else(|| {
            ProbeError::SelfTest("the task iterator misses the helper".to_owned())
        })?;
        same(
            "start time in the task iterator, in ns",
            &row.0.start_ns,
            &exec.process.start_ns,
        )?;
        same(
            "parent in the task iterator",
            &row.1.tgid,
            &std::process::id(),
        )
    }

    fn await_records(&mut self, pid: u32) -> Result<(Fork, Exec), ProbeError> {
        let end = Instant::now() + DEADLINE;
        let mut fork = None;
        let mut exec = None;
        let mut seen = 0;
        while Instant::now() < end {
            self.drain();
            for read in self.backlog.iter().skip(seen) {
                match read {
                    Read::Event(Event::Fork(event), _) if event.child.tgid == pid => {
                        fork = Some(*event);
                    }
                    Read::Event(Event::Exec(event), _) if event.process.tgid == pid => {
                        exec = Some(event.clone());
                    }
                    _ => {}
                }
            }
            seen = self.backlog.len();
            if let (Some(fork), Some(exec)) = (fork, &exec) {
                return Ok((fork, exec.clone()));
            }
            thread::sleep(PAUSE);
        }
        let which = if fork.is_none() { "fork" } else { "exec" };
        Err(ProbeError::SelfTest(format!(
            "no {which} record with pid {pid} arrived in {} s: the hooks do not fire, or the \
             offsets of task_struct.tgid and pid are wrong",
            DEADLINE.as_secs()
        )))
    }
}

/// Compares the record of a helper's exec with `/proc`, while the helper lives.
///
/// # Errors
/// A mismatch, which names the field.
pub fn verify(exec: &Exec, parent: u32) -> Result<(), ProbeError> {
    let pid = exec.process.tgid;
    same("parent", &exec.parent.tgid, &parent)?;
    let stat = procfs::process::Process::new(i32::try_from(pid).unwrap_or(0))
        .and_then(|process| process.stat())
        .map_err(|error| ProbeError::SelfTest(format!("read /proc/{pid}/stat: {error}")))?;
    same(
        "start time, in clock ticks",
        &(exec.process.start_ns / scan::TICK_NS),
        &stat.starttime,
    )?;
    let expected = scan::program(exec.process, clock::boottime_ns())
        .ok_or_else(|| ProbeError::SelfTest(format!("/proc/{pid} cannot be read")))?;
    programs(&exec.program, &expected)
}

/// The helper; killed and reaped whatever happens.
struct Helper(Child);

impl Helper {
    fn stop(&mut self) {
        drop(self.0.stdin.take());
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Compares what the kernel recorded with what `/proc` says.
fn programs(kernel: &Program, proc: &Program) -> Result<(), ProbeError> {
    credentials(kernel.cred, proc.cred)?;
    image(&kernel.image, &proc.image)?;
    same("argv", &kernel.args, &proc.args)?;
    same("working directory", &kernel.cwd, &proc.cwd)?;
    same("mount namespace", &kernel.ns.mount, &proc.ns.mount)?;
    same("pid namespace", &kernel.ns.pid, &proc.ns.pid)?;
    let inner = (kernel.ns.inner_pid, proc.ns.inner_pid);
    same("pid in its namespace", &inner.0, &inner.1)?;
    same("descriptors", &kernel.stdio, &proc.stdio)?;
    // Without a mount of cgroup v2 there is nothing to compare with.
    if proc.cgroup.id != 0 {
        same("cgroup id", &kernel.cgroup.id, &proc.cgroup.id)?;
    }
    if scan::namespace("/proc/self/ns/cgroup".as_ref()) == INITIAL_CGROUP_NS {
        same("cgroup path", &kernel.cgroup.path, &proc.cgroup.path)?;
    }
    Ok(())
}

fn credentials(kernel: Credentials, proc: Credentials) -> Result<(), ProbeError> {
    same("uid", &kernel.uid, &proc.uid)?;
    same("gid", &kernel.gid, &proc.gid)?;
    same("euid", &kernel.euid, &proc.euid)?;
    same("egid", &kernel.egid, &proc.egid)?;
    same("login uid", &kernel.login_uid, &proc.login_uid)
}

fn image(kernel: &Image, proc: &Image) -> Result<(), ProbeError> {
    let inode = (kernel.file.ino, proc.file.ino);
    same("inode of the executable", &inode.0, &inode.1)?;
    same("size of the executable", &kernel.size, &proc.size)?;
    same("links of the executable", &kernel.nlink, &proc.nlink)?;
    same("mode of the executable", &kernel.mode, &proc.mode)?;
    same("owner of the executable", &kernel.owner, &proc.owner)?;
    same("group of the executable", &kernel.group, &proc.group)?;
    same("path of the executable", &kernel.path, &proc.path)
}

fn same<T: PartialEq + std::fmt::Debug>(
    field: &'static str,
    kernel: &T,
    proc: &T,
) -> Result<(), ProbeError> {
    if kernel == proc {
        return Ok(());
    }
    Err(ProbeError::Mismatch {
        field,
        kernel: format!("{kernel:?}"),
        proc: format!("{proc:?}"),
    })
}
