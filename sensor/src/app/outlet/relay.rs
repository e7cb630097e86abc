//! The outlet's loop: what the collector says to the sinks, what is asked to the collector,
//! and what was written, or learnt of pods, back to it.

use std::{
    collections::BTreeMap,
    os::unix::net::UnixStream,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval, timeout},
};
use tracing::{error, info, warn};

use super::{LAST, Pods, QUESTIONS, adjust, alone, last_word, sinks};
use crate::{
    config::Config,
    control::Query,
    exit::Failure,
    http::{Pulse, Scrape},
    metrics::OutletMetrics,
    sandbox::{Places, Standing},
    sink::{Sinks, Ticket, tail::Tail},
    wire::{
        Answer, Hello, ORDER_MAX, Order, Pipe, Prepared, REPORT_MAX, Report, Told, Turn, What,
        WireError,
    },
};

/// Least age of an outlet that asks for another.
pub(in crate::app) const RENEW_AFTER: Duration = Duration::from_mins(1);
/// How often it says that it lives.
const BEAT: Duration = Duration::from_secs(1);
/// Numbers of what is accepted that may wait to be said: more than may be told at a time.
const ACCEPTED: usize = 65_536;
/// Bytes that wait for a collector that does not read, beyond which nothing is added that
/// can be left out.
const WAITING: usize = 64 << 10;
/// Longest answer.
const ANSWER_MAX: usize = 512 << 20;
/// How long the last words may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// Why it ends.
pub(super) enum End {
    /// It was told to.
    Told,
    /// The collector is gone.
    Alone(String),
}

/// See the module.
pub(super) struct Relay {
    sinks: Sinks,
    tail: Arc<Tail>,
    metrics: Arc<OutletMetrics>,
    pulse: Arc<Pulse>,
    pods: Pods,
    queries: mpsc::Receiver<Query>,
    scrapes: mpsc::Receiver<Scrape>,
    accepted: (mpsc::Sender<u64>, mpsc::Receiver<u64>),
    /// Questions not answered yet, with what has come of the answer.
    open: BTreeMap<u32, (Asker, Vec<u8>)>,
    next: u32,
    prepared: Option<(u32, sinks::Change, Config)>,
    config: Config,
    places: Places,
    /// What its sandbox is about; `None` when it is not closed, or no longer looked at.
    standing: Option<Standing>,
    began: Instant,
    /// Largest `event.sequence` it was told.
    last: u64,
}

/// Who waits for an answer.
enum Asker {
    Scrapes(Vec<Scrape>),
    Query(oneshot::Sender<Value>),
}

/// A document that sinks still have: its number is said when the last is done with it.
struct Acceptance(u64, mpsc::Sender<u64>);

impl Drop for Acceptance {
    fn drop(&mut self) {
        // What finds no room is told again some day: then it has the same id.
        let _lost = self.1.try_send(self.0);
    }
}

impl Relay {
    pub(super) fn new(
        (sinks, tail, metrics): (Sinks, Arc<Tail>, Arc<OutletMetrics>),
        (pulse, pods): (Arc<Pulse>, Pods),
        (queries, scrapes): (mpsc::Receiver<Query>, mpsc::Receiver<Scrape>),
        (config, places): (Config, Places),
        standing: Option<Standing>,
    ) -> Self {
        Self {
            sinks,
            tail,
            metrics,
            pulse,
            pods,
            queries,
            scrapes,
            accepted: mpsc::channel(ACCEPTED),
            open: BTreeMap::new(),
            next: 0,
            prepared: None,
            config,
            places,
            standing,
            began: Instant::now(),
            last: 0,
        }
    }

    /// Runs until the collector says so or is gone; what came is written by then.
    /// Alone, it gives up its sockets first: the sensor may be started again by then.
    pub(super) async fn run(
        mut self,
        stream: UnixStream,
        hello: &Hello,
        stop: &watch::Sender<bool>,
    ) -> End {
        let end = match Pipe::new(stream, ORDER_MAX, REPORT_MAX) {
            Err(error) => alone(&format!("the way to the collector: {error}")),
            Ok(mut pipe) => match self.converse(&mut pipe).await {
                Ok(limit) => {
                    self.finish(&mut pipe, limit).await;
                    return End::Told;
                }
                Err(why) => alone(&format!(
                    "capture has ended without being told to: the collector (pid {}) is gone: {why}",
                    hello.collector
                )),
            },
        };
        stop.send_replace(true);
        let last = last_word::alert(hello, self.last.max(hello.sequence));
        self.tail.send(&last);
        self.sinks.send(last);
        let left = self.sinks.drain(LAST).await;
        if left > 0 {
            warn!("{left} alerts could not be written in time and are lost");
        }
        end
    }

    /// Until told to stop; the time it then has.
    async fn converse(&mut self, pipe: &mut Pipe) -> Result<Duration, WireError> {
        let mut beat = interval(BEAT);
        // What a beat lets through is not to come all at once.
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                turn = pipe.turn() => {
                    let closed = turn? == Turn::Closed;
                    while let Some(order) = pipe.next::<Order>()? {
                        if let Order::Stop(limit_ms) = order {
                            return Ok(Duration::from_millis(limit_ms));
                        }
                        self.obey(order, pipe)?;
                    }
                    if closed {
                        return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
                    }
                }
                Some(number) = self.accepted.1.recv() => self.accept(number, pipe)?,
                Some(scrape) = self.scrapes.recv(), if !self.scraping() => {
                    let mut all = vec![scrape];
                    while let Ok(more) = self.scrapes.try_recv() {
                        all.push(more);
                    }
                    self.ask(Asker::Scrapes(all), What::Metrics, pipe)?;
                }
                Some(query) = self.queries.recv(), if self.open.len() < QUESTIONS => {
                    let Query { kind, reply } = query;
                    self.ask(Asker::Query(reply), What::Core(kind), pipe)?;
                }
                changes = self.pods.next(), if pipe.waiting() < WAITING => {
                    pipe.queue(&Report::Pods(changes))?;
                }
                _ = beat.tick() => {
                    self.pods.beat();
                    if pipe.waiting() < WAITING {
                        pipe.queue(&Report::Beat)?;
                    }
                    if self.is_outdated() {
                        pipe.queue(&Report::Renew)?;
                    }
                }
            }
        }
    }

    /// Names are looked up in files that others replace, and a token in a directory that may
    /// be: what is there now may be out of reach. Said once, and not before its time.
    fn is_outdated(&mut self) -> bool {
        let Some(standing) = &self.standing else {
            return false;
        };
        if self.began.elapsed() < RENEW_AFTER || Standing::of(&self.places) == *standing {
            return false;
        }
        info!("files that the outlet needs were replaced: it is started again");
        self.standing = None;
        true
    }

    fn scraping(&self) -> bool {
        let mut open = self.open.values();
        open.any(|(asker, _)| matches!(asker, Asker::Scrapes(_)))
    }

    fn ask(&mut self, asker: Asker, what: What, pipe: &mut Pipe) -> Result<(), WireError> {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        self.open.insert(id, (asker, Vec::new()));
        pipe.queue(&Report::Ask(id, what))
    }

    fn accept(&mut self, number: u64, pipe: &mut Pipe) -> Result<(), WireError> {
        pipe.queue(&Report::Accepted(number))?;
        while let Ok(number) = self.accepted.1.try_recv() {
            pipe.queue(&Report::Accepted(number))?;
        }
        Ok(())
    }

    fn obey(&mut self, order: Order, pipe: &mut Pipe) -> Result<(), WireError> {
        match order {
            Order::Tell(number, told) => self.tell(number, told),
            Order::Answer(answer) => self.answer(answer),
            Order::Beat(turned_ns, missing) => self.pulse.beat(turned_ns, missing),
            Order::Prepare(id, config) => {
                let prepared = self.prepare(id, &config).unwrap_or_else(|failure| {
                    Prepared::Refused(failure.code as u8, failure.message)
                });
                pipe.queue(&Report::Prepared(id, prepared))?;
            }
            Order::Commit(id) => self.commit(id),
            // The loop looks for the one, and the other has come.
            Order::Stop(_) | Order::Hello(_) => {}
        }
        Ok(())
    }

    fn tell(&mut self, number: u64, told: Told) {
        let ticket: Ticket = Arc::new(Acceptance(number, self.accepted.0.clone()));
        match told {
            Told::Counts(counts) => self.sinks.count(&counts.into(), Some(&ticket)),
            told => match told.into_document() {
                Ok(Some(document)) => {
                    self.last = self.last.max(document.sequence());
                    self.tail.send(&document);
                    self.sinks.send_with(&document, Some(&ticket));
                }
                Ok(None) => {}
                Err(error) => error!("what the collector told is no alert: {error}"),
            },
        }
    }

    fn answer(&mut self, answer: Answer) {
        let Answer { id, part, last } = answer;
        let Some((_, bytes)) = self.open.get_mut(&id) else {
            return;
        };
        bytes.extend_from_slice(&part);
        let too_long = bytes.len() > ANSWER_MAX;
        if !(last || too_long) {
            return;
        }
        match self.open.remove(&id) {
            Some((Asker::Scrapes(scrapes), bytes)) => {
                let text = String::from_utf8(bytes).unwrap_or_default();
                for scrape in scrapes {
                    // Who asked may have gone.
                    drop(scrape.send(text.clone()));
                }
            }
            Some((Asker::Query(reply), bytes)) if !too_long => {
                // Some are large. Dropped without an answer, the asker is told so.
                tokio::task::spawn_blocking(move || {
                    if let Ok(value) = serde_json::from_slice(&bytes) {
                        drop(reply.send(value));
                    }
                });
            }
            _ => {}
        }
    }

    fn prepare(&mut self, id: u32, config: &str) -> Result<Prepared, Failure> {
        self.prepared = None;
        let config = Config::from_outlet_yaml(config)?;
        if !self.places.cover(&Places::of(&config)) {
            return Ok(Prepared::Restart);
        }
        let change = sinks::change(&self.sinks.maker(), &self.config.sinks, &config.sinks)?;
        self.prepared = Some((id, change, config));
        Ok(Prepared::Made)
    }

    fn commit(&mut self, id: u32) {
        match self.prepared.take() {
            Some((prepared, change, config)) if prepared == id => {
                adjust(&self.sinks, &self.metrics, &config, change);
                self.config = config;
            }
            _ => error!("sinks were to be put in place that are not there"),
        }
    }

    /// Writes what is left and says how much was not.
    async fn finish(&mut self, pipe: &mut Pipe, limit: Duration) {
        let left = self.sinks.drain(limit).await;
        if left > 0 {
            warn!("{left} alerts could not be written in time and are lost");
        }
        let said = async {
            while let Ok(number) = self.accepted.1.try_recv() {
                pipe.queue(&Report::Accepted(number))?;
            }
            pipe.queue(&Report::Stopped(left as u64))?;
            while pipe.waiting() > 0 {
                if pipe.turn().await? == Turn::Closed {
                    break;
                }
                while pipe.next::<Order>()?.is_some() {}
            }
            Ok::<_, WireError>(())
        };
        // Nobody is left to be told otherwise.
        drop(timeout(FAREWELL, said).await);
    }
}
