//! Bounded `SQLite` files: how they are opened, checked and laid out.
//!
//! What is in them is the business of those who have them.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags};

/// What a file shall be like.
pub(crate) struct Layout<'a> {
    /// `user_version` of the file.
    pub(crate) version: i64,
    /// What makes the tables of a new one.
    pub(crate) tables: &'a str,
    /// How long another process may hold the file.
    pub(crate) busy: Duration,
    /// Its bytes.
    pub(crate) max_bytes: u64,
    /// Bytes of the log beside it.
    pub(crate) log_bytes: u64,
}

/// Opens a file that is there, to be read and written; `path` has no symbolic links.
///
/// # Errors
/// When `SQLite` refuses.
pub(crate) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    Connection::open_with_flags(path, flags)
}

/// Sets the connection up, makes the tables where there are none, and gives the version of
/// the file; one of another version is left as it is.
///
/// # Errors
/// When `SQLite` refuses, or the file is not sound.
pub(crate) fn prepare(db: &Connection, layout: &Layout<'_>) -> rusqlite::Result<i64> {
    db.busy_timeout(layout.busy)?;
    let version = db.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?;
    let tables = "SELECT count(*) FROM sqlite_schema";
    let empty = db.query_one(tables, [], |row| row.get::<_, i64>(0))? == 0;
    if !empty {
        let sound = db.query_one("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))?;
        if sound != "ok" {
            let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            return Err(rusqlite::Error::SqliteFailure(corrupt, Some(sound)));
        }
        if version != layout.version {
            return Ok(version);
        }
    }
    db.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    db.pragma_update(None, "synchronous", "normal")?;
    db.pragma_update(None, "temp_store", "memory")?;
    db.pragma_update(None, "cache_size", -256)?;
    let log = i64::try_from(layout.log_bytes).unwrap_or(i64::MAX);
    db.pragma_update_and_check(None, "journal_size_limit", log, |_| Ok(()))?;
    db.pragma_update_and_check(None, "wal_autocheckpoint", 256, |_| Ok(()))?;
    let page = db.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0))?;
    let pages = i64::try_from(layout.max_bytes).unwrap_or(i64::MAX) / page.max(1);
    db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    if empty {
        let (tables, version) = (layout.tables, layout.version);
        db.execute_batch(&format!(
            "BEGIN; {tables} PRAGMA user_version = {version}; COMMIT;"
        ))?;
    }
    Ok(layout.version)
}

/// The file itself is of no use: to be set aside.
pub(crate) fn is_unusable(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(
        code,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// There is no room: in the file, or on the disk.
pub(crate) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}
