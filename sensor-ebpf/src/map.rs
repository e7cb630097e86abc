//! The maps, and the two rings.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf},
};
use sensor_common::{
    counter::COUNTERS,
    limit,
    map::{GatePage, Lineage, ProcessId, SensorState, ServiceState, WrittenBy},
    name::NameKey,
    record::{Exec, File},
    watch::{DirectoryKey, FileKey, PlaceKey, ReadKey},
};

use crate::{class::ClassBuf, file::SLOTS, lineage::NameBuf, pending::Pending, scratch::Scratch};

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
pub(crate) static LINEAGE_SCRATCH: PerCpuArray<Scratch<Exec>> = PerCpuArray::with_max_entries(1, 0);

/// Last sequence number given out on each CPU, by ring.
#[map]
pub(crate) static LINEAGE_SEQ: PerCpuArray<u64> = PerCpuArray::with_max_entries(2, 0);

/// File and connect records: shed first, so that a flood of writes costs no lineage.
#[map]
pub(crate) static LINEAGE_FILE_RING: RingBuf = RingBuf::with_byte_size(limit::FILE_RING_BYTES, 0);

/// File records are built here, one buffer for each program that makes them.
#[map]
pub(crate) static LINEAGE_FILE_SCRATCH: PerCpuArray<Scratch<File>> =
    PerCpuArray::with_max_entries(SLOTS, 0);

/// Names of files on their way to classes.
#[map]
pub(crate) static LINEAGE_CLASS_BUF: PerCpuArray<ClassBuf> =
    PerCpuArray::with_max_entries(SLOTS, 0);

/// Classes of files, by hash of their extension or whole name.
#[map]
pub(crate) static LINEAGE_CLASSES: HashMap<u64, u32> =
    HashMap::with_max_entries(limit::CLASS_ENTRIES, 0);

/// Directories in which everybody's writes are recorded.
#[map]
pub(crate) static LINEAGE_DIRECTORIES: HashMap<DirectoryKey, u32> =
    HashMap::with_max_entries(limit::DIRECTORY_ENTRIES, 0);

/// The same by name, for absolute paths on the rung of system calls.
#[map]
pub(crate) static LINEAGE_PLACES: HashMap<PlaceKey, u32> =
    HashMap::with_max_entries(limit::PLACE_ENTRIES, 0);

/// Files written by members.
#[map]
pub(crate) static LINEAGE_WRITTEN: LruHashMap<FileKey, WrittenBy> =
    LruHashMap::with_max_entries(limit::WRITTEN_ENTRIES, 0);

/// When a read was last reported, ns.
#[map]
pub(crate) static LINEAGE_READS: LruHashMap<ReadKey, u64> =
    LruHashMap::with_max_entries(limit::READ_ENTRIES, 0);

/// Calls that have begun, by thread. LRU, so that a call whose end was missed goes.
#[map]
pub(crate) static LINEAGE_PENDING: LruHashMap<u64, Pending> =
    LruHashMap::with_max_entries(limit::PENDING_ENTRIES, 0);

/// Entries of [`LINEAGE_PENDING`] are built here.
#[map]
pub(crate) static LINEAGE_PENDING_BUF: PerCpuArray<Pending> =
    PerCpuArray::with_max_entries(SLOTS, 0);

/// `sensor_common::counter::Counter`, one entry each.
#[map]
pub(crate) static LINEAGE_COUNT: PerCpuArray<u64> =
    PerCpuArray::with_max_entries(COUNTERS as u32, 0);

/// File names on their way to keys, one buffer per program that looks names up.
#[map]
pub(crate) static LINEAGE_NAME_BUF: PerCpuArray<NameBuf> = PerCpuArray::with_max_entries(2, 0);
