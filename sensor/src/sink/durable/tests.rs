//! What a receiver does, and what becomes of the alerts: none may be lost, but those that
//! are counted.

mod fake;
mod order;

use std::{
    fs,
    io::{Seek as _, SeekFrom, Write as _},
    path::Path,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
};

use self::fake::{Fake, Seen, fake};
use super::*;
use crate::{
    alert::{Alert, Level, sample::sample},
    sink::{Filter, Sinks, tests::wait_for},
};

const PATIENCE: Duration = Duration::from_secs(20);
const ROOM: u64 = 1 << 20;

fn settings(dir: &Path, batch: usize) -> Settings {
    Settings {
        spool: dir.join("spool.db"),
        max_bytes: ROOM,
        batch,
    }
}

fn sinks(dir: &Path, batch: usize, receiver: Fake) -> Sinks {
    let sinks = Sinks::new(|_| ());
    let durable = Durable::new(settings(dir, batch), receiver);
    sinks.add("it", Level::Low, durable).unwrap();
    sinks
}

fn alert(number: u64) -> Arc<Alert> {
    let mut alert = sample().alert();
    alert.event.sequence = number;
    alert.event.id = format!("{number:032x}");
    alert.time_ns = number;
    Arc::new(alert)
}

fn send(sinks: &Sinks, numbers: std::ops::Range<u64>) {
    for number in numbers {
        sinks.send(alert(number));
    }
}

fn numbers(numbers: std::ops::Range<u64>) -> Vec<u64> {
    numbers.collect()
}

fn never() -> Result<(), Refusal> {
    Err(Refusal::Never("400".to_owned()))
}

fn away() -> Result<(), Refusal> {
    Err(Refusal::NotNow("away".to_owned(), None))
}

/// Something that is away, or refuses, until it is told otherwise.
fn until(open: &Arc<AtomicBool>, shut: fn() -> Result<(), Refusal>) -> (Fake, Seen) {
    let open = Arc::clone(open);
    fake(move |_| {
        if open.load(Ordering::Relaxed) {
            Ok(())
        } else {
            shut()
        }
    })
}

#[test]
fn who_is_refused_alone_is_dropped_when_the_one_before_is_taken_again() {
    let dir = tempfile::tempdir().unwrap();
    let (receiver, seen) = fake(|numbers| {
        if numbers.contains(&2) {
            return never();
        }
        Ok(())
    });
    let sinks = sinks(dir.path(), 8, receiver);
    let stats = Arc::clone(&sinks.stats()[0]);
    send(&sinks, 0..3);
    assert_eq!(seen.take(2), [0, 1]);
    wait_for(|| stats.spooled() == 0);
    assert_eq!((stats.dropped_total(), stats.refused_total()), (1, 1));
    assert_eq!(seen.again.recv_timeout(PATIENCE), Ok(1));
    send(&sinks, 3..4);
    assert_eq!(seen.take(1), [3]);
    wait_for(|| stats.written_total() == 3);
}

#[test]
fn who_refuses_one_once_and_takes_it_then_gets_it_before_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let refused = AtomicBool::new(false);
    let (receiver, seen) = fake(move |numbers| {
        if numbers.contains(&1) && !refused.swap(true, Ordering::Relaxed) {
            return never();
        }
        Ok(())
    });
    let sinks = sinks(dir.path(), 1, receiver);
    send(&sinks, 0..3);
    assert_eq!(seen.take(3), [0, 1, 2]);
}

#[test]
fn who_is_too_slow_for_many_gets_fewer() {
    let dir = tempfile::tempdir().unwrap();
    let (receiver, seen) = fake(|numbers| {
        if numbers.len() > 3 {
            return Err(Refusal::TooSlow("no answer".to_owned()));
        }
        Ok(())
    });
    let sinks = sinks(dir.path(), 8, receiver);
    send(&sinks, 0..30);
    assert_eq!(seen.take(30), numbers(0..30));
    assert_eq!(sinks.dropped_total(), 0);
}

#[test]
fn a_panic_is_a_refusal_and_the_thread_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (receiver, seen) = fake(|numbers| {
        assert!(!numbers.contains(&3), "as it should");
        Ok(())
    });
    let sinks = sinks(dir.path(), 4, receiver);
    send(&sinks, 0..10);
    assert_eq!(seen.take(9), [0, 1, 2, 4, 5, 6, 7, 8, 9]);
    let stats = Arc::clone(&sinks.stats()[0]);
    wait_for(|| stats.written_total() == 9);
    assert_eq!(stats.refused_total(), 1);
}

#[test]
fn a_thread_that_is_gone_is_started_again() {
    let dir = tempfile::tempdir().unwrap();
    let (receiver, seen) = fake(|_| Ok(()));
    let mut durable = Durable::new(settings(dir.path(), 4), receiver);
    let written: Written = Arc::new(|_| ());
    durable.attach(&Arc::default(), &written);
    // One that ended at once stands for one that died.
    let dead = thread::spawn(|| ());
    wait_for(|| dead.is_finished());
    durable.running.as_mut().unwrap().thread = Some(dead);
    durable.deliver(&alert(1).into()).unwrap();
    assert_eq!(seen.take(1), [1]);
}

#[test]
fn latency_is_measured_when_the_receiver_has_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let open = Arc::default();
    let (receiver, seen) = until(&open, away);
    let (tell, told) = mpsc::sync_channel(100);
    let sinks = Sinks::new(move |time_ns| tell.send(time_ns).unwrap());
    let durable = Durable::new(settings(dir.path(), 4), receiver);
    sinks.add("it", Level::Low, durable).unwrap();
    send(&sinks, 5..8);
    wait_for(|| sinks.stats()[0].spooled() == 3 && sinks.queue_length() == 0);
    assert!(told.try_recv().is_err());
    open.store(true, Ordering::Relaxed);
    assert_eq!(seen.take(3), [5, 6, 7]);
    for number in 5..8 {
        assert_eq!(told.recv_timeout(PATIENCE), Ok(number));
    }
}

#[test]
fn what_finds_no_room_in_the_file_waits_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let open = Arc::default();
    let (mut receiver, seen) = until(&open, away);
    receiver.noise = 20_000;
    let sinks = sinks(dir.path(), 8, receiver);
    let stats = Arc::clone(&sinks.stats()[0]);
    // Twice the file.
    send(&sinks, 0..120);
    wait_for(|| sinks.queue_length() == 0);
    assert_eq!((stats.spooled(), stats.dropped_total()), (120, 0));
    // And more than memory has room for.
    send(&sinks, 120..520);
    wait_for(|| sinks.queue_length() == 0);
    let lost = stats.dropped_total();
    assert!(lost > 100, "{lost}");
    assert_eq!(stats.spooled() as u64 + lost, 520);
    open.store(true, Ordering::Relaxed);
    let kept = stats.spooled();
    assert_eq!(seen.take(kept), numbers(0..kept as u64));
    // The file has taken what was in memory: the next is sent after it.
    send(&sinks, 520..530);
    assert_eq!(seen.take(10), numbers(520..530));
    assert_eq!(stats.dropped_total(), lost);
}

#[tokio::test]
async fn a_file_that_another_sensor_has_is_sent_when_it_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let (receiver, _seen) = fake(|_| away());
    let first = sinks(dir.path(), 8, receiver);
    send(&first, 0..5);
    wait_for(|| first.stats()[0].spooled() == 5 && first.queue_length() == 0);
    assert_eq!(first.drain(PATIENCE).await, 0);
    let lock = fs::File::open(dir.path().join("spool.db.lock")).unwrap();
    lock.lock().unwrap();
    let (receiver, seen) = fake(|_| Ok(()));
    let second = sinks(dir.path(), 8, receiver);
    // What comes meanwhile is not kept waiting for what is old.
    send(&second, 5..6);
    assert_eq!(seen.take(1), [5]);
    lock.unlock().unwrap();
    assert_eq!(seen.take(5), numbers(0..5));
    wait_for(|| second.stats()[0].spooled() == 0);
    assert_eq!(second.dropped_total(), 0);
}

#[tokio::test]
async fn one_that_cannot_be_read_does_not_stop_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let (receiver, _seen) = fake(|_| away());
    let first = sinks(dir.path(), 8, receiver);
    send(&first, 0..20);
    wait_for(|| first.stats()[0].spooled() == 20 && first.queue_length() == 0);
    assert_eq!(first.drain(PATIENCE).await, 0);
    let file = rusqlite::Connection::open(dir.path().join("spool.db")).unwrap();
    let damage = "UPDATE rows SET packed = x'00' WHERE seq IN (1, 7)";
    assert_eq!(file.execute(damage, []).unwrap(), 2);
    drop(file);
    let (receiver, seen) = fake(|_| Ok(()));
    let second = sinks(dir.path(), 8, receiver);
    let left: Vec<u64> = (0..20).filter(|number| ![0, 6].contains(number)).collect();
    assert_eq!(seen.take(18), left);
    let stats = Arc::clone(&second.stats()[0]);
    wait_for(|| stats.spooled() == 0);
    assert_eq!(stats.dropped_total(), 2);
}

#[test]
fn a_file_that_goes_bad_is_set_aside_and_alerts_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let open = Arc::default();
    let (mut receiver, seen) = until(&open, away);
    receiver.noise = 20_000;
    let sinks = Sinks::new(|_| ());
    let large = Settings {
        max_bytes: 8 << 20,
        ..settings(dir.path(), 8)
    };
    sinks
        .add("it", Level::Low, Durable::new(large, receiver))
        .unwrap();
    let stats = Arc::clone(&sinks.stats()[0]);
    send(&sinks, 0..200);
    wait_for(|| stats.spooled() == 200 && sinks.queue_length() == 0);
    let path = dir.path().join("spool.db");
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let length = file.metadata().unwrap().len();
    assert!(length > 1 << 20, "{length}");
    file.seek(SeekFrom::Start(4_096)).unwrap();
    let garbage = vec![0xff; usize::try_from(length).unwrap() - 4_096];
    file.write_all(&garbage).unwrap();
    open.store(true, Ordering::Relaxed);
    wait_for(|| stats.dropped_total() > 0);
    send(&sinks, 1_000..1_010);
    let last = std::iter::from_fn(|| seen.taken.recv_timeout(PATIENCE).ok());
    let late: Vec<u64> = last.filter(|&it| it >= 1_000).take(10).collect();
    assert_eq!(late, numbers(1_000..1_010));
    assert!(dir.path().join("spool.db.corrupt").exists());
}

#[test]
fn a_sink_in_the_place_of_another_goes_on_with_its_spool_at_once() {
    let dir = tempfile::tempdir().unwrap();
    // The first takes some, then has no answer for a minute.
    let (receiver, first) = fake(|numbers| match numbers {
        [0..40, ..] => Ok(()),
        _ => Err(Refusal::NotNow("later".to_owned(), Some(pace::WAIT_MAX))),
    });
    let sinks = Arc::new(sinks(dir.path(), 4, receiver));
    send(&sinks, 0..40);
    assert_eq!(first.take(40), numbers(0..40));
    send(&sinks, 40..100);
    wait_for(|| sinks.stats()[0].spooled() == 60 && sinks.queue_length() == 0);
    let (receiver, second) = fake(|_| Ok(()));
    let durable = Durable::new(settings(dir.path(), 4), receiver);
    let made = sinks.maker().make("it", Filter::from(Level::Low), durable);
    // Alerts come all the while.
    let (own, sent) = (Arc::clone(&sinks), Arc::new(AtomicBool::new(false)));
    let goes = Arc::clone(&sent);
    let sender = thread::spawn(move || {
        send(&own, 100..150);
        goes.store(true, Ordering::Relaxed);
        send(&own, 150..400);
    });
    wait_for(|| sent.load(Ordering::Relaxed));
    sinks.exchange(&["it".to_owned()], vec![made.unwrap()]);
    let began = Instant::now();
    assert_eq!(second.take(360), numbers(40..400));
    assert!(began.elapsed() < Duration::from_secs(10));
    sender.join().unwrap();
    for again in [first.taken, first.again, second.again] {
        assert!(again.try_recv().is_err(), "nothing came twice");
    }
    assert_eq!(sinks.dropped_total(), 0);
}

#[test]
fn what_was_made_and_not_put_in_place_has_touched_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (receiver, _seen) = fake(|_| Ok(()));
    let durable = Durable::new(settings(dir.path(), 4), receiver);
    let maker = Sinks::new(|_| ()).maker();
    let made = maker.make("it", Filter::from(Level::Low), durable);
    let open = made.unwrap().queue.lock().take().unwrap();
    // With its value the one that was to say go is gone too.
    assert!(open.ended.blocking_recv().is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
