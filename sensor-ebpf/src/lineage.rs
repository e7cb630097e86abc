//! Membership: which processes belong to a service, and since which root.

use aya_ebpf::{bindings::BPF_ANY, helpers::generated::bpf_probe_read_kernel};
use sensor_common::{
    counter::Counter,
    limit::{GATE_PAGE, NAME_READ},
    map::{Lineage, ProcessId, ServiceState},
    name::{NameKey, stem},
};

use crate::{
    count::count,
    load::{Load, Object, probe},
    map::{LINEAGE_GATE, LINEAGE_NAMES, LINEAGE_SERVICES, LINEAGE_STATE, LINEAGE_TASKS},
    offset::{HOST_SCOPE, off},
};

/// The gate's byte for `tgid`.
#[inline(always)]
fn gate(tgid: u32) -> Option<*mut u8> {
    let page = LINEAGE_GATE.get_ptr_mut(tgid / GATE_PAGE as u32)?;
    Some(
        page.cast::<u8>()
            .wrapping_add(tgid as usize & (GATE_PAGE - 1)),
    )
}

/// `false` for certain non-members; `true` for members and a few left-over entries.
#[inline(always)]
pub(crate) fn gated(tgid: u32) -> bool {
    // SAFETY: inside the page: the index is masked to its size.
    gate(tgid).is_some_and(|byte| unsafe { *byte } != 0)
}

/// Membership of the process `id`, if it has one in a service that still exists.
/// Drops an entry left over from another process or a retired service.
#[inline(always)]
pub(crate) fn member(id: ProcessId) -> Option<Lineage> {
    if !gated(id.tgid) {
        return None;
    }
    // SAFETY: map values stay readable for the whole program run (RCU); they change
    // only when their process execs or exits, not while we run for it.
    let lineage = unsafe { LINEAGE_TASKS.get(&id.tgid) }.copied()?;
    if lineage.start_ns == id.start_ns {
        if unsafe { LINEAGE_SERVICES.get(&lineage.root) }.is_some() {
            return Some(lineage);
        }
    } else {
        count(Counter::StaleEntry);
    }
    forget(id.tgid);
    None
}

/// Makes `id` a member. `false` when the map is full: then it is counted.
#[inline(always)]
pub(crate) fn enter(id: ProcessId, root: ProcessId, depth: u32) -> bool {
    let lineage = Lineage {
        start_ns: id.start_ns,
        root,
        depth,
        pad: 0,
    };
    if LINEAGE_TASKS
        .insert(&id.tgid, &lineage, BPF_ANY as u64)
        .is_err()
    {
        count(Counter::MapFull);
        return false;
    }
    if let Some(byte) = gate(id.tgid) {
        // SAFETY: inside the page: the index is masked to its size.
        unsafe { *byte = 1 };
    }
    true
}

/// Makes `id` the root of a service of its own.
#[inline(always)]
pub(crate) fn enter_root(id: ProcessId, name: u32) -> bool {
    let state = ServiceState { name, pad: 0 };
    if LINEAGE_SERVICES
        .insert(&id, &state, BPF_ANY as u64)
        .is_err()
    {
        count(Counter::MapFull);
        return false;
    }
    enter(id, id, 0)
}

/// Removes whatever entry `tgid` has; `true` for the one caller that removed it.
#[inline(always)]
pub(crate) fn forget(tgid: u32) -> bool {
    if let Some(byte) = gate(tgid) {
        // SAFETY: inside the page: the index is masked to its size.
        unsafe { *byte = 0 };
    }
    LINEAGE_TASKS.remove(&tgid).is_ok()
}

/// `true` while events of non-members are wanted too: in host scope, and until the
/// agent has seen every process that was there before the hooks.
#[inline(always)]
pub(crate) fn emit_all() -> bool {
    if HOST_SCOPE.load() != 0 {
        return true;
    }
    // SAFETY: a live map value, one aligned word.
    LINEAGE_STATE
        .get_ptr(0)
        .is_none_or(|state| unsafe { (*state).seeded } == 0)
}

/// Identity of the process that `task`, any of its threads, belongs to.
#[inline(always)]
pub(crate) fn process_of<L: Load>(task: Object) -> ProcessId {
    let leader = L::object(task, off!(task_group_leader));
    ProcessId::new(
        L::read(task, off!(task_tgid)),
        L::read(leader, off!(task_start)),
    )
}

/// Index of the recognised name of the executable at `dentry`, if it has one.
#[inline(always)]
pub(crate) fn recognise(dentry: Object) -> Option<u32> {
    let key = file_stem(dentry)?;
    // SAFETY: the agent fills the map before attaching and leaves it alone.
    unsafe { LINEAGE_NAMES.get(&key) }.copied()
}

/// Stem of the file name of `dentry`.
#[inline(always)]
fn file_stem(dentry: Object) -> Option<NameKey> {
    // struct qstr { u32 hash; u32 len; const unsigned char *name; }
    let ([hash_len, address], _) = probe::<[u64; 2]>(dentry.wrapping_add(off!(dentry_name)));
    let len = hash_len >> 32;
    if len == 0 || len >= NAME_READ as u64 {
        return None;
    }
    let mut name = [0_u8; NAME_READ];
    let target = name.as_mut_ptr().cast();
    // SAFETY: `len` is below the buffer's size.
    let status = unsafe { bpf_probe_read_kernel(target, len as u32, address as *const _) };
    if status == 0 { stem(&name) } else { None }
}
