//! Counters, sequence numbers, and the header every record begins with.

use aya_ebpf::helpers::generated::{bpf_get_smp_processor_id, bpf_ktime_get_boot_ns};
use sensor_common::{
    counter::Counter,
    map::{Lineage, ProcessId},
    record::{Header, RecordKind, flag},
};

use crate::map::{LINEAGE_COUNT, LINEAGE_SEQ};

/// Adds one to `counter` on this CPU.
#[inline(always)]
pub(crate) fn count(counter: Counter) {
    if let Some(value) = LINEAGE_COUNT.get_ptr_mut(counter.index()) {
        // SAFETY: a live per-CPU map value; programs do not migrate while they run.
        unsafe { *value += 1 };
    }
}

/// Rings, each with sequence numbers of its own.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Ring {
    Lifecycle,
    File,
}

/// Next sequence number on this CPU, from 1. It is used up even when the record then
/// finds no room, so that the reader can prove the loss.
#[inline(always)]
fn next_seq(ring: Ring) -> u64 {
    let Some(value) = LINEAGE_SEQ.get_ptr_mut(ring as u32) else {
        return 0;
    };
    // SAFETY: a live per-CPU map value; programs do not migrate while they run.
    unsafe { *value += 1 };
    // SAFETY: as above.
    unsafe { *value }
}

/// `CLOCK_BOOTTIME`, ns.
#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: a helper without arguments.
    unsafe { bpf_ktime_get_boot_ns() }
}

/// Header of a record of `len` bytes about `process`. Takes a sequence number: call
/// it once for each record.
#[inline(always)]
pub(crate) fn header(
    ring: Ring,
    kind: RecordKind,
    len: usize,
    process: ProcessId,
    lineage: Option<Lineage>,
) -> Header {
    let (root, depth, flags) = match lineage {
        Some(lineage) => (lineage.root, lineage.depth, flag::MEMBER),
        None => (ProcessId::default(), 0, 0),
    };
    Header {
        kind: kind as u32,
        len: len as u32,
        seq: next_seq(ring),
        time_ns: now(),
        // SAFETY: a helper without arguments.
        cpu: unsafe { bpf_get_smp_processor_id() },
        faults: 0,
        process,
        root,
        depth,
        flags,
    }
}
