//! Keys and values of the maps both sides touch.

use crate::limit::GATE_PAGE;

/// Identity of a process: thread-group id and the leader's start on
/// `CLOCK_BOOTTIME`, in ns. A tgid is reused, the pair is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
#[repr(C)]
pub struct ProcessId {
    /// `task_struct.start_boottime` of the thread-group leader, ns.
    pub start_ns: u64,
    /// Thread-group id in the initial pid namespace.
    pub tgid: u32,
    /// Always 0: map keys are compared byte by byte.
    pub pad: u32,
}

impl ProcessId {
    /// The process that had `tgid` and began at `start_ns`.
    #[must_use]
    pub const fn new(tgid: u32, start_ns: u64) -> Self {
        Self {
            start_ns,
            tgid,
            pad: 0,
        }
    }
}

/// Value of the lineage map (key: tgid): this process belongs to a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Lineage {
    /// Start of the process the entry is about; another start means a reused tgid.
    pub start_ns: u64,
    /// Root of the service: the process recognised at exec or by the scan.
    pub root: ProcessId,
    /// Forks between the root and this process.
    pub depth: u32,
    /// Always 0.
    pub pad: u32,
}

/// Value of the service map (key: root [`ProcessId`]). An entry of the lineage map
/// whose service is not here counts for nothing, so that deleting one entry un-marks
/// a whole service: a `java` that turns out to be no server, or one that has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ServiceState {
    /// Recognised name, an index chosen by the agent.
    pub name: u32,
    /// Always 0.
    pub flags: u32,
}

/// Bits of the values of the name map; the others are the name's index.
pub mod service {
    /// An interpreter that is no server until it listens or its argv says so: its forks
    /// are followed in silence, and its children's execs leave it. Its state stands in
    /// the map of candidates, from where it moves to that of services.
    pub const CANDIDATE: u32 = 1 << 31;
}

/// Value of the map of written files (key: [`crate::watch::FileKey`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct WrittenBy {
    /// Root of the service whose member wrote it.
    pub root: ProcessId,
    /// When, `CLOCK_BOOTTIME` ns.
    pub time_ns: u64,
}

/// Value of the state map: what the agent tells every program, at run time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SensorState {
    /// 0 until the snapshot is complete: every lifecycle event is emitted.
    pub seeded: u32,
    /// Always 0.
    pub pad: u32,
}

/// One page of the gate: a byte per tgid, non-zero for members. It keeps the path of
/// non-members free of cold hash look-ups.
pub type GatePage = [u8; GATE_PAGE];

const _: () = assert!(size_of::<ProcessId>() == 16);
const _: () = assert!(size_of::<Lineage>() == 32);
const _: () = assert!(size_of::<ServiceState>() == 8);
const _: () = assert!(size_of::<WrittenBy>() == 24);
const _: () = assert!(size_of::<SensorState>() == 8);
