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
mod queue;
mod spool;
mod stats;
mod stream;
mod syslog;
pub mod tail;
#[cfg(test)]
mod tests;
mod webhook;

use std::{
    any::Any,
    io,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
    time::Duration,
};

use tokio::time::{Instant, timeout_at};

use self::queue::{Item, Queue};
pub use self::{
    alertmanager::Alertmanager,
    durable::{Accepted, Durable, Receive, Refusal, Settings as SpoolSettings},
    encode::Encoding as Form,
    file::{Rotating, Settings as FileSettings},
    filter::{Filter, NO_SERVICE},
    otlp::Otlp,
    pretty::document as draw,
    queue::{Made, Maker},
    stats::SinkStats,
    stream::{Colour, Encoding, Stream},
    syslog::{Syslog, Transport},
    webhook::{Settings as WebhookSettings, Webhook},
};
use crate::{
    alert::{Document, Level},
    tally::Count,
};

/// Alerts a queue holds: with the largest alerts 32 MiB, in practice 3.
pub const QUEUE: usize = 1024;

/// An output. Called from one thread, may block.
pub trait Deliver: Send + 'static {
    /// What is delivered is accepted later, and the output counts it itself.
    const LATER: bool = false;

    /// Takes the numbers of its sink, and what is told of latency by an output that is
    /// [`Deliver::LATER`]; before its thread begins.
    fn attach(&mut self, _stats: &Arc<SinkStats>, _written: &Written) {}

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

/// Held by every queue that something waits in: dropped when all of them are done with it.
pub type Ticket = Arc<dyn Any + Send + Sync>;

/// Told when the kernel saw what an alert is about (ns of its clock) once it is delivered.
pub type Written = Arc<dyn Fn(u64) + Send + Sync>;

/// All sinks.
pub struct Sinks {
    queues: RwLock<Vec<Queue>>,
    written: Written,
}

impl Sinks {
    /// No sinks yet. `written` is called in a sink's thread right after it has delivered
    /// an alert, or after its receiver has accepted it: the place to measure latency.
    pub fn new(written: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Self {
            queues: RwLock::default(),
            written: Arc::new(written),
        }
    }

    /// Makes sinks for [`Sinks::exchange`].
    #[must_use]
    pub fn maker(&self) -> Maker {
        Maker {
            written: Arc::clone(&self.written),
        }
    }

    /// Starts a sink that gets the alerts of `threshold` and above.
    ///
    /// # Errors
    ///
    /// When the thread cannot be started.
    pub fn add(&self, name: &str, threshold: Level, output: impl Deliver) -> io::Result<()> {
        let made = self.maker().make(name, Filter::from(threshold), output)?;
        self.exchange(&[], vec![made]);
        Ok(())
    }

    /// Starts a sink that tells nobody, but keeps: it gets everything, and is no part of
    /// what [`Sinks::new`] measures.
    ///
    /// # Errors
    ///
    /// When the thread cannot be started.
    pub fn keep(&self, name: &str, output: impl Deliver) -> io::Result<()> {
        let filter = Filter::from(Level::Informational);
        self.exchange(&[], vec![queue::start(name, filter, output, None)?]);
        Ok(())
    }

    /// Ends the sinks `gone` once they have written what they have, and puts the new ones in
    /// place: every alert goes to those before or those after. Never waits; the numbers of
    /// those that are gone go. The threads of new ones wait to be told, so none is gone.
    pub fn exchange(&self, gone: &[String], new: Vec<Made>) {
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        // Nobody waits: their threads end when their queues are empty.
        queues.retain(|queue| !gone.iter().any(|gone| gone == queue.stats.name()));
        for made in new {
            if made.go.send(()).is_ok() {
                queues.push(made.queue);
            }
        }
    }

    /// Hands an alert or a notice to every sink it is grave enough for. Never waits.
    pub fn send(&self, document: impl Into<Document>) {
        self.send_with(&document.into(), None);
    }

    /// The same; every sink holds the ticket until it has written the document, put it into
    /// its spool, or lost it.
    pub fn send_with(&self, document: &Document, ticket: Option<&Ticket>) {
        for queue in self.read().iter() {
            if queue.wants(document) {
                queue.send(Item::Document(document.clone()), ticket);
            }
        }
    }

    /// From now on the sink `name` gets the alerts of `threshold` and above.
    pub fn set_threshold(&self, name: &str, threshold: Level) {
        let queues = self.read();
        if let Some(queue) = queues.iter().find(|queue| queue.stats.name() == name) {
            let mut filter = queue.filter.lock().unwrap_or_else(PoisonError::into_inner);
            filter.level = threshold;
        }
    }

    /// Hands counts to every sink that keeps them; with a ticket as for documents. Never
    /// waits.
    pub fn count(&self, counts: &Arc<[Count]>, ticket: Option<&Ticket>) {
        for queue in self.read().iter().filter(|queue| queue.keeps) {
            queue.send(Item::Counts(Arc::clone(counts)), ticket);
        }
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
