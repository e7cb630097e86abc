//! The collector's end of the way to the outlet: starts it, tells it what there is to tell,
//! answers what it asks, and starts another when it is gone, silent or says what it may not.
//!
//! The loop hands over and never waits. What the outlet has not accepted is kept, bounded,
//! and told to its successor with the same ids. Nothing that comes from the outlet is
//! believed: frames are bounded and checked; questions, frames and what is said of pods are
//! rationed.

mod backlog;
mod pods;
mod questions;
mod session;
mod start;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tracing::{error, info, warn};

use self::{backlog::Backlog, session::End};
pub(super) use self::{
    questions::Questions,
    start::{Launch, Launched, Process},
};
use crate::{
    alert::Document,
    config::Config,
    exit::{Exit, Failure},
    kubernetes::Pods,
    metrics::CoreStats,
    tally,
    wire::{Hello, Prepared, Told},
};

/// Things that may wait to be taken over from the loop: more than a batch causes.
const ORDERS: usize = 4_096;
/// Pause before an outlet that ended is started again; doubled each time, up to the most,
/// until one has lived for so long.
const PAUSE: Duration = Duration::from_millis(100);
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How long it is tried: then the sensor ends, so that who supervises it starts it anew.
const HOPE: Duration = Duration::from_mins(1);
const PROVEN: Duration = Duration::from_secs(30);
/// How long the first start may take, and preparing sinks.
const START: Duration = Duration::from_secs(15);
/// Time beyond its own limit that an outlet has for stopping.
const GRACE: Duration = Duration::from_millis(600);

/// What the collector hands over.
enum Order {
    Tell(Document),
    Counts(Arc<[tally::Count]>),
    Missing(Vec<String>),
    Prepare(String, oneshot::Sender<Result<Ticket, Failure>>),
    Commit(Ticket),
    Stop(Duration, oneshot::Sender<()>),
}

/// Sinks that an outlet has made, and the configuration they are of.
#[derive(Debug)]
pub(super) struct Ticket {
    config: String,
    /// Which outlet has made them, and under which number; `None` when it takes another one.
    made: Option<(u64, u32)>,
}

impl Ticket {
    /// For sinks that another outlet is to make.
    #[cfg(test)]
    pub(super) fn for_another(config: &Config) -> Self {
        Self {
            config: config.outlet_yaml(),
            made: None,
        }
    }
}

/// The end that the loop holds.
#[derive(Clone)]
pub(super) struct Link {
    orders: mpsc::Sender<Order>,
    core: Arc<CoreStats>,
}

/// What a link is started with.
pub(super) struct Settings {
    /// What every outlet is told first.
    pub(super) hello: Hello,
    /// Starts an outlet.
    pub(super) launch: Box<dyn Launch>,
    /// Answers questions of the outlet.
    pub(super) questions: Questions,
    /// Takes what the outlet costs.
    pub(super) core: Arc<CoreStats>,
    /// Takes what it learns of pods, when it is told to follow them.
    pub(super) pods: Option<Pods>,
    /// How often it is told that the collector lives, and says so itself.
    pub(super) beat: Duration,
    /// Longest pause before an outlet is started again.
    pub(super) pause_max: Duration,
}

/// As often as two processes look for each other.
pub(super) const BEAT: Duration = Duration::from_secs(1);

impl Link {
    /// Starts the first outlet; where HTTP listens.
    ///
    /// # Errors
    /// What the outlet says it cannot begin for.
    pub(super) async fn start(settings: Settings) -> Result<(Self, Option<SocketAddr>), Failure> {
        let (orders, taken) = mpsc::channel(ORDERS);
        let core = Arc::clone(&settings.core);
        let mut keeper = Keeper::new(settings, taken);
        let session = keeper.begin().await?;
        let address = keeper.hello.address;
        tokio::spawn(keeper.run(session));
        Ok((Self { orders, core }, address))
    }

    /// Hands an alert or a notice over. Never waits: what finds no room is lost and counted.
    pub(super) fn tell(&self, document: Document) {
        self.hand(Order::Tell(document));
    }

    /// Hands counts over, likewise.
    pub(super) fn count(&self, counts: &Arc<[tally::Count]>) {
        self.hand(Order::Counts(Arc::clone(counts)));
    }

    /// What keeps the sensor from being ready.
    pub(super) fn missing(&self, missing: Vec<String>) {
        // Said again with the next beat.
        drop(self.orders.try_send(Order::Missing(missing)));
    }

    /// Has the sinks of a configuration made; blocks. For the thread that reloads.
    ///
    /// # Errors
    /// When they cannot be made.
    pub(super) fn prepare(&self, config: &Config) -> Result<Ticket, Failure> {
        let (answer, answered) = oneshot::channel();
        let gone = || Failure::new(Exit::Internal, "the way to the outlet is closed");
        let order = Order::Prepare(config.outlet_yaml(), answer);
        self.orders.blocking_send(order).map_err(|_closed| gone())?;
        answered.blocking_recv().map_err(|_closed| gone())?
    }

    /// Has prepared sinks put in place.
    pub(super) fn commit(&self, ticket: Ticket) {
        if self.orders.try_send(Order::Commit(ticket)).is_err() {
            error!("the outlet keeps its sinks: too much waits for it; reload again");
        }
    }

    /// Has everything written within `limit`, and the outlet end.
    pub(super) async fn stop(self, limit: Duration) {
        let (done, stopped) = oneshot::channel();
        if self.orders.send(Order::Stop(limit, done)).await.is_ok() {
            // Dropped without a word: it has ended as well.
            drop(stopped.await);
        }
    }

    /// Resolves when there will be no outlet any more.
    pub(super) async fn abandoned(&self) {
        self.orders.closed().await;
    }

    fn hand(&self, order: Order) {
        if self.orders.try_send(order).is_err() {
            self.core.outlet.drop_some(1);
        }
    }
}

/// The task that keeps an outlet alive.
struct Keeper {
    orders: mpsc::Receiver<Order>,
    hello: Hello,
    launch: Box<dyn Launch>,
    questions: Questions,
    core: Arc<CoreStats>,
    pods: Option<Pods>,
    beat: Duration,
    pause_max: Duration,
    backlog: Backlog,
    missing: Vec<String>,
    /// Outlets so far.
    count: u64,
    /// Somebody waits for sinks that this outlet makes.
    preparing: Option<Preparing>,
    /// Until when it is to end, and who waits for that.
    stopping: Option<(Instant, oneshot::Sender<()>)>,
}

/// Sinks that are being made.
struct Preparing {
    id: u32,
    config: String,
    answer: oneshot::Sender<Result<Ticket, Failure>>,
    since: Instant,
}

impl Preparing {
    /// Says what came of it; who asked may have gone.
    fn answer(self, outlet: u64, prepared: Prepared) {
        let Self {
            id, config, answer, ..
        } = self;
        let made = match prepared {
            Prepared::Made => Ok(Some((outlet, id))),
            Prepared::Restart => Ok(None),
            Prepared::Refused(code, why) => Err(Failure::new(Exit::of(code), why)),
        };
        drop(answer.send(made.map(|made| Ticket { config, made })));
    }
}

impl Keeper {
    fn new(settings: Settings, orders: mpsc::Receiver<Order>) -> Self {
        Self {
            orders,
            hello: settings.hello,
            launch: settings.launch,
            questions: settings.questions,
            core: settings.core,
            pods: settings.pods,
            beat: settings.beat,
            pause_max: settings.pause_max,
            backlog: Backlog::default(),
            missing: Vec::new(),
            count: 0,
            preparing: None,
            stopping: None,
        }
    }

    /// Serves this outlet and those after it until the end.
    async fn run(mut self, first: session::Session) {
        let mut session = first;
        let mut pause = PAUSE;
        loop {
            let began = Instant::now();
            let end = self.serve(&mut session).await;
            session
                .dismiss(matches!(end, End::Stopped | End::Restart))
                .await;
            if let Some(preparing) = self.preparing.take() {
                // What takes its place has them from the start.
                preparing.answer(self.count, Prepared::Restart);
            }
            let Some(reason) = self.ended(&end) else {
                return;
            };
            if began.elapsed() > PROVEN || reason == "reload" {
                pause = PAUSE;
            }
            let Some(next) = self.again(&mut pause, reason).await else {
                return;
            };
            session = next;
        }
    }

    /// Says why an outlet has ended; `None` when no other is wanted.
    fn ended(&mut self, end: &End) -> Option<&'static str> {
        let (reason, why) = match end {
            End::Stopped => return self.settle(),
            End::Restart => return Some("reload"),
            End::Gone(why) => ("ended", why.as_str()),
            End::Silent => ("silent", "it has said nothing for too long"),
            End::Bad(why) => {
                // What it has said of pods may be as bad.
                self.pods.iter().for_each(Pods::forget);
                self.core.outlet.set_pods(0, 0);
                ("misbehaved", why.as_str())
            }
        };
        error!(
            "the outlet is gone ({reason}: {why}): capture goes on, {} alerts and notices are \
             told again",
            self.backlog.len()
        );
        if self.stopping.is_some() {
            return self.settle();
        }
        Some(reason)
    }

    /// The end: nothing more is told.
    fn settle(&mut self) -> Option<&'static str> {
        let left = self.backlog.unsent();
        if left > 0 {
            warn!("{left} alerts and notices never reached the outlet and are lost");
        }
        if let Some((_, done)) = self.stopping.take() {
            // Who waits may have gone.
            let _gone = done.send(());
        }
        None
    }

    /// Starts another outlet, and tries until there is one or none is wanted any more.
    async fn again(&mut self, pause: &mut Duration, reason: &str) -> Option<session::Session> {
        let began = Instant::now();
        let lost = self.backlog.rewind();
        self.lose(lost);
        if reason != "reload" {
            self.wait(Instant::now() + *pause).await;
            *pause = (*pause * 2).min(self.pause_max);
        }
        loop {
            if self.stopping.is_some() {
                self.settle();
                return None;
            }
            match self.begin().await {
                Ok(session) => {
                    self.core.outlet.restarted(reason);
                    info!(
                        "the outlet was started again ({reason}), pid {}",
                        session.pid()
                    );
                    return Some(session);
                }
                Err(failure) if began.elapsed() > HOPE => {
                    error!("the outlet cannot be started again: {failure}");
                    return None;
                }
                Err(failure) => {
                    error!("the outlet cannot be started again: {failure}; trying on");
                    self.wait(Instant::now() + *pause).await;
                    *pause = (*pause * 2).min(self.pause_max);
                }
            }
        }
    }

    /// Takes over what is handed meanwhile.
    async fn wait(&mut self, until: Instant) {
        loop {
            tokio::select! {
                () = sleep_until(until) => return,
                Some(order) = self.orders.recv() => self.take_alone(order),
            }
            if self.stopping.is_some() {
                return;
            }
        }
    }

    /// Takes an order while there is no outlet.
    fn take_alone(&mut self, order: Order) {
        match order {
            Order::Tell(document) => self.keep_document(&document),
            Order::Counts(counts) => self.keep_counts(&counts),
            Order::Missing(missing) => self.missing = missing,
            Order::Prepare(config, answer) => {
                let ticket = Ticket { config, made: None };
                drop(answer.send(Ok(ticket)));
            }
            Order::Commit(ticket) => self.hello.config = ticket.config,
            Order::Stop(limit, done) => self.stopping = Some((Instant::now() + limit, done)),
        }
    }

    fn keep_document(&mut self, document: &Document) {
        self.hello.sequence = self.hello.sequence.max(document.sequence());
        self.keep(&Told::document(document));
    }

    fn keep(&mut self, told: &Told) {
        let lost = self.backlog.push(told);
        self.lose(lost);
    }

    /// In pieces that fit a message.
    fn keep_counts(&mut self, counts: &[tally::Count]) {
        for some in counts.chunks(COUNTS) {
            self.keep(&Told::Counts(some.to_vec()));
        }
    }

    fn lose(&self, count: u64) {
        self.core.outlet.set_waiting(self.backlog.len());
        if count > 0 {
            if self.core.outlet.dropped() == 0 {
                error!("alerts are lost: too many wait for the outlet; more only in the metrics");
            }
            self.core.outlet.drop_some(count);
        }
    }
}

/// Counts told at once: each has a line of at most some KiB.
const COUNTS: usize = 32;
