//! The last thread of a process is gone.
//!
//! `void sched_process_exit(struct task_struct *p, bool group_dead)` in
//! `kernel/exit.c:do_exit()`; `group_dead` exists from Linux 6.16. Before, several
//! threads may each look like the last: the lineage map lets only one of them through,
//! and user space ignores a second exit of a non-member.

use aya_ebpf::{
    bindings::BPF_RB_NO_WAKEUP,
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use sensor_common::{
    counter::Counter,
    map::{Lineage, ProcessId},
    record::{Exit, RecordKind},
};

use crate::{
    count::{Ring, count, header},
    lineage::{Standing, emit_all, forget, gated, process_of, standing},
    load::{Load, Object, Probed, Typed},
    map::LINEAGE_RING,
    offset::{GROUP_DEAD_ARG, off},
};

/// `SIGNAL_GROUP_EXIT` in `include/linux/sched/signal.h`.
const SIGNAL_GROUP_EXIT: u32 = 4;

/// Preferred rung.
#[btf_tracepoint(function = "sched_process_exit")]
fn exit_tp_btf(ctx: BtfTracePointContext) -> i32 {
    let group_dead = GROUP_DEAD_ARG.load() != 0 && ctx.arg::<u64>(1) as u8 != 0;
    try_exit::<Typed>(ctx.arg(0), group_dead)
}

/// Fallback rung.
#[raw_tracepoint(tracepoint = "sched_process_exit")]
fn exit_raw_tp(ctx: RawTracePointContext) -> i32 {
    let group_dead = GROUP_DEAD_ARG.load() != 0 && ctx.arg::<u64>(1) as u8 != 0;
    try_exit::<Probed>(ctx.arg(0), group_dead)
}

#[inline(always)]
fn try_exit<L: Load>(task: Object, group_dead: bool) -> i32 {
    let tgid = L::read(task, off!(task_tgid));
    let all = emit_all();
    if !all && !gated(tgid) {
        return 0;
    }
    if !group_dead && threads_live::<L>(task) {
        return 0;
    }
    // The last thread need not be the leader; the identity is the leader's.
    let process = process_of::<L>(task);
    let standing = standing(process);
    let lineage = standing.and_then(Standing::member);
    // The first to remove the entry reports the exit.
    let first = standing.is_none() || forget(tgid);
    if first && (all || lineage.is_some()) {
        emit(process, lineage, status::<L>(task));
    }
    0
}

/// `true` while the thread group has other threads; constant `true` where the
/// tracepoint itself tells.
#[inline(always)]
fn threads_live<L: Load>(task: Object) -> bool {
    if GROUP_DEAD_ARG.load() != 0 {
        return true;
    }
    let signal = L::object(task, off!(task_signal));
    L::read::<u32>(signal, off!(signal_live)) != 0
}

/// Wait status of the process.
#[inline(always)]
fn status<L: Load>(task: Object) -> u32 {
    let signal = L::object(task, off!(task_signal));
    if L::read::<u32>(signal, off!(signal_flags)) & SIGNAL_GROUP_EXIT != 0 {
        return L::read(signal, off!(signal_group_exit_code));
    }
    L::read(
        L::object(task, off!(task_group_leader)),
        off!(task_exit_code),
    )
}

#[inline(always)]
fn emit(process: ProcessId, lineage: Option<Lineage>, status: u32) {
    let header = header(
        Ring::Lifecycle,
        RecordKind::Exit,
        size_of::<Exit>(),
        process,
        lineage,
    );
    let Some(mut entry) = LINEAGE_RING.reserve::<Exit>(0) else {
        count(Counter::RingFull);
        return;
    };
    entry.write(Exit {
        header,
        status,
        pad: 0,
    });
    entry.submit(u64::from(BPF_RB_NO_WAKEUP));
    count(Counter::ExitEmitted);
}
