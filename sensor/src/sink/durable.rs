//! A sink whose receiver may be away: documents go into a [`Spool`], and a thread of its own
//! sends them from there, in order, until they are accepted.
//!
//! At least once: a batch whose answer was lost is sent again, with the same `event.id`s.
//! What a receiver will not have (too large, malformed) is found by halving the batch,
//! dropped, counted and said; anything else is tried again, less and less often.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver as Signals, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tracing::{error, info, warn};

use super::{
    Deliver, DeliverError, SinkStats,
    spool::{Row, Spool, SpoolError},
};
use crate::alert::Document;

/// Most bytes of one batch, unless a single text has more.
const BATCH_BYTES: usize = 1 << 20;
/// First and longest wait after a failure; it doubles.
const WAIT_MIN: Duration = Duration::from_millis(500);
const WAIT_MAX: Duration = Duration::from_mins(1);
/// How long one waits for the spool of the sink whose place it takes, and how often it looks.
const HAND_OVER: Duration = Duration::from_mins(1);
const HAND_OVER_LOOK: Duration = Duration::from_millis(100);
/// How long a spool that could not be opened is left alone.
const REOPEN: Duration = Duration::from_secs(1);

/// Takes batches of texts.
pub trait Receive: Send + Sync + 'static {
    /// What is sent of a document; `None` when nothing is.
    fn encode(&self, document: &Document) -> Option<String>;

    /// Hands a batch over: all of it is accepted, or nothing is known of any. May block for
    /// a bounded time.
    ///
    /// # Errors
    /// Why not, and whether to try again.
    fn send(&self, texts: &[&str]) -> Result<(), Refusal>;
}

/// Why a batch was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Something in this batch is not wanted, and never will be.
    #[error("{0}")]
    Never(String),
    /// Later, perhaps; the receiver may have said when.
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
    state: State,
}

enum State {
    /// Not opened; when that was tried last, and why it was not possible.
    Closed(Option<(Instant, String)>),
    Open(Open),
}

struct Open {
    spool: Arc<Mutex<Spool>>,
    /// Something has come; gone when nothing will any more.
    wake: Option<SyncSender<()>>,
    sender: Option<JoinHandle<()>>,
}

impl<R: Receive> Durable<R> {
    /// Nothing is opened yet.
    #[must_use]
    pub fn new(settings: Settings, receiver: R) -> Self {
        Self {
            settings,
            receiver: Arc::new(receiver),
            stats: Arc::default(),
            state: State::Closed(None),
        }
    }

    /// The open spool; one that cannot be opened is tried again after a while.
    fn open(&mut self) -> Result<&Open, DeliverError> {
        if let State::Closed(tried) = &self.state {
            if let Some((_, why)) = tried.as_ref().filter(|(when, _)| when.elapsed() < REOPEN) {
                return Err(DeliverError::Io(io::Error::other(why.clone())));
            }
            let opened = Spool::open(&self.settings.spool, self.settings.max_bytes);
            let opened = opened.map_err(io::Error::other);
            match opened.and_then(|it| self.start(it)) {
                Ok(open) => self.state = State::Open(open),
                Err(why) => {
                    self.state = State::Closed(Some((Instant::now(), why.to_string())));
                    return Err(DeliverError::Io(why));
                }
            }
        }
        match &self.state {
            State::Open(open) => Ok(open),
            State::Closed(_) => Err(DeliverError::Io(io::Error::other("not open"))),
        }
    }

    /// What came of opening the spool for the first time.
    fn take_up(&mut self, begun: io::Result<Open>) {
        match begun {
            Ok(open) => self.state = State::Open(open),
            Err(error) => {
                self.state = State::Closed(Some((Instant::now(), error.to_string())));
                warn!(
                    sink = self.stats.name(),
                    "{error}; trying again with the next alert"
                );
            }
        }
    }

    /// Sends from a spool; says what was set aside for it.
    fn start(&self, (spool, aside): (Spool, Option<String>)) -> io::Result<Open> {
        if let Some(said) = aside {
            warn!(sink = self.stats.name(), "{said}");
        }
        self.stats
            .set_spooled(spool.count().map_err(io::Error::other)?);
        let spool = Arc::new(Mutex::new(spool));
        let (wake, woken) = sync_channel(1);
        let sender = Sender {
            spool: Arc::clone(&spool),
            receiver: Arc::clone(&self.receiver),
            stats: Arc::clone(&self.stats),
            batch: self.settings.batch,
            size: self.settings.batch,
            wait: WAIT_MIN,
            failing: false,
        };
        let thread = thread::Builder::new().name(format!("send-{}", self.stats.name()));
        let sender = thread.spawn(move || sender.run(&woken))?;
        Ok(Open {
            spool,
            wake: Some(wake),
            sender: Some(sender),
        })
    }
}

impl<R: Receive> Deliver for Durable<R> {
    const LATER: bool = true;

    fn attach(&mut self, stats: &Arc<SinkStats>) {
        self.stats = Arc::clone(stats);
    }

    fn begin(&mut self) {
        // One that is replaced may still send its last.
        let patience = Instant::now() + HAND_OVER;
        loop {
            match Spool::open(&self.settings.spool, self.settings.max_bytes) {
                Err(SpoolError::Used(_)) if Instant::now() < patience => {
                    thread::sleep(HAND_OVER_LOOK);
                }
                opened => {
                    let begun = opened
                        .map_err(io::Error::other)
                        .and_then(|it| self.start(it));
                    return self.take_up(begun);
                }
            }
        }
    }

    fn deliver(&mut self, document: &Document) -> Result<(), DeliverError> {
        let Some(text) = self.receiver.encode(document) else {
            return Ok(());
        };
        let stats = Arc::clone(&self.stats);
        let open = self.open()?;
        // Counted first: it may be sent before this thread goes on.
        stats.spool(1);
        let pushed = lock(&open.spool).push(document.id(), &text);
        if let Err(error) = pushed {
            stats.unspool(1);
            return Err(DeliverError::Io(io::Error::other(error)));
        }
        match open.wake.as_ref().map(|wake| wake.try_send(())) {
            Some(Err(TrySendError::Disconnected(()))) => Err(DeliverError::Io(io::Error::other(
                "the thread that sends is gone; the alert is in the spool",
            ))),
            // Full: it is awake already.
            _ => Ok(()),
        }
    }
}

/// What is left is tried once more; what is not accepted stays in the file.
impl Drop for Open {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(sender) = self.sender.take()
            && sender.join().is_err()
        {
            error!("the thread of a sink panicked; what it had not sent stays in its spool");
        }
    }
}

fn lock(spool: &Mutex<Spool>) -> MutexGuard<'_, Spool> {
    spool.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread that sends.
struct Sender<R> {
    spool: Arc<Mutex<Spool>>,
    receiver: Arc<R>,
    stats: Arc<SinkStats>,
    batch: usize,
    /// Texts of the next batch: fewer while one that is not wanted is looked for.
    size: usize,
    /// How long after the next failure.
    wait: Duration,
    failing: bool,
}

/// What came of one batch.
enum Step {
    /// There is none.
    Idle,
    /// There may be more.
    Done,
    /// After this time.
    Again(Duration),
}

impl<R: Receive> Sender<R> {
    fn run(mut self, woken: &Signals<()>) {
        let mut last = false;
        loop {
            let step = self.step().unwrap_or_else(|error| {
                warn!(sink = self.stats.name(), "{error}");
                Step::Again(WAIT_MAX)
            });
            match step {
                Step::Done => {}
                Step::Idle | Step::Again(_) if last => return,
                // The end: what has come by now is tried once.
                Step::Idle => last = woken.recv().is_err(),
                Step::Again(wait) => last = pause(woken, wait),
            }
        }
    }

    fn step(&mut self) -> Result<Step, SpoolError> {
        let rows = lock(&self.spool).first(self.size, BATCH_BYTES)?;
        let Some(last) = rows.last() else {
            return Ok(Step::Idle);
        };
        let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        match self.receiver.send(&texts) {
            Ok(()) => {
                self.gone(last, rows.len())?;
                self.stats.wrote(rows.len());
                self.size = self.batch.min(self.size * 2);
                self.recovered();
                Ok(Step::Done)
            }
            Err(Refusal::Never(why)) if rows.len() == 1 => {
                let (sink, id) = (self.stats.name(), &last.id);
                error!(sink, "alert {id} is not accepted and was dropped: {why}");
                self.gone(last, 1)?;
                self.stats.drop_one();
                Ok(Step::Done)
            }
            Err(Refusal::Never(_)) => {
                self.size = rows.len() / 2;
                Ok(Step::Done)
            }
            Err(Refusal::NotNow(why, after)) => Ok(Step::Again(self.failed(&why, after))),
        }
    }

    /// The first `count` rows, up to `last`, are done with.
    fn gone(&self, last: &Row, count: usize) -> Result<(), SpoolError> {
        lock(&self.spool).remove(last.seq)?;
        self.stats.unspool(count);
        Ok(())
    }

    fn recovered(&mut self) {
        self.wait = WAIT_MIN;
        if self.failing {
            self.failing = false;
            info!(sink = self.stats.name(), "sink accepts again");
        }
    }

    /// Says the first failure in a row; how long to wait.
    fn failed(&mut self, why: &str, after: Option<Duration>) -> Duration {
        if !self.failing {
            self.failing = true;
            warn!(
                sink = self.stats.name(),
                "not accepted, kept and tried again: {why}"
            );
        }
        let wait = self.wait.max(after.unwrap_or_default()).min(WAIT_MAX);
        self.wait = WAIT_MAX.min(self.wait * 2);
        wait
    }
}

/// Waits; `true` when nothing will come any more.
fn pause(woken: &Signals<()>, wait: Duration) -> bool {
    let until = Instant::now() + wait;
    loop {
        match woken.recv_timeout(until.saturating_duration_since(Instant::now())) {
            // More has come, and waits too.
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => return false,
            Err(RecvTimeoutError::Disconnected) => return true,
        }
    }
}
