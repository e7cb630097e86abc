//! The thread that sends: one batch after the other, in order. It never ends by itself: a
//! panic of the receiver is a refusal like any other.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use tracing::{error, info, warn};

use super::{
    super::{
        SinkStats,
        spool::{Row, Spool},
    },
    Accepted, Receive, Refusal, Settings, Shared, Woken,
    backlog::{Opening, RETRY},
    pace::{Pace, WAIT_MAX},
    suspect::Suspects,
};

/// Most bytes of one batch, unless a single text has more.
const BATCH_BYTES: usize = 1 << 20;
/// How long one waits for the spool of the sink whose place it takes, which may be in the
/// middle of a request.
const HAND_OVER: Duration = Duration::from_mins(6);

/// See the module.
pub(super) struct Sender<R> {
    shared: Arc<Shared>,
    receiver: Arc<R>,
    stats: Arc<SinkStats>,
    settings: Settings,
    pace: Pace,
    suspects: Suspects,
    failing: bool,
}

/// What came of one batch.
enum Step {
    /// There is none.
    Idle,
    /// There may be more.
    Done,
    /// None but those that were refused: again with more, or after this time.
    Linger(Duration),
    /// After this time.
    Again(Duration),
}

impl<R: Receive> Sender<R> {
    pub(super) fn new(
        shared: Arc<Shared>,
        receiver: Arc<R>,
        stats: Arc<SinkStats>,
        settings: Settings,
    ) -> Self {
        Self {
            shared,
            receiver,
            stats,
            pace: Pace::new(settings.batch),
            settings,
            suspects: Suspects::new(),
            failing: false,
        }
    }

    /// Sends until nothing will come any more; then what is there once.
    pub(super) fn run(mut self) {
        let mut last = false;
        loop {
            let step = catch_unwind(AssertUnwindSafe(|| self.step()));
            let step = step.unwrap_or_else(|_said| {
                let sink = self.stats.name();
                error!(sink, "what sends alerts panicked, which is a defect of it");
                Step::Again(WAIT_MAX)
            });
            if let Step::Done = step {
                if self.is_replaced() {
                    break;
                }
                continue;
            }
            if last || self.is_replaced() {
                break;
            }
            last = self.wait(&step) == Woken::Ending;
        }
        self.shared.lock().backlog.end();
    }

    /// Nothing will come, and another sink is to go on with the spool: without delay.
    fn is_replaced(&self) -> bool {
        let state = self.shared.lock();
        state.ending && state.backlog.is_wanted()
    }

    fn wait(&mut self, step: &Step) -> Woken {
        match *step {
            Step::Done => Woken::More,
            Step::Again(time) => self.shared.wait(Some(time), false),
            Step::Linger(time) => {
                let woken = self.shared.wait(Some(time), true);
                // What was true of them may be no longer.
                self.suspects.forget();
                woken
            }
            Step::Idle => {
                let unsettled = self.shared.lock().backlog.is_unsettled();
                self.shared.wait(unsettled.then_some(RETRY), true)
            }
        }
    }

    fn step(&mut self) -> Step {
        self.open();
        let mut state = self.shared.lock();
        // What comes from here on is seen by the next look.
        state.woken = false;
        let (after, size) = (self.suspects.after(), self.pace.size());
        let rows = state.backlog.first(after, size, BATCH_BYTES);
        drop(state);
        let Ok(rows) = rows else {
            // It was said.
            return Step::Again(RETRY);
        };
        if rows.is_empty() {
            return if self.suspects.is_empty() {
                Step::Idle
            } else {
                Step::Linger(self.pace.wait(None))
            };
        }
        let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        let answer = self.send(&texts);
        match answer {
            Ok(accepted) => self.accepted(&rows, &accepted),
            Err(Refusal::Never(why)) => self.refused(rows, &why),
            Err(Refusal::TooSlow(why)) => {
                self.pace.slow(rows.len());
                self.failed(&why, None)
            }
            Err(Refusal::NotNow(why, after)) => self.failed(&why, after),
        }
    }

    /// Hands texts over; a panic is a refusal of them.
    fn send(&self, texts: &[&str]) -> Result<Accepted, Refusal> {
        let sent = catch_unwind(AssertUnwindSafe(|| self.receiver.send(texts)));
        sent.unwrap_or_else(|_said| Err(Refusal::Never("sending it panicked".to_owned())))
    }

    /// Opens the spool when that is due: without the lock, so that nobody waits.
    fn open(&mut self) {
        let Some(opening) = self.shared.lock().backlog.opening() else {
            return;
        };
        let (path, bytes) = (&self.settings.spool, self.settings.max_bytes);
        let opened = match opening {
            Opening::First => Spool::open(path, bytes, HAND_OVER),
            Opening::Again => Spool::open(path, bytes, Duration::ZERO),
            Opening::Anew(why) => Spool::renew(path, bytes, &why),
        };
        // The numbers of what waits are others now.
        self.suspects.forget();
        self.shared.lock().backlog.opened(opened);
    }

    fn accepted(&mut self, rows: &[Row], accepted: &Accepted) -> Step {
        let Some(last) = rows.last() else {
            return Step::Done;
        };
        let convicted = match self.convict() {
            Ok(convicted) => convicted,
            // All of it again: nothing is known to be done with.
            Err(why) => return self.failed(&why, None),
        };
        let sink = self.stats.name();
        let refused = accepted.refused.min(rows.len());
        if refused > 0 {
            let (first, of, why) = (&rows[0].id, rows.len(), &accepted.why);
            error!(
                sink,
                "{refused} of {of} alerts, from {first} on, are not accepted and were dropped: {why}"
            );
        }
        self.stats.refuse(refused);
        self.stats.wrote(rows.len() - refused);
        self.shared.lock().backlog.done(last.seq, &convicted);
        self.pace.accepted();
        if self.failing {
            self.failing = false;
            info!(sink, "sink accepts again");
        }
        Step::Done
    }

    /// Asks about those that were refused before one behind them was accepted: the receiver
    /// may just have come to itself. The numbers of those that it still refuses.
    ///
    /// # Errors
    /// When it says neither.
    fn convict(&mut self) -> Result<Vec<i64>, String> {
        let (sink, mut convicted) = (self.stats.name(), Vec::new());
        let suspects = self.suspects.take();
        for row in &suspects {
            match self.send(&[&row.text]) {
                Ok(accepted) if accepted.refused == 0 => self.stats.wrote(1),
                Ok(Accepted { why, .. }) | Err(Refusal::Never(why)) => {
                    let id = &row.id;
                    error!(sink, "alert {id} is not accepted and was dropped: {why}");
                    convicted.push(row.seq);
                }
                Err(Refusal::NotNow(why, _) | Refusal::TooSlow(why)) => return Err(why),
            }
        }
        self.stats.refuse(convicted.len());
        Ok(convicted)
    }

    fn refused(&mut self, mut rows: Vec<Row>, why: &str) -> Step {
        let (count, row) = (rows.len(), rows.pop());
        if count > 1 {
            self.pace.refused(count);
            return Step::Done;
        }
        let Some(row) = row else {
            return Step::Done;
        };
        if self.suspects.add(row) {
            return Step::Done;
        }
        self.failed(&format!("every alert is refused: {why}"), None)
    }

    /// Says the first failure in a row; when to try again.
    fn failed(&mut self, why: &str, after: Option<Duration>) -> Step {
        // Whoever fails otherwise proves nothing against them.
        self.suspects.forget();
        if !self.failing {
            self.failing = true;
            warn!(
                sink = self.stats.name(),
                "not accepted, kept and tried again: {why}"
            );
        }
        Step::Again(self.pace.wait(after))
    }
}
