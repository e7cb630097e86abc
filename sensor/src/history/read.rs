//! The reading side, for commands; also while no sensor runs.

use std::{io, path::Path};

use rusqlite::{Connection, OpenFlags, ToSql};
use serde_json::Value;

use super::{
    HistoryError, VERSION,
    quiet::{self, Quiet, QuietFilter},
};
use crate::exit::{Exit, Failure};

/// Ids looked at for one that is like another.
const NEAR: usize = 5_000;

/// What is asked for. All that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Not before, ns since the epoch.
    pub since_ns: Option<i64>,
    /// About this process, or one below it.
    pub pid: Option<u32>,
    /// Of the incident whose id begins like this.
    pub incident: Option<String>,
    /// At most so many, the latest.
    pub limit: u32,
}

/// A document of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `alert` or `notice`.
    pub kind: String,
    /// The document, one line.
    pub json: String,
}

impl Row {
    /// The document; nothing when it is none.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.json).unwrap_or_default()
    }
}

/// The file, open for reading.
#[derive(Debug)]
pub struct Reader {
    db: Connection,
}

impl Reader {
    /// Opens the file.
    ///
    /// # Errors
    /// [`Exit::Unavailable`] when there is none or it cannot be read, [`Exit::Privilege`]
    /// when this user may not.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        if let Err(error) = std::fs::File::open(path) {
            return Err(match error.kind() {
                io::ErrorKind::NotFound => Failure::new(
                    Exit::Unavailable,
                    format_args!(
                        "no history at {shown}: has `lineage-sensor run` run here, with this \
                         history.path?"
                    ),
                ),
                io::ErrorKind::PermissionDenied => Failure::new(
                    Exit::Privilege,
                    format_args!(
                        "not permitted to read history {shown}: run as root or as the sensor's user"
                    ),
                ),
                _ => Failure::new(
                    Exit::Unavailable,
                    format_args!("read history {shown}: {error}"),
                ),
            });
        }
        let unreadable = |error: HistoryError| Failure::new(Exit::Unavailable, error);
        let sqlite = |source| {
            unreadable(HistoryError::Sqlite {
                path: path.into(),
                source,
            })
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(sqlite)?;
        let found = db
            .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
            .map_err(sqlite)?;
        if found != VERSION {
            let path = path.into();
            return Err(unreadable(HistoryError::Version { path, found }));
        }
        Ok(Self { db })
    }

    /// Documents that fit, oldest first.
    ///
    /// # Errors
    /// [`Exit::Unavailable`] when the file cannot be read.
    pub fn documents(&self, filter: &Filter) -> Result<Vec<Row>, Failure> {
        const LINEAGE: &str = "(pid = :pid OR EXISTS (SELECT 1 FROM json_each(documents.json, '$.lineage') \
                               AS relative WHERE json_extract(relative.value, '$.pid') = :pid))";
        let prefix = filter.incident.as_deref().map(begins);
        let mut conditions = vec!["1"];
        let mut values: Vec<(&str, &dyn ToSql)> = vec![(":limit", &filter.limit)];
        if let Some(since) = &filter.since_ns {
            conditions.push("time_ns >= :since");
            values.push((":since", since));
        }
        if let Some(pid) = &filter.pid {
            conditions.push(LINEAGE);
            values.push((":pid", pid));
        }
        if let Some(prefix) = &prefix {
            conditions.push("incident GLOB :incident");
            values.push((":incident", prefix));
        }
        let query = format!(
            "SELECT kind, json FROM documents WHERE {} ORDER BY time_ns DESC, seq DESC LIMIT :limit",
            conditions.join(" AND ")
        );
        let mut rows = self.rows(&query, &values)?;
        rows.reverse();
        Ok(rows)
    }

    /// What was kept silent, in numbers, the latest last.
    ///
    /// # Errors
    /// [`Exit::Unavailable`] when the file cannot be read.
    pub fn quiet(&self, filter: &QuietFilter) -> Result<Vec<Quiet>, Failure> {
        quiet::read(&self.db, filter).map_err(|error| unreadable(&error))
    }

    /// Documents whose id, or whose incident's, begins with `id`, oldest first.
    ///
    /// # Errors
    /// [`Exit::Unavailable`] when the file cannot be read.
    pub fn find(&self, id: &str) -> Result<Vec<Row>, Failure> {
        const QUERY: &str = "SELECT kind, json FROM documents WHERE id GLOB :id ORDER BY seq \
                             LIMIT 100";
        const INCIDENT: &str = "SELECT kind, json FROM documents WHERE incident GLOB :id \
                                ORDER BY seq LIMIT 100";
        let prefix = begins(id);
        let found = self.rows(QUERY, &[(":id", &prefix)])?;
        if found.is_empty() {
            return self.rows(INCIDENT, &[(":id", &prefix)]);
        }
        Ok(found)
    }

    /// Documents of one incident, oldest first; at most a hundred.
    ///
    /// # Errors
    /// [`Exit::Unavailable`] when the file cannot be read.
    pub fn find_incident(&self, id: &str) -> Result<Vec<Row>, Failure> {
        const QUERY: &str = "SELECT kind, json FROM documents WHERE incident = :id ORDER BY seq \
                             LIMIT 100";
        self.rows(QUERY, &[(":id", &id)])
    }

    /// The id most like one that is not there, if any is.
    ///
    /// # Errors
    /// [`Exit::Unavailable`] when the file cannot be read.
    pub fn nearest(&self, id: &str) -> Result<Option<String>, Failure> {
        let query = format!("SELECT id FROM documents ORDER BY seq DESC LIMIT {NEAR}");
        let ids = || {
            let mut statement = self.db.prepare(&query)?;
            let ids = statement.query_map([], |row| row.get::<_, String>(0))?;
            ids.collect::<rusqlite::Result<Vec<_>>>()
        };
        let ids = ids().map_err(|error| unreadable(&error))?;
        let like = |known: &String| {
            let same = known.get(..id.len().min(known.len())).unwrap_or_default();
            strsim::normalized_levenshtein(id, same)
        };
        let scored = ids.into_iter().map(|known| (like(&known), known));
        let best = scored.max_by(|a, b| a.0.total_cmp(&b.0));
        Ok(best.filter(|(score, _)| *score >= 0.6).map(|(_, id)| id))
    }

    fn rows(&self, query: &str, values: &[(&str, &dyn ToSql)]) -> Result<Vec<Row>, Failure> {
        let rows = || {
            let mut statement = self.db.prepare(query)?;
            let rows = statement.query_map(values, |row| {
                Ok(Row {
                    kind: row.get(0)?,
                    json: row.get(1)?,
                })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        rows().map_err(|error| unreadable(&error))
    }
}

/// A pattern for what begins with `id`: hex digits only, so nothing in it is special.
fn begins(id: &str) -> String {
    let digits = id.chars().filter(char::is_ascii_hexdigit);
    digits
        .map(|digit| digit.to_ascii_lowercase())
        .collect::<String>()
        + "*"
}

fn unreadable(error: &rusqlite::Error) -> Failure {
    Failure::new(Exit::Unavailable, format_args!("read history: {error}"))
}
