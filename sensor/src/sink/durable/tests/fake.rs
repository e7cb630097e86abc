//! A receiver that answers as a test wants it to, and what it has seen.

use std::{sync::mpsc, time::Instant};

use super::super::{Accepted, Receive, Refusal};
use super::PATIENCE;
use crate::alert::Document;

type Answer = Box<dyn Fn(&[u64]) -> Result<(), Refusal> + Send + Sync>;

/// A receiver that answers by the numbers of the alerts.
pub(super) struct Fake {
    answer: Answer,
    /// Bytes of noise with each, so that spools get full.
    pub(super) noise: usize,
    asked: mpsc::SyncSender<Instant>,
    taken: mpsc::SyncSender<u64>,
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
        self.asked.try_send(Instant::now()).unwrap();
        let number = |text: &&str| text.split_once(' ').unwrap().0.parse().unwrap();
        let numbers: Vec<u64> = texts.iter().map(number).collect();
        (self.answer)(&numbers)?;
        for number in numbers {
            self.taken.send(number).unwrap();
        }
        Ok(Accepted::default())
    }
}

/// What a receiver was asked and took.
pub(super) struct Seen {
    asked: mpsc::Receiver<Instant>,
    pub(super) taken: mpsc::Receiver<u64>,
}

impl Seen {
    #[track_caller]
    pub(super) fn take(&self, count: usize) -> Vec<u64> {
        let next = || self.taken.recv_timeout(PATIENCE);
        (0..count).map(|_| next().expect("an alert")).collect()
    }

    /// When it was asked, `count` times.
    #[track_caller]
    pub(super) fn asked(&self, count: usize) -> Vec<Instant> {
        let next = || self.asked.recv_timeout(PATIENCE);
        (0..count).map(|_| next().expect("a request")).collect()
    }
}

pub(super) fn fake(
    answer: impl Fn(&[u64]) -> Result<(), Refusal> + Send + Sync + 'static,
) -> (Fake, Seen) {
    let (asked, was_asked) = mpsc::sync_channel(10_000);
    let (taken, was_taken) = mpsc::sync_channel(10_000);
    let fake = Fake {
        answer: Box::new(answer),
        noise: 0,
        asked,
        taken,
    };
    let seen = Seen {
        asked: was_asked,
        taken: was_taken,
    };
    (fake, seen)
}
