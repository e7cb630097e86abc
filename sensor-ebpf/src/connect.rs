//! A member connected a socket, or tried to.
//!
//! `int __sys_connect(int fd, struct sockaddr __user *uservaddr, int addrlen)` in
//! `net/socket.c`, at its return: by then the kernel's own socket holds both ends. Where
//! functions cannot be hooked, `sys_exit_connect` with the descriptor kept at the entry.
//! A socket that was refused has forgotten the remote end: then it is what the caller's
//! memory says, which another thread may have rewritten. The LSM hook comes before: it has
//! the kernel's copy of the address, and does not know the outcome.

use aya_ebpf::{
    bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    helpers::generated::bpf_probe_read_user,
    macros::{fexit, kprobe, kretprobe, lsm, tracepoint},
    programs::{FExitContext, LsmContext, ProbeContext, RetProbeContext, TracePointContext},
};
use sensor_common::{
    counter::Counter,
    record::{RecordKind, Rung, Socket, SocketAction, flag},
};

use crate::{
    count::{Ring, count, header},
    descriptor::file_of,
    file::{Slot, actor, may_be_member},
    load::{Load, Object, Probed},
    map::LINEAGE_FILE_RING,
    offset::{off, present},
    pending::{self, Pending},
    socket,
    syscall::argument,
};

/// `Pending::action` of a connect; no `FileAction` has it.
const CONNECT: u32 = 100;
/// Bytes of a `struct sockaddr_in6`, the longer one.
const ADDRESS: usize = 28;
const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;
/// `IPPROTO_*`.
const TCP: u32 = 6;
const UDP: u32 = 17;

#[fexit(function = "__sys_connect")]
fn connect_fentry(ctx: FExitContext) -> i32 {
    let (descriptor, result) = (ctx.arg::<u64>(0) as i32, ctx.arg::<u64>(3) as i32);
    if !may_be_member() {
        return 0;
    }
    if goes_on(result) {
        connected(descriptor, result, None, Rung::Fentry);
    } else if is_refused(result)
        && let Some(pending) = pending::draft(Slot::Begin)
    {
        keep_address(pending, ctx.arg(1), ctx.arg(2));
        let asked = Some(pending.new.as_ptr());
        connected(descriptor, result, asked, Rung::Fentry);
    }
    0
}

/// `int security_socket_connect(struct socket *sock, struct sockaddr *address, int addrlen)`
#[lsm(hook = "socket_connect")]
fn connect_lsm(ctx: LsmContext) -> i32 {
    let verdict = ctx.arg::<u64>(3) as i32;
    if verdict == 0 && may_be_member() && present(off!(socket_sock)) {
        let sock = Probed::object(ctx.arg(0), off!(socket_sock));
        report(sock, Some(ctx.arg(1)), -1, 0, Rung::Lsm);
    }
    verdict
}

#[kprobe(function = "__sys_connect")]
fn connect_enter_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(descriptor), Some(address), Some(len)) =
        (ctx.arg::<u64>(0), ctx.arg::<u64>(1), ctx.arg::<u64>(2))
    {
        begin(descriptor as i32, (address, len), Rung::Kprobe);
    }
    0
}

#[kretprobe(function = "__sys_connect")]
fn connect_leave_kprobe(ctx: RetProbeContext) -> u32 {
    end(ctx.ret::<u64>() as i32);
    0
}

#[tracepoint]
fn connect_enter(ctx: TracePointContext) -> u32 {
    let address = (argument(&ctx, 1), argument(&ctx, 2));
    begin(argument(&ctx, 0) as i32, address, Rung::Syscall);
    0
}

#[tracepoint]
fn connect_exit(ctx: TracePointContext) -> u32 {
    end(argument(&ctx, 0) as i32);
    0
}

#[inline(always)]
fn begin(descriptor: i32, address: (u64, u64), rung: Rung) {
    if !may_be_member() {
        return;
    }
    let Some(pending) = pending::draft(Slot::Begin) else {
        return;
    };
    pending.action = CONNECT;
    pending.rung = rung as u32;
    pending.old_dir = descriptor;
    keep_address(pending, address.0, address.1);
    pending::store(pending);
}

/// `true` for a connect that is done, or goes on: in the background (`EINPROGRESS`) or
/// after a signal (`ERESTARTSYS`).
#[inline(always)]
fn goes_on(result: i32) -> bool {
    matches!(result, 0 | -115 | -512)
}

/// `true` for what the network or its rules said: `EPERM`, `EACCES`, `ENETDOWN`,
/// `ENETUNREACH`, `ECONNRESET`, `ETIMEDOUT`, `ECONNREFUSED`, `EHOSTDOWN`, `EHOSTUNREACH`.
/// After any other result nothing was sent: the call itself was wrong.
#[inline(always)]
fn is_refused(result: i32) -> bool {
    matches!(
        result,
        -1 | -13 | -100 | -101 | -104 | -110 | -111 | -112 | -113
    )
}

/// Copies what the caller asked to be connected to; zeros where it cannot be read.
#[inline(always)]
fn keep_address(pending: &mut Pending, address: u64, len: u64) {
    if let Some(room) = pending.new.first_chunk_mut::<ADDRESS>() {
        *room = [0; ADDRESS];
    }
    let len = if len < ADDRESS as u64 {
        len as u32
    } else {
        ADDRESS as u32
    };
    let target = pending.new.as_mut_ptr().cast();
    // SAFETY: `len` is at most `ADDRESS`, below the size of `new`.
    unsafe { bpf_probe_read_user(target, len, address as *const _) };
}

#[inline(always)]
fn end(result: i32) {
    let Some(pending) = pending::current() else {
        return;
    };
    if pending.action != CONNECT {
        return;
    }
    let rung = if pending.rung == Rung::Kprobe as u32 {
        Rung::Kprobe
    } else {
        Rung::Syscall
    };
    let refused = is_refused(result);
    if refused || goes_on(result) {
        let asked = refused.then_some(pending.new.as_ptr());
        connected(pending.old_dir, result, asked, rung);
    }
    pending::forget();
}

#[inline(always)]
fn connected(descriptor: i32, result: i32, asked: Option<Object>, rung: Rung) {
    if !may_be_member() || !present(off!(socket_sock)) || !present(off!(file_private)) {
        return;
    }
    let Some(file) = file_of(descriptor as u32) else {
        return;
    };
    let socket = Probed::object(file, off!(file_private));
    let sock = Probed::object(socket, off!(socket_sock));
    report(sock, asked, descriptor, result, rung);
}

#[inline(always)]
fn report(sock: Object, address: Option<Object>, descriptor: i32, result: i32, rung: Rung) {
    let actor = actor();
    if actor.lineage.is_none() {
        return;
    }
    let mut record = Socket::default();
    socket::fill(&mut record, sock, SocketAction::Connect, rung);
    if record.family != AF_INET && record.family != AF_INET6 {
        return;
    }
    if let Some(address) = address {
        asked_for(&mut record, address);
    }
    // `AF_UNSPEC` takes a connection away, and may leave the address; resolvers do so all
    // day. Where there are ports, nothing goes to port 0.
    let has_ports = matches!(record.protocol, TCP | UDP);
    if record.remote_port == 0 && (has_ports || u128::from_ne_bytes(record.remote) == 0) {
        return;
    }
    record.header = header(
        Ring::File,
        RecordKind::Socket,
        size_of::<Socket>(),
        actor.process,
        actor.lineage,
    );
    record.fd = descriptor;
    record.result = result;
    record.uid = Probed::read(Probed::object(actor.task, off!(task_cred)), off!(cred_uid));
    if matches!(rung, Rung::Lsm) {
        record.header.flags |= flag::ATTEMPT;
    }
    // A connect that stands alone can alert; a server's to its database is made all day.
    let wakeup = if record.fd >= 0 && record.fd <= 2 {
        BPF_RB_FORCE_WAKEUP
    } else {
        BPF_RB_NO_WAKEUP
    };
    match LINEAGE_FILE_RING.output::<Socket>(&record, u64::from(wakeup)) {
        Ok(()) => count(Counter::SocketEmitted),
        Err(_) => count(Counter::FileRingFull),
    }
}

/// Takes the remote end from a copy of a `struct sockaddr_in` or `sockaddr_in6`.
#[inline(always)]
fn asked_for(record: &mut Socket, address: Object) {
    let family = u32::from(Probed::read::<u16>(address, 0));
    // An IPv4 socket takes no IPv6 address.
    if family != AF_INET && (family != AF_INET6 || record.family != AF_INET6) {
        record.remote_port = 0;
        record.remote = [0; 16];
        return;
    }
    record.remote_port = u32::from(Probed::read::<u16>(address, 2).swap_bytes());
    record.remote = if family == AF_INET6 {
        socket::address6(address, 8)
    } else if record.family == AF_INET6 {
        socket::mapped4(address, 4)
    } else {
        socket::address4(address, 4)
    };
}
