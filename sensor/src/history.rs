//! The history: every alert and notice, of all levels, and how often what was kept silent,
//! in a `SQLite` file of bounded size.
//!
//! Written by a thread of its own behind a bounded queue (it is a sink): a disk that is
//! full, slow or locked costs documents, which are counted and said, and never delays
//! detection. Read by commands, also while no sensor runs. The file is private to its
//! owner. What cannot be read any more is set aside, not deleted.

mod quiet;
mod read;
mod store;
#[cfg(test)]
mod tests;
mod write;

use std::path::PathBuf;

use crate::{private::FileError, sqlite};

pub use self::{
    quiet::{QUIET_ROWS, Quiet, QuietFilter},
    read::{Filter, Reader, Row},
    store::{Kept, Store},
    write::History,
};

/// Layout of the file; another one is set aside.
pub const VERSION: i64 = 1;
/// Documents kept, whatever their size.
pub const ROWS: u64 = 200_000;
/// Bytes of the log that `SQLite` keeps beside the file.
pub const LOG_BYTES: u64 = 4 << 20;

/// How much is kept, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The file.
    pub path: PathBuf,
    /// Its bytes, the log beside it not counted.
    pub max_bytes: u64,
    /// Age beyond which documents go, s.
    pub max_age_s: u64,
}

/// What is wrong with the history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The system refused.
    #[error("history: {0}")]
    Io(#[from] FileError),
    /// `SQLite` refused.
    #[error("history {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The file has another layout.
    #[error("history {}: written by another version of the sensor (layout {found}, this one reads {VERSION})", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: i64,
    },
    /// The file could not be opened a moment ago and was not tried again.
    #[error("not open: {0}")]
    Closed(String),
}

impl HistoryError {
    /// The file itself is of no use: to be set aside.
    fn is_unusable(&self) -> bool {
        match self {
            Self::Version { .. } => true,
            Self::Sqlite { source, .. } => sqlite::is_unusable(source),
            Self::Io(_) | Self::Closed(_) => false,
        }
    }

    /// There is no room: in the file, or on the disk.
    fn is_full(&self) -> bool {
        matches!(self, Self::Sqlite { source, .. } if sqlite::is_full(source))
    }
}
