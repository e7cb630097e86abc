//! The system calls the programs need and no crate wraps: every way to make a process,
//! every way to replace its image. The only file with `unsafe` code but for `uring`.
//!
//! Forks copy one thread: they are called where there is only one, or the child does
//! nothing but system calls.

use std::{
    ffi::{CStr, CString, OsStr, c_char, c_int, c_void},
    io,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    ptr,
};

use rustix::process::{Pid, WaitOptions, WaitStatus};

/// `clone3` flags the programs use.
pub(crate) const CLONE_PARENT: u64 = 0x8000;
pub(crate) const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
pub(crate) const CLONE_NEWPID: u64 = 0x2000_0000;

/// Argument of `clone3` (`include/uapi/linux/sched.h`, version 2).
#[derive(Default)]
#[repr(C)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Strings for `execve`: owned, with the array of pointers the kernel wants.
pub(crate) struct Argv {
    strings: Vec<CString>,
}

impl Argv {
    pub(crate) fn new<T: AsRef<[u8]>>(strings: &[T]) -> io::Result<Self> {
        let strings = strings
            .iter()
            .map(|string| CString::new(string.as_ref()).map_err(io::Error::other))
            .collect::<io::Result<_>>()?;
        Ok(Self { strings })
    }

    fn pointers(&self) -> Vec<*const c_char> {
        let strings = self.strings.iter().map(|string| string.as_ptr());
        strings.chain([ptr::null()]).collect()
    }
}

pub(crate) fn path(path: impl AsRef<OsStr>) -> io::Result<CString> {
    CString::new(path.as_ref().as_bytes()).map_err(io::Error::other)
}

/// Ends this process at once, as a child of a fork must.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Result of a system call that made a child: in the child runs `child`, and never
/// returns from here.
fn born(made: i64, child: impl FnOnce() -> i32) -> io::Result<Pid> {
    if made == 0 {
        exit(child());
    }
    let pid = i32::try_from(made).ok().and_then(Pid::from_raw);
    match pid {
        Some(pid) if made > 0 => Ok(pid),
        _ => Err(io::Error::last_os_error()),
    }
}

/// `fork`; the child ends with what `child` returns.
pub(crate) fn fork(child: impl FnOnce() -> i32) -> io::Result<Pid> {
    // SAFETY: the caller's process has one thread, or `child` makes system calls only.
    let made = unsafe { libc::fork() };
    born(i64::from(made), child)
}

/// `clone3` without shared memory: a fork with `flags`, into `cgroup` when there is one.
pub(crate) fn clone3(
    flags: u64,
    cgroup: Option<BorrowedFd<'_>>,
    child: impl FnOnce() -> i32,
) -> io::Result<Pid> {
    let args = CloneArgs {
        flags,
        exit_signal: if flags & CLONE_PARENT == 0 {
            u64::from(libc::SIGCHLD.unsigned_abs())
        } else {
            0
        },
        cgroup: cgroup.map_or(0, |fd| u64::from(fd.as_raw_fd().unsigned_abs())),
        ..CloneArgs::default()
    };
    // SAFETY: `args` is a whole version 2 argument; without CLONE_VM and with no stack
    // the child goes on on its own copy of this one, as after fork.
    let made = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) };
    born(made, child)
}

/// What a `vfork` child needs, all made before it is born.
struct Image {
    path: *const c_char,
    argv: *const *const c_char,
}

extern "C" fn exec_image(image: *mut c_void) -> c_int {
    // SAFETY: `vfork_exec` passes a pointer to an `Image` that outlives the child's use.
    let image = unsafe { &*image.cast::<Image>() };
    // SAFETY: both pointers are to strings and an array that the suspended parent owns.
    unsafe { libc::execv(image.path, image.argv) };
    exit(127)
}

/// `vfork` and exec: the child borrows the parent's memory until the exec.
pub(crate) fn vfork_exec(path: &CStr, argv: &Argv) -> io::Result<Pid> {
    let pointers = argv.pointers();
    let mut image = Image {
        path: path.as_ptr(),
        argv: pointers.as_ptr(),
    };
    let mut stack = vec![0_u128; 4096];
    let top = stack.as_mut_ptr_range().end.cast();
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack is aligned and 64 KiB, and CLONE_VFORK keeps this thread, hence
    // `stack`, `image` and `pointers`, in place until the child has its own memory.
    let made = unsafe { libc::clone(exec_image, top, flags, (&raw mut image).cast()) };
    born(i64::from(made), || 127)
}

/// `posix_spawn` with the descriptors of this process.
pub(crate) fn posix_spawn(path: &CStr, argv: &Argv) -> io::Result<Pid> {
    let pointers = argv.pointers();
    let empty = [ptr::null_mut()];
    let mut made = 0;
    // SAFETY: path, argv and environment end as the interface wants and outlive the
    // call; null stands for default actions and attributes.
    let error = unsafe {
        libc::posix_spawn(
            &raw mut made,
            path.as_ptr(),
            ptr::null(),
            ptr::null(),
            pointers.as_ptr().cast(),
            empty.as_ptr(),
        )
    };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    born(i64::from(made), || 127)
}

/// Replaces this process's image; returns only an error. The environment is empty.
pub(crate) fn exec(path: &CStr, argv: &Argv) -> io::Error {
    exec_with(path, argv, &Argv { strings: vec![] })
}

/// [`exec`] with an environment.
pub(crate) fn exec_with(path: &CStr, argv: &Argv, env: &Argv) -> io::Error {
    let (argv, env) = (argv.pointers(), env.pointers());
    // SAFETY: the strings and the arrays, which end with null, outlive the call.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// `execveat`; returns only an error.
pub(crate) fn exec_at(at: BorrowedFd<'_>, path: &CStr, argv: &Argv, flags: c_int) -> io::Error {
    let (argv, env) = (argv.pointers(), [ptr::null::<c_char>()]);
    // SAFETY: the strings and the arrays, which end with null, outlive the call.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            at.as_raw_fd(),
            path.as_ptr(),
            argv.as_ptr(),
            env.as_ptr(),
            flags,
        )
    };
    io::Error::last_os_error()
}

/// Waits for a child.
pub(crate) fn wait(pid: Pid) -> io::Result<WaitStatus> {
    loop {
        match rustix::process::waitpid(Some(pid), WaitOptions::empty()) {
            Ok(Some((_, status))) => return Ok(status),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Keeps `SIGCHLD` for [`await_child`]. Children made by `Command` have it back.
pub(crate) fn hold_child_signal() -> io::Result<()> {
    let set = child_signal();
    // SAFETY: the set is whole; the old one is not asked for.
    let error = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()) };
    if error == 0 {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(error))
    }
}

/// Waits until a child has ended since the last time, at most for `patience`.
pub(crate) fn await_child(patience: std::time::Duration) {
    let set = child_signal();
    let timeout = libc::timespec {
        tv_sec: patience.as_secs().cast_signed(),
        tv_nsec: i64::from(patience.subsec_nanos()),
    };
    // SAFETY: set and time outlive the call, and what came is not asked for. An error is
    // the end of the time, or another signal: the caller looks for itself.
    unsafe { libc::sigtimedwait(&raw const set, ptr::null_mut(), &raw const timeout) };
}

fn child_signal() -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: the call fills the set it is given.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: filled by the call above.
    let mut set = unsafe { set.assume_init() };
    // SAFETY: a set, and a signal there is.
    unsafe { libc::sigaddset(&raw mut set, libc::SIGCHLD) };
    set
}

/// `open_by_handle_at` of a file by its name in `mount`.
pub(crate) fn open_by_handle(
    mount: BorrowedFd<'_>,
    name: &CStr,
    flags: c_int,
) -> io::Result<OwnedFd> {
    /// `struct file_handle` with room for the largest handle.
    #[repr(C)]
    struct Handle {
        bytes: u32,
        kind: i32,
        content: [u8; 128],
    }
    let mut handle = Handle {
        bytes: 128,
        kind: 0,
        content: [0; 128],
    };
    let mut mount_id = 0_i32;
    // SAFETY: `handle` says how much room it has, and name and ids outlive the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            mount.as_raw_fd(),
            name.as_ptr(),
            &raw mut handle,
            &raw mut mount_id,
            0,
        )
    };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just filled `handle`.
    let opened = unsafe {
        libc::syscall(
            libc::SYS_open_by_handle_at,
            mount.as_raw_fd(),
            &raw mut handle,
            flags,
        )
    };
    owned(opened)
}

/// `creat` and `open`: the C library calls `openat` for both.
pub(crate) fn open(name: &CStr, flags: c_int, mode: u32) -> io::Result<OwnedFd> {
    // SAFETY: the name outlives the call.
    owned(unsafe { libc::syscall(libc::SYS_open, name.as_ptr(), flags, mode) })
}

/// See [`open`].
pub(crate) fn creat(name: &CStr, mode: u32) -> io::Result<OwnedFd> {
    // SAFETY: the name outlives the call.
    owned(unsafe { libc::syscall(libc::SYS_creat, name.as_ptr(), mode) })
}

/// A descriptor as a system call returned it.
fn owned(fd: i64) -> io::Result<OwnedFd> {
    let Ok(fd) = i32::try_from(fd) else {
        return Err(io::Error::other("not a descriptor"));
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for the caller.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Loads a kernel module.
pub(crate) fn load_module(image: &[u8]) -> io::Result<()> {
    // SAFETY: the image's bounds are its own, the parameters are an empty string.
    let done = unsafe {
        libc::syscall(
            libc::SYS_init_module,
            image.as_ptr(),
            image.len(),
            c"".as_ptr(),
        )
    };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Brings the loopback interface up, as an init does.
pub(crate) fn loopback_up() -> io::Result<()> {
    // SAFETY: plain numbers; the result is checked.
    let socket =
        owned(unsafe { libc::syscall(libc::SYS_socket, libc::AF_INET, libc::SOCK_DGRAM, 0) })?;
    // SAFETY: all of its members are integers and arrays of them, for which 0 is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags =
        libc::c_short::try_from(libc::IFF_UP).map_err(io::Error::other)?;
    // SAFETY: the request is whole and outlives the call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw mut request) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// An entry of the auxiliary vector that is a string.
pub(crate) fn exec_filename() -> Vec<u8> {
    // SAFETY: `getauxval` has no preconditions.
    let address = unsafe { libc::getauxval(libc::AT_EXECFN) };
    if address == 0 {
        return Vec::new();
    }
    // SAFETY: the kernel put a string there, which lives as long as the process.
    let name = unsafe { CStr::from_ptr(address as *const c_char) };
    name.to_bytes().to_vec()
}

/// Overwrites the memory that holds this process's arguments, which ends at `end`.
pub(crate) fn overwrite(start: usize, end: usize, with: u8) {
    let start = ptr::with_exposed_provenance_mut::<u8>(start);
    // SAFETY: the caller read the bounds of its own arguments from /proc/self/stat; they
    // are writable, and nothing reads them afterwards.
    unsafe { start.write_bytes(with, end.saturating_sub(start.addr())) };
}

/// Ends this thread alone, as the system call `exit` does.
pub(crate) fn exit_thread() -> ! {
    // SAFETY: nothing of this thread is used afterwards; the others go on.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
    exit(0)
}

/// A mount namespace of this process's own.
pub(crate) fn unshare_mounts() -> io::Result<()> {
    // SAFETY: a mount namespace has no effect on memory; the caller has one thread.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// [`exec`] of a path that another thread may be writing.
pub(crate) fn exec_raw(path: *const c_char, argv: &Argv) -> io::Error {
    let (argv, env) = (argv.pointers(), [ptr::null::<c_char>()]);
    // SAFETY: the caller's bytes live and always hold a NUL at their end.
    unsafe { libc::execve(path, argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// [`open`] of a path that another thread may be writing.
pub(crate) fn open_raw(path: *const c_char, flags: c_int, mode: u32) -> io::Result<OwnedFd> {
    // SAFETY: the caller's bytes live and always hold a NUL at their end.
    owned(unsafe { libc::syscall(libc::SYS_open, path, flags, mode) })
}
