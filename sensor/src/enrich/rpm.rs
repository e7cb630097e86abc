//! Which rpm package owns a path, from rpm's own `SQLite` database. No program is run.
//!
//! `Basenames` has every file's name with its package and place there; the package's
//! header, a table of tags, has the directories. Headers are untrusted: every offset is
//! checked, and what does not fit is no owner.

use std::path::Path;

use bstr::ByteSlice as _;
use rusqlite::{Connection, OpenFlags};

/// Tags of a header.
const NAME: u32 = 1000;
const DIR_INDEXES: u32 = 1116;
const BASE_NAMES: u32 = 1117;
const DIR_NAMES: u32 = 1118;

/// Files of one name looked at.
const SAME_NAME: u32 = 256;

/// The package that owns `path`; an error when the database cannot be read.
pub(super) fn owner(database: &Path, path: &[u8]) -> rusqlite::Result<Option<String>> {
    const QUERY: &str = "SELECT Packages.blob, Basenames.idx FROM Basenames \
                         JOIN Packages ON Packages.hnum = Basenames.hnum \
                         WHERE Basenames.key = ?1 LIMIT ?2";
    let db = open(database)?;
    let (directory, name) = split(path);
    let mut query = db.prepare(QUERY)?;
    let mut rows = query.query((name.to_str_lossy(), SAME_NAME))?;
    while let Some(row) = rows.next()? {
        let (blob, place): (Vec<u8>, u32) = (row.get(0)?, row.get(1)?);
        let header = Header(&blob);
        if header.has(place, directory, name) {
            return Ok(header.name());
        }
    }
    Ok(None)
}

/// Opens the database without leaving anything beside it. What rpm has not yet brought
/// over from its log needs the log, and with it an ordinary reader.
fn open(database: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let log = database.with_extension("sqlite-wal");
    if log.metadata().is_ok_and(|log| log.len() > 0) {
        return Connection::open_with_flags(database, flags);
    }
    let still = format!("file:{}?immutable=1", database.display());
    Connection::open_with_flags(still, flags | OpenFlags::SQLITE_OPEN_URI)
}

/// Directory, slash included, and name.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let name = path.iter().rposition(|&byte| byte == b'/');
    path.split_at(name.map_or(0, |slash| slash + 1))
}

/// The header of a package: counts of tags and of bytes, the tags, their bytes.
struct Header<'b>(&'b [u8]);

impl<'b> Header<'b> {
    fn number(&self, at: usize) -> Option<u32> {
        let bytes = self.0.get(at..)?.first_chunk()?;
        Some(u32::from_be_bytes(*bytes))
    }

    /// Bytes from where the value of a tag begins.
    fn tag(&self, wanted: u32) -> Option<&'b [u8]> {
        const ENTRY: usize = 16;
        let count = usize::try_from(self.number(0)?).ok()?;
        let table = self.0.get(8..)?;
        let values = table.get(count.checked_mul(ENTRY)?..)?;
        let mut entries = table.chunks_exact(ENTRY).take(count);
        let entry = entries.find(|entry| entry.get(..4) == Some(&wanted.to_be_bytes()))?;
        let offset = u32::from_be_bytes(*entry.get(8..)?.first_chunk()?);
        values.get(usize::try_from(offset).ok()?..)
    }

    /// A text of a list.
    fn text(&self, tag: u32, place: u32) -> Option<&'b [u8]> {
        let mut texts = self.tag(tag)?.split(|&byte| byte == 0);
        texts.nth(usize::try_from(place).ok()?)
    }

    /// The file at `place` is this one.
    fn has(&self, place: u32, directory: &[u8], name: &[u8]) -> bool {
        let index = || {
            let at = usize::try_from(place).ok()?.checked_mul(4)?;
            let bytes = self.tag(DIR_INDEXES)?.get(at..)?.first_chunk()?;
            Some(u32::from_be_bytes(*bytes))
        };
        self.text(BASE_NAMES, place) == Some(name)
            && index().and_then(|index| self.text(DIR_NAMES, index)) == Some(directory)
    }

    fn name(&self) -> Option<String> {
        let name = self.text(NAME, 0)?;
        Some(name.to_str_lossy().into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the database of rpm 4.18, of a package made for this test: `bye` and `hello` in
    /// `/usr/bin`, `hello` in `/usr/sbin`.
    const HEADER: &[u8] = include_bytes!("rpm/greeting.header");

    #[test]
    fn a_file_is_found_by_name_place_and_directory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rpmdb.sqlite");
        let db = Connection::open(&path).unwrap();
        db.execute_batch(
            "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL);
             CREATE TABLE Basenames (key TEXT NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL);
             INSERT INTO Basenames VALUES ('bye', 1, 0), ('hello', 1, 1), ('hello', 1, 2);",
        )
        .unwrap();
        db.execute("INSERT INTO Packages (blob) VALUES (?1)", [HEADER])
            .unwrap();
        let found = |file: &str| owner(&path, file.as_bytes()).unwrap();
        drop(db);
        for file in ["/usr/bin/bye", "/usr/bin/hello", "/usr/sbin/hello"] {
            assert_eq!(found(file).as_deref(), Some("greeting"), "{file}");
        }
        for other in ["/usr/sbin/bye", "/bin/hello", "/usr/bin/x", "hello", ""] {
            assert_eq!(found(other), None, "{other}");
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(owner(&directory.path().join("none"), b"/usr/bin/bye").is_err());
    }

    #[test]
    fn a_header_that_lies_owns_nothing() {
        assert!(Header(HEADER).has(0, b"/usr/bin/", b"bye"));
        for length in 0..HEADER.len() {
            let short = Header(&HEADER[..length]);
            assert!(!short.has(2, b"/usr/bin/", b"bye"));
            drop(short.name());
        }
        for at in 0..HEADER.len() {
            let mut bad = HEADER.to_vec();
            bad[at] = 0xff;
            assert!(!Header(&bad).has(u32::MAX, b"/usr/bin/", b"bye"));
        }
    }
}
