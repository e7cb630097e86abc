//! tracefs, where the ids of system calls' tracepoints are.
//!
//! Distributions mount it; where nobody has, it is mounted for the moment of attaching
//! and taken away again. An attached program does not need it.

use std::{fs, path::Path, path::PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

/// Where it is mounted, in order of preference.
const PLACES: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// tracefs as mounted by the sensor; unmounted when dropped.
#[derive(Debug)]
pub(super) struct Mount(());

impl Mount {
    /// Mounts it when nobody has and the kernel has it. `None` when there is nothing to
    /// undo; what is missing then, attaching says.
    pub(super) fn ensure() -> Option<Self> {
        if root().is_some() {
            return None;
        }
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        let [place, _] = PLACES;
        mount("lineage-sensor", place, "tracefs", flags, None).ok()?;
        Some(Self(()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let [place, _] = PLACES;
        if let Err(error) = unmount(place, UnmountFlags::DETACH) {
            tracing::warn!("cannot unmount {place} again: {error}");
        }
    }
}

/// Somebody has mounted it.
pub(super) fn is_mounted() -> bool {
    root().is_some()
}

fn root() -> Option<PathBuf> {
    PLACES
        .iter()
        .map(Path::new)
        .find(|place| fs::exists(place.join("events")).unwrap_or(false))
        .map(Into::into)
}

/// Directory of the tracepoints of one group.
pub(super) fn events(group: &str) -> Result<PathBuf, String> {
    let root =
        root().ok_or("tracefs is not mounted: mount -t tracefs tracefs /sys/kernel/tracing")?;
    let events = root.join("events").join(group);
    if events.is_dir() {
        Ok(events)
    } else {
        Err(format!(
            "{} is missing: the kernel lacks CONFIG_FTRACE_SYSCALLS",
            events.display()
        ))
    }
}
