//! The file: opened, set aside when it is of no use, written, pruned.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, params};

use super::{HistoryError, LOG_BYTES, ROWS, Settings, VERSION, quiet};
use crate::{
    private::{self, Access},
    sqlite::{self, Layout},
    tally::Count,
};

/// How long another process may hold the file before a document is given up: shorter than
/// the queue is long in a storm of alerts.
const BUSY: Duration = Duration::from_secs(2);
/// Documents between two looks at what is too much.
const PRUNE_EVERY: u32 = 128;
/// Share of what is kept that goes at once when there is too much: one in this many.
const SHARE: u64 = 10;

const LAYOUT: &str = "
CREATE TABLE documents (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    time_ns INTEGER NOT NULL,
    level INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    incident TEXT,
    json TEXT NOT NULL
);
CREATE INDEX documents_id ON documents (id);
CREATE INDEX documents_incident ON documents (incident);
CREATE INDEX documents_time ON documents (time_ns);
";

const INSERT: &str = "INSERT INTO documents (id, kind, time_ns, level, pid, incident, json) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// One document as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// `event.id`.
    pub id: String,
    /// `alert` or `notice`.
    pub kind: &'static str,
    /// When, ns since the epoch.
    pub time_ns: i64,
    /// Place of the level in `Level::ALL`.
    pub level: u8,
    /// pid it is about.
    pub pid: u32,
    /// The incident.
    pub incident: Option<String>,
    /// The document.
    pub json: String,
}

/// The open file.
#[derive(Debug)]
pub struct Store {
    db: Connection,
    settings: Settings,
    /// Documents since it was last looked what is too much.
    unpruned: u32,
}

impl Store {
    /// Opens the file, or makes it, with its directory. One that is of no use is renamed;
    /// the second value says so.
    ///
    /// # Errors
    /// When the system or `SQLite` refuses.
    pub fn open(settings: &Settings) -> Result<(Self, Option<String>), HistoryError> {
        match Self::try_open(settings) {
            Err(error) if error.is_unusable() => {
                let aside = private::set_aside(&settings.path)?;
                let store = Self::try_open(settings)?;
                let said = format!("{error}; set aside as {}, began anew", aside.display());
                Ok((store, Some(said)))
            }
            opened => opened.map(|store| (store, None)),
        }
    }

    fn try_open(settings: &Settings) -> Result<Self, HistoryError> {
        // `SQLite` gives its log the mode of the file.
        let (_, path) = private::open(&settings.path, Access::Whole)?;
        let error = |source| HistoryError::Sqlite {
            path: settings.path.clone(),
            source,
        };
        let db = sqlite::connect(&path).map_err(error)?;
        let layout = Layout {
            version: VERSION,
            tables: LAYOUT,
            busy: BUSY,
            max_bytes: settings.max_bytes,
            log_bytes: LOG_BYTES,
        };
        let found = sqlite::prepare(&db, &layout).map_err(error)?;
        if found != VERSION {
            let path = settings.path.clone();
            return Err(HistoryError::Version { path, found });
        }
        db.execute_batch(quiet::LAYOUT).map_err(error)?;
        Ok(Self {
            db,
            settings: settings.clone(),
            unpruned: PRUNE_EVERY,
        })
    }

    /// Keeps one document. When the file is full the oldest give way.
    ///
    /// # Errors
    /// When the system or `SQLite` refuses.
    pub fn insert(&mut self, kept: &Kept) -> Result<(), HistoryError> {
        if self.unpruned >= PRUNE_EVERY {
            self.prune(now_ns())?;
            self.unpruned = 0;
        }
        self.unpruned += 1;
        match self.try_insert(kept) {
            Err(error) if error.is_full() => {
                // Numbers give way to alerts.
                if self.drop_quiet()? {
                    match self.try_insert(kept) {
                        Err(error) if error.is_full() => {}
                        result => return result,
                    }
                }
                self.drop_oldest(self.count()? / SHARE + 1)?;
                self.try_insert(kept)
            }
            result => result,
        }
    }

    /// Removes a share of what was kept silent; `false` when there is none.
    fn drop_quiet(&self) -> Result<bool, HistoryError> {
        quiet::shrink(&self.db, super::QUIET_ROWS / SHARE)
            .map(|removed| removed > 0)
            .map_err(|error| self.error(error))
    }

    fn try_insert(&self, kept: &Kept) -> Result<(), HistoryError> {
        let insert = || {
            self.db.prepare(INSERT)?.execute(params![
                kept.id,
                kept.kind,
                kept.time_ns,
                kept.level,
                kept.pid,
                kept.incident,
                kept.json
            ])
        };
        insert().map(drop).map_err(|error| self.error(error))
    }

    /// Adds to what was kept silent. When the file is full a share of that gives way, so
    /// that it never takes the place of alerts.
    ///
    /// # Errors
    /// When the system or `SQLite` refuses.
    pub fn count_quiet(&mut self, counts: &[Count]) -> Result<(), HistoryError> {
        let before = self.before(now_ns());
        let result = quiet::prune(&self.db, before).and_then(|()| quiet::add(&mut self.db, counts));
        let result = result.map_err(|error| self.error(error));
        if !result.as_ref().is_err_and(HistoryError::is_full) {
            return result;
        }
        let again = quiet::shrink(&self.db, super::QUIET_ROWS / SHARE)
            .and_then(|_removed| quiet::add(&mut self.db, counts));
        again.map_err(|error| self.error(error))
    }

    /// What is older is too old, ns since the epoch.
    fn before(&self, now_ns: i64) -> i64 {
        let age_ns = i64::try_from(self.settings.max_age_s)
            .unwrap_or(i64::MAX)
            .saturating_mul(1_000_000_000);
        now_ns.saturating_sub(age_ns)
    }

    /// Removes what is too old or too much.
    ///
    /// # Errors
    /// When the system or `SQLite` refuses.
    pub fn prune(&mut self, now_ns: i64) -> Result<(), HistoryError> {
        let before = self.before(now_ns);
        self.db
            .execute("DELETE FROM documents WHERE time_ns < ?1", [before])
            .map_err(|error| self.error(error))?;
        let count = self.count()?;
        if count > ROWS {
            self.drop_oldest(count - ROWS + ROWS / SHARE)?;
        } else if self.bytes()? > self.settings.max_bytes - self.settings.max_bytes / SHARE
            && !self.drop_quiet()?
        {
            self.drop_oldest(count / SHARE + 1)?;
        }
        Ok(())
    }

    /// Documents kept.
    ///
    /// # Errors
    /// When the system or `SQLite` refuses.
    pub fn count(&self) -> Result<u64, HistoryError> {
        self.number("SELECT count(*) FROM documents")
    }

    /// Bytes in use in the file.
    ///
    /// # Errors
    /// When the system or `SQLite` refuses.
    pub fn bytes(&self) -> Result<u64, HistoryError> {
        self.number(
            "SELECT (page_count - freelist_count) * page_size \
             FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
        )
    }

    fn drop_oldest(&self, count: u64) -> Result<(), HistoryError> {
        const OLDEST: &str = "DELETE FROM documents WHERE seq IN \
                              (SELECT seq FROM documents ORDER BY seq LIMIT ?1)";
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let dropped = self.db.execute(OLDEST, [count]);
        dropped.map(drop).map_err(|error| self.error(error))
    }

    fn number(&self, query: &str) -> Result<u64, HistoryError> {
        let number = self.db.query_one(query, [], |row| row.get::<_, i64>(0));
        let number = number.map_err(|error| self.error(error))?;
        Ok(u64::try_from(number).unwrap_or_default())
    }

    fn error(&self, source: rusqlite::Error) -> HistoryError {
        HistoryError::Sqlite {
            path: self.settings.path.clone(),
            source,
        }
    }
}

/// Now, ns since the epoch.
fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    })
}
