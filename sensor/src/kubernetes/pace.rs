//! How long to wait after a failure.

use std::time::Duration;

/// Longest pause, but for what a server asks for itself.
const LAST: Duration = Duration::from_mins(1);

/// Pauses that double, each spread over half and one and a half of itself: nodes that lost
/// their server together must not come back together.
#[derive(Debug)]
pub(super) struct Pace {
    first: Duration,
    next: Duration,
}

impl Pace {
    pub(super) const fn new(first: Duration) -> Self {
        Self { first, next: first }
    }

    /// All went well.
    pub(super) const fn reset(&mut self) {
        self.next = self.first;
    }

    /// The pause after a failure, for which the server may have asked for one.
    pub(super) fn pause(&mut self, asked: Option<Duration>, chance: u16) -> Duration {
        let share = 0.5 + f64::from(chance) / f64::from(u16::MAX);
        let pause = self.next.mul_f64(share);
        self.next = self.next.saturating_mul(2).min(LAST);
        pause.max(asked.unwrap_or_default().min(LAST))
    }
}

/// A number that other machines do not have.
pub(super) fn chance() -> u16 {
    let mut bytes = [0_u8; 2];
    // Without one all pauses are of the same, shorter, length.
    let got = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::NONBLOCK);
    got.map_or(0, |_| u16::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_begin_anew() {
        let mut pace = Pace::new(Duration::from_secs(1));
        let middle = u16::MAX / 2;
        let seconds: Vec<u128> = (0..9)
            .map(|_| (pace.pause(None, middle).as_millis() + 50) / 1_000)
            .collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        pace.reset();
        assert_eq!(pace.pause(None, 0), Duration::from_millis(500));
        assert_eq!(pace.pause(None, u16::MAX), Duration::from_secs(3));
    }

    #[test]
    fn a_server_may_ask_for_more_but_not_for_an_hour() {
        let mut pace = Pace::new(Duration::from_secs(1));
        let asked = Some(Duration::from_secs(20));
        assert_eq!(pace.pause(asked, 0), Duration::from_secs(20));
        assert_eq!(pace.pause(Some(Duration::from_hours(1)), 0), LAST);
    }
}
