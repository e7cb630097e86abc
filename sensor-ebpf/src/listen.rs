//! A TCP socket began to listen: the moment an interpreter turns out a server.
//!
//! `void inet_sock_set_state(const struct sock *sk, const int oldstate, const int newstate)`
//! in `net/ipv4/af_inet.c:inet_sk_state_store()`, Linux 4.16. Most changes of state happen
//! in soft interrupts, on behalf of nobody; `TCP_LISTEN` is set by `listen(2)` alone, so
//! the current process is the one that listens.

use aya_ebpf::{
    EbpfContext,
    bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    helpers::generated::bpf_get_current_task,
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use aya_log_ebpf::debug;
use sensor_common::{
    counter::Counter,
    record::{RecordKind, Rung, Socket, SocketAction, flag},
};

use crate::{
    count::{Ring, count, header},
    lineage::{process_of, promote, standing},
    load::{Load, Object, Probed},
    map::LINEAGE_RING,
    offset::off,
    socket,
};

/// `include/net/tcp_states.h`
const TCP_LISTEN: u32 = 10;

/// Preferred rung.
#[btf_tracepoint(function = "inet_sock_set_state")]
fn listen_tp_btf(ctx: BtfTracePointContext) -> i32 {
    let state = ctx.arg::<u64>(2) as u32;
    try_listen(&ctx, ctx.arg(0), state, Rung::TpBtf)
}

/// Fallback rung.
#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
fn listen_raw_tp(ctx: RawTracePointContext) -> i32 {
    let state = ctx.arg::<u64>(2) as u32;
    try_listen(&ctx, ctx.arg(0), state, Rung::RawTp)
}

#[inline(always)]
fn try_listen<C: EbpfContext>(ctx: &C, sock: Object, state: u32, rung: Rung) -> i32 {
    if state != TCP_LISTEN {
        return 0;
    }
    // SAFETY: a helper without arguments.
    let task = unsafe { bpf_get_current_task() } as Object;
    let process = process_of::<Probed>(task);
    let standing = standing(process);
    let mut lineage = None;
    let mut flags = 0;
    let mut wakeup = BPF_RB_NO_WAKEUP;
    if let Some(standing) = standing {
        lineage = Some(standing.lineage);
        if !standing.candidate {
            // A member: headers say so by themselves.
        } else if promote(standing.lineage.root) {
            debug!(ctx, "service by listening: tgid {}", process.tgid);
            flags = flag::PROMOTED;
            wakeup = BPF_RB_FORCE_WAKEUP;
        } else {
            lineage = None;
            flags = flag::CANDIDATE;
        }
    }
    let mut record = Socket {
        header: header(
            Ring::Lifecycle,
            RecordKind::Socket,
            size_of::<Socket>(),
            process,
            lineage,
        ),
        ..Socket::default()
    };
    record.header.flags |= flags;
    record.uid = Probed::read(Probed::object(task, off!(task_cred)), off!(cred_uid));
    socket::fill(&mut record, sock, SocketAction::Listen, rung);
    match LINEAGE_RING.output::<Socket>(&record, u64::from(wakeup)) {
        Ok(()) => count(Counter::SocketEmitted),
        Err(_) => count(Counter::RingFull),
    }
    0
}
