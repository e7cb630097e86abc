//! A member connected a socket.
//!
//! `int __sys_connect(int fd, struct sockaddr __user *uservaddr, int addrlen)` in
//! `net/socket.c`, at its return: by then the kernel's own socket holds both ends, so that
//! no caller's memory is read. Where functions cannot be hooked, `sys_exit_connect` with
//! the descriptor kept at the entry. The LSM hook comes before: it has the kernel's copy of
//! the address, and does not know the outcome.

use aya_ebpf::{
    bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
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
    pending, socket,
    syscall::argument,
};

/// `Pending::action` of a connect; no `FileAction` has it.
const CONNECT: u32 = 100;
/// `errno` of a connect that goes on in the background.
const EINPROGRESS: i32 = 115;
const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;

#[fexit(function = "__sys_connect")]
fn connect_fentry(ctx: FExitContext) -> i32 {
    let (descriptor, result) = (ctx.arg::<u64>(0) as i32, ctx.arg::<u64>(3) as i32);
    connected(descriptor, result, Rung::Fentry);
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
    if let Some(descriptor) = ctx.arg::<u64>(0) {
        begin(descriptor as i32, Rung::Kprobe);
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
    begin(argument(&ctx, 0) as i32, Rung::Syscall);
    0
}

#[tracepoint]
fn connect_exit(ctx: TracePointContext) -> u32 {
    end(argument(&ctx, 0) as i32);
    0
}

#[inline(always)]
fn begin(descriptor: i32, rung: Rung) {
    if !may_be_member() {
        return;
    }
    let Some(pending) = pending::draft(Slot::Begin) else {
        return;
    };
    pending.action = CONNECT;
    pending.rung = rung as u32;
    pending.old_dir = descriptor;
    pending::store(pending);
}

#[inline(always)]
fn end(result: i32) {
    let Some(pending) = pending::current() else {
        return;
    };
    if pending.action != CONNECT {
        return;
    }
    let (descriptor, rung) = (pending.old_dir, pending.rung);
    pending::forget();
    let rung = if rung == Rung::Kprobe as u32 {
        Rung::Kprobe
    } else {
        Rung::Syscall
    };
    connected(descriptor, result, rung);
}

#[inline(always)]
fn connected(descriptor: i32, result: i32, rung: Rung) {
    if result != 0 && result != -EINPROGRESS || !may_be_member() {
        return;
    }
    if !present(off!(socket_sock)) || !present(off!(file_private)) {
        return;
    }
    let Some(file) = file_of(descriptor as u32) else {
        return;
    };
    let socket = Probed::object(file, off!(file_private));
    let sock = Probed::object(socket, off!(socket_sock));
    report(sock, None, descriptor, result, rung);
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
    if let Some(address) = address {
        record.header.flags |= flag::ATTEMPT;
        asked_for(&mut record, address);
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

/// Takes the remote end from `struct sockaddr_in` or `sockaddr_in6`, the kernel's copy.
#[inline(always)]
fn asked_for(record: &mut Socket, address: Object) {
    let family = u32::from(Probed::read::<u16>(address, 0));
    record.remote_port = u32::from(Probed::read::<u16>(address, 2).swap_bytes());
    record.remote = if family == AF_INET6 {
        socket::address6(address, 8)
    } else {
        socket::address4(address, 4)
    };
}
