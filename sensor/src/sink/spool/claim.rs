//! Which spools this process uses, so that a sink that takes the place of another gets its
//! spool the moment that one is done with it. Other processes are kept out by a lock of the
//! file.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Those in use; whether somebody waits for it.
static USED: Mutex<BTreeMap<PathBuf, bool>> = Mutex::new(BTreeMap::new());
/// One is no longer in use.
static FREE: Condvar = Condvar::new();

/// Holds a spool against other sinks of this process.
#[derive(Debug)]
pub(super) struct Claim(PathBuf);

impl Claim {
    /// Waits until nobody has it, but not longer than `patience`.
    pub(super) fn take(path: &Path, patience: Duration) -> Option<Self> {
        let wait = FREE.wait_timeout_while(used(), patience, |used| {
            let user = used.get_mut(path);
            user.map(|wanted| *wanted = true).is_some()
        });
        let (mut used, _) = wait.unwrap_or_else(PoisonError::into_inner);
        if used.contains_key(path) {
            return None;
        }
        used.insert(path.to_owned(), false);
        Some(Self(path.to_owned()))
    }

    /// Somebody waits for it.
    pub(super) fn is_wanted(&self) -> bool {
        used().get(&self.0).is_some_and(|wanted| *wanted)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        used().remove(&self.0);
        FREE.notify_all();
    }
}

fn used() -> MutexGuard<'static, BTreeMap<PathBuf, bool>> {
    USED.lock().unwrap_or_else(PoisonError::into_inner)
}
