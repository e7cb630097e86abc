//! Records of the ring, as bytes, to events.
//!
//! The kernel's bytes are untrusted: every integer is read by offset, every span is
//! checked, an unknown kind is an error that is counted. Total: no input panics. The
//! environment ends here but for the variables of [`ENVIRONMENT`] and those whose value
//! is a shell function.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::{borrow::Cow, sync::Arc};

use bstr::{BString, ByteSlice};
use sensor_common::record::{self, FdRaw, RecordKind, flag};
use thiserror::Error;

use crate::event::{
    Args, Event, Exit, ExitStatus, Fd, Fork, Membership, ProcessId, Stamp, Written,
};

mod exec;
mod file;
mod socket;

/// Environment variables that leave the decoder: those that make a program load or run
/// something else, and those by which CGI describes the request.
pub const ENVIRONMENT: &[&str] = &[
    "BASH_ENV",
    "ENV",
    "GATEWAY_INTERFACE",
    "GCONV_PATH",
    "HTTP_HOST",
    "HTTP_USER_AGENT",
    "HTTP_X_FORWARDED_FOR",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "NODE_OPTIONS",
    "PERL5LIB",
    "PERL5OPT",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "QUERY_STRING",
    "REMOTE_ADDR",
    "REQUEST_METHOD",
    "REQUEST_URI",
    "RUBYOPT",
    "SCRIPT_FILENAME",
    "SCRIPT_NAME",
    "SERVER_NAME",
    "_JAVA_OPTIONS",
];

/// Begins the value of a variable that is a shell function, whatever its name: CGI hands
/// request headers on in variables named after them, and a shell may run what follows.
pub const FUNCTION: &str = "() {";
/// Bytes kept of such a variable's name, and of its value.
const FUNCTION_BYTES: usize = 256;
/// Such variables kept of one program.
const FUNCTIONS: usize = 16;

/// Stands for the root end of a path that was too long.
const CUT: &str = "[...]";
/// Audit ids that are not set.
const UNSET: u32 = u32::MAX;
/// Type bits of `i_mode`, and their values.
const S_IFMT: u32 = 0o170_000;
/// `makedev(1, 3)` in kernel encoding: `/dev/null`.
const NULL_RDEV: u32 = 1 << 20 | 3;

/// A record that is no record.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// Shorter than its kind's fixed part, or than it says itself.
    #[error("record is too short")]
    Short,
    /// A kind this agent does not know.
    #[error("record of unknown kind {0}")]
    Kind(u32),
    /// Payload lengths that do not add up.
    #[error("record's payload lengths do not fit")]
    Spans,
    /// A number that stands for nothing.
    #[error("record's {0} is none this agent knows")]
    Value(&'static str),
}

impl DecodeError {
    /// Value of the metric label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Kind(_) => "kind",
            Self::Spans => "spans",
            Self::Value(_) => "value",
        }
    }
}

/// Reads the integer at a member of a record.
macro_rules! get {
    ($bytes:expr, $int:ty, $record:ty, $($member:tt)+) => {{
        let at = std::mem::offset_of!($record, $($member)+);
        let bytes = $bytes.get(at..).and_then(<[u8]>::first_chunk::<{ size_of::<$int>() }>);
        <$int>::from_ne_bytes(*bytes.ok_or(DecodeError::Short)?)
    }};
}

/// Reads the [`ProcessId`] at a member of a record.
macro_rules! get_id {
    ($bytes:expr, $record:ty, $($member:tt)+) => {
        ProcessId::new(
            get!($bytes, u32, $record, $($member)+.tgid),
            get!($bytes, u64, $record, $($member)+.start_ns),
        )
    };
}

/// Reads the members of a record that describe an inode.
macro_rules! get_inode {
    ($bytes:expr, $record:ty, $generation:expr) => {
        Inode {
            file: FileId {
                dev: get!($bytes, u32, $record, dev),
                ino: get!($bytes, u64, $record, ino),
            },
            generation: $generation,
            size: get!($bytes, u64, $record, size),
            nlink: get!($bytes, u32, $record, nlink),
            mode: get!($bytes, u32, $record, mode),
            owner: get!($bytes, u32, $record, owner),
            group: get!($bytes, u32, $record, group),
            ctime_ns: change_time(
                get!($bytes, i64, $record, ctime_s),
                get!($bytes, u32, $record, ctime_ns),
            ),
        }
    };
}

use {get, get_id, get_inode};

/// Decodes one record.
///
/// # Errors
/// When the bytes are no record of this ABI.
pub fn decode(bytes: &[u8]) -> Result<Event, DecodeError> {
    let kind = get!(bytes, u32, record::Header, kind);
    let len = get!(bytes, u32, record::Header, len) as usize;
    let bytes = bytes.get(..len).ok_or(DecodeError::Short)?;
    match RecordKind::try_from(kind).map_err(DecodeError::Kind)? {
        RecordKind::Fork => fork(bytes).map(Event::Fork),
        RecordKind::Exec => exec::exec(bytes).map(Event::Exec),
        RecordKind::Exit => exit(bytes).map(Event::Exit),
        RecordKind::File => file::file(bytes).map(|file| Event::File(Arc::new(file))),
        RecordKind::Socket => socket::socket(bytes).map(|socket| Event::Socket(Arc::new(socket))),
    }
}

fn stamp(bytes: &[u8]) -> Result<Stamp, DecodeError> {
    Ok(Stamp {
        cpu: get!(bytes, u32, record::Header, cpu),
        seq: get!(bytes, u64, record::Header, seq),
        time_ns: get!(bytes, u64, record::Header, time_ns),
    })
}

fn membership(bytes: &[u8]) -> Result<Option<Membership>, DecodeError> {
    let member = get!(bytes, u32, record::Header, flags) & flag::MEMBER != 0;
    let root = get_id!(bytes, record::Header, root);
    let depth = get!(bytes, u32, record::Header, depth);
    Ok(member.then_some(Membership { root, depth }))
}

fn fork(bytes: &[u8]) -> Result<Fork, DecodeError> {
    Ok(Fork {
        stamp: stamp(bytes)?,
        child: get_id!(bytes, record::Header, process),
        membership: membership(bytes)?,
        creator: get_id!(bytes, record::Fork, creator),
        creator_tid: get!(bytes, u32, record::Fork, creator_tid),
        parent: get_id!(bytes, record::Fork, parent),
        uid: get!(bytes, u32, record::Fork, uid),
    })
}

fn exit(bytes: &[u8]) -> Result<Exit, DecodeError> {
    let status = get!(bytes, u32, record::Exit, status).to_le_bytes();
    // Wait status: signal in the low 7 bits, else the exit code in the second byte.
    let [low, code, ..] = status;
    let signal = low & 0x7f;
    Ok(Exit {
        stamp: stamp(bytes)?,
        process: get_id!(bytes, record::Header, process),
        membership: membership(bytes)?,
        status: if signal == 0 {
            ExitStatus::Code(code)
        } else {
            ExitStatus::Signal(signal)
        },
    })
}

/// Change time in ns; `None` where the kernel side could not tell.
fn change_time(seconds: i64, nanoseconds: u32) -> Option<i64> {
    let whole = seconds.checked_mul(1_000_000_000)?;
    let ns = whole.checked_add(i64::from(nanoseconds))?;
    (ns != 0).then_some(ns)
}

/// Who wrote a file; a root of zeroes is nobody.
fn written(root: ProcessId, age_ns: u64) -> Option<Written> {
    (root != ProcessId::default()).then_some(Written { root, age_ns })
}

/// What a descriptor is, by the type bits of its inode and its device number.
#[must_use]
pub fn descriptor(mode: u32, rdev: u32) -> Fd {
    match mode {
        FdRaw::CLOSED => Fd::Closed,
        FdRaw::UNREADABLE => Fd::Unknown,
        _ => match mode & S_IFMT {
            0o010_000 => Fd::Pipe,
            0o140_000 => Fd::Socket,
            0o100_000 => Fd::File,
            0o040_000 => Fd::Directory,
            0o020_000 if rdev == NULL_RDEV => Fd::Null,
            // Terminals: 4 and 5 are the console's and /dev/tty, 136-143 are Unix98
            // pseudo-terminals (Documentation/admin-guide/devices.txt).
            0o020_000 if matches!(rdev >> 20, 4 | 5 | 136..=143) => Fd::Tty,
            0o020_000 | 0o060_000 => Fd::Device,
            _ => Fd::Anonymous,
        },
    }
}

/// The strings behind the fixed part of a record.
struct Payload<'a> {
    rest: &'a [u8],
}

impl<'a> Payload<'a> {
    fn new(record: &'a [u8], fixed: usize) -> Result<Self, DecodeError> {
        let rest = record.get(fixed..).ok_or(DecodeError::Short)?;
        Ok(Self { rest })
    }

    fn take(&mut self, len: u32) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(len as usize)
            .ok_or(DecodeError::Spans)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A string ended by NUL.
    fn string(&mut self, len: u32) -> Result<BString, DecodeError> {
        let bytes = self.take(len)?;
        Ok(bytes
            .split(|&byte| byte == 0)
            .next()
            .unwrap_or_default()
            .into())
    }
}

/// Turns components, leaf first and each ended by NUL, into a path.
fn path(components: &[u8], cut: bool, flags: u32) -> BString {
    let components = components.strip_suffix(b"\0").unwrap_or(components);
    // A memory file has one pseudo component and is in no directory.
    if flags & flag::UNLINKED != 0 && components.starts_with(b"memfd:") && !components.contains(&0)
    {
        return components.into();
    }
    // A slash for each NUL, and one in front: it need not grow.
    let beginning = if cut { CUT } else { "" };
    let length = beginning.len().saturating_add(components.len());
    let mut path = BString::from(Vec::with_capacity(length.saturating_add(1)));
    path.extend_from_slice(beginning.as_bytes());
    for component in components.rsplit(|&byte| byte == 0) {
        path.push(b'/');
        path.extend_from_slice(component);
    }
    path
}

/// Splits captured argv; `total` tells whether head and tail meet.
#[must_use]
pub fn args(head: &[u8], tail: &[u8], argc: u32, total: u64) -> Args {
    let truncated = captured(head, tail) != total;
    if truncated {
        return Args {
            head: split(head),
            tail: split(tail),
            argc,
            total,
            truncated,
        };
    }
    Args {
        head: split(&joined(head, tail)),
        tail: Vec::new(),
        argc,
        total,
        truncated,
    }
}

/// Both parts as one, copied only when there are two.
fn joined<'b>(head: &'b [u8], tail: &[u8]) -> Cow<'b, [u8]> {
    if tail.is_empty() {
        return Cow::Borrowed(head);
    }
    Cow::Owned([head, tail].concat())
}

/// Bytes of both parts.
const fn captured(head: &[u8], tail: &[u8]) -> u64 {
    (head.len() as u64).saturating_add(tail.len() as u64)
}

/// Strings separated by NUL; the last one's NUL may be there or cut off.
fn split(bytes: &[u8]) -> Vec<BString> {
    if bytes.is_empty() {
        return Vec::new();
    }
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    let parts = || bytes.split(|&byte| byte == 0);
    let mut strings = Vec::with_capacity(parts().count());
    strings.extend(parts().map(BString::from));
    strings
}

/// The variables of [`ENVIRONMENT`] in a captured environment. A variable that was cut
/// in the middle is left out: half a value is no value.
#[must_use]
pub fn environment(head: &[u8], tail: &[u8], total: u64) -> Vec<(BString, BString)> {
    if captured(head, tail) == total {
        return allowed(&joined(head, tail));
    }
    let whole_head = head
        .rfind_byte(0)
        .and_then(|end| head.get(..end))
        .unwrap_or_default();
    let whole_tail = tail
        .find_byte(0)
        .and_then(|end| tail.get(end.saturating_add(1)..))
        .unwrap_or_default();
    let mut variables = allowed(whole_head);
    variables.extend(allowed(whole_tail));
    variables
}

fn allowed(bytes: &[u8]) -> Vec<(BString, BString)> {
    let variables = bytes
        .split(|&byte| byte == 0)
        .filter_map(|variable| variable.split_once_str("="));
    let mut functions: usize = 0;
    let mut kept = Vec::new();
    for (name, value) in variables {
        let listed = ENVIRONMENT
            .binary_search_by(|known| known.as_bytes().cmp(name))
            .is_ok();
        if listed {
            kept.push((name.into(), value.into()));
        } else if value.starts_with(FUNCTION.as_bytes()) && functions < FUNCTIONS {
            functions = functions.saturating_add(1);
            kept.push((start(name), start(value)));
        }
    }
    kept
}

fn start(bytes: &[u8]) -> BString {
    bytes.get(..FUNCTION_BYTES).unwrap_or(bytes).into()
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]
mod tests;
