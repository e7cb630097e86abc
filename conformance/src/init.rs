//! The first process of a virtual machine: mounts what programs need, runs the tasks
//! that `/tasks` names, one command line each, and powers off.
//!
//! What tasks print goes to the second serial line, framed; the first is the console's.

use std::{
    fs::{self, File},
    io::Write as _,
    os::fd::AsFd as _,
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, Result};
use rustix::{
    mount::MountFlags,
    system::{RebootCommand, reboot},
};

use crate::sys;

/// Where the answers go.
const ANSWERS: &str = "/dev/ttyS1";
/// File systems, in the order of mounting.
const MOUNTS: &[(&str, &str)] = &[
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("tmpfs", "/tmp"),
    ("tmpfs", "/run"),
    ("cgroup2", "/sys/fs/cgroup"),
    ("bpf", "/sys/fs/bpf"),
    ("tracefs", "/sys/kernel/tracing"),
    ("securityfs", "/sys/kernel/security"),
];

pub(crate) fn main() -> Result<ExitCode> {
    let outcome = run();
    if let Err(error) = &outcome {
        eprintln!("init: {error:#}");
    }
    rustix::fs::sync();
    reboot(RebootCommand::PowerOff).context("power off")?;
    Ok(ExitCode::FAILURE)
}

fn run() -> Result<()> {
    for (kind, place) in MOUNTS {
        fs::create_dir_all(place).ok();
        let done = rustix::mount::mount(*kind, *place, *kind, MountFlags::empty(), None);
        if let Err(error) = done {
            eprintln!("init: mount {kind} on {place}: {error}");
        }
    }
    let mut modules: Vec<_> = fs::read_dir("/modules")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    modules.sort();
    for module in modules {
        let image = fs::read(&module).with_context(|| format!("read {}", module.display()))?;
        sys::load_module(&image).with_context(|| format!("load {}", module.display()))?;
    }
    sys::loopback_up().context("bring loopback up")?;
    let mut answers = File::options()
        .write(true)
        .open(ANSWERS)
        .with_context(|| format!("open {ANSWERS}"))?;
    raw(&answers)?;
    let tasks = fs::read_to_string("/tasks").context("read /tasks")?;
    for task in tasks.lines() {
        writeln!(answers, "task {task}").context("write the answer")?;
        let status = Command::new("/init")
            .args(task.split_whitespace())
            .stdin(Stdio::null())
            .stdout(answers.try_clone().context("share the answers")?)
            .status()
            .with_context(|| format!("run {task}"))?;
        writeln!(answers, "end {}", status.code().unwrap_or(-1)).context("write the answer")?;
    }
    writeln!(answers, "done").context("write the answer")
}

/// Bytes as they are: no carriage returns, no echo.
fn raw(line: &File) -> Result<()> {
    let mut settings =
        rustix::termios::tcgetattr(line.as_fd()).context("read the serial line's settings")?;
    settings.make_raw();
    let when = rustix::termios::OptionalActions::Now;
    rustix::termios::tcsetattr(line.as_fd(), when, &settings).context("set the serial line")
}
