//! The hooks and their rungs, probed by loading and attaching.

use aya::{Btf, Ebpf};
pub use sensor_common::record::Rung;

use super::{
    Options, ProbeError,
    attach::{At, Link, Point, attach},
    tracefs,
};

/// What a hook is for, and so which rungs it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Lifecycle of processes: the sensor does not run without them.
    Process,
    /// Sockets that begin to listen: on the rungs of the process hooks.
    Listen,
    /// Files and connections.
    File,
    /// `io_uring`: only where files are watched at system calls, which it is none of.
    Uring,
}

/// An attached hook.
#[derive(Clone, Debug)]
pub struct Hook {
    /// What it watches: a tracepoint's name, or what is done to a file.
    pub name: &'static str,
    /// How it is attached.
    pub rung: Rung,
    /// Why: what better rungs answered, or that it is the best.
    pub reason: String,
    /// Its programs.
    pub(super) programs: Vec<&'static str>,
}

impl Hook {
    /// Every hook there is, in the order of attaching.
    pub fn names() -> impl Iterator<Item = &'static str> {
        HOOKS.iter().map(|hook| hook.name)
    }

    /// Every hook on every rung it has, best first.
    pub fn ladder() -> impl Iterator<Item = (&'static str, Rung)> {
        let rungs = |hook: &'static Spec| hook.rungs.iter().map(|&(rung, _)| (hook.name, rung));
        HOOKS.iter().flat_map(rungs)
    }

    /// What is worse on its rung, in words; `None` when nothing is.
    #[must_use]
    pub fn shortcoming(&self) -> Option<&'static str> {
        shortcoming(self.name, self.rung)
    }
}

/// What is worse about `hook` on `rung` than on the best one, in words.
#[must_use]
pub fn shortcoming(hook: &str, rung: Rung) -> Option<&'static str> {
    match (rung, hook) {
        (Rung::Syscall, "open") => {
            Some("32-bit programs are not seen; io_uring is reported when it is asked for")
        }
        (Rung::Syscall, "connect") => Some("32-bit programs are not seen"),
        (Rung::Syscall, "chmod") => Some(
            "paths are joined as typed, not resolved; whether the bits were there before is not \
                 known; 32-bit programs are not seen",
        ),
        (Rung::Syscall, _) => Some(
            "paths are joined as typed, not resolved; 32-bit programs are not seen; \
                 io_uring is reported when it is asked for",
        ),
        (_, URING) => Some("reported when it is asked for: it may fail"),
        (Rung::Lsm, "open") => None,
        (Rung::Lsm, "connect") => {
            Some("reported before it is done: it may have failed; the descriptor is not known")
        }
        (Rung::Lsm, _) => Some("reported before it is done: it may have failed"),
        _ => None,
    }
}

/// Outcome of attaching one hook on one rung.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Hook.
    pub hook: &'static str,
    /// Rung.
    pub rung: Rung,
    /// What the kernel said, if it refused.
    pub result: Result<(), String>,
}

/// A hook and the ways to attach it, best first.
struct Spec {
    name: &'static str,
    family: Family,
    rungs: &'static [(Rung, &'static [Point])],
}

const fn point(program: &'static str, at: At) -> Point {
    Point { program, at }
}

/// One program at each of a list of system calls' entries (or exits).
macro_rules! syscalls {
    ($program:literal, $($name:literal),+) => {
        point($program, At::Syscalls(&[$($name),+]))
    };
}

macro_rules! tracepoint {
    ($family:ident: $name:literal, $typed:literal, $raw:literal) => {
        Spec {
            name: $name,
            family: Family::$family,
            rungs: &[
                (Rung::TpBtf, &[point($typed, At::BtfTracepoint(&[$name]))]),
                (Rung::RawTp, &[point($raw, At::RawTracepoint(&[$name]))]),
            ],
        }
    };
}

/// In the order of attaching. Exit comes first: an exit that is missed would leave a
/// member behind, a fork or exec that is missed is found by the scan.
const HOOKS: &[Spec] = &[
    tracepoint!(Process: "sched_process_exit", "exit_tp_btf", "exit_raw_tp"),
    tracepoint!(Process: "sched_process_fork", "fork_tp_btf", "fork_raw_tp"),
    tracepoint!(Process: "sched_process_exec", "exec_tp_btf", "exec_raw_tp"),
    tracepoint!(Listen: "inet_sock_set_state", "listen_tp_btf", "listen_raw_tp"),
    Spec {
        name: "open",
        family: Family::File,
        rungs: &[
            (
                Rung::Fentry,
                &[point("open_fentry", At::FunctionExit("security_file_open"))],
            ),
            (Rung::Lsm, &[point("open_lsm", At::Lsm("file_open"))]),
            (
                Rung::Kprobe,
                &[point("open_kprobe", At::Kprobe("security_file_open"))],
            ),
            (
                Rung::Syscall,
                &[syscalls!(
                    "open_syscall",
                    "sys_exit_openat",
                    "sys_exit_open",
                    "sys_exit_creat",
                    "sys_exit_openat2",
                    "sys_exit_open_by_handle_at"
                )],
            ),
        ],
    },
    Spec {
        name: "rename",
        family: Family::File,
        rungs: &[
            (
                Rung::Fentry,
                &[
                    point("rename_end_fentry", At::FunctionExit("vfs_rename")),
                    point("rename_begin_fentry", At::Function("security_path_rename")),
                ],
            ),
            (
                Rung::Kprobe,
                &[
                    point("change_leave_kprobe", At::Kretprobe("vfs_rename")),
                    point("change_enter_kprobe", At::Kprobe("vfs_rename")),
                    point("rename_begin_kprobe", At::Kprobe("security_path_rename")),
                ],
            ),
            (Rung::Lsm, &[point("rename_lsm", At::Lsm("path_rename"))]),
            (
                Rung::Syscall,
                &[
                    syscalls!(
                        "change_exit",
                        "sys_exit_rename",
                        "sys_exit_renameat",
                        "sys_exit_renameat2"
                    ),
                    syscalls!("rename_enter", "sys_enter_rename"),
                    syscalls!("renameat_enter", "sys_enter_renameat"),
                    syscalls!("renameat2_enter", "sys_enter_renameat2"),
                ],
            ),
        ],
    },
    Spec {
        name: "link",
        family: Family::File,
        rungs: &[
            (
                Rung::Fentry,
                &[
                    point("link_end_fentry", At::FunctionExit("vfs_link")),
                    point("link_begin_fentry", At::Function("security_path_link")),
                ],
            ),
            (
                Rung::Kprobe,
                &[
                    point("change_leave_kprobe", At::Kretprobe("vfs_link")),
                    point("change_enter_kprobe", At::Kprobe("vfs_link")),
                    point("link_begin_kprobe", At::Kprobe("security_path_link")),
                ],
            ),
            (Rung::Lsm, &[point("link_lsm", At::Lsm("path_link"))]),
            (
                Rung::Syscall,
                &[
                    syscalls!("change_exit", "sys_exit_link", "sys_exit_linkat"),
                    syscalls!("link_enter", "sys_enter_link"),
                    syscalls!("linkat_enter", "sys_enter_linkat"),
                ],
            ),
        ],
    },
    Spec {
        name: "symlink",
        family: Family::File,
        rungs: &[
            (
                Rung::Fentry,
                &[
                    point("symlink_end_fentry", At::FunctionExit("vfs_symlink")),
                    point(
                        "symlink_begin_fentry",
                        At::Function("security_path_symlink"),
                    ),
                ],
            ),
            (
                Rung::Kprobe,
                &[
                    point("change_leave_kprobe", At::Kretprobe("vfs_symlink")),
                    point("change_enter_kprobe", At::Kprobe("vfs_symlink")),
                    point("symlink_begin_kprobe", At::Kprobe("security_path_symlink")),
                ],
            ),
            (Rung::Lsm, &[point("symlink_lsm", At::Lsm("path_symlink"))]),
            (
                Rung::Syscall,
                &[
                    syscalls!("change_exit", "sys_exit_symlink", "sys_exit_symlinkat"),
                    syscalls!("symlink_enter", "sys_enter_symlink"),
                    syscalls!("symlinkat_enter", "sys_enter_symlinkat"),
                ],
            ),
        ],
    },
    Spec {
        name: "chmod",
        family: Family::File,
        rungs: &[
            (
                Rung::Fentry,
                &[
                    point("chmod_end_fentry", At::FunctionExit("chmod_common")),
                    point("chmod_begin_fentry", At::Function("security_path_chmod")),
                ],
            ),
            (
                Rung::Kprobe,
                &[
                    point("change_leave_kprobe", At::Kretprobe("chmod_common")),
                    point("change_enter_kprobe", At::Kprobe("chmod_common")),
                    point("chmod_begin_kprobe", At::Kprobe("security_path_chmod")),
                ],
            ),
            (Rung::Lsm, &[point("chmod_lsm", At::Lsm("path_chmod"))]),
            (
                Rung::Syscall,
                &[
                    syscalls!(
                        "change_exit",
                        "sys_exit_fchmodat",
                        "sys_exit_chmod",
                        "sys_exit_fchmod",
                        "sys_exit_fchmodat2"
                    ),
                    syscalls!("chmod_enter", "sys_enter_chmod"),
                    syscalls!("fchmod_enter", "sys_enter_fchmod"),
                    syscalls!(
                        "fchmodat_enter",
                        "sys_enter_fchmodat",
                        "sys_enter_fchmodat2"
                    ),
                ],
            ),
        ],
    },
    Spec {
        name: "connect",
        family: Family::File,
        rungs: &[
            (
                Rung::Fentry,
                &[point("connect_fentry", At::FunctionExit("__sys_connect"))],
            ),
            (
                Rung::Kprobe,
                &[
                    point("connect_leave_kprobe", At::Kretprobe("__sys_connect")),
                    point("connect_enter_kprobe", At::Kprobe("__sys_connect")),
                ],
            ),
            (
                Rung::Lsm,
                &[point("connect_lsm", At::Lsm("socket_connect"))],
            ),
            (
                Rung::Syscall,
                &[
                    syscalls!("connect_exit", "sys_exit_connect"),
                    syscalls!("connect_enter", "sys_enter_connect"),
                ],
            ),
        ],
    },
    // Last: whether it is needed depends on the rungs of the others.
    Spec {
        name: URING,
        family: Family::Uring,
        rungs: &[
            (
                Rung::TpBtf,
                &[point(
                    "uring_tp_btf",
                    At::BtfTracepoint(&["io_uring_submit_req", "io_uring_submit_sqe"]),
                )],
            ),
            (
                Rung::RawTp,
                &[point(
                    "uring_raw_tp",
                    At::RawTracepoint(&["io_uring_submit_req", "io_uring_submit_sqe"]),
                )],
            ),
        ],
    },
];

/// Requests to `io_uring`.
const URING: &str = "io_uring";

/// Rungs to use instead of the best.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forced {
    /// For processes.
    pub process: Option<Rung>,
    /// For files.
    pub file: Option<Rung>,
}

impl Forced {
    fn of(self, family: Family) -> Option<Rung> {
        match family {
            // Those of io_uring and of listening have the same two as the process hooks.
            Family::Process | Family::Listen | Family::Uring => self.process,
            Family::File => self.file,
        }
    }
}

/// What could be attached, and what could not.
#[derive(Default)]
pub(super) struct Attachment {
    /// By name.
    pub(super) hooks: Vec<Hook>,
    /// Optional hooks that no rung attaches, and what each answered.
    pub(super) missing: Vec<(&'static str, String)>,
    /// Dropped to detach.
    pub(super) links: Vec<Link>,
}

/// Attaches every hook on its best rung, or on the forced one.
pub(super) fn attach_all(
    ebpf: &mut Ebpf,
    btf: &Btf,
    options: &Options,
) -> Result<Attachment, ProbeError> {
    let mut attachment = Attachment::default();
    // Only needed while system calls' tracepoints are looked up.
    let _tracefs = options.files.then(tracefs::Mount::ensure);
    for spec in HOOKS {
        let at_calls = |hook: &Hook| hook.rung == Rung::Syscall;
        if spec.family == Family::Uring && !attachment.hooks.iter().any(at_calls) {
            continue;
        }
        if spec.family == Family::File && !options.files {
            let why = "switched off by capture.files".to_owned();
            attachment.missing.push((spec.name, why));
            continue;
        }
        let wanted = options.rungs.of(spec.family);
        match attach_best(ebpf, btf, spec, wanted) {
            Ok((hook, links)) => {
                attachment.hooks.push(hook);
                attachment.links.extend(links);
            }
            Err(reason)
                if spec.family == Family::Process
                    || spec.family == Family::File && wanted.is_some() =>
            {
                let hook = spec.name;
                return Err(ProbeError::Hook { hook, reason });
            }
            Err(reason) => attachment.missing.push((spec.name, reason)),
        }
    }
    attachment.hooks.sort_by_key(|hook| hook.name);
    Ok(attachment)
}

/// Every program and where it belongs; some belong to several places.
pub(super) fn points() -> impl Iterator<Item = &'static Point> {
    HOOKS
        .iter()
        .flat_map(|spec| spec.rungs)
        .flat_map(|(_, points)| *points)
}

/// Attaches every hook on every rung, and detaches it again.
pub(super) fn trials(ebpf: &mut Ebpf, btf: &Btf) -> Vec<Trial> {
    let mut trials = Vec::new();
    let _tracefs = tracefs::Mount::ensure();
    for spec in HOOKS {
        for (rung, points) in spec.rungs {
            trials.push(Trial {
                hook: spec.name,
                rung: *rung,
                result: attach(ebpf, btf, points).map(drop),
            });
        }
    }
    trials
}

fn attach_best(
    ebpf: &mut Ebpf,
    btf: &Btf,
    spec: &Spec,
    forced: Option<Rung>,
) -> Result<(Hook, Vec<Link>), String> {
    let mut failures = Vec::new();
    for &(rung, points) in spec.rungs {
        if forced.is_some_and(|forced| forced != rung) {
            continue;
        }
        match attach(ebpf, btf, points) {
            Ok(links) => {
                let reason = match (forced, failures.is_empty()) {
                    (Some(_), _) => "forced".to_owned(),
                    (None, true) => "the best rung works".to_owned(),
                    (None, false) => failures.join("; "),
                };
                let hook = Hook {
                    name: spec.name,
                    rung,
                    reason,
                    programs: points.iter().map(|point| point.program).collect(),
                };
                return Ok((hook, links));
            }
            Err(error) => failures.push(format!("{rung}: {error}")),
        }
    }
    Err(failures.join("; "))
}
