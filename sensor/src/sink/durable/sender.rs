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
    suspect::{LOOK, Suspects},
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
    /// The last that was accepted. Whether the receiver or an alert is to blame for a
    /// refusal is asked with it: one that comes later may not be sent before its turn.
    witness: Option<String>,
    suspects: Suspects,
    failing: bool,
}

/// What came of one batch.
#[derive(Debug)]
pub(super) enum Step {
    /// There is none.
    Idle,
    /// There may be more.
    Done,
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
            witness: None,
            suspects: Suspects::default(),
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

    fn wait(&self, step: &Step) -> Woken {
        match *step {
            Step::Done => Woken::More,
            Step::Again(time) => self.shared.wait(Some(time), false),
            Step::Idle => {
                let unsettled = self.shared.lock().backlog.is_unsettled();
                self.shared.wait(unsettled.then_some(RETRY), true)
            }
        }
    }

    /// Opens the spool when that is due, and sends one batch.
    pub(super) fn step(&mut self) -> Step {
        self.open();
        let mut state = self.shared.lock();
        // What comes from here on is seen by the next look.
        state.woken = false;
        let rows = state.backlog.first(0, self.pace.size(), BATCH_BYTES);
        drop(state);
        let Ok(rows) = rows else {
            // It was said.
            return Step::Again(RETRY);
        };
        if rows.is_empty() {
            return Step::Idle;
        }
        let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        let answer = self.send(&texts);
        match answer {
            Ok(accepted) => self.accepted(rows, &accepted),
            Err(Refusal::Never(why)) => self.refused(rows, &why),
            Err(refusal) => {
                if let Refusal::TooSlow(_) = refusal {
                    self.pace.slow(rows.len());
                }
                self.unknown(refusal)
            }
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

    fn accepted(&mut self, mut rows: Vec<Row>, accepted: &Accepted) -> Step {
        let Some(last) = rows.pop() else {
            return Step::Done;
        };
        let sink = self.stats.name();
        let of = rows.len() + 1;
        let refused = accepted.refused.min(of);
        if refused > 0 {
            let (first, why) = (&rows.first().unwrap_or(&last).id, &accepted.why);
            error!(
                sink,
                "{refused} of {of} alerts, from {first} on, are not accepted and were dropped: {why}"
            );
        }
        self.stats.refuse(refused);
        self.stats.wrote(of - refused);
        self.shared.lock().backlog.done(last.seq, &[]);
        self.pace.accepted();
        self.suspects.forget();
        if refused == 0 {
            self.witness = Some(last.text);
        }
        if self.failing {
            self.failing = false;
            info!(sink, "sink accepts again");
        }
        Step::Done
    }

    /// Something in these is not wanted: it is looked for, or found.
    fn refused(&mut self, mut rows: Vec<Row>, why: &str) -> Step {
        let (count, row) = (rows.len(), rows.pop());
        if count > 1 {
            self.pace.refused(count);
            return Step::Done;
        }
        let Some(row) = row else {
            return Step::Done;
        };
        match self.ask_witness() {
            Ok(true) => self.confront(row),
            Ok(false) if self.suspects.again(row.seq, &row.id) => self.look_behind(why),
            Ok(false) => self.refused_all(why),
            Err(refusal) => self.unknown(refusal),
        }
    }

    /// Whether the receiver takes, a second time, what it took last; not when that is none.
    ///
    /// # Errors
    /// When it says neither.
    fn ask_witness(&self) -> Result<bool, Refusal> {
        let Some(text) = &self.witness else {
            return Ok(false);
        };
        match self.send(&[text]) {
            Ok(accepted) => Ok(accepted.refused == 0),
            Err(Refusal::Never(_)) => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }

    /// Asks again about one that was refused while the receiver takes others: it may just
    /// have come to itself.
    fn confront(&mut self, row: Row) -> Step {
        match self.send(&[&row.text]) {
            Ok(accepted) => self.accepted(vec![row], &accepted),
            Err(Refusal::Never(why)) => {
                self.give_up(&[(row.seq, row.id)], &why);
                self.suspects.forget();
                Step::Done
            }
            Err(refusal) => self.unknown(refusal),
        }
    }

    /// Asks about some that come later, each on its own. The first that is accepted stays
    /// the last that is: what is before it is given up.
    fn look_behind(&mut self, why: &str) -> Step {
        for _ in 0..LOOK {
            let after = self.suspects.after();
            let rows = self.shared.lock().backlog.first(after, 1, BATCH_BYTES);
            let Ok(rows) = rows else {
                return Step::Again(RETRY);
            };
            let Some(row) = rows.into_iter().next() else {
                break;
            };
            match self.send(&[&row.text]) {
                Ok(accepted) => {
                    let suspects = self.suspects.take();
                    self.give_up(&suspects, why);
                    return self.accepted(vec![row], &accepted);
                }
                Err(Refusal::Never(_)) => self.suspects.add(row.seq, row.id),
                Err(refusal) => {
                    if !matches!(refusal, Refusal::NotNow(..)) {
                        // It may have it: what is before it would come too late.
                        let suspects = self.suspects.take();
                        self.give_up(&suspects, why);
                    }
                    return self.unknown(refusal);
                }
            }
        }
        self.refused_all(why)
    }

    /// Drops these, which are the first, counts them and says so.
    fn give_up(&self, rows: &[(i64, String)], why: &str) {
        let Some(&(last, _)) = rows.last() else {
            return;
        };
        let sink = self.stats.name();
        for (_, id) in rows {
            error!(sink, "alert {id} is not accepted and was dropped: {why}");
        }
        self.stats.refuse(rows.len());
        let refused: Vec<i64> = rows.iter().map(|&(seq, _)| seq).collect();
        self.shared.lock().backlog.done(last, &refused);
    }

    fn refused_all(&mut self, why: &str) -> Step {
        self.failed(&format!("every alert is refused: {why}"), None)
    }

    /// Neither accepted nor refused: that proves nothing against any.
    fn unknown(&mut self, refusal: Refusal) -> Step {
        self.suspects.forget();
        match refusal {
            Refusal::Never(why) | Refusal::TooSlow(why) | Refusal::Unheard(why) => {
                self.failed(&why, None)
            }
            Refusal::NotNow(why, after) => self.failed(&why, after),
        }
    }

    /// Says the first failure in a row; when to try again.
    fn failed(&mut self, why: &str, after: Option<Duration>) -> Step {
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
