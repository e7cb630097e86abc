//! The programs by name, and how one is run: below a process whose executable has the
//! name of a server, in a directory of its own, where `./nginx` is this executable.

mod argv;
mod birth;
mod elf;
mod file;
mod flood;
mod image;
mod link;
mod path;
mod pid;
mod race;
mod script;
mod socket;
mod thread;
mod uring;

use std::{ffi::OsString, io, process::ExitCode};

use rustix::process::WaitOptions;

use crate::{
    ledger::{self, Line},
    sys,
};

/// The name every program's executable has, which makes it the root of a service.
pub(crate) const SERVER: &str = "nginx";

/// One program.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    run: fn() -> io::Result<()>,
    /// It changes something the whole machine shares, so it runs in virtual ones only.
    pub(crate) vm_only: bool,
    /// It is about files: without a rung for files there is nothing to compare.
    pub(crate) files: bool,
    /// It is more than a ring holds: nobody reads meanwhile, and some of it must be lost.
    pub(crate) flood: bool,
}

const fn process(name: &'static str, run: fn() -> io::Result<()>) -> Program {
    Program {
        name,
        run,
        vm_only: false,
        files: false,
        flood: false,
    }
}

const fn files(name: &'static str, run: fn() -> io::Result<()>) -> Program {
    Program {
        files: true,
        ..process(name, run)
    }
}

/// Every program, in the order of the list of patterns they stand for.
pub(crate) const ALL: &[Program] = &[
    process("exec", birth::exec),
    process("vfork", birth::vfork),
    process("posix_spawn", birth::posix_spawn),
    process("clone3", birth::clone3),
    process("clone_parent", birth::clone_parent),
    process("clone_into_cgroup", birth::clone_into_cgroup),
    process("double_fork_setsid", birth::double_fork_setsid),
    process("subreaper", birth::subreaper),
    process("parent_dies_before_exec", birth::parent_dies_before_exec),
    process("thread_exec", thread::exec),
    process("thread_fork", thread::fork),
    process("thread_exits", thread::exits),
    process("execveat_empty_path", image::execveat_empty_path),
    process("memfd", image::memfd),
    process("tmpfile", image::tmpfile),
    process("unlinked", image::unlinked),
    process("proc_self_exe", image::proc_self_exe),
    process("exec_chain", image::chain),
    process("copied_binary", image::copied),
    process("hard_linked_binary", image::hard_linked),
    process("renamed_argv0", image::renamed_argv0),
    process("renamed_comm", image::renamed_comm),
    process("ld_so", image::ld_so),
    process("elf32", image::elf32),
    process("script", script::one_level),
    process("script_two_levels", script::two_levels),
    process("path_symlink", path::symlink),
    process("path_dots", path::dots),
    process("path_proc_fd", path::proc_fd),
    process("path_chroot", path::chroot),
    process("path_overlay", path::overlay),
    process("path_race_exec", race::exec),
    process("argv_2mb", argv::two_megabytes),
    process("argv_bytes", argv::bytes),
    process("argv_empty0", argv::empty0),
    process("argv_none", argv::none),
    process("argv_rewritten", argv::rewritten),
    process("pid_namespace", pid::namespace),
    Program {
        vm_only: true,
        ..process("pid_reuse", pid::reuse)
    },
    Program {
        flood: true,
        ..process("flood", flood::flood)
    },
    process("listen", socket::listen),
    files("open", file::open),
    files("creat", file::creat),
    files("openat", file::openat),
    files("openat2", file::openat2),
    files("open_by_handle_at", file::open_by_handle_at),
    files("overwrite_in_place", file::overwrite_in_place),
    files("open_path_meaning", file::path_meaning),
    files("open_overlay", file::overlay),
    files("open_chroot", file::chroot),
    files("open_elf32", file::elf32),
    files("fd_passing", file::fd_passing),
    files("path_race_open", race::open),
    files("tmpfile_linkat", link::tmpfile_linkat),
    files("rename", link::rename),
    files("rename_exchange", link::rename_exchange),
    files("link", link::link),
    files("symlink", link::symlink),
    files("rename_directory", link::rename_directory),
    files("chmod", link::chmod),
    files("chmod_set_id", link::chmod_set_id),
    files("fchmod", link::fchmod),
    files("connect_tcp4", socket::connect_tcp4),
    files("connect_tcp6", socket::connect_tcp6),
    files("connect_udp", socket::connect_udp),
    files("connect_stdio", socket::connect_stdio),
    files("connect_nonblocking", socket::connect_nonblocking),
    files("connect_refused", socket::connect_refused),
    files("connect_wrong", socket::connect_wrong),
    Program {
        flood: true,
        ..files("flood_files", flood::files)
    },
    files("io_uring_openat", uring::openat),
    files("io_uring_rename", uring::rename),
    files("io_uring_link", uring::link),
];

pub(crate) fn main(argv: &[OsString]) -> ExitCode {
    let name = argv.get(2).and_then(|word| word.to_str());
    let Some(program) = ALL.iter().find(|program| Some(program.name) == name) else {
        eprintln!("program: no such program: {name:?}");
        return ExitCode::FAILURE;
    };
    match root(program) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", program.name);
            ExitCode::FAILURE
        }
    }
}

/// The server's part: a worker does the rest.
fn root(program: &Program) -> io::Result<()> {
    ledger::say(&Line::Exec(ledger::own_image()?))?;
    let worker = sys::fork(|| status((program.run)()))?;
    ledger::see_through(worker)?;
    ledger::say(&Line::Done)
}

/// Exit code of a child that does `done`.
fn status(done: io::Result<()>) -> i32 {
    match done {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{error}");
            125
        }
    }
}

/// Says that the program cannot run here, and why.
fn skip(reason: impl Into<String>) -> io::Result<()> {
    let reason = reason.into();
    ledger::say(&Line::Skip { reason })
}

/// Waits for a child that a fork line names already, or that came by adoption.
fn wait_for_any() -> io::Result<()> {
    let Some((_, status)) = rustix::process::wait(WaitOptions::empty())? else {
        return Err(io::Error::other("there was no child to wait for"));
    };
    if status.exit_status() == Some(0) {
        Ok(())
    } else {
        Err(io::Error::other(format!("child: {status:?}")))
    }
}
