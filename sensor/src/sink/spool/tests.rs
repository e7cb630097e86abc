//! The file: order, bound, restart, two users, damage.

use super::*;

const ROOM: u64 = 1 << 20;

fn open(dir: &Path) -> Spool {
    Spool::open(&dir.join("spool.db"), ROOM).unwrap().0
}

/// Text that does not get smaller.
fn noise(length: usize) -> String {
    let mut state = 1_u32;
    let next = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(33 + u8::try_from(state >> 24).unwrap() % 94)
    });
    next.take(length).collect()
}

fn texts(spool: &Spool) -> Vec<String> {
    let rows = spool.first(10_000, usize::MAX).unwrap();
    rows.into_iter().map(|row| row.text).collect()
}

#[test]
fn what_was_pushed_is_there_after_a_restart_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    for number in 0..50 {
        spool.push("id", &number.to_string()).unwrap();
    }
    let first = spool.first(10, usize::MAX).unwrap();
    assert_eq!((first.len(), first[9].text.as_str()), (10, "9"));
    spool.remove(first[9].seq).unwrap();
    drop(spool);
    let spool = open(dir.path());
    let left: Vec<_> = (10..50).map(|number| number.to_string()).collect();
    assert_eq!(texts(&spool), left);
    spool.remove(i64::MAX).unwrap();
    spool.push("id", "new").unwrap();
    // Numbers are never given twice, so what is removed late removes nothing newer.
    assert!(spool.first(1, 1).unwrap()[0].seq > 50);
}

#[test]
fn a_batch_is_bounded_by_bytes_too() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    for _ in 0..4 {
        spool.push("id", &"x".repeat(100)).unwrap();
    }
    assert_eq!(spool.first(10, 250).unwrap().len(), 2);
    assert_eq!(spool.first(10, 1).unwrap().len(), 1);
}

#[test]
fn the_bound_holds_and_room_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    let text = noise(10_000);
    let mut taken = 0;
    let full = loop {
        match spool.push("id", &text) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, SpoolError::Full(_)), "{full}");
    assert!((60..=130).contains(&taken), "{taken}");
    assert!(spool.path.metadata().unwrap().len() <= ROOM);
    assert_eq!(spool.count().unwrap(), taken);
    spool
        .remove(spool.first(10, usize::MAX).unwrap()[9].seq)
        .unwrap();
    spool.push("id", &text).unwrap();
}

#[test]
fn two_cannot_use_it_and_a_damaged_one_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("spool.db");
    let spool = open(dir.path());
    assert!(matches!(Spool::open(&path, ROOM), Err(SpoolError::Used(_))));
    drop(spool);
    std::fs::write(
        &path,
        "no database at all, but long enough to be read as one",
    )
    .unwrap();
    let (spool, said) = Spool::open(&path, ROOM).unwrap();
    assert!(said.unwrap().contains(".corrupt"));
    spool.push("id", "x").unwrap();
}
