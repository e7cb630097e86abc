//! Whatever a receiver does, it gets what it has not had in the order it came. The thread
//! that sends is driven by hand here: a wait is a value, no time passes.

use std::collections::{BTreeSet, VecDeque};

use proptest::{collection::vec, prelude::*};

use super::{
    super::{
        pace::WAIT_MAX,
        sender::{Sender, Step},
    },
    *,
};
use crate::sink::spool::{Spool, SpoolError};

/// What a receiver does with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reply {
    Take,
    /// It has it, but its answer is lost.
    TakeUnheard,
    Refuse,
    Late,
    Away,
}

/// Follows a script, then takes all but what it never does.
struct Scripted {
    script: Mutex<VecDeque<Reply>>,
    unwanted: BTreeSet<u64>,
    /// All that it took, also a second time.
    taken: Mutex<Vec<u64>>,
}

impl Receive for Scripted {
    fn encode(&self, _document: &Document) -> Option<String> {
        None
    }

    fn send(&self, texts: &[&str]) -> Result<Accepted, Refusal> {
        let numbers: Vec<u64> = texts
            .iter()
            .map(|it| it.split(' ').next().unwrap().parse().unwrap())
            .collect();
        let reply = self.script.lock().unwrap().pop_front();
        let reply = reply.unwrap_or(Reply::Take);
        let takes = matches!(reply, Reply::Take | Reply::TakeUnheard);
        if takes && numbers.iter().any(|it| self.unwanted.contains(it)) {
            return Err(Refusal::Never("unwanted".to_owned()));
        }
        if takes {
            self.taken.lock().unwrap().extend(numbers);
        }
        match reply {
            Reply::Take => Ok(Accepted::default()),
            Reply::Refuse => Err(Refusal::Never("refused".to_owned())),
            Reply::Late => Err(Refusal::TooSlow("late".to_owned())),
            Reply::TakeUnheard => Err(Refusal::Unheard("reset".to_owned())),
            Reply::Away => Err(Refusal::NotNow("away".to_owned(), None)),
        }
    }
}

/// A sender without its thread.
struct Driven {
    sender: Sender<Scripted>,
    shared: Arc<Shared>,
    receiver: Arc<Scripted>,
    stats: Arc<SinkStats>,
    _dir: Option<tempfile::TempDir>,
}

impl Driven {
    fn new(batch: usize, script: Vec<Reply>, unwanted: &[u64]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(dir.path(), batch);
        Self {
            _dir: Some(dir),
            ..Self::on(settings, script, unwanted)
        }
    }

    /// With a spool that outlives it.
    fn on(settings: Settings, script: Vec<Reply>, unwanted: &[u64]) -> Self {
        let stats = Arc::<SinkStats>::default();
        let backlog = Backlog::new(Arc::clone(&stats), Arc::new(|_| ()));
        let shared = Arc::new(Shared::new(backlog));
        let receiver = Arc::new(Scripted {
            script: Mutex::new(script.into()),
            unwanted: unwanted.iter().copied().collect(),
            taken: Mutex::default(),
        });
        let sender = Sender::new(
            Arc::clone(&shared),
            Arc::clone(&receiver),
            Arc::clone(&stats),
            settings,
        );
        Self {
            sender,
            shared,
            receiver,
            stats,
            _dir: None,
        }
    }

    fn push(&self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            let (id, text) = (format!("{number:032x}"), number.to_string());
            self.shared.push(&id, &text, None).unwrap();
        }
    }

    /// Sends until nothing is left; the waits that it took.
    fn settle(&mut self) -> Vec<Duration> {
        let mut waits = Vec::new();
        for _ in 0..10_000 {
            match self.sender.step() {
                Step::Idle => return waits,
                Step::Done => {}
                Step::Again(wait) => waits.push(wait),
            }
        }
        panic!("it never ends; {} wait", self.stats.spooled());
    }

    /// What was taken, each when it came first.
    fn firsts(&self) -> Vec<u64> {
        let mut known = BTreeSet::new();
        let taken = self.receiver.taken.lock().unwrap();
        taken
            .iter()
            .copied()
            .filter(|&it| known.insert(it))
            .collect()
    }
}

#[test]
fn who_refuses_everything_is_asked_less_and_less_often_and_nothing_is_lost() {
    // Batches of 8, 4, 2 and 1 are refused; then, alone, the first, again and again.
    let script = vec![Reply::Refuse; 3 + 6];
    let mut driven = Driven::new(8, script, &[]);
    driven.push(0..60);
    let waits = driven.settle();
    let expected = (0..6).map(|round| Duration::from_millis(500 << round));
    assert_eq!(waits, expected.collect::<Vec<_>>());
    assert_eq!(*driven.receiver.taken.lock().unwrap(), numbers(0..60));
    assert_eq!(
        (driven.stats.spooled(), driven.stats.refused_total()),
        (0, 0)
    );
}

#[test]
fn who_refuses_everything_for_hours_is_asked_once_a_minute() {
    let mut driven = Driven::new(1, vec![Reply::Refuse; 600], &[]);
    driven.push(0..3);
    let waits = driven.settle();
    // The first each time; once, when nothing else helps, the two behind it as well.
    assert_eq!(waits.len(), 600 - 2);
    assert!(waits[7..].iter().all(|wait| *wait == WAIT_MAX));
    assert_eq!(driven.firsts(), [0, 1, 2]);
    assert_eq!(driven.stats.refused_total(), 0);
}

#[test]
fn who_refuses_all_for_any_while_gets_all_in_order_in_the_end() {
    for begin in 0..12 {
        // Two to find the first and six about it alone: later one looks behind it.
        for length in 0..=8 {
            let mut script = vec![Reply::Take; begin];
            script.extend(vec![Reply::Refuse; length]);
            let mut driven = Driven::new(4, script, &[]);
            driven.push(0..20);
            driven.settle();
            assert_eq!(driven.firsts(), numbers(0..20), "{begin} {length}");
            assert_eq!(driven.stats.refused_total(), 0, "{begin} {length}");
        }
    }
}

#[test]
fn unwanted_ones_are_dropped_one_by_one_while_others_are_taken() {
    let mut driven = Driven::new(8, Vec::new(), &[3, 4, 9, 19]);
    driven.push(0..20);
    assert_eq!(driven.settle(), [Duration::ZERO; 0]);
    let left: Vec<u64> = (0..20).filter(|it| ![3, 4, 9, 19].contains(it)).collect();
    assert_eq!(driven.firsts(), left);
    assert_eq!(driven.stats.refused_total(), 4);
}

#[test]
fn unwanted_ones_that_come_before_all_others_do_not_stop_them() {
    let mut driven = Driven::new(8, Vec::new(), &[0, 1, 2, 3, 4, 5, 6]);
    driven.push(0..20);
    let waits = driven.settle();
    // Six rounds about the first alone, one about it and four behind it; then the seventh
    // and the eighth are asked about.
    assert_eq!(waits.len(), 6 + 1);
    assert_eq!(driven.firsts(), numbers(7..20));
    assert_eq!(driven.stats.refused_total(), 7);
}

#[test]
fn what_is_in_memory_waits_for_a_file_that_cannot_be_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("spool.db");
    let open = || Spool::open(&path, ROOM, Duration::ZERO);
    let fails = || Err(SpoolError::Used(path.clone()));
    let mut backlog = Backlog::new(Arc::default(), Arc::new(|_| ()));
    let push = |backlog: &mut Backlog, number: u32| {
        let text = number.to_string();
        backlog.push(&text, &text, None).unwrap();
    };
    let first = |backlog: &mut Backlog| -> Vec<String> {
        let rows = backlog.first(0, 10, 1_000).unwrap();
        rows.into_iter().map(|row| row.text).collect()
    };
    backlog.opened(open());
    push(&mut backlog, 1);
    push(&mut backlog, 2);
    backlog.opened(fails());
    push(&mut backlog, 3);
    assert_eq!(first(&mut backlog), [""; 0]);
    backlog.opened(open());
    assert_eq!(first(&mut backlog), ["1", "2", "3"]);

    // For a minute; then it goes ahead, and nothing is lost.
    backlog.opened(fails());
    push(&mut backlog, 4);
    for _ in 1..60 {
        assert_eq!(first(&mut backlog), [""; 0]);
        backlog.opened(fails());
    }
    let ahead = backlog.first(0, 10, 1_000).unwrap();
    assert_eq!(ahead[0].text, "4");
    backlog.done(ahead[0].seq, &[]);
    backlog.opened(open());
    assert_eq!(first(&mut backlog), ["1", "2", "3"]);
}

/// A receiver that is down for ten minutes under a hundred alerts a second, and an agent that
/// is killed meanwhile: nothing is flushed, nothing said farewell. All 60,000 take minutes
/// in a test build; this is the same share of them and of the room.
#[test]
fn ten_minutes_of_a_hundred_alerts_a_second_fit_a_spool_and_outlive_who_wrote_them() {
    const SHARE: u64 = 40;
    const ALERTS: u64 = 60_000 / SHARE;
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        // As much as a sink has when nothing else is configured.
        max_bytes: (256 << 20) / SHARE,
        ..settings(dir.path(), 100)
    };
    let mut killed = Driven::on(settings.clone(), Vec::new(), &[]);
    assert!(
        matches!(killed.sender.step(), Step::Idle),
        "opens the spool"
    );
    for number in 0..ALERTS {
        let alert = alert(number);
        let text = format!("{number} {}", alert.to_json());
        killed.shared.push(&alert.event.id, &text, None).unwrap();
    }
    assert_eq!(
        killed.shared.lock().backlog.held(),
        0,
        "all of it is in the file"
    );
    drop(killed);
    let mut next = Driven::on(settings, Vec::new(), &[]);
    next.settle();
    assert_eq!(*next.receiver.taken.lock().unwrap(), numbers(0..ALERTS));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn nothing_comes_before_what_came_earlier_and_all_is_taken_or_counted(
        replies in vec(prop_oneof![
            3 => Just(Reply::Take),
            1 => Just(Reply::TakeUnheard),
            3 => Just(Reply::Refuse),
            1 => Just(Reply::Late),
            1 => Just(Reply::Away),
        ], 0..80),
        unwanted in vec(0_u64..30, 0..4),
        batch in 1_usize..9,
    ) {
        let mut driven = Driven::new(batch, replies, &unwanted);
        driven.push(0..15);
        driven.settle();
        driven.push(15..30);
        driven.settle();
        let firsts = driven.firsts();
        prop_assert!(firsts.is_sorted(), "{firsts:?}");
        let given_up = driven.stats.refused_total();
        // One whose answer was lost may be given up later, and is counted then.
        prop_assert!(firsts.len() as u64 + given_up >= 30, "{firsts:?} {given_up}");
        prop_assert_eq!(driven.stats.spooled(), 0);
        prop_assert!(unwanted.iter().all(|it| !firsts.contains(it)));
    }
}
