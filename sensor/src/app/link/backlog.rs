//! What the outlet has not accepted yet: kept as it is sent, so that another outlet can be
//! told the same.
//!
//! Bounded. Beyond the bound those that were sent are let go first: the outlet has them, and
//! only if it ends before it accepts them are they lost, and counted then. Of those not sent
//! the newest are lost.

use std::collections::VecDeque;

use crate::wire::{ORDER_MAX, Order, Told, frame};

/// Most documents.
pub(super) const COUNT: usize = 4_096;
/// Most bytes of them.
pub(super) const BYTES: usize = 16 << 20;

/// See the module.
#[derive(Default)]
pub(super) struct Backlog {
    entries: VecDeque<(u64, Vec<u8>)>,
    bytes: usize,
    /// Place of the first that was not sent.
    sent: usize,
    /// Number of the next.
    next: u64,
    /// Sent and let go.
    trusted: u64,
}

impl Backlog {
    /// Takes one behind all others; how many are lost by it.
    pub(super) fn push(&mut self, told: &Told) -> u64 {
        // A document has some ten KiB; what is too long for a message is told to nobody.
        let Ok(frame) = frame(&Order::Tell(self.next, told.clone()), ORDER_MAX) else {
            return 1;
        };
        while self.is_full(frame.len()) && self.sent > 0 {
            self.trusted += 1;
            self.sent -= 1;
            self.pop();
        }
        if self.is_full(frame.len()) {
            return 1;
        }
        self.bytes += frame.len();
        self.entries.push_back((self.next, frame));
        self.next += 1;
        0
    }

    fn is_full(&self, more: usize) -> bool {
        self.entries.len() >= COUNT || self.bytes + more > BYTES
    }

    fn pop(&mut self) {
        if let Some((_, frame)) = self.entries.pop_front() {
            self.bytes -= frame.len();
        }
    }

    /// The next to be sent, which counts as sent from now on.
    pub(super) fn send(&mut self) -> Option<&[u8]> {
        let (_, frame) = self.entries.get(self.sent)?;
        self.sent += 1;
        Some(frame)
    }

    /// One is accepted; `false` when it was never told.
    pub(super) fn accept(&mut self, number: u64) -> bool {
        match self.entries.binary_search_by_key(&number, |(it, _)| *it) {
            Ok(place) if place < self.sent => {
                if let Some((_, frame)) = self.entries.remove(place) {
                    self.bytes -= frame.len();
                }
                self.sent -= 1;
                true
            }
            Ok(_) => false,
            Err(_) => {
                self.trusted = self.trusted.saturating_sub(1);
                number < self.next
            }
        }
    }

    /// Everything is to be sent again; how many cannot be, because they were let go.
    pub(super) fn rewind(&mut self) -> u64 {
        self.sent = 0;
        std::mem::take(&mut self.trusted)
    }

    /// All that is not accepted.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Those that were not sent.
    pub(super) fn unsent(&self) -> usize {
        self.entries.len() - self.sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Told {
        Told::Alert(text.to_owned(), 1)
    }

    fn sent(backlog: &mut Backlog) -> usize {
        std::iter::from_fn(|| backlog.send().map(drop)).count()
    }

    #[test]
    fn what_is_not_accepted_is_sent_again() {
        let mut backlog = Backlog::default();
        for text in ["a", "b", "c"] {
            assert_eq!(backlog.push(&told(text)), 0);
        }
        assert_eq!((sent(&mut backlog), backlog.unsent()), (3, 0));
        assert!(backlog.accept(1));
        assert!(!backlog.accept(3), "never told");
        assert_eq!(backlog.rewind(), 0);
        assert_eq!((backlog.len(), sent(&mut backlog)), (2, 2));
        assert!(backlog.accept(2) && backlog.accept(0) && backlog.accept(0));
        assert_eq!((backlog.len(), backlog.bytes), (0, 0));
    }

    #[test]
    fn what_was_not_sent_cannot_be_accepted() {
        let mut backlog = Backlog::default();
        backlog.push(&told("a"));
        assert!(!backlog.accept(0));
        assert_eq!(backlog.len(), 1);
    }

    #[test]
    fn beyond_the_bound_those_sent_go_first_and_then_the_newest() {
        let mut backlog = Backlog::default();
        for _ in 0..COUNT {
            assert_eq!(backlog.push(&told("x")), 0);
        }
        assert_eq!(backlog.push(&told("lost")), 1);
        backlog.send();
        assert_eq!(backlog.push(&told("room")), 0);
        assert_eq!(backlog.len(), COUNT);
        // The one let go is lost only if nobody accepts it.
        assert_eq!(backlog.rewind(), 1);
        assert_eq!(backlog.rewind(), 0);
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut backlog = Backlog::default();
        let long = "x".repeat(ORDER_MAX / 2);
        let taken = (0..100).filter(|_| backlog.push(&told(&long)) == 0).count();
        assert!(taken < 33 && backlog.bytes <= BYTES, "{taken}");
        assert_eq!(backlog.push(&told(&"x".repeat(ORDER_MAX))), 1);
    }
}
