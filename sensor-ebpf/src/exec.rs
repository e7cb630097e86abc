//! A process replaced its image.
//!
//! `void sched_process_exec(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)`
//! in `fs/exec.c:exec_binprm()`: after the new mm is in place, before the program
//! runs. What is read belongs to the kernel or to a process that does not run yet:
//! no second thread can rewrite it.

use aya_ebpf::{
    EbpfContext,
    bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use aya_log_ebpf::debug;
use sensor_common::{
    counter::Counter,
    limit::PAYLOAD,
    map::{Lineage, ProcessId, service},
    record::{Exec, RecordKind, fault, flag},
};

use crate::{
    count::{Ring, count, header},
    image,
    lineage::{
        self, Standing, emit_all, enter_candidate, enter_root, forget, process_of, recognise,
        standing,
    },
    load::{Load, Object, Probed, Typed},
    map::{LINEAGE_RING, LINEAGE_SCRATCH},
    offset::off,
    payload,
    scratch::{Scratch, Writer},
};

/// Faults that are failed reads, as against bounds that were reached.
const READ_FAULTS: u32 = fault::ARGS | fault::ENV | fault::FILENAME | fault::STDIO | fault::PATH;

/// Preferred rung.
#[btf_tracepoint(function = "sched_process_exec")]
fn exec_tp_btf(ctx: BtfTracePointContext) -> i32 {
    try_exec::<Typed, _>(&ctx, ctx.arg(0), ctx.arg(2))
}

/// Fallback rung.
#[raw_tracepoint(tracepoint = "sched_process_exec")]
fn exec_raw_tp(ctx: RawTracePointContext) -> i32 {
    try_exec::<Probed, _>(&ctx, ctx.arg(0), ctx.arg(2))
}

/// Who execs, and what is known about it.
struct Caller {
    id: ProcessId,
    lineage: Option<Lineage>,
    flags: u32,
    faults: u32,
}

#[inline(always)]
fn try_exec<L: Load, C: EbpfContext>(ctx: &C, task: Object, bprm: Object) -> i32 {
    let file = L::object(bprm, off!(bprm_file));
    let dentry = L::object(file, off!(file_path) + off!(path_dentry));
    let Some(caller) = caller::<L, C>(ctx, task, dentry) else {
        return 0;
    };
    let Some(scratch) = LINEAGE_SCRATCH.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: a live map value. Only this hook uses it, and the kernel does not run a
    // program again on a CPU where it is running (it counts a recursion instead).
    let record = unsafe { &mut (*scratch).record };
    record.header = header(
        Ring::Lifecycle,
        RecordKind::Exec,
        0,
        caller.id,
        caller.lineage,
    );
    record.header.faults = caller.faults;
    record.header.flags |= caller.flags;
    image::fill::<L>(record, task, bprm);
    let writer = Writer::new(scratch);
    payload::fill::<L>(record, writer, task, bprm);
    emit(record, scratch, writer);
    0
}

/// Membership of the process, made now when its executable is recognised. `None`
/// when nobody wants the event: most execs of a host end here.
#[inline(always)]
fn caller<L: Load, C: EbpfContext>(ctx: &C, task: Object, dentry: Object) -> Option<Caller> {
    let id = process_of::<L>(task);
    let standing = standing(id);
    let name = recognise(dentry, lineage::Caller::Exec);
    let mut caller = Caller {
        id,
        lineage: standing.and_then(Standing::member),
        flags: 0,
        faults: 0,
    };
    let server = name.filter(|name| name & service::CANDIDATE == 0);
    if server.is_some() {
        caller.flags = flag::RECOGNISED;
    }
    if caller.lineage.is_some() {
        return Some(caller);
    }
    if let Some(name) = server {
        debug!(ctx, "service root: tgid {} name {}", id.tgid, name);
        begin(&mut caller, name);
    } else if let Some(name) = name {
        enter_candidate(id, name & !service::CANDIDATE);
        caller.flags = flag::CANDIDATE;
    } else {
        if standing.is_some() {
            forget(id.tgid);
        }
        if !emit_all() {
            return None;
        }
    }
    Some(caller)
}

/// Makes the caller the root of a service.
#[inline(always)]
fn begin(caller: &mut Caller, name: u32) {
    let id = caller.id;
    if !enter_root(id, name) {
        caller.faults = fault::MAP_FULL;
    }
    // Reported as a member even when the map was full: the agent must know.
    caller.lineage = Some(Lineage {
        start_ns: id.start_ns,
        root: id,
        depth: 0,
        pad: 0,
    });
}

/// Writes the record to the ring. A member's exec can alert, so it wakes the agent.
#[inline(always)]
fn emit(record: &mut Exec, scratch: *mut Scratch<Exec>, writer: Writer) {
    if record.header.faults & READ_FAULTS != 0 {
        count(Counter::ReadFault);
    }
    let len = size_of::<Exec>() + (writer.len() & (PAYLOAD - 1));
    record.header.len = len as u32;
    let member = record.header.flags & flag::MEMBER != 0;
    let wakeup = if member {
        BPF_RB_FORCE_WAKEUP
    } else {
        BPF_RB_NO_WAKEUP
    };
    // SAFETY: the scratch begins with the record and the payload follows without a gap
    // (asserted next to its definition); `len` stays inside it.
    let bytes = unsafe { core::slice::from_raw_parts(scratch.cast::<u8>(), len) };
    match LINEAGE_RING.output::<[u8]>(bytes, u64::from(wakeup)) {
        Ok(()) => count(Counter::ExecEmitted),
        Err(_) => count(Counter::RingFull),
    }
}
