//! A token bucket in event time: how often one rule may alert about one spawn root.

/// Alerts that may follow each other at once.
pub const BURST: u64 = 10;
/// After that, one in this time, ns.
pub const EVERY_NS: u64 = 30_000_000_000;

/// What is left of the burst.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    tokens: u64,
    /// Up to when time has been turned into tokens, ns.
    filled_ns: u64,
}

impl Bucket {
    pub(super) const fn full(now_ns: u64) -> Self {
        Self {
            tokens: BURST,
            filled_ns: now_ns,
        }
    }

    /// Takes a token if there is one. Time that goes backwards adds nothing.
    pub(super) const fn take(&mut self, now_ns: u64) -> bool {
        let earned = now_ns.saturating_sub(self.filled_ns) / EVERY_NS;
        let tokens = self.tokens.saturating_add(earned);
        if tokens >= BURST {
            self.tokens = BURST;
            if now_ns > self.filled_ns {
                self.filled_ns = now_ns;
            }
        } else {
            self.tokens = tokens;
            self.filled_ns += earned * EVERY_NS;
        }
        if self.tokens == 0 {
            return false;
        }
        self.tokens -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_at_a_time() {
        let mut bucket = Bucket::full(1_000);
        assert_eq!(
            (0..100).filter(|_| bucket.take(1_000)).count() as u64,
            BURST
        );
        assert!(!bucket.take(1_000 + EVERY_NS - 1));
        assert!(bucket.take(1_000 + EVERY_NS));
        assert!(!bucket.take(1_000 + EVERY_NS));
        assert!(!bucket.take(0), "time that goes back adds nothing");
        let rested = 1_000 + 100 * EVERY_NS;
        assert_eq!(
            (0..100).filter(|_| bucket.take(rested)).count() as u64,
            BURST
        );
        assert!(!bucket.take(rested + EVERY_NS - 1));
    }
}
