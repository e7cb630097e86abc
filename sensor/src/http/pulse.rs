//! What the outlet knows of the collector: when it was last heard of, when its core last
//! turned, and what keeps it from being ready.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Silence after which the collector does not count as ready; it says something every
/// second.
const PATIENCE: Duration = Duration::from_secs(5);

/// See the module. Written by who reads what it says, read by requests.
#[derive(Debug)]
pub struct Pulse(Mutex<State>);

#[derive(Debug)]
struct State {
    heard: Instant,
    turned_ns: u64,
    missing: Vec<String>,
    /// It has answered the last scrape.
    answers: bool,
}

impl Default for Pulse {
    fn default() -> Self {
        Self(Mutex::new(State {
            heard: Instant::now(),
            turned_ns: 0,
            missing: vec!["capture: the hooks are not attached yet".to_owned()],
            answers: true,
        }))
    }
}

impl Pulse {
    /// It was heard of: when its core last turned (ns of the kernel's clock, 0 before it
    /// began), and what keeps it from being ready.
    pub fn beat(&self, turned_ns: u64, missing: Vec<String>) {
        let mut state = self.lock();
        state.heard = Instant::now();
        state.turned_ns = turned_ns;
        state.missing = missing;
        state.answers = true;
    }

    /// Whether it has answered a scrape in time.
    pub fn answered(&self, answers: bool) {
        self.lock().answers = answers;
    }

    /// When its core last turned; `None` before it began.
    #[must_use]
    pub fn turned_ns(&self) -> Option<u64> {
        Some(self.lock().turned_ns).filter(|&turned| turned > 0)
    }

    /// `name: reason` of each condition that is not met.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let state = self.lock();
        let silence = state.heard.elapsed();
        let mut missing = state.missing.clone();
        if silence > PATIENCE {
            missing.push(format!("collector: silent for {} s", silence.as_secs()));
        } else if !state.answers {
            missing.push("collector: it did not answer the last scrape in time".to_owned());
        }
        missing
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_and_unanswered_scrapes_are_said() {
        let pulse = Pulse::default();
        assert_eq!(pulse.missing().len(), 1);
        assert_eq!(pulse.turned_ns(), None);
        pulse.beat(7, Vec::new());
        assert!(pulse.missing().is_empty());
        assert_eq!(pulse.turned_ns(), Some(7));
        pulse.answered(false);
        assert!(pulse.missing()[0].contains("did not answer"));
        pulse.lock().heard = Instant::now()
            .checked_sub(PATIENCE + Duration::from_secs(2))
            .unwrap();
        let missing = pulse.missing();
        assert!(
            missing[0].starts_with("collector: silent for "),
            "{missing:?}"
        );
        pulse.beat(8, vec!["capture: x".to_owned()]);
        assert_eq!(pulse.missing(), ["capture: x"]);
    }
}
