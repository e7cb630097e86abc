//! The maps, and the one ring.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf},
};
use sensor_common::{
    counter::COUNTERS,
    limit,
    map::{GatePage, Lineage, ProcessId, SensorState, ServiceState},
    name::NameKey,
};

use crate::{lineage::NameBuf, scratch::Scratch};

/// Lifecycle records: fork, exec, exit, listen.
#[map]
pub(crate) static LINEAGE_RING: RingBuf = RingBuf::with_byte_size(limit::RING_BYTES, 0);

/// Members by tgid. Never LRU: a forgotten member would be a blind spot.
#[map]
pub(crate) static LINEAGE_TASKS: HashMap<u32, Lineage> =
    HashMap::with_max_entries(limit::LINEAGE_ENTRIES, 0);

/// One byte per tgid, so that non-members cost no hash look-up.
#[map]
pub(crate) static LINEAGE_GATE: Array<GatePage> = Array::with_max_entries(limit::GATE_PAGES_MAX, 0);

/// Live services by root process.
#[map]
pub(crate) static LINEAGE_SERVICES: HashMap<ProcessId, ServiceState> =
    HashMap::with_max_entries(limit::SERVICE_ENTRIES, 0);

/// Candidates by root process. LRU: one that is lost is met again when it listens, as a
/// stranger, and their number must not keep a real server from being followed.
#[map]
pub(crate) static LINEAGE_CANDIDATES: LruHashMap<ProcessId, ServiceState> =
    LruHashMap::with_max_entries(limit::CANDIDATE_ENTRIES, 0);

/// Recognised executable names, by stem.
#[map]
pub(crate) static LINEAGE_NAMES: HashMap<NameKey, u32> =
    HashMap::with_max_entries(limit::NAME_ENTRIES, 0);

/// What the agent tells the programs while they run.
#[map]
pub(crate) static LINEAGE_STATE: Array<SensorState> = Array::with_max_entries(1, 0);

/// Exec records are built here: they do not fit the 512-byte stack.
#[map]
pub(crate) static LINEAGE_SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// Last sequence number given out on each CPU.
#[map]
pub(crate) static LINEAGE_SEQ: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// `sensor_common::counter::Counter`, one entry each.
#[map]
pub(crate) static LINEAGE_COUNT: PerCpuArray<u64> =
    PerCpuArray::with_max_entries(COUNTERS as u32, 0);

/// File names on their way to keys, one buffer per program that looks names up.
#[map]
pub(crate) static LINEAGE_NAME_BUF: PerCpuArray<NameBuf> = PerCpuArray::with_max_entries(2, 0);
