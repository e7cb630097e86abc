//! Filters of system calls. Two are put on top of each other: one that ends the process at
//! what none of them ever does, and one that lets through what is listed and refuses the
//! rest with `EPERM`.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter, apply_filter_all_threads,
};

use super::CallsError;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// What no process of the sensor does once it is sandboxed: whoever tries is not the sensor.
const NEVER: &[i64] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
];

/// What only those that load programs into the kernel do.
const KERNEL: &[i64] = &[libc::SYS_bpf, libc::SYS_perf_event_open];

/// Commands of `bpf(2)` of a collector that has attached: maps and the iterator, no program.
/// (`enum bpf_cmd` of `include/uapi/linux/bpf.h`: `MAP_LOOKUP_ELEM`, `MAP_UPDATE_ELEM`,
/// `MAP_DELETE_ELEM`, `MAP_GET_NEXT_KEY`, `OBJ_GET_INFO_BY_FD`, `LINK_CREATE`, `ITER_CREATE`.)
const COMMANDS: &[u64] = &[1, 2, 3, 4, 15, 28, 33];

/// Memory, threads, time, signals to itself, files that are open.
const BASE: &[i64] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_fstat,
    libc::SYS_lseek,
    libc::SYS_fcntl,
    libc::SYS_ioctl,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_flock,
    libc::SYS_fchmod,
    libc::SYS_fchown,
    libc::SYS_fstatfs,
    libc::SYS_pipe2,
    libc::SYS_eventfd2,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_membarrier,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rseq,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getrusage,
    libc::SYS_prlimit64,
    libc::SYS_prctl,
    libc::SYS_capget,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getcwd,
    libc::SYS_umask,
    libc::SYS_sendmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_recvfrom,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_socketpair,
];

/// Files by name.
const FILES: &[i64] = &[
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_fchmodat,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
];

/// The network, and Unix sockets by name.
const SOCKETS: &[i64] = &[
    libc::SYS_socket,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_sendmmsg,
    libc::SYS_recvmmsg,
];

/// Older forms of some of these, which one architecture has.
#[cfg(target_arch = "x86_64")]
const OLD: &[i64] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_getdents,
    libc::SYS_mkdir,
    libc::SYS_unlink,
    libc::SYS_rmdir,
    libc::SYS_rename,
    libc::SYS_chmod,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_wait,
    libc::SYS_pipe,
    libc::SYS_dup2,
    libc::SYS_arch_prctl,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[i64] = &[];

/// Puts on the filters of the outlet.
pub(super) fn outlet() -> Result<(), CallsError> {
    let listed = [BASE, FILES, SOCKETS, OLD].concat();
    kill(&[NEVER, KERNEL].concat())?;
    threads_alone(&listed)
}

/// Puts on the filter of the spawner, which its children inherit: it starts programs, so
/// only what neither of them ever does is kept from it.
///
/// # Errors
/// When the kernel refuses.
pub fn spawner() -> Result<(), CallsError> {
    let starts = [libc::SYS_execve, libc::SYS_execveat];
    let mut never = [NEVER, KERNEL].concat();
    never.retain(|call| !starts.contains(call));
    kill(&never)
}

/// Puts on the filters of the collector, in all its threads: once its hooks are attached it
/// reads what they say and `/proc`, and has what it needs of others behind sockets that are
/// open. It opens none.
///
/// # Errors
/// When the kernel refuses.
pub fn collector() -> Result<(), CallsError> {
    let listed = [BASE, FILES, OLD].concat();
    let mut rules = rules(&listed);
    rules.insert(libc::SYS_bpf, commands()?);
    everywhere(&kill_program(NEVER)?)?;
    let (newer, listed) = threads_programs(rules)?;
    everywhere(&newer)?;
    everywhere(&listed)
}

/// The listed commands of `bpf(2)`: its first argument, an `int`.
fn commands() -> Result<Vec<SeccompRule>, BackendError> {
    let length = SeccompCmpArgLen::Dword;
    let commands = COMMANDS.iter().map(|&command| {
        let condition = SeccompCondition::new(0, length.clone(), SeccompCmpOp::Eq, command)?;
        SeccompRule::new(vec![condition])
    });
    commands.collect()
}

/// Whatever their arguments are.
fn rules(calls: &[i64]) -> Rules {
    calls.iter().map(|&call| (call, Vec::new())).collect()
}

fn everywhere(program: &BpfProgram) -> Result<(), CallsError> {
    Ok(apply_filter_all_threads(program)?)
}

/// Ends the process at these.
fn kill(calls: &[i64]) -> Result<(), CallsError> {
    Ok(apply_filter(&kill_program(calls)?)?)
}

fn kill_program(calls: &[i64]) -> Result<BpfProgram, BackendError> {
    program(
        rules(calls),
        SeccompAction::Allow,
        SeccompAction::KillProcess,
    )
}

/// Refuses what is not listed.
fn threads_alone(listed: &[i64]) -> Result<(), CallsError> {
    let (newer, listed) = threads_programs(rules(listed))?;
    // The last one forbids to put on more.
    apply_filter(&newer)?;
    Ok(apply_filter(&listed)?)
}

/// Two filters that refuse what is not listed, in their order; threads may be started,
/// processes not.
fn threads_programs(mut rules: Rules) -> Result<(BpfProgram, BpfProgram), BackendError> {
    let thread = SeccompCondition::new(
        0,
        SeccompCmpArgLen::Qword,
        SeccompCmpOp::MaskedEq(libc::CLONE_THREAD.cast_unsigned().into()),
        libc::CLONE_THREAD.cast_unsigned().into(),
    )?;
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![thread])?]);
    // Signals are for itself.
    let own = u64::from(std::process::id());
    let own = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, own)?;
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![own])?]);
    // Its flags are in memory, where no filter can look: as on a kernel that has it not, the
    // C library takes the other.
    let newer = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let missing = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
    let newer = program(newer, SeccompAction::Allow, missing)?;
    rules.insert(libc::SYS_clone3, Vec::new());
    let refused = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    Ok((newer, program(rules, refused, SeccompAction::Allow)?))
}

fn program(
    rules: Rules,
    otherwise: SeccompAction,
    listed: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    BpfProgram::try_from(SeccompFilter::new(rules, otherwise, listed, architecture)?)
}
