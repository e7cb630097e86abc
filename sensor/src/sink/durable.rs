//! A sink whose receiver may be away: documents go into a spool, and a thread of its own
//! sends them from there, in order, until they are accepted.
//!
//! At least once: a batch whose answer was lost is sent again, with the same `event.id`s.
//! What a receiver will not have (too large, malformed) is found by halving the batch; it is
//! dropped, counted and said once the receiver has taken the last one before it a second
//! time and refused it again, for one that refuses everything is itself to blame. None is
//! sent before all that came earlier are accepted or dropped. Anything else is tried again,
//! less and less often.

mod backlog;
mod pace;
mod sender;
mod suspect;
#[cfg(test)]
mod tests;

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tracing::{error, warn};

use self::{backlog::Backlog, sender::Sender};
use super::{Deliver, DeliverError, SinkStats, Written};
use crate::alert::Document;

/// Takes batches of texts.
pub trait Receive: Send + Sync + 'static {
    /// What is sent of a document; `None` when nothing is.
    fn encode(&self, document: &Document) -> Option<String>;

    /// Hands a batch over: all of it is accepted but what the receiver says, or nothing is
    /// known of any. May block for a bounded time.
    ///
    /// # Errors
    /// Why not, and whether to try again.
    fn send(&self, texts: &[&str]) -> Result<Accepted, Refusal>;
}

/// A batch was accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Texts of it that were not, and never will be; which ones is not known.
    pub refused: usize,
    /// Why.
    pub why: String,
}

/// Why a batch was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Something in this batch is not wanted, and never will be.
    #[error("{0}")]
    Never(String),
    /// No answer in time, so it may have them: later, or fewer at once.
    #[error("{0}")]
    TooSlow(String),
    /// No whole answer, so it may have them: later.
    #[error("{0}")]
    Unheard(String),
    /// It has none of them. Later, perhaps; the receiver may have said when.
    #[error("{0}")]
    NotNow(String, Option<Duration>),
}

/// Where, and how much at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The spool.
    pub spool: PathBuf,
    /// Its bytes.
    pub max_bytes: u64,
    /// Texts of one batch.
    pub batch: usize,
}

/// See the module.
pub struct Durable<R> {
    settings: Settings,
    receiver: Arc<R>,
    stats: Arc<SinkStats>,
    running: Option<Running>,
}

/// The thread that sends, and what it shares.
struct Running {
    shared: Arc<Shared>,
    /// `None` when it could not be started.
    thread: Option<JoinHandle<()>>,
}

impl<R: Receive> Durable<R> {
    /// Nothing is opened yet.
    #[must_use]
    pub fn new(settings: Settings, receiver: R) -> Self {
        Self {
            settings,
            receiver: Arc::new(receiver),
            stats: Arc::default(),
            running: None,
        }
    }

    /// Starts the thread that sends, where it does not run: nothing else would.
    fn send(&mut self) {
        let Some(running) = &mut self.running else {
            return;
        };
        if running.thread.as_ref().is_some_and(|it| !it.is_finished()) {
            return;
        }
        let sink = self.stats.name();
        let sender = Sender::new(
            Arc::clone(&running.shared),
            Arc::clone(&self.receiver),
            Arc::clone(&self.stats),
            self.settings.clone(),
        );
        let thread = thread::Builder::new().name(format!("send-{sink}"));
        running.thread = thread
            .spawn(move || sender.run())
            .inspect_err(|error| error!(sink, "cannot start the thread that sends: {error}"))
            .ok();
    }
}

impl<R: Receive> Deliver for Durable<R> {
    const LATER: bool = true;

    fn attach(&mut self, stats: &Arc<SinkStats>, written: &Written) {
        self.stats = Arc::clone(stats);
        let backlog = Backlog::new(Arc::clone(stats), Arc::clone(written));
        let shared = Arc::new(Shared::new(backlog));
        let thread = None;
        self.running = Some(Running { shared, thread });
    }

    fn begin(&mut self) {
        self.send();
    }

    fn deliver(&mut self, document: &Document) -> Result<(), DeliverError> {
        let Some(text) = self.receiver.encode(document) else {
            return Ok(());
        };
        let time = match document {
            Document::Alert(alert) => Some(alert.time_ns),
            Document::Notice(_) => None,
        };
        self.send();
        let running = self.running.as_ref();
        let running = running.ok_or_else(|| io::Error::other("no part of any sinks"))?;
        let pushed = running.shared.push(document.id(), &text, time);
        pushed.map_err(|why| DeliverError::Io(io::Error::other(why)))
    }
}

/// What is left is tried once more; what is not accepted stays in the file.
impl Drop for Running {
    fn drop(&mut self) {
        self.shared.end();
        let thread = self.thread.take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            warn!("the thread of a sink panicked; what it had not sent stays in its spool");
        }
    }
}

/// Between the thread that takes and the one that sends.
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    backlog: Backlog,
    /// Something has come.
    woken: bool,
    /// Nothing will come any more.
    ending: bool,
}

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Woken {
    /// Something has come.
    More,
    /// The time has passed.
    Late,
    /// Nothing will come any more.
    Ending,
}

impl Shared {
    const fn new(backlog: Backlog) -> Self {
        Self {
            state: Mutex::new(State {
                backlog,
                woken: false,
                ending: false,
            }),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, id: &str, text: &str, time_ns: Option<u64>) -> Result<(), String> {
        let mut state = self.lock();
        state.woken = true;
        let pushed = state.backlog.push(id, text, time_ns);
        drop(state);
        self.changed.notify_one();
        pushed
    }

    fn end(&self) {
        self.lock().ending = true;
        self.changed.notify_one();
    }

    /// Waits for `limit`, for ever without one, or until nothing will come any more; or,
    /// when `for_more`, until something has.
    fn wait(&self, limit: Option<Duration>, for_more: bool) -> Woken {
        let until = limit.map(|limit| Instant::now() + limit);
        let mut state = self.lock();
        loop {
            if state.ending {
                return Woken::Ending;
            }
            if for_more && std::mem::take(&mut state.woken) {
                return Woken::More;
            }
            let changed = match until.map(|it| it.saturating_duration_since(Instant::now())) {
                None => self.changed.wait(state),
                Some(Duration::ZERO) => return Woken::Late,
                Some(left) => {
                    let waited = self.changed.wait_timeout(state, left);
                    waited
                        .map(|(state, _)| state)
                        .map_err(|it| PoisonError::new(it.into_inner().0))
                }
            };
            state = changed.unwrap_or_else(PoisonError::into_inner);
        }
    }
}
