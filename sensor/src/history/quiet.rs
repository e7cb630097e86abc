//! What was kept silent, in numbers: a row for each rule, cause, chain and line.
//!
//! A table of its own in the file, so that alerts are not pushed out by what is none; it is
//! bounded by rows and by age.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;

use crate::tally::Count;

/// Rows kept; those that have been quiet for longest go first.
pub const QUIET_ROWS: u64 = 20_000;
/// Share of the rows that goes at once when there are too many: one in this many.
const SHARE: u64 = 10;

/// Made where there is none: files of before have no such table.
pub(super) const LAYOUT: &str = "
CREATE TABLE IF NOT EXISTS quiet (
    cause TEXT NOT NULL,
    rule TEXT NOT NULL,
    service TEXT NOT NULL,
    chain TEXT NOT NULL,
    line TEXT NOT NULL,
    count INTEGER NOT NULL,
    first_ns INTEGER NOT NULL,
    last_ns INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (cause, rule, service, chain, line)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS quiet_last ON quiet (last_ns);
";

const ADD: &str = "INSERT INTO quiet (cause, rule, service, chain, line, count, first_ns, last_ns, pid, reason) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
    ON CONFLICT (cause, rule, service, chain, line) DO UPDATE SET \
    count = count + excluded.count, first_ns = min(first_ns, excluded.first_ns), \
    last_ns = max(last_ns, excluded.last_ns), pid = excluded.pid, reason = excluded.reason";

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quiet {
    /// `exception`, `profile` or `folded`.
    pub cause: String,
    /// `rule.id`.
    pub rule: String,
    /// Kind of the service.
    pub service: String,
    /// Programs from the service down.
    pub chain: String,
    /// The act.
    pub line: String,
    /// How often.
    pub count: u64,
    /// First time, ns since the epoch.
    pub first_ns: i64,
    /// Last time.
    pub last_ns: i64,
    /// The process of the last time.
    pub pid: u32,
    /// What silenced it the last time.
    pub reason: String,
}

/// Adds counts, all or none.
pub(super) fn add(db: &mut Connection, counts: &[Count]) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    {
        let mut statement = transaction.prepare(ADD)?;
        for count in counts {
            let kind = &count.kind;
            statement.execute(params![
                kind.cause.name(),
                kind.rule,
                kind.service,
                kind.chain,
                kind.line,
                i64::try_from(count.count).unwrap_or(i64::MAX),
                count.first_ns,
                count.last_ns,
                count.pid,
                count.reason
            ])?;
        }
    }
    transaction.commit()
}

/// Removes what is older than `before_ns`, and what is too much.
pub(super) fn prune(db: &Connection, before_ns: i64) -> rusqlite::Result<()> {
    db.execute("DELETE FROM quiet WHERE last_ns < ?1", [before_ns])?;
    let rows = db.query_one("SELECT count(*) FROM quiet", [], |row| row.get::<_, i64>(0))?;
    let rows = u64::try_from(rows).unwrap_or_default();
    if rows > QUIET_ROWS {
        shrink(db, rows - QUIET_ROWS + QUIET_ROWS / SHARE)?;
    }
    Ok(())
}

/// Removes the rows that have been quiet for longest; how many.
pub(super) fn shrink(db: &Connection, rows: u64) -> rusqlite::Result<usize> {
    const LAST: &str = "SELECT last_ns FROM quiet ORDER BY last_ns LIMIT 1 OFFSET ?1";
    let offset = i64::try_from(rows).unwrap_or(i64::MAX);
    let first_kept = db
        .query_row(LAST, [offset], |row| row.get::<_, i64>(0))
        .optional()?;
    match first_kept {
        Some(time) => db.execute("DELETE FROM quiet WHERE last_ns < ?1", [time]),
        None => db.execute("DELETE FROM quiet", []),
    }
}

/// Which rows are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuietFilter {
    /// Not silent for longer than this, ns since the epoch.
    pub since_ns: Option<i64>,
    /// Last seen of this process, or one of `lines`.
    pub pid: Option<u32>,
    /// Lines that count besides the process.
    pub lines: Vec<String>,
    /// At most so many, the latest.
    pub limit: u32,
}

/// Rows that fit, the latest last. None when the file is from before there were any.
pub(super) fn read(db: &Connection, filter: &QuietFilter) -> rusqlite::Result<Vec<Quiet>> {
    const TABLE: &str = "SELECT count(*) FROM sqlite_schema WHERE name = 'quiet'";
    const ROWS: &str = "SELECT cause, rule, service, chain, line, count, first_ns, last_ns, pid, reason \
        FROM quiet WHERE last_ns >= ?1 AND (?2 IS NULL OR pid = ?2 \
        OR line IN (SELECT value FROM json_each(?3))) ORDER BY last_ns DESC, line LIMIT ?4";
    if db.query_one(TABLE, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(Vec::new());
    }
    let lines = serde_json::to_string(&filter.lines).unwrap_or_default();
    let since = filter.since_ns.unwrap_or(i64::MIN);
    let mut statement = db.prepare(ROWS)?;
    let rows = statement.query_map(params![since, filter.pid, lines, filter.limit], |row| {
        Ok(Quiet {
            cause: row.get(0)?,
            rule: row.get(1)?,
            service: row.get(2)?,
            chain: row.get(3)?,
            line: row.get(4)?,
            count: u64::try_from(row.get::<_, i64>(5)?).unwrap_or_default(),
            first_ns: row.get(6)?,
            last_ns: row.get(7)?,
            pid: row.get(8)?,
            reason: row.get(9)?,
        })
    })?;
    let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    rows.reverse();
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        history::{Reader, Settings, Store},
        tally::{Cause, Kind},
    };

    const S: i64 = 1_000_000_000;

    fn settings(directory: &Path) -> Settings {
        Settings {
            path: directory.join("history.db"),
            max_bytes: 4 << 20,
            max_age_s: 3_600,
        }
    }

    /// Seconds from now on, so that nothing is too old.
    fn soon(seconds: i64) -> i64 {
        jiff::Timestamp::now().as_second() * S + seconds * S
    }

    fn count(line: &str, count: u64, time_ns: i64) -> Count {
        Count {
            kind: Kind {
                cause: Cause::Profile,
                rule: "r".to_owned(),
                service: "php-fpm",
                chain: "php-fpm > dash".to_owned(),
                line: line.to_owned(),
            },
            count,
            first_ns: time_ns,
            last_ns: time_ns,
            pid: 7,
            reason: "entry".to_owned(),
        }
    }

    fn rows(settings: &Settings, filter: QuietFilter) -> Vec<(String, u64)> {
        let limit = filter.limit.max(100_000);
        let rows = Reader::open(&settings.path)
            .unwrap()
            .quiet(&QuietFilter { limit, ..filter });
        rows.unwrap()
            .into_iter()
            .map(|row| (row.line, row.count))
            .collect()
    }

    #[test]
    fn counts_of_the_same_add_up_also_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let settings = settings(directory.path());
        let (first, second) = (soon(10), soon(20));
        for time in [first, second] {
            let mut store = Store::open(&settings).unwrap().0;
            store
                .count_quiet(&[count("sh -c a", 3, time), count("sh -c b", 1, first)])
                .unwrap();
        }
        let found = rows(&settings, QuietFilter::default());
        assert_eq!(
            found,
            [("sh -c b".to_owned(), 2), ("sh -c a".to_owned(), 6)]
        );
        let reader = Reader::open(&settings.path).unwrap();
        let all = reader
            .quiet(&QuietFilter {
                limit: 1,
                ..QuietFilter::default()
            })
            .unwrap();
        assert_eq!(
            (all[0].first_ns, all[0].last_ns, all.len()),
            (first, second, 1)
        );
        for (filter, expected) in [
            (
                QuietFilter {
                    pid: Some(7),
                    ..QuietFilter::default()
                },
                2,
            ),
            (
                QuietFilter {
                    pid: Some(8),
                    ..QuietFilter::default()
                },
                0,
            ),
            (
                QuietFilter {
                    pid: Some(8),
                    lines: vec!["sh -c a".into()],
                    ..QuietFilter::default()
                },
                1,
            ),
            (
                QuietFilter {
                    since_ns: Some(second),
                    ..QuietFilter::default()
                },
                1,
            ),
        ] {
            assert_eq!(
                rows(&settings, filter.clone()).len(),
                expected,
                "{filter:?}"
            );
        }
    }

    #[test]
    fn what_is_old_or_too_much_goes_and_the_latest_stay() {
        let directory = tempfile::tempdir().unwrap();
        let settings = settings(directory.path());
        let mut store = Store::open(&settings).unwrap().0;
        store
            .count_quiet(&[count("long ago", 1, soon(-4_000))])
            .unwrap();
        let most = i64::try_from(QUIET_ROWS).unwrap();
        let many: Vec<_> = (0..most + 2_000)
            .map(|it| count(&format!("sh -c {it}"), 1, soon(0) + it))
            .collect();
        for batch in many.chunks(1_000) {
            store.count_quiet(batch).unwrap();
        }
        store.count_quiet(&[count("last", 1, soon(60))]).unwrap();
        let found = rows(&settings, QuietFilter::default());
        assert!(found.len() as u64 <= QUIET_ROWS + 1, "{}", found.len());
        assert!(found.len() as u64 > QUIET_ROWS / 2, "{}", found.len());
        let has = |line: &str| found.iter().any(|(known, _)| known == line);
        assert!(has("last") && has(&format!("sh -c {}", most + 1_999)));
        assert!(!has("long ago") && !has("sh -c 0"));
    }

    #[test]
    fn a_full_file_keeps_alerts_and_loses_old_counts() {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings {
            max_bytes: 256 << 10,
            ..settings(directory.path())
        };
        let mut store = Store::open(&settings).unwrap().0;
        let wide = "x".repeat(300);
        let alerts = 40;
        for number in 0..3_000_i64 {
            let count = count(&format!("{number} {wide}"), 1, soon(0) + number);
            store.count_quiet(&[count]).unwrap();
            // Before the file is full, and when it is.
            if let Some(id) = u32::try_from(number / 50)
                .ok()
                .filter(|id| number % 50 == 0 && *id < alerts)
            {
                store.insert(&super::super::tests::kept(id)).unwrap();
            }
        }
        assert_eq!(store.count().unwrap(), u64::from(alerts));
        let found = rows(&settings, QuietFilter::default());
        assert!(!found.is_empty() && found.last().unwrap().0.starts_with("2999 "));
        assert!(store.bytes().unwrap() <= 256 << 10);
    }

    #[test]
    fn a_file_from_before_is_read_as_having_none_and_gets_the_table() {
        let directory = tempfile::tempdir().unwrap();
        let settings = settings(directory.path());
        drop(Store::open(&settings).unwrap());
        let db = Connection::open(&settings.path).unwrap();
        db.execute_batch("DROP TABLE quiet").unwrap();
        drop(db);
        assert_eq!(rows(&settings, QuietFilter::default()), []);
        let (mut store, aside) = Store::open(&settings).unwrap();
        assert_eq!(aside, None);
        store.count_quiet(&[count("a", 1, soon(0))]).unwrap();
        assert_eq!(rows(&settings, QuietFilter::default()).len(), 1);
    }
}
