//! A receiver that answers as a test wants it to, and what it has seen.

use std::{
    collections::BTreeSet,
    sync::{Mutex, mpsc},
};

use super::super::{Accepted, Receive, Refusal};
use super::PATIENCE;
use crate::alert::Document;

type Answer = Box<dyn Fn(&[u64]) -> Result<(), Refusal> + Send + Sync>;

/// A receiver that answers by the numbers of the alerts.
pub(super) struct Fake {
    answer: Answer,
    /// Bytes of noise with each, so that spools get full.
    pub(super) noise: usize,
    known: Mutex<BTreeSet<u64>>,
    taken: mpsc::SyncSender<u64>,
    again: mpsc::SyncSender<u64>,
}

impl Receive for Fake {
    fn encode(&self, document: &Document) -> Option<String> {
        let Document::Alert(alert) = document else {
            return None;
        };
        let mut state = u32::try_from(alert.event.sequence).unwrap();
        let next = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(33 + u8::try_from(state >> 24).unwrap() % 94)
        });
        let noise: String = next.take(self.noise).collect();
        Some(format!("{} {noise}", alert.event.sequence))
    }

    fn send(&self, texts: &[&str]) -> Result<Accepted, Refusal> {
        let number = |text: &&str| text.split_once(' ').unwrap().0.parse().unwrap();
        let numbers: Vec<u64> = texts.iter().map(number).collect();
        (self.answer)(&numbers)?;
        for number in numbers {
            let first = self.known.lock().unwrap().insert(number);
            let taken = if first { &self.taken } else { &self.again };
            taken.try_send(number).unwrap();
        }
        Ok(Accepted::default())
    }
}

/// What a receiver took.
pub(super) struct Seen {
    /// For the first time.
    pub(super) taken: mpsc::Receiver<u64>,
    /// Once more.
    pub(super) again: mpsc::Receiver<u64>,
}

impl Seen {
    /// The next that it takes for the first time.
    #[track_caller]
    pub(super) fn take(&self, count: usize) -> Vec<u64> {
        let next = || self.taken.recv_timeout(PATIENCE);
        (0..count).map(|_| next().expect("an alert")).collect()
    }
}

pub(super) fn fake(
    answer: impl Fn(&[u64]) -> Result<(), Refusal> + Send + Sync + 'static,
) -> (Fake, Seen) {
    let (taken, was_taken) = mpsc::sync_channel(10_000);
    let (again, was_again) = mpsc::sync_channel(10_000);
    let fake = Fake {
        answer: Box::new(answer),
        noise: 0,
        known: Mutex::default(),
        taken,
        again,
    };
    let seen = Seen {
        taken: was_taken,
        again: was_again,
    };
    (fake, seen)
}
