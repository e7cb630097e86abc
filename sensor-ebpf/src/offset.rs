//! The offsets and switches the agent sets before loading.
//!
//! They live in read-only data: the verifier folds each to a constant, which makes
//! typed loads possible and drops dead branches.

use aya_ebpf::Global;
use sensor_common::offset::Offsets;

/// Filled from the kernel's BTF through `EbpfLoader::override_global`.
#[unsafe(no_mangle)]
pub(crate) static OFFSETS: Offsets = Offsets::UNSET;

/// 1 when `sched_process_exit` has its `group_dead` argument (Linux 6.16).
#[unsafe(no_mangle)]
pub(crate) static GROUP_DEAD_ARG: Global<u64> = Global::new(0);

/// 1 when the kernel has the helper `bpf_loop` (Linux 5.17).
#[unsafe(no_mangle)]
pub(crate) static HAS_LOOP: Global<u64> = Global::new(0);

/// 1 for `--scope host`: events of non-members are emitted too.
#[unsafe(no_mangle)]
pub(crate) static HOST_SCOPE: Global<u64> = Global::new(0);

/// Offset of one struct member, a constant to the verifier.
macro_rules! off {
    ($field:ident) => {
        $crate::offset::constant(&$crate::offset::OFFSETS.$field)
    };
}
pub(crate) use off;

/// Reads an offset as the agent has set it.
#[inline(always)]
pub(crate) fn constant(offset: &'static u64) -> usize {
    // SAFETY: a live static; volatile because it is written after compilation.
    unsafe { core::ptr::from_ref(offset).read_volatile() as usize }
}

/// `true` for the offset of a member this kernel has.
#[inline(always)]
pub(crate) fn present(offset: usize) -> bool {
    offset as u64 != sensor_common::offset::ABSENT
}
