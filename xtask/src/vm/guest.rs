//! One run of a virtual machine: booted, followed, read.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use super::{initramfs::Archive, kernel::Kernel};
use crate::command;

/// No machine may hang a run for ever; seconds.
const LIMIT: &str = "1500";
/// What the kernel is told: no chatter, a reboot instead of a halt after a panic (which
/// ends the emulator), and BPF among the security modules that are asked.
const COMMAND_LINE: &str = "console=ttyS0 quiet panic=-1 rdinit=/init \
    lsm=lockdown,capability,landlock,yama,apparmor,bpf";
/// Lines of the console shown when a machine fails.
const SHOWN: usize = 40;
/// Copied into the machine, where it is what the host has: the dynamic loader.
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// What one task said and how it ended.
pub(crate) struct Answer {
    pub(crate) lines: Vec<String>,
    pub(crate) code: i32,
}

/// Boots `kernel` with `program` as init, which runs the tasks.
pub(super) fn run(kernel: &Kernel, program: &Path, tasks: &[String]) -> Result<Vec<Answer>> {
    let initramfs = kernel.directory.join("initramfs");
    pack(&initramfs, kernel, program, tasks)?;
    let console = kernel.directory.join("console");
    let mut machine = machine(kernel, &initramfs, &console);
    eprintln!("+ {}", command::line(&machine));
    let mut child = machine
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("start the emulator")?;
    let stdout = child.stdout.take().context("no standard output")?;
    let mut reader = Reader::default();
    let answers = kernel.directory.join("answers");
    let mut kept =
        File::create(&answers).with_context(|| format!("create {}", answers.display()))?;
    for line in BufReader::new(stdout).lines() {
        let line = line.context("read the machine's answers")?;
        writeln!(kept, "{line}").with_context(|| format!("write {}", answers.display()))?;
        reader.line(line)?;
    }
    let status = child.wait().context("wait for the emulator")?;
    if reader.done {
        return Ok(reader.answers);
    }
    bail!(
        "kernel {} did not come to its end ({status}); its console, {}, ends with:\n{}",
        kernel.version,
        console.display(),
        tail(&console)
    )
}

fn pack(initramfs: &Path, kernel: &Kernel, program: &Path, tasks: &[String]) -> Result<()> {
    let file =
        File::create(initramfs).with_context(|| format!("create {}", initramfs.display()))?;
    let mut archive = Archive::new(BufWriter::new(file));
    for directory in ["dev", "proc", "sys", "tmp", "run", "modules", "lib64"] {
        archive.directory(directory)?;
    }
    archive.device("dev/console", 5, 1)?;
    archive.program("init", program)?;
    archive.data("tasks", tasks.join("\n").as_bytes())?;
    for (order, module) in kernel.modules.iter().enumerate() {
        archive.program(&format!("modules/{order}"), module)?;
    }
    if Path::new(LOADER).is_file() {
        archive.program(LOADER.trim_start_matches('/'), Path::new(LOADER))?;
    }
    archive.finish()
}

fn machine(kernel: &Kernel, initramfs: &Path, console: &Path) -> Command {
    let mut machine = Command::new("timeout");
    machine.args(["--foreground", "--kill-after=10", LIMIT]);
    machine.arg("qemu-system-x86_64");
    machine.args(["-accel", "tcg,thread=multi", "-cpu", "max"]);
    machine.args(["-m", "1024", "-smp", "2", "-no-reboot", "-nodefaults"]);
    machine.args(["-display", "none", "-monitor", "none", "-nic", "none"]);
    let mut serial = std::ffi::OsString::from("file:");
    serial.push(console);
    machine
        .arg("-serial")
        .arg(serial)
        .args(["-serial", "stdio"]);
    machine.arg("-kernel").arg(&kernel.image);
    machine.arg("-initrd").arg(initramfs);
    machine.args(["-append", COMMAND_LINE]);
    machine
}

/// Takes the frames apart.
#[derive(Default)]
struct Reader {
    answers: Vec<Answer>,
    current: Vec<String>,
    done: bool,
}

impl Reader {
    fn line(&mut self, line: String) -> Result<()> {
        if let Some(task) = line.strip_prefix("task ") {
            eprintln!("vm: {task}");
        } else if let Some(code) = line.strip_prefix("end ") {
            let code = code.trim().parse().context("the end of a task")?;
            let lines = std::mem::take(&mut self.current);
            self.answers.push(Answer { lines, code });
        } else if line.trim() == "done" {
            self.done = true;
        } else {
            self.current.push(line);
        }
        Ok(())
    }
}

fn tail(console: &PathBuf) -> String {
    let text = fs::read(console).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines
        .get(lines.len().saturating_sub(SHOWN)..)
        .unwrap_or_default()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_apart() {
        let mut reader = Reader::default();
        for line in ["task list", "{}", "[]", "end 0", "task x", "end 1", "done"] {
            reader.line(line.to_owned()).unwrap();
        }
        assert!(reader.done);
        let codes: Vec<i32> = reader.answers.iter().map(|answer| answer.code).collect();
        assert_eq!(codes, [0, 1]);
        assert_eq!(reader.answers[0].lines, ["{}", "[]"]);
    }
}
