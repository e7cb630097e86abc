//! The file: order, bound, restart, two users, damage.

use super::*;

const ROOM: u64 = 1 << 20;

fn open(dir: &Path) -> Spool {
    let opened = Spool::open(&dir.join("spool.db"), ROOM, Duration::ZERO);
    opened.unwrap().0
}

/// Behind all others.
fn push(spool: &Spool, text: &str) -> Result<(), SpoolError> {
    let seq = spool.last().unwrap() + 1;
    spool.push(seq, "id", &pack(text).unwrap())
}

fn first(spool: &Spool, count: usize, bytes: usize) -> Vec<Row> {
    let (rows, unreadable) = spool.first(0, count, bytes).unwrap();
    assert_eq!(unreadable, []);
    rows
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
    let rows = first(spool, 10_000, usize::MAX);
    rows.into_iter().map(|row| row.text).collect()
}

#[test]
fn what_was_pushed_is_there_after_a_restart_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    for number in 0..50 {
        push(&spool, &number.to_string()).unwrap();
    }
    let begin = first(&spool, 10, usize::MAX);
    assert_eq!((begin.len(), begin[9].text.as_str()), (10, "9"));
    assert_eq!(spool.remove(begin[9].seq).unwrap(), 10);
    drop(spool);
    let spool = open(dir.path());
    let left: Vec<_> = (10..50).map(|number| number.to_string()).collect();
    assert_eq!(texts(&spool), left);
    spool.remove(i64::MAX).unwrap();
    drop(spool);
    // Numbers are never given twice, so what is removed late removes nothing newer.
    assert_eq!(open(dir.path()).last().unwrap(), 50);
}

#[test]
fn a_batch_is_bounded_by_bytes_too() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    for _ in 0..4 {
        push(&spool, &"x".repeat(100)).unwrap();
    }
    assert_eq!(first(&spool, 10, 250).len(), 2);
    assert_eq!(first(&spool, 10, 1).len(), 1);
    let (behind, _) = spool.first(2, 10, usize::MAX).unwrap();
    assert_eq!(behind.iter().map(|row| row.seq).collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn the_bound_holds_and_room_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    let text = noise(10_000);
    let mut taken = 0;
    let full = loop {
        match push(&spool, &text) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, SpoolError::Full(_)), "{full}");
    assert!((60..=130).contains(&taken), "{taken}");
    assert!(spool.path.metadata().unwrap().len() <= ROOM);
    assert_eq!(spool.count().unwrap(), taken);
    spool.remove(first(&spool, 10, usize::MAX)[9].seq).unwrap();
    push(&spool, &text).unwrap();
}

#[test]
fn two_cannot_use_it_and_a_damaged_one_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("spool.db");
    let spool = open(dir.path());
    let opened = || Spool::open(&path, ROOM, Duration::ZERO);
    assert!(matches!(opened(), Err(SpoolError::Used(_))));
    assert!(spool.is_wanted());
    drop(spool);
    std::fs::write(
        &path,
        "no database at all, but long enough to be read as one",
    )
    .unwrap();
    let (spool, said) = opened().unwrap();
    assert!(said.unwrap().contains(".corrupt"));
    push(&spool, "x").unwrap();
}

#[test]
fn who_waits_has_it_the_moment_it_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("spool.db");
    let spool = open(dir.path());
    let waiting = {
        let path = path.clone();
        std::thread::spawn(move || Spool::open(&path, ROOM, Duration::from_mins(1)))
    };
    while !spool.is_wanted() {
        std::thread::yield_now();
    }
    drop(spool);
    let (spool, said) = waiting.join().unwrap().unwrap();
    assert_eq!(said, None);
    push(&spool, "x").unwrap();
}

#[test]
fn what_cannot_be_read_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    for text in ["a", "b", "c", "d"] {
        push(&spool, text).unwrap();
    }
    let damage = "UPDATE rows SET packed = x'00' WHERE seq = 2; \
                  UPDATE rows SET packed = 7, id = x'ff' WHERE seq = 4";
    spool.db.execute_batch(damage).unwrap();
    let (rows, unreadable) = spool.first(0, 10, usize::MAX).unwrap();
    let texts: Vec<_> = rows.iter().map(|row| row.text.as_str()).collect();
    assert_eq!(texts, ["a", "c"]);
    let seqs: Vec<_> = unreadable.iter().map(|it| it.seq).collect();
    assert_eq!(seqs, [2, 4], "{unreadable:?}");
    spool.remove_one(2).unwrap();
    assert_eq!(spool.count().unwrap(), 3);
}
