//! How much is sent at once and how long a failure is waited after: pure numbers.

use std::time::Duration;

/// First and longest wait after a failure; it doubles.
const WAIT_MIN: Duration = Duration::from_millis(500);
pub(super) const WAIT_MAX: Duration = Duration::from_mins(1);
/// So many batches in a row that are too slow are halved.
const SLOW: u32 = 2;
/// After so many that were not, larger ones are tried again.
const GROW: u32 = 16;

/// See the module.
#[derive(Debug)]
pub(super) struct Pace {
    /// Most texts of a batch.
    batch: usize,
    /// Most for this receiver, as it is now.
    limit: usize,
    /// Texts of the next: fewer while one that is not wanted is looked for.
    size: usize,
    /// Too slow in a row.
    slow: u32,
    /// Accepted in a row with as many as the receiver is trusted with.
    full: u32,
    wait: Duration,
}

impl Pace {
    pub(super) const fn new(batch: usize) -> Self {
        Self {
            batch,
            limit: batch,
            size: batch,
            slow: 0,
            full: 0,
            wait: WAIT_MIN,
        }
    }

    /// Most texts of the next batch.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// A batch was accepted.
    pub(super) fn accepted(&mut self) {
        (self.slow, self.wait) = (0, WAIT_MIN);
        if self.size < self.limit {
            self.size = self.limit.min(self.size * 2);
        } else if self.limit < self.batch {
            self.full += 1;
            if self.full >= GROW {
                self.full = 0;
                self.limit = self.batch.min(self.limit * 2);
            }
        }
    }

    /// Something in a batch of `count`, more than one, is not wanted.
    pub(super) fn refused(&mut self, count: usize) {
        self.size = (count / 2).max(1);
    }

    /// A batch of `count` was not answered in time.
    pub(super) fn slow(&mut self, count: usize) {
        self.slow += 1;
        if self.slow >= SLOW {
            self.slow = 0;
            if count > 1 {
                // Not the same again, so without delay.
                self.wait = WAIT_MIN;
            }
            self.limit = (count / 2).max(1);
            (self.size, self.full) = (self.limit, 0);
        }
    }

    /// How long to wait now; longer the next time.
    pub(super) fn wait(&mut self, asked: Option<Duration>) -> Duration {
        let wait = self.wait.max(asked.unwrap_or_default()).min(WAIT_MAX);
        self.wait = WAIT_MAX.min(self.wait * 2);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_slow_twice_is_halved_and_grows_again() {
        let mut pace = Pace::new(100);
        pace.slow(100);
        assert_eq!(pace.size(), 100);
        pace.slow(100);
        assert_eq!(pace.size(), 50);
        pace.slow(50);
        pace.accepted();
        pace.slow(50);
        assert_eq!(pace.size(), 50, "not in a row");
        for _ in 1..GROW {
            pace.accepted();
            assert_eq!(pace.size(), 50);
        }
        pace.accepted();
        assert_eq!(pace.size(), 100);
    }

    #[test]
    fn a_single_text_is_the_least() {
        let mut pace = Pace::new(3);
        for _ in 0..10 {
            pace.slow(pace.size());
        }
        assert_eq!(pace.size(), 1);
        pace.refused(1);
        assert_eq!(pace.size(), 1);
    }

    #[test]
    fn after_a_search_batches_are_whole_at_once() {
        let mut pace = Pace::new(8);
        pace.refused(8);
        pace.refused(4);
        assert_eq!(pace.size(), 2);
        pace.accepted();
        pace.accepted();
        assert_eq!(pace.size(), 8);
    }

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew() {
        let mut pace = Pace::new(1);
        assert_eq!(pace.wait(None), WAIT_MIN);
        assert_eq!(pace.wait(None), WAIT_MIN * 2);
        assert_eq!(pace.wait(Some(Duration::from_hours(1))), WAIT_MAX);
        for _ in 0..10 {
            pace.wait(None);
        }
        assert_eq!(pace.wait(None), WAIT_MAX);
        pace.accepted();
        assert_eq!(pace.wait(None), WAIT_MIN);
    }
}
