//! What each test of a suite took that runs one at a time.

use std::time::{Duration, Instant};

/// Tests that are named.
const NAMED: usize = 10;

/// Reads libtest's output as it comes: a line `test x ... ok` ends what began when the
/// one before it ended.
pub(crate) struct Pace {
    line: Vec<u8>,
    began: Instant,
    took: Vec<(String, Duration)>,
}

impl Pace {
    pub(crate) fn new(began: Instant) -> Self {
        Self {
            line: Vec::new(),
            began,
            took: Vec::new(),
        }
    }

    pub(crate) fn read(&mut self, bytes: &[u8], now: Instant) {
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            if let Some(name) = ended(&self.line) {
                let name = String::from_utf8_lossy(name).into_owned();
                self.took.push((name, now.duration_since(self.began)));
                self.began = now;
            }
            self.line.clear();
        }
    }

    /// The slowest tests, slowest first.
    pub(crate) fn slowest(mut self) -> Vec<(String, Duration)> {
        self.took.sort_by_key(|(_, took)| std::cmp::Reverse(*took));
        self.took.truncate(NAMED);
        self.took
    }
}

/// The name in `test x ... ok` or `test x ... FAILED`.
fn ended(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"test ")?;
    rest.strip_suffix(b" ... ok")
        .or_else(|| rest.strip_suffix(b" ... FAILED"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_test_takes_what_passed_since_the_one_before() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::new(start);
        pace.read(b"running 3 tests\ntest a ... ", at(1));
        pace.read(b"ok\ntest b ... ", at(3));
        pace.read(b"FAILED\ntest c ... ignored\n", at(10));
        pace.read(b"\ntest result: FAILED. 1 passed\n", at(11));
        let expected = [("b", 7), ("a", 3)];
        let expected = expected.map(|(name, s)| (name.to_owned(), Duration::from_secs(s)));
        assert_eq!(pace.slowest(), expected);
    }
}
