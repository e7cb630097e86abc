//! Readiness: named conditions that must all be met.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All conditions. Ready when each is met; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<Vec<Entry>>>);

#[derive(Debug)]
struct Entry {
    name: &'static str,
    /// Why it is not met.
    missing: Option<String>,
}

impl Readiness {
    /// Adds a condition, not met for `reason` until [`Condition::met`].
    #[must_use]
    pub fn condition(&self, name: &'static str, reason: &str) -> Condition {
        let mut entries = self.lock();
        entries.push(Entry {
            name,
            missing: Some(reason.to_owned()),
        });
        Condition {
            all: self.clone(),
            index: entries.len() - 1,
        }
    }

    /// `name: reason` of each condition that is not met, in the order they were added.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let entries = self.lock();
        let missing = |entry: &Entry| {
            entry
                .missing
                .as_ref()
                .map(|why| format!("{}: {why}", entry.name))
        };
        entries.iter().filter_map(missing).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One condition, in the hands of whoever can meet it.
#[derive(Debug)]
pub struct Condition {
    all: Readiness,
    index: usize,
}

impl Condition {
    /// It holds.
    pub fn met(&self) {
        self.set(None);
    }

    /// It holds no longer, or not yet for another reason.
    pub fn unmet(&self, reason: &str) {
        self.set(Some(reason.to_owned()));
    }

    fn set(&self, missing: Option<String>) {
        if let Some(entry) = self.all.lock().get_mut(self.index) {
            entry.missing = missing;
        }
    }
}
