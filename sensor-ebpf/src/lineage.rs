//! Membership: which processes belong to a service or a candidate, and since which root.

use aya_ebpf::{bindings::BPF_ANY, helpers::generated::bpf_probe_read_kernel};
use sensor_common::{
    counter::Counter,
    limit::{GATE_PAGE, NAME, NAME_READ},
    map::{Lineage, ProcessId, ServiceState},
    name::{NameKey, stem_lengths},
};

use crate::{
    count::count,
    load::{Load, Object, peek, probe},
    map::{
        LINEAGE_CANDIDATES, LINEAGE_GATE, LINEAGE_NAME_BUF, LINEAGE_NAMES, LINEAGE_SERVICES,
        LINEAGE_STATE, LINEAGE_TASKS,
    },
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

/// What a process is in.
#[derive(Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) lineage: Lineage,
    /// It is no service yet: see `sensor_common::map::service::CANDIDATE`.
    pub(crate) candidate: bool,
}

impl Standing {
    /// The lineage, when it is that of a service.
    #[inline(always)]
    pub(crate) fn member(self) -> Option<Lineage> {
        if self.candidate {
            None
        } else {
            Some(self.lineage)
        }
    }
}

/// Membership of the process `id`, if it has one in a service that still exists.
#[inline(always)]
pub(crate) fn member(id: ProcessId) -> Option<Lineage> {
    standing(id)?.member()
}

/// Service or candidate that the process `id` stands in.
#[inline(always)]
pub(crate) fn standing(id: ProcessId) -> Option<Standing> {
    if gated(id.tgid) { entry(id) } else { None }
}

/// As [`standing`], also for an entry that the agent has just made: the agent cannot
/// write single bytes of the gate, so this sets it.
#[inline(always)]
pub(crate) fn claim(id: ProcessId) -> Option<Standing> {
    let standing = entry(id)?;
    open_gate(id.tgid);
    Some(standing)
}

/// Looks the entry up. Drops one left over from another process or a service that is
/// no more.
#[inline(always)]
fn entry(id: ProcessId) -> Option<Standing> {
    // SAFETY: map values stay readable for the whole program run (RCU); an entry changes
    // only when its process is born or ends.
    let lineage = unsafe { LINEAGE_TASKS.get(id.tgid) }.copied()?;
    if lineage.start_ns == id.start_ns {
        // SAFETY: as above.
        if unsafe { LINEAGE_SERVICES.get(lineage.root) }.is_some() {
            return Some(Standing {
                lineage,
                candidate: false,
            });
        }
        // SAFETY: as above.
        if unsafe { LINEAGE_CANDIDATES.get(lineage.root) }.is_some() {
            return Some(Standing {
                lineage,
                candidate: true,
            });
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
        .insert(id.tgid, lineage, u64::from(BPF_ANY))
        .is_err()
    {
        count(Counter::MapFull);
        return false;
    }
    open_gate(id.tgid);
    true
}

#[inline(always)]
fn open_gate(tgid: u32) {
    if let Some(byte) = gate(tgid) {
        // SAFETY: inside the page: the index is masked to its size.
        unsafe { *byte = 1 };
    }
}

/// Makes `id` the root of a service of its own.
#[inline(always)]
pub(crate) fn enter_root(id: ProcessId, name: u32) -> bool {
    let state = ServiceState { name, flags: 0 };
    if LINEAGE_SERVICES
        .insert(id, state, u64::from(BPF_ANY))
        .is_err()
    {
        count(Counter::MapFull);
        return false;
    }
    let entered = enter(id, id, 0);
    if !entered {
        // A service without its root would never end; nothing else can be done.
        let _gone = LINEAGE_SERVICES.remove(id);
    }
    entered
}

/// Makes `id` the root of a candidate; whatever it stood in before, it has left.
#[inline(always)]
pub(crate) fn enter_candidate(id: ProcessId, name: u32) {
    let state = ServiceState { name, flags: 0 };
    if LINEAGE_CANDIDATES
        .insert(id, state, u64::from(BPF_ANY))
        .is_err()
        || !enter(id, id, 0)
    {
        count(Counter::MapFull);
    }
}

/// Makes a service of the candidate `root`; `false` when the map is full.
#[inline(always)]
pub(crate) fn promote(root: ProcessId) -> bool {
    // SAFETY: map values stay readable for the whole program run (RCU); this one never
    // changes.
    let Some(state) = unsafe { LINEAGE_CANDIDATES.get(root) }.copied() else {
        return false;
    };
    if LINEAGE_SERVICES
        .insert(root, state, u64::from(BPF_ANY))
        .is_err()
    {
        count(Counter::MapFull);
        return false;
    }
    // The service map is asked first, so that nothing is lost in between.
    let _gone = LINEAGE_CANDIDATES.remove(root);
    true
}

/// Removes whatever entry `tgid` has; `true` for the one caller that removed it.
#[inline(always)]
pub(crate) fn forget(tgid: u32) -> bool {
    if let Some(byte) = gate(tgid) {
        // SAFETY: inside the page: the index is masked to its size.
        unsafe { *byte = 0 };
    }
    LINEAGE_TASKS.remove(tgid).is_ok()
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

/// Value of the recognised name of the executable at `dentry`, if it has one: its index,
/// and `sensor_common::map::service::CANDIDATE` for an interpreter.
/// `caller` tells apart programs that can interrupt each other on a CPU.
#[inline(always)]
pub(crate) fn recognise(dentry: Object, caller: Caller) -> Option<u32> {
    // struct qstr { u32 hash; u32 len; const unsigned char *name; }
    let ([hash_len, address], _) = probe::<[u64; 2]>(dentry.wrapping_add(off!(dentry_name)));
    let len = hash_len >> 32;
    if len == 0 || len >= NAME_READ as u64 {
        return None;
    }
    let buffer = LINEAGE_NAME_BUF.get_ptr_mut(caller as u32)?;
    // SAFETY: a live per-CPU map value that `caller` has to itself.
    let buffer = unsafe { &mut *buffer };
    buffer.clear();
    if !buffer.read(address, len) || !buffer.stem() {
        return None;
    }
    // SAFETY: the agent fills the map before attaching and leaves it alone.
    unsafe { LINEAGE_NAMES.get(buffer.key) }.copied()
}

/// Programs that look names up.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Caller {
    Exec,
    Scan,
}

/// Where a file name becomes a key. In map memory, not on the stack, where the
/// verifier would follow every length through the rest of the program.
#[repr(C)]
pub(crate) struct NameBuf {
    name: [u8; NAME_READ],
    key: NameKey,
    len: u64,
}

impl NameBuf {
    #[inline(always)]
    fn clear(&mut self) {
        self.name = [0; NAME_READ];
        self.key = [0; NAME];
        self.len = 0;
    }

    /// Reads a name of `len` bytes; the rest stays zero.
    #[inline(always)]
    fn read(&mut self, address: u64, len: u64) -> bool {
        let target = self.name.as_mut_ptr().cast();
        let len = len as u32 & (NAME_READ as u32 - 1);
        // SAFETY: `len` is below the size of `name`.
        unsafe { bpf_probe_read_kernel(target, len, address as *const _) == 0 }
    }

    /// Makes the key from the name without its suffix; `false` when it cannot be a
    /// known one. Volatile, so that the length stays in memory and is unknown to the
    /// verifier when it comes back.
    #[inline(always)]
    fn stem(&mut self) -> bool {
        let Self { name, key, len } = self;
        let len = core::ptr::from_mut(len);
        stem_lengths(
            |index| name.get(index).map_or(0, peek),
            // SAFETY: a live field.
            |found| unsafe { len.write_volatile(found as u64) },
        );
        // SAFETY: a live field.
        let len = unsafe { len.read_volatile() };
        if len == 0 || len >= NAME as u64 {
            return false;
        }
        let size = len as u32 & (NAME as u32 - 1);
        let target = key.as_mut_ptr().cast();
        // SAFETY: `size` is below the size of `key`.
        unsafe { bpf_probe_read_kernel(target, size, name.as_ptr().cast()) == 0 }
    }
}
