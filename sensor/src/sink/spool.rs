//! What a receiver has not accepted yet: texts in order, in a `SQLite` file of their own.
//!
//! Bounded: when it is full the new one is refused, so that what began an incident stays.
//! A text is in the file when [`Spool::push`] returns, so an agent that is killed sends it
//! after its restart. One sink of one sensor at a time uses a file. A text that cannot be
//! read any more is told apart from the others, which are.

mod claim;
#[cfg(test)]
mod tests;

use std::{
    error::Error,
    fmt::Display,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, Row as SqliteRow, params};
use rustix::fs::FlockOperation;

use self::claim::Claim;
use crate::{
    private::{self, Access, FileError},
    sqlite::{self, Layout},
};

/// Layout of the file; another one is set aside.
const VERSION: i64 = 1;
/// Level of compression: alerts are alike inside, and room is what an outage takes.
const ZSTD: i32 = 1;
/// Most bytes of a text.
const TEXT_MAX: u64 = 1 << 20;
/// How long another process may hold the database.
const BUSY: Duration = Duration::from_secs(2);
/// Bytes of the log beside the file.
const LOG_BYTES: u64 = 1 << 20;
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

/// One that waits and cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// Its number.
    pub(super) seq: i64,
    /// `event.id`, where that can be read.
    pub(super) id: String,
    /// What is wrong with it.
    pub(super) why: String,
}

/// What is wrong with a spool.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpoolError {
    /// The system refused.
    #[error("spool: {0}")]
    Io(#[from] FileError),
    /// Somebody else uses it.
    #[error("spool {}: in use by another sensor, or by another sink", .0.display())]
    Used(PathBuf),
    /// It is full.
    #[error("spool {}: no room in it, or on its disk", .0.display())]
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
    pub(super) fn is_unusable(&self) -> bool {
        match self {
            Self::Version { .. } => true,
            Self::Sqlite { source, .. } => sqlite::is_unusable(source),
            _ => false,
        }
    }
}

/// The open file.
#[derive(Debug)]
pub(super) struct Spool {
    // In this order they are given up.
    db: Connection,
    path: PathBuf,
    hold: Hold,
}

/// Nobody else uses the file, whatever is in it.
#[derive(Debug)]
struct Hold {
    /// Against other processes, as long as it is open.
    _lock: File,
    /// Against other sinks of this one.
    claim: Claim,
}

impl Hold {
    fn take(path: &Path, patience: Duration) -> Result<Self, SpoolError> {
        let mut lock = path.as_os_str().to_owned();
        lock.push(".lock");
        let (lock, place) = private::open(Path::new(&lock), Access::Whole)?;
        let used = || SpoolError::Used(path.into());
        let claim = Claim::take(&place, patience).ok_or_else(used)?;
        let taken = rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive);
        taken.map_err(|_busy| used())?;
        Ok(Self { _lock: lock, claim })
    }
}

impl Spool {
    /// Opens the file, or makes it, with its directory. One that is of no use is renamed;
    /// the second value says so. Another sink of this process may have it for `patience`.
    ///
    /// # Errors
    /// When the system or `SQLite` refuses, or somebody else uses it.
    pub(super) fn open(
        path: &Path,
        max_bytes: u64,
        patience: Duration,
    ) -> Result<(Self, Option<String>), SpoolError> {
        let hold = Hold::take(path, patience)?;
        match connect(path, max_bytes) {
            Ok(db) => Ok((Self::new(db, path, hold), None)),
            Err(error) if error.is_unusable() => Self::begin_anew(path, max_bytes, hold, &error),
            Err(error) => Err(error),
        }
    }

    /// Renames a file that is of no use because of `why`, and begins a new one.
    ///
    /// # Errors
    /// Like [`Spool::open`].
    pub(super) fn renew(
        path: &Path,
        max_bytes: u64,
        why: &dyn Display,
    ) -> Result<(Self, Option<String>), SpoolError> {
        let hold = Hold::take(path, Duration::ZERO)?;
        Self::begin_anew(path, max_bytes, hold, why)
    }

    fn begin_anew(
        path: &Path,
        max_bytes: u64,
        hold: Hold,
        why: &dyn Display,
    ) -> Result<(Self, Option<String>), SpoolError> {
        let aside = private::set_aside(path)?;
        let said = format!("{why}; set aside as {}, began anew", aside.display());
        let db = connect(path, max_bytes)?;
        Ok((Self::new(db, path, hold), Some(said)))
    }

    fn new(db: Connection, path: &Path, hold: Hold) -> Self {
        let path = path.into();
        Self { db, path, hold }
    }

    /// Another sink of this process waits for the file.
    pub(super) fn is_wanted(&self) -> bool {
        self.hold.claim.is_wanted()
    }

    /// The largest number ever given; 0 for none.
    ///
    /// # Errors
    /// When `SQLite` refuses.
    pub(super) fn last(&self) -> Result<i64, SpoolError> {
        // Kept by SQLite, also of rows that are gone.
        self.number("SELECT coalesce(max(seq), 0) FROM sqlite_sequence")
    }

    /// Adds a text of [`pack`] behind all others: `seq` is larger than every one before.
    ///
    /// # Errors
    /// When there is no room, or `SQLite` refuses.
    pub(super) fn push(&self, seq: i64, id: &str, packed: &[u8]) -> Result<(), SpoolError> {
        const INSERT: &str = "INSERT INTO rows (seq, id, packed) VALUES (?1, ?2, ?3)";
        let insert = || self.db.prepare(INSERT)?.execute(params![seq, id, packed]);
        insert().map(drop).map_err(|error| {
            if sqlite::is_full(&error) {
                SpoolError::Full(self.path.clone())
            } else {
                self.error(error)
            }
        })
    }

    /// The first texts behind the number `after`, at most `count` and, from the second on,
    /// `bytes` together; and those among them that cannot be read.
    ///
    /// # Errors
    /// When `SQLite` refuses.
    pub(super) fn first(
        &self,
        after: i64,
        count: usize,
        bytes: usize,
    ) -> Result<(Vec<Row>, Vec<Unreadable>), SpoolError> {
        const FIRST: &str = "SELECT seq, id, packed FROM rows WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let read = || -> rusqlite::Result<_> {
            let mut statement = self.db.prepare(FIRST)?;
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            let mut found = statement.query([after, count])?;
            let (mut rows, mut unreadable, mut total) = (Vec::new(), Vec::new(), 0);
            while let Some(found) = found.next()? {
                let row = match row(found)? {
                    Ok(row) => row,
                    Err(it) => {
                        unreadable.push(it);
                        continue;
                    }
                };
                total += row.text.len();
                if total > bytes && !rows.is_empty() {
                    break;
                }
                rows.push(row);
            }
            Ok((rows, unreadable))
        };
        read().map_err(|error| self.error(error))
    }

    /// Removes everything up to the number `seq`; how many that were.
    ///
    /// # Errors
    /// When `SQLite` refuses.
    pub(super) fn remove(&self, seq: i64) -> Result<usize, SpoolError> {
        const DELETE: &str = "DELETE FROM rows WHERE seq <= ?1";
        let delete = || self.db.prepare(DELETE)?.execute([seq]);
        delete().map_err(|error| self.error(error))
    }

    /// Removes one.
    ///
    /// # Errors
    /// When `SQLite` refuses.
    pub(super) fn remove_one(&self, seq: i64) -> Result<(), SpoolError> {
        const DELETE: &str = "DELETE FROM rows WHERE seq = ?1";
        let delete = || self.db.prepare(DELETE)?.execute([seq]);
        delete().map(drop).map_err(|error| self.error(error))
    }

    /// How many wait.
    ///
    /// # Errors
    /// When `SQLite` refuses.
    pub(super) fn count(&self) -> Result<usize, SpoolError> {
        let count = self.number("SELECT count(*) FROM rows")?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    fn number(&self, query: &str) -> Result<i64, SpoolError> {
        let number = self.db.query_one(query, [], |row| row.get::<_, i64>(0));
        number.map_err(|error| self.error(error))
    }

    fn error(&self, source: rusqlite::Error) -> SpoolError {
        SpoolError::Sqlite {
            path: self.path.clone(),
            source,
        }
    }
}

fn connect(path: &Path, max_bytes: u64) -> Result<Connection, SpoolError> {
    let (_, real) = private::open(path, Access::Whole)?;
    let error = |source| SpoolError::Sqlite {
        path: path.into(),
        source,
    };
    let db = sqlite::connect(&real).map_err(error)?;
    let layout = Layout {
        version: VERSION,
        tables: LAYOUT,
        busy: BUSY,
        max_bytes,
        log_bytes: LOG_BYTES,
    };
    let found = sqlite::prepare(&db, &layout).map_err(error)?;
    if found != VERSION {
        let path = path.into();
        return Err(SpoolError::Version { path, found });
    }
    Ok(db)
}

/// A row of the file, whatever is in it.
fn row(found: &SqliteRow<'_>) -> rusqlite::Result<Result<Row, Unreadable>> {
    let seq = found.get(0)?;
    let id = found.get_ref(1)?.as_bytes().unwrap_or_default();
    let id = String::from_utf8_lossy(id).into_owned();
    let text = match found.get_ref(2)?.as_blob() {
        Ok(packed) => unpack(packed).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    Ok(match text {
        Ok(text) => Ok(Row { seq, id, text }),
        Err(why) => Err(Unreadable { seq, id, why }),
    })
}

/// A text as it is kept.
///
/// # Errors
/// When there is no memory for it.
pub(super) fn pack(text: &str) -> io::Result<Vec<u8>> {
    zstd::encode_all(text.as_bytes(), ZSTD)
}

/// A text as it was packed.
///
/// # Errors
/// When the bytes are none of [`pack`].
pub(super) fn unpack(packed: &[u8]) -> Result<String, Box<dyn Error + Send + Sync>> {
    let mut text = String::new();
    let stream = zstd::Decoder::new(packed)?;
    stream.take(TEXT_MAX).read_to_string(&mut text)?;
    Ok(text)
}
