//! User-space side of the map values. The only user-side `unsafe` of the contract.

use crate::map::{Lineage, ProcessId, SensorState, ServiceState, WrittenBy};
use crate::offset::Offsets;
use crate::watch::{DirectoryKey, FileKey, PlaceKey};

macro_rules! pod {
    ($($type:ty),*) => {
        $(
            // SAFETY: `repr(C)`, integers only, and explicit padding fields (asserted
            // by size next to each type): every bit pattern is a value.
            unsafe impl aya::Pod for $type {}
        )*
    };
}

pod!(
    DirectoryKey,
    FileKey,
    Lineage,
    Offsets,
    PlaceKey,
    ProcessId,
    SensorState,
    ServiceState,
    WrittenBy
);
