//! Marking members from user space, in maps that programs write at the same time.

use std::collections::HashSet;

use aya::{
    Pod,
    maps::{HashMap as Tasks, MapData, MapError},
};
use sensor_common::map::{Lineage, ProcessId, ServiceState};

use super::{ProbeError, row::Row};
use crate::event::Membership;

/// Tries for a map entry that another CPU holds.
const BUSY: u32 = 1_000;

/// Makes roots of recognised processes that are no members: the service map was full
/// when they came. Which server they are, if any, the engine finds out.
pub(super) fn mark_missed(
    rows: &[Row],
    tasks: &mut Tasks<MapData, u32, Lineage>,
    services: &mut Tasks<MapData, ProcessId, ServiceState>,
) -> Result<(), ProbeError> {
    let servers: HashSet<ProcessId> = rows
        .iter()
        .filter(|row| row.recognised())
        .map(|row| row.process)
        .collect();
    let missed = rows
        .iter()
        .filter(|row| row.recognised() && row.membership.is_none() && !row.candidate())
        // Its own name is recognised for the sake of the self-test.
        .filter(|row| row.process.tgid != std::process::id());
    for row in missed.filter(|row| !servers.contains(&row.parent)) {
        let root = Membership {
            root: row.process,
            depth: 0,
        };
        if !insert(
            "LINEAGE_SERVICES",
            services,
            row.process,
            ServiceState::default(),
        )? {
            return Ok(());
        }
        enter(tasks, row.process, root)?;
    }
    Ok(())
}

/// Writes a lineage entry. The gate is set by the iterator's next pass: the kernel
/// alone writes it, byte by byte. `false` when the map is full.
pub(super) fn enter(
    tasks: &mut Tasks<MapData, u32, Lineage>,
    process: ProcessId,
    membership: Membership,
) -> Result<bool, ProbeError> {
    let Membership { root, depth } = membership;
    let lineage = Lineage {
        start_ns: process.start_ns,
        root,
        depth,
        pad: 0,
    };
    insert("LINEAGE_TASKS", tasks, process.tgid, lineage)
}

/// Removes an entry; one that is already gone is no error.
pub(super) fn remove<K: Pod, V: Pod>(
    name: &'static str,
    map: &mut Tasks<MapData, K, V>,
    key: K,
) -> Result<(), ProbeError> {
    match map.remove(&key) {
        Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
        Err(error) if errno(&error) == Some(libc::ENOENT) => Ok(()),
        Err(error) => Err(ProbeError::map(name)(error)),
    }
}

/// Inserts into a hash map that programs write at the same time; `false` when it is
/// full.
pub(super) fn insert<K: Pod, V: Pod>(
    name: &'static str,
    map: &mut Tasks<MapData, K, V>,
    key: K,
    value: V,
) -> Result<bool, ProbeError> {
    for _ in 0..BUSY {
        let error = match map.insert(key, value, 0) {
            Ok(()) => return Ok(true),
            Err(error) => error,
        };
        match errno(&error) {
            // A program has the bucket at this moment.
            Some(libc::EBUSY | libc::EAGAIN) => {}
            Some(libc::E2BIG | libc::ENOMEM) => return Ok(false),
            _ => return Err(ProbeError::map(name)(error)),
        }
    }
    Ok(false)
}

fn errno(error: &MapError) -> Option<i32> {
    match error {
        MapError::SyscallError(error) => error.io_error.raw_os_error(),
        _ => None,
    }
}
