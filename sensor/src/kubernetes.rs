//! The pods of this node as the API of Kubernetes lists and watches them, for their labels.
//!
//! Off unless asked for: it needs a right in the cluster, to get, list and watch pods. It
//! asks for the metadata of this node's pods alone, so that what stands in their
//! descriptions (environment, commands) never comes here.
//!
//! In two processes: a thread of the outlet asks ([`start`]) and says what it learns as
//! [`Change`]s; the collector, which has no network, checks these and remembers them
//! ([`Pods`]). Who asks that gets what is known by now.

mod change;
mod client;
mod known;
mod object;
mod pace;
mod watch;

#[cfg(test)]
mod tests;

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{self, SyncSender},
    },
    thread,
    time::Duration,
};

pub use self::{
    change::{Change, Pod},
    known::{Hearing, Lie, Pods},
};
use self::{client::Client, object::Item, watch::Watch};

/// Pods remembered. A kubelet takes 110 by default, and some hundred at most.
pub const PODS: usize = 4_096;
/// Weight of all of them, bytes ([`Change::weight`]): one has some hundred.
pub const WEIGHT: usize = 4 << 20;
/// Changes that may wait to be passed on; then the API waits.
const CHANGES: usize = 256;

/// What is asked, and whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Address of the API.
    pub api: String,
    /// Name of this node.
    pub node: String,
    /// Keys of labels that are kept.
    pub labels: Vec<String>,
    /// File with a bearer token, read for each request.
    pub token_file: PathBuf,
    /// File with the certificates to believe, read for each attempt.
    pub ca_file: PathBuf,
    /// For an answer, and for all of a list.
    pub timeout: Duration,
    /// After which a watch is to end and to begin anew; an answer that has not ended soon
    /// after is given up.
    pub watch: Duration,
    /// Pause after the first failure; later ones are longer.
    pub pause: Duration,
}

/// How following goes.
#[derive(Debug, Default)]
pub struct WatchStats {
    follows: AtomicBool,
    failures: AtomicU64,
}

impl WatchStats {
    /// All pods were listed, and what happens to them is followed.
    #[must_use]
    pub fn follows(&self) -> bool {
        self.follows.load(Relaxed)
    }

    /// Times following has failed; each is tried again.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }

    fn listed(&self) {
        self.follows.store(true, Relaxed);
    }

    /// Nobody follows any more.
    fn ended(&self) {
        self.follows.store(false, Relaxed);
    }

    fn failed(&self) {
        self.ended();
        self.failures.fetch_add(1, Relaxed);
    }
}

/// What is learnt. The thread ends when it is dropped, as soon as that has something to read
/// or to wait for.
#[derive(Debug)]
pub struct Feed {
    /// First a whole list, then what happens.
    pub changes: tokio::sync::mpsc::Receiver<Change>,
    /// How it goes.
    pub stats: Arc<WatchStats>,
    _stop: SyncSender<()>,
}

#[cfg(test)]
impl Feed {
    /// As if a thread had learnt this.
    pub(crate) fn of(changes: tokio::sync::mpsc::Receiver<Change>) -> Self {
        Self {
            changes,
            stats: Arc::default(),
            _stop: mpsc::sync_channel(0).0,
        }
    }
}

/// Starts the thread.
///
/// # Errors
/// When it cannot be started.
pub fn start(settings: Settings) -> io::Result<Feed> {
    let (out, changes) = tokio::sync::mpsc::channel(CHANGES);
    let (stop, stopped) = mpsc::sync_channel(0);
    let stats = Arc::<WatchStats>::default();
    let watch = Watch::new(settings, out, (stopped, Arc::clone(&stats)));
    let thread = thread::Builder::new().name("kubernetes".to_owned());
    thread.spawn(move || watch.run())?;
    Ok(Feed {
        changes,
        stats,
        _stop: stop,
    })
}
