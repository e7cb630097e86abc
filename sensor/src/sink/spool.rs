//! What a receiver has not accepted yet: texts in order, in a `SQLite` file of their own.
//!
//! Bounded: when it is full the new one is refused, so that what began an incident stays;
//! the sink counts it. A text is in the file when [`Spool::push`] returns, so an agent that
//! is killed sends it after its restart. One sensor at a time uses a file.

#[cfg(test)]
mod tests;

use std::{
    error::Error,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, params};
use rustix::fs::FlockOperation;

use crate::private::{self, Access, FileError};

/// Layout of the file; another one is set aside.
const VERSION: i64 = 1;
/// Level of compression: alerts are alike inside, and room is what an outage takes.
const ZSTD: i32 = 1;
/// Most bytes of a text.
const TEXT_MAX: u64 = 1 << 20;
/// How long another process may hold the database.
const BUSY: Duration = Duration::from_secs(2);
const LAYOUT: &str = "CREATE TABLE rows (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, packed BLOB NOT NULL);";

/// One text that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Its number: later ones have larger ones.
    pub(super) seq: i64,
    /// `event.id`.
    pub(super) id: String,
    /// What is sent.
    pub(super) text: String,
}

/// What is wrong with a spool.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpoolError {
    /// The system refused.
    #[error("spool: {0}")]
    Io(#[from] FileError),
    /// Somebody else uses it.
    #[error("spool {}: in use by another sensor, or by a sink that still ends", .0.display())]
    Used(PathBuf),
    /// It is full.
    #[error("spool {}: full", .0.display())]
    Full(PathBuf),
    /// `SQLite` refused.
    #[error("spool {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The file has another layout.
    #[error("spool {}: layout {found}, this sensor reads {VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: i64,
    },
}

impl SpoolError {
    /// The file itself is of no use: to be set aside.
    fn is_unusable(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match self {
            Self::Version { .. } => true,
            Self::Sqlite { source, .. } => source
                .sqlite_error_code()
                .is_some_and(|code| matches!(code, DatabaseCorrupt | NotADatabase)),
            _ => false,
        }
    }
}

/// The open file.
#[derive(Debug)]
pub(super) struct Spool {
    db: Connection,
    path: PathBuf,
    /// Held as long as the spool is.
    _lock: File,
}

impl Spool {
    /// Opens the file, or makes it, with its directory. One that is of no use is renamed;
    /// the second value says so.
    ///
    /// # Errors
    /// When the system or `SQLite` refuses, or somebody else uses it.
    pub(super) fn open(path: &Path, max_bytes: u64) -> Result<(Self, Option<String>), SpoolError> {
        match Self::try_open(path, max_bytes) {
            Err(error) if error.is_unusable() => {
                let aside = private::set_aside(path)?;
                let spool = Self::try_open(path, max_bytes)?;
                let said = format!("{error}; set aside as {}, began anew", aside.display());
                Ok((spool, Some(said)))
            }
            opened => opened.map(|spool| (spool, None)),
        }
    }

    fn try_open(path: &Path, max_bytes: u64) -> Result<Self, SpoolError> {
        let mut lock = path.as_os_str().to_owned();
        lock.push(".lock");
        let (lock, _) = private::open(Path::new(&lock), Access::Whole)?;
        let taken = rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive);
        taken.map_err(|_busy| SpoolError::Used(path.into()))?;
        let (_, real) = private::open(path, Access::Whole)?;
        let sqlite = |source| SpoolError::Sqlite {
            path: path.into(),
            source,
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let db = Connection::open_with_flags(real, flags).map_err(sqlite)?;
        let found = prepare(&db, max_bytes).map_err(sqlite)?;
        if found != VERSION {
            let path = path.into();
            return Err(SpoolError::Version { path, found });
        }
        Ok(Self {
            db,
            path: path.into(),
            _lock: lock,
        })
    }

    /// Adds a text behind all others.
    ///
    /// # Errors
    /// When there is no room, or `SQLite` refuses.
    pub(super) fn push(&self, id: &str, text: &str) -> Result<(), SpoolError> {
        const INSERT: &str = "INSERT INTO rows (id, packed) VALUES (?1, ?2)";
        let packed =
            zstd::encode_all(text.as_bytes(), ZSTD).map_err(|error| self.packing(error))?;
        let insert = || self.db.prepare(INSERT)?.execute(params![id, packed]);
        insert()
            .map(drop)
            .map_err(|error| match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::DiskFull) => SpoolError::Full(self.path.clone()),
                _ => self.error(error),
            })
    }

    /// The first texts, at most `count` and, from the second on, `bytes` together.
    ///
    /// # Errors
    /// When `SQLite` refuses.
    pub(super) fn first(&self, count: usize, bytes: usize) -> Result<Vec<Row>, SpoolError> {
        const FIRST: &str = "SELECT seq, id, packed FROM rows ORDER BY seq LIMIT ?1";
        let read = || -> rusqlite::Result<Vec<Row>> {
            let mut statement = self.db.prepare(FIRST)?;
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            let mut found = statement.query([count])?;
            let (mut rows, mut total) = (Vec::new(), 0);
            while let Some(row) = found.next()? {
                let row = Row {
                    seq: row.get(0)?,
                    id: row.get(1)?,
                    text: unpack(row.get_ref(2)?.as_blob()?)?,
                };
                total += row.text.len();
                if total > bytes && !rows.is_empty() {
                    break;
                }
                rows.push(row);
            }
            Ok(rows)
        };
        read().map_err(|error| self.error(error))
    }

    /// Removes everything up to the number `seq`.
    ///
    /// # Errors
    /// When `SQLite` refuses.
    pub(super) fn remove(&self, seq: i64) -> Result<(), SpoolError> {
        const DELETE: &str = "DELETE FROM rows WHERE seq <= ?1";
        let delete = || self.db.prepare(DELETE)?.execute([seq]);
        delete().map(drop).map_err(|error| self.error(error))
    }

    /// How many wait.
    ///
    /// # Errors
    /// When `SQLite` refuses.
    pub(super) fn count(&self) -> Result<usize, SpoolError> {
        let count = self
            .db
            .query_one("SELECT count(*) FROM rows", [], |row| row.get::<_, i64>(0));
        let count = count.map_err(|error| self.error(error))?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    fn packing(&self, source: io::Error) -> SpoolError {
        SpoolError::Io(FileError {
            what: "pack a text for",
            path: self.path.clone(),
            source,
        })
    }

    fn error(&self, source: rusqlite::Error) -> SpoolError {
        SpoolError::Sqlite {
            path: self.path.clone(),
            source,
        }
    }
}

/// A text as it was pushed.
fn unpack(packed: &[u8]) -> rusqlite::Result<String> {
    let corrupt = |error: Box<dyn Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Blob, error)
    };
    let mut text = String::new();
    let stream = zstd::Decoder::new(packed).map_err(|error| corrupt(error.into()))?;
    let read = stream.take(TEXT_MAX).read_to_string(&mut text);
    read.map_err(|error| corrupt(error.into()))?;
    Ok(text)
}

/// Sets the connection up, makes the layout where there is none, and gives its version.
fn prepare(db: &Connection, max_bytes: u64) -> rusqlite::Result<i64> {
    db.busy_timeout(BUSY)?;
    let version = db.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?;
    let tables = "SELECT count(*) FROM sqlite_schema";
    let empty = db.query_one(tables, [], |row| row.get::<_, i64>(0))? == 0;
    if !empty {
        let sound = db.query_one("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))?;
        if sound != "ok" {
            let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            return Err(rusqlite::Error::SqliteFailure(corrupt, Some(sound)));
        }
        if version != VERSION {
            return Ok(version);
        }
    }
    db.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    db.pragma_update(None, "synchronous", "normal")?;
    db.pragma_update(None, "temp_store", "memory")?;
    db.pragma_update(None, "cache_size", -256)?;
    db.pragma_update_and_check(None, "journal_size_limit", 1_i64 << 20, |_| Ok(()))?;
    db.pragma_update_and_check(None, "wal_autocheckpoint", 256, |_| Ok(()))?;
    let page = db.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0))?;
    let pages = i64::try_from(max_bytes).unwrap_or(i64::MAX) / page.max(1);
    db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    if empty {
        db.execute_batch(&format!(
            "BEGIN; {LAYOUT} PRAGMA user_version = {VERSION}; COMMIT;"
        ))?;
    }
    Ok(VERSION)
}
