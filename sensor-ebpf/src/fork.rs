//! A process was created.
//!
//! `void sched_process_fork(struct task_struct *parent, struct task_struct *child)` in
//! `kernel/fork.c:kernel_clone()`: on the creator, before the child can run. So a
//! process's fork record precedes all its others in the ring.

use aya_ebpf::{
    EbpfContext,
    bindings::BPF_RB_NO_WAKEUP,
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use aya_log_ebpf::debug;
use sensor_common::{
    counter::Counter,
    map::{Lineage, ProcessId},
    record::{Fork, RecordKind, fault},
};

use crate::{
    count::{Ring, count, header},
    lineage::{emit_all, enter, gated, process_of, standing},
    load::{Load, Object, Probed, Typed},
    map::LINEAGE_RING,
    offset::off,
};

/// Preferred rung.
#[btf_tracepoint(function = "sched_process_fork")]
fn fork_tp_btf(ctx: BtfTracePointContext) -> i32 {
    try_fork::<Typed, _>(&ctx, ctx.arg(0), ctx.arg(1))
}

/// Fallback rung.
#[raw_tracepoint(tracepoint = "sched_process_fork")]
fn fork_raw_tp(ctx: RawTracePointContext) -> i32 {
    try_fork::<Probed, _>(&ctx, ctx.arg(0), ctx.arg(1))
}

#[inline(always)]
fn try_fork<L: Load, C: EbpfContext>(ctx: &C, creator_task: Object, child: Object) -> i32 {
    let all = emit_all();
    if !all && !gated(L::read(creator_task, off!(task_tgid))) {
        return 0;
    }
    let tgid: u32 = L::read(child, off!(task_tgid));
    if L::read::<u32>(child, off!(task_pid)) != tgid {
        return 0;
    }
    let creator = process_of::<L>(creator_task);
    // A new process leads its own group.
    let process = ProcessId::new(tgid, L::read(child, off!(task_start)));
    let Some(standing) = standing(creator) else {
        if all {
            emit::<L>(process, None, creator, creator_task, child, 0);
        }
        return 0;
    };
    let above = standing.lineage;
    let lineage = Lineage {
        start_ns: process.start_ns,
        depth: above.depth.wrapping_add(1),
        ..above
    };
    let mut faults = 0;
    if !enter(process, lineage.root, lineage.depth) {
        debug!(ctx, "lineage map full: tgid {} is not marked", tgid);
        faults = fault::MAP_FULL;
    }
    // Children of candidates are followed in silence.
    if all || !standing.candidate {
        let lineage = if standing.candidate {
            None
        } else {
            Some(lineage)
        };
        emit::<L>(process, lineage, creator, creator_task, child, faults);
    }
    0
}

#[inline(always)]
fn emit<L: Load>(
    process: ProcessId,
    lineage: Option<Lineage>,
    creator: ProcessId,
    creator_task: Object,
    child: Object,
    faults: u32,
) {
    let mut header = header(
        Ring::Lifecycle,
        RecordKind::Fork,
        size_of::<Fork>(),
        process,
        lineage,
    );
    header.faults = faults;
    let Some(mut entry) = LINEAGE_RING.reserve::<Fork>(0) else {
        count(Counter::RingFull);
        return;
    };
    let cred = L::object(creator_task, off!(task_cred));
    entry.write(Fork {
        header,
        creator,
        parent: process_of::<L>(L::object(child, off!(task_real_parent))),
        creator_tid: L::read(creator_task, off!(task_pid)),
        uid: L::read(cred, off!(cred_uid)),
    });
    entry.submit(u64::from(BPF_RB_NO_WAKEUP));
    count(Counter::ForkEmitted);
}
