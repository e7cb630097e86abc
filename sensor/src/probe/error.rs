//! Why the kernel side cannot start, and the checks made before it is tried.

use std::{io, path::PathBuf};

use aya::{EbpfError, maps::MapError};
use procfs::process::Process;
use thiserror::Error;

use crate::{btf::BtfError, exit, scan};

/// The kernel side could not start or go on. Nothing stays attached.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// The agent lacks capabilities.
    #[error(
        "missing capabilities {0}: run as root, or grant them (systemd: AmbientCapabilities=, \
         containers: --cap-add)"
    )]
    Privilege(String),
    /// The agent sees other pids or start times than the kernel side does.
    #[error(
        "not in the host's {0} namespace, so pids or start times would be wrong: run on the \
         host, or with hostPID (podman: --pid=host)"
    )]
    Namespace(&'static str),
    /// No BTF.
    #[error("cannot read kernel BTF {path}: {error}; a kernel with CONFIG_DEBUG_INFO_BTF is needed, or --btf FILE", path = path.display())]
    NoBtf {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// BTF that is none.
    #[error("kernel BTF {path}: {error}", path = path.display())]
    BadBtf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: BtfError,
    },
    /// BTF the loader cannot use.
    #[error("kernel BTF: {0}")]
    KernelBtf(#[source] aya::BtfError),
    /// A required struct member is not in this kernel.
    #[error(
        "this kernel has no {structure}.{member} (offset {name}): it is not supported; please \
         report `uname -r`"
    )]
    Member {
        /// Name of the offset.
        name: &'static str,
        /// Kernel struct.
        structure: &'static str,
        /// Member, with alternatives.
        member: &'static str,
    },
    /// `--override-offset` names no offset.
    #[error("no offset is named {0}")]
    Override(String),
    /// The object could not be loaded.
    #[error("load kernel programs: {0}")]
    Load(String),
    /// A part is missing in our own object: a build error.
    #[error("the built-in kernel object has no {0}")]
    Object(&'static str),
    /// A map operation failed.
    #[error("kernel map {map}: {reason}")]
    Map {
        /// Name of the map.
        map: &'static str,
        /// What the kernel said.
        reason: String,
    },
    /// A required hook cannot be attached.
    #[error("attach {hook}: {reason}")]
    Hook {
        /// Tracepoint.
        hook: &'static str,
        /// Every rung that was tried, and what the kernel said.
        reason: String,
    },
    /// The task iterator cannot be run.
    #[error("scan processes: {0}")]
    Scan(String),
    /// The self-test could not be run.
    #[error("self-test: {0}")]
    SelfTest(String),
    /// The kernel side and `/proc` disagree.
    #[error(
        "self-test: {field} is {kernel} in the kernel record but {proc} in /proc: the struct \
         offsets do not fit this kernel, so nothing would be true"
    )]
    Mismatch {
        /// Which field.
        field: &'static str,
        /// Value in the record.
        kernel: String,
        /// Value in `/proc`.
        proc: String,
    },
    /// The kernel-side log cannot be read.
    #[error("kernel-side log: {0}")]
    Log(#[source] aya_log::Error),
}

impl ProbeError {
    /// Makes an error of an operation on `map`.
    pub(super) fn map(map: &'static str) -> impl Fn(MapError) -> Self {
        move |error| Self::Map {
            map,
            reason: chain(&error),
        }
    }

    /// An error of aya's loader, cut to what a person can read.
    pub(super) fn load(error: &EbpfError) -> Self {
        Self::Load(chain(error))
    }

    /// `true` when more privilege would help.
    #[must_use]
    pub const fn is_privilege(&self) -> bool {
        matches!(self, Self::Privilege(_))
    }

    /// `true` for a wrong command line.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Override(_))
    }
}

/// An error with its causes on one line. A verifier log is cut to its last words.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    const LONGEST: usize = 400;
    let text = exit::chain(error);
    let start = text
        .char_indices()
        .rev()
        .nth(LONGEST)
        .map_or(0, |(start, _)| start);
    let cut = if start > 0 { "[...]" } else { "" };
    format!("{cut}{}", text.get(start..).unwrap_or_default())
}

/// Capabilities the agent needs, by bit (`include/uapi/linux/capability.h`).
const CAPABILITIES: [(u32, &str); 4] = [
    (2, "CAP_DAC_READ_SEARCH"),
    (19, "CAP_SYS_PTRACE"),
    (38, "CAP_PERFMON"),
    (39, "CAP_BPF"),
];
/// Stands for `CAP_PERFMON` and `CAP_BPF`.
const SYS_ADMIN: u32 = 21;
/// Stands for `CAP_DAC_READ_SEARCH`.
const DAC_OVERRIDE: u32 = 1;

/// Refuses when a capability is missing, naming all that are.
pub(super) fn check_privilege() -> Result<(), ProbeError> {
    let effective = Process::myself()
        .and_then(|me| me.status())
        .map_or(0, |status| status.capeff);
    let missing = missing(effective);
    if missing.is_empty() {
        Ok(())
    } else {
        Err(ProbeError::Privilege(missing.join(", ")))
    }
}

fn missing(effective: u64) -> Vec<&'static str> {
    let has = |bit: u32| effective >> bit & 1 != 0;
    let granted = |bit: u32| match bit {
        2 => has(bit) || has(DAC_OVERRIDE),
        38 | 39 => has(bit) || has(SYS_ADMIN),
        _ => has(bit),
    };
    CAPABILITIES
        .iter()
        .filter(|(bit, _)| !granted(*bit))
        .map(|(_, name)| *name)
        .collect()
}

/// Inode numbers of the initial namespaces (`include/uapi/linux/nsfs.h`).
const INITIAL: [(&str, u32); 2] = [("pid", 0xefff_fffc), ("time", 0xefff_fffa)];

/// Refuses in a pid or time namespace other than the host's.
pub(super) fn check_namespaces() -> Result<(), ProbeError> {
    for (name, initial) in INITIAL {
        let own = scan::namespace(&PathBuf::from(format!("/proc/self/ns/{name}")));
        // 0: kernels without time namespaces have no such file.
        if own != initial && own != 0 {
            return Err(ProbeError::Namespace(name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_capabilities_are_named_and_sys_admin_stands_for_two() {
        assert_eq!(missing(u64::MAX), Vec::<&str>::new());
        assert_eq!(
            missing(1 << SYS_ADMIN | 1 << 19 | 1 << DAC_OVERRIDE),
            Vec::<&str>::new()
        );
        assert_eq!(missing(1 << 39 | 1 << 38 | 1 << 2), ["CAP_SYS_PTRACE"]);
        assert_eq!(missing(0).len(), 4);
    }

    #[test]
    fn long_errors_keep_their_end() {
        let error = io::Error::other(format!("{}last words", "x ".repeat(1_000)));
        let text = chain(&error);
        assert!(text.len() < 420 && text.starts_with("[...]") && text.ends_with("last words"));
    }
}
