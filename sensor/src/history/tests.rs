//! A file of its own for each test; what is kept, what goes, what is set aside.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration};

use rusqlite::Connection;

use super::*;
use crate::{
    alert::{Document, Level, sample},
    exit::Exit,
    sink::{Deliver as _, Sinks},
};

fn settings(directory: &Path) -> Settings {
    Settings {
        path: directory.join("state/history.db"),
        max_bytes: 1 << 20,
        max_age_s: 3_600,
    }
}

/// Far from being too old.
const SOON: i64 = i64::MAX / 2;

pub(super) fn kept(id: u32) -> Kept {
    Kept {
        id: format!("{id:032x}"),
        kind: "alert",
        time_ns: SOON + i64::from(id),
        level: 2,
        pid: 900 + id,
        incident: Some(format!("{:032x}", 0xabcd)),
        json: format!(
            r#"{{"lineage":[{{"pid":800}}],"filler":"{}"}}"#,
            "x".repeat(2_000)
        ),
    }
}

fn filter(limit: u32) -> Filter {
    Filter {
        limit,
        ..Filter::default()
    }
}

#[test]
fn what_is_kept_is_found_and_private() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    let mut history = History::new(settings.clone());
    let alert = Arc::new(sample::sample().alert());
    history
        .deliver(&Document::from(Arc::clone(&alert)))
        .unwrap();
    history.deliver(&sample::closed().into()).unwrap();
    let reader = Reader::open(&settings.path).unwrap();
    let all = reader.documents(&filter(10)).unwrap();
    let lines: Vec<_> = all.iter().map(|row| row.json.clone()).collect();
    assert_eq!(lines, [alert.to_json(), sample::closed().to_json()]);
    let found = reader.find(&alert.event.id[..9]).unwrap();
    assert_eq!(found[0].value()["event"]["id"], *alert.event.id);
    let incident = &alert.incident.as_ref().unwrap().id;
    assert_eq!(reader.find(incident).unwrap().len(), 2);
    let of = |filter: Filter| reader.documents(&filter).unwrap().len();
    for (pid, count) in [(900, 2), (812, 1), (800, 1), (1, 0)] {
        let pid = Some(pid);
        assert_eq!(of(Filter { pid, ..filter(10) }), count, "{pid:?}");
    }
    let since = |since_ns| Filter {
        since_ns: Some(since_ns),
        ..filter(10)
    };
    assert_eq!((of(since(0)), of(since(i64::MAX))), (2, 0));
    assert_eq!(of(filter(1)), 1);
    for name in ["history.db", "history.db-wal", "history.db-shm"] {
        let meta = fs::metadata(settings.path.with_file_name(name)).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o600, "{name}");
    }
    let directory = fs::metadata(settings.path.parent().unwrap()).unwrap();
    assert_eq!(directory.permissions().mode() & 0o777, 0o700);
}

#[test]
fn an_id_that_is_not_there_has_a_neighbour() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    let (mut store, _) = Store::open(&settings).unwrap();
    store.insert(&kept(0x1234_5678)).unwrap();
    let reader = Reader::open(&settings.path).unwrap();
    let id = kept(0x1234_5678).id;
    let wrong = id.replace("5678", "5687");
    assert_eq!(reader.find(&wrong).unwrap(), []);
    assert_eq!(reader.nearest(&wrong).unwrap(), Some(id));
    assert_eq!(reader.nearest("ffffffff").unwrap(), None);
    assert_eq!(reader.find("' OR 1=1 --").unwrap().len(), 0);
}

#[test]
fn the_oldest_go_when_there_are_too_many_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    let (mut store, _) = Store::open(&settings).unwrap();
    for id in 0..2_000 {
        store.insert(&kept(id)).unwrap();
    }
    let size = fs::metadata(&settings.path).unwrap().len();
    assert!(size <= settings.max_bytes, "{size}");
    let count = store.count().unwrap();
    assert!((200..500).contains(&count), "{count}");
    let reader = Reader::open(&settings.path).unwrap();
    assert_eq!(reader.find(&kept(1_999).id).unwrap().len(), 1);
    assert_eq!(reader.find(&kept(0).id).unwrap().len(), 0);
}

#[test]
fn what_is_too_old_goes() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(&settings(directory.path())).unwrap();
    for id in 0..10 {
        store.insert(&kept(id)).unwrap();
    }
    let hour = 3_600 * 1_000_000_000;
    store.prune(SOON + hour + 4).unwrap();
    assert_eq!(store.count().unwrap(), 6);
}

#[test]
fn a_file_of_no_use_is_set_aside_and_said() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    let aside = settings.path.with_file_name("history.db.corrupt");
    fs::create_dir_all(settings.path.parent().unwrap()).unwrap();
    fs::write(
        &settings.path,
        "no database, and long enough to be seen as none".repeat(99),
    )
    .unwrap();
    let (mut store, said) = Store::open(&settings).unwrap();
    let said = said.unwrap();
    assert!(
        said.contains("not a database") && said.contains("history.db.corrupt"),
        "{said}"
    );
    assert!(fs::read(&aside).unwrap().starts_with(b"no database"));
    for id in 0..300 {
        store.insert(&kept(id)).unwrap();
    }
    drop(store);
    // Pages overwritten in the middle.
    let mut bytes = fs::read(&settings.path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8_192].fill(0xa5);
    fs::write(&settings.path, &bytes).unwrap();
    let (store, said) = Store::open(&settings).unwrap();
    assert!(said.unwrap().contains("set aside"));
    assert_eq!(store.count().unwrap(), 0);
    drop(store);
    let other = Connection::open(&settings.path).unwrap();
    other.pragma_update(None, "user_version", 99).unwrap();
    drop(other);
    let failure = Reader::open(&settings.path).unwrap_err();
    assert!(failure.message.contains("layout 99"), "{failure}");
    let (_, said) = Store::open(&settings).unwrap();
    assert!(said.unwrap().contains("layout 99"));
}

#[test]
fn a_locked_file_costs_documents_and_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    let (mut store, _) = Store::open(&settings).unwrap();
    let other = Connection::open(&settings.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.insert(&kept(1)).unwrap_err().to_string();
    assert!(error.contains("locked"), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    store.insert(&kept(2)).unwrap();
    assert_eq!(store.count().unwrap(), 1);
}

/// The way it stands in the sensor: behind a queue, in a thread.
#[tokio::test]
async fn a_history_that_cannot_be_written_harms_no_other_sink() {
    let directory = tempfile::tempdir().unwrap();
    let blocked = directory.path().join("file");
    fs::write(&blocked, "").unwrap();
    let sinks = Sinks::new(|_| panic!("the history is not measured"));
    let settings = Settings {
        path: blocked.join("history.db"),
        ..settings(directory.path())
    };
    sinks.keep("history", History::new(settings)).unwrap();
    let mut low = sample::sample();
    low.rule.level = Level::Informational;
    for _ in 0..3 {
        sinks.send(Arc::new(low.alert()));
    }
    assert_eq!(sinks.drain(Duration::from_secs(10)).await, 0);
    assert_eq!(sinks.dropped_total(), 3);
}

#[test]
fn commands_say_what_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none.db");
    let failure = Reader::open(&path).unwrap_err();
    assert_eq!(failure.code, Exit::Unavailable);
    assert!(failure.message.contains("no history at"), "{failure}");
    assert!(!path.exists());
    fs::write(&path, "x".repeat(9_999)).unwrap();
    let failure = Reader::open(&path).unwrap_err();
    assert_eq!(failure.code, Exit::Unavailable);
}
