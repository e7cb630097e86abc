//! One sink: its queue, its thread, and how it is made before it is put in place.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use tokio::sync::{mpsc, oneshot};

use super::{Deliver, DeliverError, Filter, QUEUE, SinkStats, Ticket, Written};
use crate::{alert::Document, tally::Count};

/// What waits for a sink.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Document(Document),
    Counts(Arc<[Count]>),
}

/// Makes sinks, also elsewhere than where they will be: what they open and start is ready
/// when they are put in place.
#[derive(Clone)]
pub struct Maker {
    pub(super) written: Written,
}

/// A sink that is in no place yet: its thread waits. Dropped, it ends and has done nothing.
pub struct Made {
    pub(super) queue: Queue,
    pub(super) go: oneshot::Sender<()>,
}

impl Maker {
    /// A sink that will get what `filter` lets through.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn make(&self, name: &str, filter: Filter, output: impl Deliver) -> io::Result<Made> {
        start(name, filter, output, Some(Arc::clone(&self.written)))
    }
}

/// Starts the thread of a sink; one without `written` keeps, and tells nobody.
pub(super) fn start(
    name: &str,
    filter: Filter,
    mut output: impl Deliver,
    written: Option<Written>,
) -> io::Result<Made> {
    let stats = Arc::new(SinkStats::named(name));
    let keeps = written.is_none();
    let written = written.unwrap_or_else(|| Arc::new(|_| ()));
    output.attach(&stats, &written);
    let (documents, queue) = mpsc::channel(QUEUE);
    let (end, ended) = oneshot::channel();
    let (go, gone) = oneshot::channel::<()>();
    let worker = Worker {
        stats: Arc::clone(&stats),
        written,
        output,
    };
    thread::Builder::new()
        .name(format!("sink-{name}"))
        .spawn(move || {
            if gone.blocking_recv().is_ok() {
                worker.run(queue);
            }
            drop(end);
        })?;
    let queue = Queue {
        filter: Mutex::new(filter),
        keeps,
        stats,
        open: Mutex::new(Some(Open { documents, ended })),
    };
    Ok(Made { queue, go })
}

/// The end of a sink that the loop holds.
pub(super) struct Queue {
    pub(super) filter: Mutex<Filter>,
    /// It keeps everything, counts too.
    pub(super) keeps: bool,
    pub(super) stats: Arc<SinkStats>,
    /// Gone once draining has begun.
    open: Mutex<Option<Open>>,
}

pub(super) struct Open {
    documents: mpsc::Sender<(Item, Option<Ticket>)>,
    /// Resolves when the thread has ended.
    pub(super) ended: oneshot::Receiver<()>,
}

impl Queue {
    pub(super) fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wants(&self, document: &Document) -> bool {
        let filter = self.filter.lock().unwrap_or_else(PoisonError::into_inner);
        filter.wants(document)
    }

    /// Never waits: what finds no room is lost and counted.
    pub(super) fn send(&self, item: Item, ticket: Option<&Ticket>) {
        if self.stats.is_closed() {
            return self.stats.drop_some(1);
        }
        // Counted first: the thread may take it before this one goes on.
        self.stats.queue();
        let item = (item, ticket.cloned());
        let taken = self
            .lock()
            .as_ref()
            .is_some_and(|open| open.documents.try_send(item).is_ok());
        if !taken {
            self.stats.unqueue();
            self.stats.drop_some(1);
        }
    }
}

/// The thread of one sink.
struct Worker<D> {
    stats: Arc<SinkStats>,
    written: Written,
    output: D,
}

impl<D: Deliver> Worker<D> {
    fn run(mut self, mut queue: mpsc::Receiver<(Item, Option<Ticket>)>) {
        self.output.begin();
        let mut failing = false;
        while let Some((item, ticket)) = queue.blocking_recv() {
            if self.stats.is_closed() {
                self.stats.drop_some(1);
            } else {
                failing = self.deliver(&item, failing);
            }
            drop(ticket);
            self.stats.unqueue();
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
                if let Item::Document(Document::Alert(alert)) = item {
                    (self.written)(alert.time_ns);
                }
            }
            Err(DeliverError::Closed) => {
                self.stats.close();
                tracing::error!(sink, "sink switched off: the reader is gone");
            }
            Err(error) if !failing => {
                tracing::error!(sink, %error, "alert lost; more losses only in the metrics");
            }
            Err(_) => {}
        }
        if result.is_err() {
            self.stats.drop_some(1);
        }
        result.is_err()
    }
}
