//! Every bound the two sides share, each with its reason.

/// Lifecycle ring, bytes. 16 MiB hold about 10,000 full exec records or 200,000
/// forks, more than 500 ms of either at the highest rate measured.
pub const RING_BYTES: u32 = 16 << 20;
/// File ring, bytes: about 25,000 records of a usual path's length. Floods of writes lose
/// their own records, never those of processes.
pub const FILE_RING_BYTES: u32 = 8 << 20;
/// Files written by members that are remembered, the least recently used going first.
pub const WRITTEN_ENTRIES: u32 = 65_536;
/// Reads already reported, so that the next one of the same file is not.
pub const READ_ENTRIES: u32 = 16_384;
/// How long a second read of the same file by the same service is not worth a record, ns.
pub const READ_REPEAT_NS: u64 = 60_000_000_000;
/// Watched directories.
pub const DIRECTORY_ENTRIES: u32 = 8_192;
/// Watched directories by name: as configured and as resolved.
pub const PLACE_ENTRIES: u32 = 2 * DIRECTORY_ENTRIES;
/// Watched extensions and file names.
pub const CLASS_ENTRIES: u32 = 512;
/// Calls that have begun and not returned, of members: as many as threads may wait in
/// one at the same time.
pub const PENDING_ENTRIES: u32 = 2_048;
/// Parents named in a stranger's record: enough to meet the package manager above a
/// maintainer script, or the administrator's shell.
pub const PARENTS: u32 = 8;
/// Bytes kept of the end of a path that a caller typed; the file's name is among them.
pub const TYPED: usize = 512;
/// Entries of the lineage map: live members of all services together.
pub const LINEAGE_ENTRIES: u32 = 262_144;
/// Live services. No host has as many servers; it is this large because anybody may run
/// a program named like one, and must not keep a real server from being followed.
pub const SERVICE_ENTRIES: u32 = 16_384;
/// Candidates: the least recently met go first. Anybody may run interpreters, and must
/// neither fill a map that servers need nor leave entries behind.
pub const CANDIDATE_ENTRIES: u32 = 16_384;
/// Executable names recognised in the kernel.
pub const NAME_ENTRIES: u32 = 256;
/// Processes per gate page: one byte each.
pub const GATE_PAGE: usize = 32_768;
/// Pages of the gate: 4 MiB, for the highest `pid_max` there is (2^22), since it can be
/// raised at any time.
pub const GATE_PAGES_MAX: u32 = 128;

/// argv bytes kept from the front. Covers every shell one-liner of the catalogue.
pub const ARGS_HEAD: usize = 2_048;
/// argv bytes kept from the end, so that padding in front hides nothing.
pub const ARGS_TAIL: usize = 1_024;
/// Environment bytes kept from either end; decode keeps named variables only.
pub const ENV_HEAD: usize = 1_024;
/// See [`ENV_HEAD`].
pub const ENV_TAIL: usize = 1_024;
/// `linux_binprm.filename` as the caller passed it.
pub const FILENAME: usize = 1_024;
/// `linux_binprm.interp`: the kernel allows 256 bytes for a `#!` line.
pub const INTERP: usize = 256;
/// Bytes of one resolved path. Longer paths lose their root end and are marked.
pub const PATH: usize = 4_096;
/// Components and mounts walked for one path. The leaf is kept, the root end is
/// lost and marked: the verifier wants a bound.
pub const PATH_STEPS: u32 = 64;
/// One path component with its NUL: `NAME_MAX` + 1.
pub const COMPONENT: usize = 256;
/// kernfs levels walked for a cgroup path. Kubernetes nests about 5.
pub const CGROUP_STEPS: u32 = 16;
/// Bytes of a cgroup path: the rest of the payload belongs to argv and paths.
pub const CGROUP: usize = 1_024;

/// Capacity of the variable part of a record; a power of two because the verifier
/// bounds the write cursor by masking it.
pub const PAYLOAD: usize = 0x4000;
/// Room behind [`PAYLOAD`] for the last write that started below it.
pub const PAYLOAD_SLACK: usize = 0x1000;

/// Longest recognised executable name with its NUL.
pub const NAME: usize = 16;
/// Longest executable file name looked at; a longer one is no server we know.
pub const NAME_READ: usize = 32;

// All strings together stay below the capacity, so that the masked cursor never wraps.
const _: () = assert!(
    ARGS_HEAD + ARGS_TAIL + FILENAME + INTERP + 2 * PATH + CGROUP + ENV_HEAD + ENV_TAIL < PAYLOAD
);
