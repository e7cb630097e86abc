//! Ways to make a process, and ways to lose a parent.

use std::{fs, io, os::fd::AsFd as _};

use rustix::process::{Pid, Signal, WaitOptions};

use sensor::simulate::wait_until_orphaned;

use super::{skip, status, wait_for_any};
use crate::{
    ledger::{Line, Who, forked, reap, say, see_through},
    step::{argv, become_step},
    sys,
};

/// fork and exec, as everybody does.
pub(super) fn exec() -> io::Result<()> {
    see_through(sys::fork(|| become_step("./nginx", &["code", "0"]))?)
}

pub(super) fn vfork() -> io::Result<()> {
    see_through(sys::vfork_exec(
        c"./nginx",
        &argv("vforked", &["code", "0"])?,
    )?)
}

pub(super) fn posix_spawn() -> io::Result<()> {
    see_through(sys::posix_spawn(
        c"./nginx",
        &argv("spawned", &["code", "0"])?,
    )?)
}

pub(super) fn clone3() -> io::Result<()> {
    see_through(sys::clone3(0, None, || {
        become_step("./nginx", &["code", "0"])
    })?)
}

/// The creator is not the parent: the worker gets a child that its own child made.
pub(super) fn clone_parent() -> io::Result<()> {
    let parent = Who::me()?;
    let creator = sys::fork(|| {
        let made = sys::clone3(sys::CLONE_PARENT, None, || {
            become_step("./nginx", &["code", "0"])
        });
        status(made.and_then(|child| {
            let line = Line::Fork {
                who: Who::of(child)?,
                creator: Who::me()?,
                parent,
            };
            say(&line)
        }))
    })?;
    see_through(creator)?;
    wait_for_any()
}

pub(super) fn clone_into_cgroup() -> io::Result<()> {
    let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
    let Some(root) = roots
        .iter()
        .find(|root| fs::exists(format!("{root}/cgroup.controllers")).unwrap_or(false))
    else {
        return skip("cgroup v2 is not mounted");
    };
    let group = format!("{root}/lineage-conformance-{}", std::process::id());
    fs::create_dir(&group)?;
    let done = fs::File::open(&group).and_then(|directory| {
        let child = sys::clone3(sys::CLONE_INTO_CGROUP, Some(directory.as_fd()), || {
            become_step("./nginx", &["code", "0"])
        })?;
        see_through(child)
    });
    fs::remove_dir(&group)?;
    done
}

/// The classic way out of a process tree: the grandchild belongs to init.
pub(super) fn double_fork_setsid() -> io::Result<()> {
    let middle = sys::fork(|| status(daemonise()))?;
    see_through(middle)
}

fn daemonise() -> io::Result<()> {
    rustix::process::setsid()?;
    let me = rustix::process::getpid();
    let daemon = sys::fork(|| step_orphaned(me))?;
    forked(daemon).map(drop)
}

/// A child that executes something once its parent is gone.
fn step_orphaned(parent: Pid) -> i32 {
    match wait_until_orphaned(parent) {
        Ok(()) => become_step("./nginx", &["code", "0"]),
        Err(error) => status(Err(error)),
    }
}

/// As above, but the orphan goes to the worker, which asked for it.
pub(super) fn subreaper() -> io::Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    double_fork_setsid()?;
    wait_for_any()
}

/// The parent is killed before its child executes anything: only the fork knows it.
pub(super) fn parent_dies_before_exec() -> io::Result<()> {
    let victim = sys::fork(|| {
        let me = rustix::process::getpid();
        let child = sys::fork(|| step_orphaned(me));
        let stopped = child
            .and_then(forked)
            .and_then(|_| Ok(rustix::process::kill_process(me, Signal::STOP)?));
        status(stopped)
    })?;
    let who = forked(victim)?;
    rustix::process::waitpid(Some(victim), WaitOptions::UNTRACED)?;
    rustix::process::kill_process(victim, Signal::KILL)?;
    reap(victim, who).map(drop)
}
