//! Recordings: the sequence of [`Input`](crate::engine::Input)s as the core consumed
//! them, in a file that gives the same alerts again.
//!
//! Owns the format and the thread that writes it. A file is [`MAGIC`], the version, a
//! [`Header`] as JSON, and a zstd stream of frames: length, CRC-32, body, both integers
//! little-endian. The last frame says how many inputs there were and whether any is
//! missing, so a recording is complete or says where it stops. Reading trusts nothing:
//! lengths are bounded, memory does not depend on what the file claims, no input panics.
//! It never reads `/proc` or a clock; what it needs to know comes with the header.

mod frame;
mod header;
mod reader;
mod tape;
#[cfg(test)]
mod tests;
mod writer;

use thiserror::Error;

pub use self::{
    header::{Header, HeaderError, VERSION},
    reader::Reader,
    tape::{Core, Options, Progress, Summary, Tape},
    writer::Writer,
};

/// First bytes of every recording.
pub const MAGIC: &[u8; 8] = b"LSENSREC";
/// Longest body of a frame, bytes. The largest input that is not divided, an exec, has
/// about 20 KiB.
pub const FRAME_MAX: usize = 1 << 20;
/// Processes of one snapshot at most: more than `pid_max` of any machine that serves.
pub const SNAPSHOT_MAX: usize = 1 << 19;

/// What is wrong with a recording.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The file could not be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Not a recording, or one of another version.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The file ends before the recording does.
    #[error("truncated at frame {frame} (byte {at} of the decompressed stream): {reason}")]
    Truncated {
        /// Number of the frame that is not whole, from 1.
        frame: u64,
        /// Where it begins.
        at: u64,
        /// What is missing.
        reason: &'static str,
    },
    /// Bytes that were never written so.
    #[error("corrupt at frame {frame} (byte {at} of the decompressed stream): {reason}")]
    Corrupt {
        /// Number of the frame, from 1.
        frame: u64,
        /// Where it begins.
        at: u64,
        /// What does not fit.
        reason: String,
    },
    /// The recorder could not write everything and said so.
    #[error("incomplete: the recorder stopped after {inputs} inputs: {reason}")]
    Broken {
        /// Inputs before the first one missing.
        inputs: u64,
        /// Why.
        reason: String,
    },
    /// An input that the format has no room for.
    #[error("{0}")]
    TooLarge(String),
}
