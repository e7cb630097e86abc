//! Where alerts go: several sinks, each with a bounded queue and a thread of its own.
//!
//! [`Sinks::send`] never waits: a sink that cannot keep up loses alerts, counted, and
//! harms nobody else. The threads block on their outputs as they please; they are plain
//! threads and no runtime tasks, so that one stuck in a write does not hold up the end
//! of the process. A sink whose reader is gone is logged once and switched off.

mod alertmanager;
mod durable;
mod encode;
mod file;
mod filter;
mod otlp;
mod pretty;
mod spool;
mod stream;
mod syslog;
#[cfg(test)]
mod tests;
mod webhook;

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

pub use self::{
    alertmanager::Alertmanager,
    durable::{Durable, Receive, Refusal, Settings as SpoolSettings},
    encode::Encoding as Form,
    file::{Rotating, Settings as FileSettings},
    filter::Filter,
    otlp::Otlp,
    stream::{Colour, Encoding, Stream},
    syslog::{Syslog, Transport},
    webhook::{Settings as WebhookSettings, Webhook},
};
use crate::{
    alert::{Alert, Document, Level},
    tally::Count,
};

/// Alerts a queue holds: with the largest alerts 32 MiB, in practice 3.
pub const QUEUE: usize = 1024;

/// An output. Called from one thread, may block.
pub trait Deliver: Send + 'static {
    /// What is delivered is accepted later, and the output counts it itself.
    const LATER: bool = false;

    /// Takes the numbers of its sink, before its thread begins.
    fn attach(&mut self, _stats: &Arc<SinkStats>) {}

    /// Called once, in the sink's thread, before anything comes.
    fn begin(&mut self) {}

    /// Hands one alert or notice over completely.
    ///
    /// # Errors
    ///
    /// [`DeliverError::Closed`] ends the sink; after any other the next alert is tried.
    fn deliver(&mut self, document: &Document) -> Result<(), DeliverError>;

    /// Keeps how often what was silent. Only those added by [`Sinks::keep`] are asked to.
    ///
    /// # Errors
    /// Like [`Deliver::deliver`].
    fn count(&mut self, _counts: &[Count]) -> Result<(), DeliverError> {
        Ok(())
    }
}

/// What waits for a sink.
#[derive(Clone, Debug)]
enum Item {
    Document(Document),
    Counts(Arc<[Count]>),
}

/// Why an alert was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// Nobody will ever read there again.
    #[error("the reader is gone")]
    Closed,
    /// This one failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Numbers of one sink, for metrics. They outlive the sink.
#[derive(Debug, Default)]
pub struct SinkStats {
    name: String,
    queued: AtomicUsize,
    spooled: AtomicUsize,
    written: AtomicU64,
    dropped: AtomicU64,
    closed: AtomicBool,
}

impl SinkStats {
    /// Name of the sink, a metric label.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Alerts taken and not yet delivered.
    #[must_use]
    pub fn queue_length(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Alerts delivered.
    #[must_use]
    pub fn written_total(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Alerts lost: queue full, reader gone, write failed.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Alerts kept in a file until the receiver accepts them.
    #[must_use]
    pub fn spooled(&self) -> usize {
        self.spooled.load(Ordering::Relaxed)
    }

    fn set_spooled(&self, count: usize) {
        self.spooled.store(count, Ordering::Relaxed);
    }

    fn spool(&self, count: usize) {
        self.spooled.fetch_add(count, Ordering::Relaxed);
    }

    fn unspool(&self, count: usize) {
        self.spooled.fetch_sub(count, Ordering::Relaxed);
    }

    fn wrote(&self, count: usize) {
        self.written.fetch_add(count as u64, Ordering::Relaxed);
    }

    fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

type Written = Arc<dyn Fn(&Alert) + Send + Sync>;

/// All sinks.
pub struct Sinks {
    queues: RwLock<Vec<Queue>>,
    written: Written,
}

struct Queue {
    filter: Mutex<Filter>,
    /// It keeps everything, counts too.
    keeps: bool,
    stats: Arc<SinkStats>,
    /// Gone once draining has begun.
    open: Mutex<Option<Open>>,
}

struct Open {
    documents: mpsc::Sender<Item>,
    /// Resolves when the thread has ended.
    ended: oneshot::Receiver<()>,
}

impl Sinks {
    /// No sinks yet. `written` is called in a sink's thread right after it has delivered
    /// an alert: the place to measure latency.
    pub fn new(written: impl Fn(&Alert) + Send + Sync + 'static) -> Self {
        Self {
            queues: RwLock::default(),
            written: Arc::new(written),
        }
    }

    /// Starts a sink that gets the alerts of `threshold` and above.
    ///
    /// # Errors
    ///
    /// When the thread cannot be started.
    pub fn add(&self, name: &str, threshold: Level, output: impl Deliver) -> io::Result<()> {
        self.start(name, Filter::from(threshold), output, true)
    }

    /// Starts a sink that gets what `filter` lets through.
    ///
    /// # Errors
    ///
    /// When the thread cannot be started.
    pub fn add_filtered(&self, name: &str, filter: Filter, output: impl Deliver) -> io::Result<()> {
        self.start(name, filter, output, true)
    }

    /// Starts a sink that tells nobody, but keeps: it gets everything, and is no part of
    /// what [`Sinks::new`] measures.
    ///
    /// # Errors
    ///
    /// When the thread cannot be started.
    pub fn keep(&self, name: &str, output: impl Deliver) -> io::Result<()> {
        self.start(name, Filter::from(Level::Informational), output, false)
    }

    fn start(
        &self,
        name: &str,
        filter: Filter,
        mut output: impl Deliver,
        measured: bool,
    ) -> io::Result<()> {
        let stats = Arc::new(SinkStats {
            name: name.to_owned(),
            ..SinkStats::default()
        });
        output.attach(&stats);
        let (documents, queue) = mpsc::channel(QUEUE);
        let (end, ended) = oneshot::channel();
        let worker = Worker {
            stats: Arc::clone(&stats),
            written: Arc::clone(&self.written),
            measured,
            output,
        };
        thread::Builder::new()
            .name(format!("sink-{name}"))
            .spawn(move || {
                worker.run(queue);
                drop(end);
            })?;
        let open = Mutex::new(Some(Open { documents, ended }));
        let queue = Queue {
            filter: Mutex::new(filter),
            keeps: !measured,
            stats,
            open,
        };
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        queues.push(queue);
        Ok(())
    }

    /// Hands an alert or a notice to every sink it is grave enough for. Never waits.
    pub fn send(&self, document: impl Into<Document>) {
        let document = document.into();
        for queue in self.read().iter() {
            if queue.wants(&document) {
                queue.send(Item::Document(document.clone()));
            }
        }
    }

    /// From now on the sink `name` gets the alerts of `threshold` and above.
    pub fn set_threshold(&self, name: &str, threshold: Level) {
        let queues = self.read();
        if let Some(queue) = queues.iter().find(|queue| queue.stats.name == name) {
            let mut filter = queue.filter.lock().unwrap_or_else(PoisonError::into_inner);
            filter.level = threshold;
        }
    }

    /// Hands counts to every sink that keeps them. Never waits.
    pub fn count(&self, counts: &Arc<[Count]>) {
        for queue in self.read().iter().filter(|queue| queue.keeps) {
            queue.send(Item::Counts(Arc::clone(counts)));
        }
    }

    /// Ends the sink `name` once it has written what it has. Its numbers go.
    pub fn remove(&self, name: &str) {
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        // Nobody waits: its thread ends when its queue is empty.
        queues.retain(|queue| queue.stats.name != name);
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<Queue>> {
        self.queues.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers of each sink, in the order they were added.
    #[must_use]
    pub fn stats(&self) -> Vec<Arc<SinkStats>> {
        self.read()
            .iter()
            .map(|queue| Arc::clone(&queue.stats))
            .collect()
    }

    /// Alerts waiting in all queues together.
    #[must_use]
    pub fn queue_length(&self) -> usize {
        self.read()
            .iter()
            .map(|queue| queue.stats.queue_length())
            .sum()
    }

    /// Alerts lost by all sinks together.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.read()
            .iter()
            .map(|queue| queue.stats.dropped_total())
            .sum()
    }

    /// Takes no more alerts and waits until those taken are delivered, but not longer
    /// than `limit`. Returns how many were left behind.
    pub async fn drain(&self, limit: Duration) -> usize {
        let deadline = Instant::now() + limit;
        let open = self
            .read()
            .iter()
            .filter_map(|queue| queue.lock().take())
            .collect::<Vec<_>>();
        // All of them end at the same time: one that is stuck takes no time from the others.
        let ended: Vec<_> = open.into_iter().map(|open| open.ended).collect();
        for ended in ended {
            // Either way nothing is left to do: it ended or it is given up.
            drop(timeout_at(deadline, ended).await);
        }
        self.queue_length()
    }
}

impl Queue {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wants(&self, document: &Document) -> bool {
        let filter = self.filter.lock().unwrap_or_else(PoisonError::into_inner);
        filter.wants(document)
    }

    fn send(&self, item: Item) {
        if self.stats.closed.load(Ordering::Relaxed) {
            return self.stats.drop_one();
        }
        // Counted first: the thread may take it before this one goes on.
        self.stats.queued.fetch_add(1, Ordering::Relaxed);
        let taken = self
            .lock()
            .as_ref()
            .is_some_and(|open| open.documents.try_send(item).is_ok());
        if !taken {
            self.stats.queued.fetch_sub(1, Ordering::Relaxed);
            self.stats.drop_one();
        }
    }
}

/// The thread of one sink.
struct Worker<D> {
    stats: Arc<SinkStats>,
    written: Written,
    measured: bool,
    output: D,
}

impl<D: Deliver> Worker<D> {
    fn run(mut self, mut queue: mpsc::Receiver<Item>) {
        self.output.begin();
        let mut failing = false;
        while let Some(item) = queue.blocking_recv() {
            if self.stats.closed.load(Ordering::Relaxed) {
                self.stats.drop_one();
            } else {
                failing = self.deliver(&item, failing);
            }
            self.stats.queued.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Delivers one; `true` when that failed. Only the first failure in a row is logged.
    fn deliver(&mut self, item: &Item, failing: bool) -> bool {
        let sink = self.stats.name();
        let result = match item {
            Item::Document(document) => self.output.deliver(document),
            Item::Counts(counts) => self.output.count(counts),
        };
        match &result {
            Ok(()) if D::LATER => {}
            Ok(()) => {
                self.stats.wrote(1);
                if let (Item::Document(Document::Alert(alert)), true) = (item, self.measured) {
                    (self.written)(alert);
                }
            }
            Err(DeliverError::Closed) => {
                self.stats.closed.store(true, Ordering::Relaxed);
                tracing::error!(sink, "sink switched off: the reader is gone");
            }
            Err(error) if !failing => {
                tracing::error!(sink, %error, "alert lost; more losses only in the metrics");
            }
            Err(_) => {}
        }
        if result.is_err() {
            self.stats.drop_one();
        }
        result.is_err()
    }
}
