//! Calls that have begun and not yet returned.
//!
//! Whether a rename, link or chmod happened is known only when it returns, and by then
//! the old name is gone: it is kept here, by thread. The map is LRU: a call whose end was
//! missed makes room by itself.

use aya_ebpf::{bindings::BPF_ANY, helpers::generated::bpf_get_current_pid_tgid};
use sensor_common::{limit::TYPED, watch::PlaceWalk};

use crate::{
    file::Slot,
    load::Object,
    map::{LINEAGE_PENDING, LINEAGE_PENDING_BUF},
};

/// A call.
#[repr(C)]
pub(crate) struct Pending {
    /// `FileAction`.
    pub(crate) action: u32,
    /// `Rung` that saw it begin.
    pub(crate) rung: u32,
    /// Flags or mode asked for.
    pub(crate) argument: u32,
    /// Calls of the same function inside this one: overlayfs does to a layer what it was
    /// asked to do.
    pub(crate) nesting: u32,
    /// Whether either text lacks its beginning.
    pub(crate) cut: u32,
    /// Directory descriptors from which the texts count.
    pub(crate) old_dir: i32,
    pub(crate) new_dir: i32,
    /// 1 when the new name was told to be in a watched directory, by name.
    pub(crate) watched: u32,
    /// What is renamed, or made.
    pub(crate) dentry: u64,
    /// Directory it is renamed from; what is linked.
    pub(crate) other: u64,
    pub(crate) mount: u64,
    /// Bytes of the texts, NULs included.
    pub(crate) old_len: u32,
    pub(crate) new_len: u32,
    /// See `place`.
    pub(crate) walk: PlaceWalk,
    /// Old name; target of a symbolic link.
    pub(crate) old: [u8; TYPED],
    /// New name.
    pub(crate) new: [u8; TYPED],
}

/// The current thread, as key.
#[inline(always)]
fn thread() -> u64 {
    // SAFETY: a helper without arguments.
    unsafe { bpf_get_current_pid_tgid() }
}

/// An empty entry to be filled and [`store`]d.
#[inline(always)]
pub(crate) fn draft(slot: Slot) -> Option<&'static mut Pending> {
    let buffer = LINEAGE_PENDING_BUF.get_ptr_mut(slot as u32)?;
    // SAFETY: a live per-CPU map value that `slot` has to itself.
    let pending = unsafe { &mut *buffer };
    pending.argument = 0;
    pending.nesting = 0;
    pending.cut = 0;
    pending.old_dir = 0;
    pending.new_dir = 0;
    pending.watched = 0;
    pending.dentry = 0;
    pending.other = 0;
    pending.mount = 0;
    pending.old_len = 0;
    pending.new_len = 0;
    pending.walk = PlaceWalk::START;
    Some(pending)
}

/// Keeps `pending` until the current thread's call returns.
#[inline(always)]
pub(crate) fn store(pending: &Pending) {
    // A busy bucket loses one call.
    let _busy = LINEAGE_PENDING.insert(thread(), pending, u64::from(BPF_ANY));
}

/// The call the current thread is in.
#[inline(always)]
pub(crate) fn current() -> Option<&'static mut Pending> {
    let pending = LINEAGE_PENDING.get_ptr_mut(thread())?;
    // SAFETY: map values stay readable for the whole program run (RCU); only the
    // thread's own calls write it.
    Some(unsafe { &mut *pending })
}

/// The current thread's call has returned.
#[inline(always)]
pub(crate) fn forget() {
    // Gone already: nothing to do.
    let _gone = LINEAGE_PENDING.remove(thread());
}

/// Keeps the name of `dentry` as the old one.
#[inline(always)]
pub(crate) fn keep_name(pending: &mut Pending, dentry: Object) {
    use crate::{load::probe, offset::off};
    use aya_ebpf::helpers::generated::bpf_probe_read_kernel;

    let ([hash_len, address], _) = probe::<[u64; 2]>(dentry.wrapping_add(off!(dentry_name)));
    // The NUL behind the name comes along.
    let len = ((hash_len >> 32) & 0xff) + 1;
    let target = pending.old.as_mut_ptr().cast();
    // SAFETY: `len` is at most 256, below the size of `old`.
    if unsafe { bpf_probe_read_kernel(target, len as u32, address as *const _) } == 0 {
        pending.old_len = len as u32;
    }
}
