//! What the tracepoints of system calls hand over.

use aya_ebpf::{EbpfContext, programs::TracePointContext};

/// Argument `index` of a call, at its entry; at its exit, 0 is the result.
///
/// `struct trace_event_raw_sys_enter { struct trace_entry ent; long id; unsigned long
/// args[6]; }`, `trace_event_raw_sys_exit { ...; long ret; }`: 8 bytes each from 16 on.
#[inline(always)]
pub(crate) fn argument(ctx: &TracePointContext, index: usize) -> u64 {
    let address = ctx.as_ptr().wrapping_byte_add(16 + index * 8);
    // SAFETY: inside the context; the kernel checks its size when the program is attached.
    unsafe { *address.cast::<u64>() }
}
