//! What an image can be: a file without a name, a file of another name, or one of
//! several in the same process.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::fd::{AsFd, AsRawFd as _},
};

use rustix::fs::{MemfdFlags, Mode, OFlags};

use super::{SERVER, elf, skip};
use crate::{
    ledger::{self, Argv, Exec, FileId, Line, Who, say, see_through},
    step::{argv, become_step},
    sys,
};

const DONE: [&str; 2] = ["code", "0"];

/// Runs an open file as a step, by descriptor alone.
fn run_descriptor(file: impl AsFd) -> io::Result<()> {
    see_through(sys::fork(|| {
        let error = match argv("descriptor", &DONE) {
            Ok(argv) => sys::exec_at(file.as_fd(), c"", &argv, libc::AT_EMPTY_PATH),
            Err(error) => error,
        };
        eprintln!("execveat: {error}");
        126
    })?)
}

pub(super) fn execveat_empty_path() -> io::Result<()> {
    run_descriptor(File::open(SERVER)?)
}

pub(super) fn memfd() -> io::Result<()> {
    let memory = rustix::fs::memfd_create(c"harmless", MemfdFlags::CLOEXEC)?;
    File::from(memory.try_clone()?).write_all(&fs::read(SERVER)?)?;
    run_descriptor(memory)
}

/// Written without a name, executed through /proc: open for writing it would be busy.
pub(super) fn tmpfile() -> io::Result<()> {
    let made = rustix::fs::open(".", OFlags::TMPFILE | OFlags::RDWR, Mode::RWXU);
    let file = match made {
        Ok(fd) => File::from(fd),
        Err(rustix::io::Errno::OPNOTSUPP) => return skip("no O_TMPFILE on this file system"),
        Err(error) => return Err(error.into()),
    };
    (&file).write_all(&fs::read(SERVER)?)?;
    let read_only = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    drop(file);
    run_descriptor(read_only)
}

pub(super) fn unlinked() -> io::Result<()> {
    fs::copy(SERVER, "gone")?;
    let file = File::open("gone")?;
    fs::remove_file("gone")?;
    run_descriptor(file)
}

/// As busybox does; it is no memory file.
pub(super) fn proc_self_exe() -> io::Result<()> {
    see_through(sys::fork(|| become_step("/proc/self/exe", &DONE))?)
}

/// Five images, one process.
pub(super) fn chain() -> io::Result<()> {
    see_through(sys::fork(|| become_step("./nginx", &["chain", "4"]))?)
}

pub(super) fn copied() -> io::Result<()> {
    fs::copy(SERVER, "kworker")?;
    see_through(sys::fork(|| become_step("./kworker", &DONE))?)
}

pub(super) fn hard_linked() -> io::Result<()> {
    fs::hard_link(SERVER, "sshd")?;
    see_through(sys::fork(|| become_step("./sshd", &DONE))?)
}

/// `exec -a`.
pub(super) fn renamed_argv0() -> io::Result<()> {
    see_through(sys::vfork_exec(c"./nginx", &argv("[kworker/0:1]", &DONE)?)?)
}

pub(super) fn renamed_comm() -> io::Result<()> {
    see_through(sys::fork(|| become_step("./nginx", &["comm"]))?)
}

/// The loader runs a program that is never executed: the image is the loader.
pub(super) fn ld_so() -> io::Result<()> {
    let loaders = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];
    let Some(loader) = loaders
        .iter()
        .find(|path| fs::exists(path).unwrap_or(false))
    else {
        return skip("no dynamic loader here");
    };
    let words = ["ld.so", "--verify", "./nginx"];
    run_foreign(loader, loader, &words, None).map(drop)
}

/// A program for 32 bits that opens nothing: `mov eax, 1; xor ebx, ebx; int 0x80`.
pub(super) fn elf32() -> io::Result<()> {
    let code = [0xb8, 1, 0, 0, 0, 0x31, 0xdb, 0xcd, 0x80];
    elf::write32("tiny32", &code, &[])?;
    match run_foreign("./tiny32", "./tiny32", &["tiny32"], None) {
        Err(error) if error.raw_os_error() == Some(libc::ENOEXEC) => {
            skip("this kernel runs no 32-bit programs")
        }
        other => other.map(drop),
    }
}

/// Runs a program that keeps no ledger; the parent says what was executed. It waits for
/// the descriptor that the exec closes, so that its ledger stands in the right order.
pub(super) fn run_foreign(
    path: &str,
    image: &str,
    words: &[&str],
    interp: Option<&str>,
) -> io::Result<Who> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let child = sys::fork(|| {
        let error = exec_quietly(path, words);
        let code = error.raw_os_error().unwrap_or(0).to_le_bytes();
        let _told = rustix::io::write(&write, &code);
        126
    })?;
    drop(write);
    let who = ledger::forked(child)?;
    let mut code = [0; 4];
    if rustix::io::read(&read, &mut code)? > 0 {
        ledger::reap(child, who)?;
        return Err(io::Error::from_raw_os_error(i32::from_le_bytes(code)));
    }
    say(&executed(who, path, image, words, interp)?)?;
    ledger::reap(child, who)?;
    Ok(who)
}

pub(super) fn executed(
    who: Who,
    path: &str,
    image: &str,
    words: &[&str],
    interp: Option<&str>,
) -> io::Result<Line> {
    let metadata = fs::metadata(image)?;
    let resolved = fs::canonicalize(image)?;
    Ok(Line::Exec(Exec {
        who,
        file: FileId::of(&metadata),
        nlink: std::os::unix::fs::MetadataExt::nlink(&metadata),
        argv: Argv::of_strings(words),
        filename: path.to_owned(),
        path: Some(resolved.to_string_lossy().into_owned()),
        uid: rustix::process::getuid().as_raw(),
        interp: interp.map(str::to_owned),
    }))
}

/// Foreign programs must not write into the ledger.
fn exec_quietly(path: &str, words: &[&str]) -> io::Error {
    let ready = (|| -> io::Result<_> {
        let null = OpenOptions::new().write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdout(&null)?;
        rustix::stdio::dup2_stderr(&null)?;
        Ok((sys::path(path)?, sys::Argv::new(words)?))
    })();
    match ready {
        Ok((path, argv)) => sys::exec(&path, &argv),
        Err(error) => error,
    }
}
