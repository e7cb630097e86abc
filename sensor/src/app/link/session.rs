//! The time with one outlet.

mod hear;

use std::{collections::VecDeque, io};

use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};
use tracing::warn;

use super::{GRACE, Keeper, Launched, Order, Preparing, Process, START, Ticket, pods::Heard};
use crate::{
    exit::{Exit, Failure},
    wire::{self, Answer, ORDER_MAX, PART, Pipe, REPORT_MAX, Report, Turn, WireError},
};

/// Bytes that may wait in the pipe before more is put there.
const FULL: usize = 64 << 10;
/// Beats without a word after which an outlet is silent.
const PATIENCE: u32 = 10;
/// Frames that an outlet may send between two beats, besides those that accept something.
const FRAMES: u32 = 2_000;
/// What an outlet has for writing what is left when another takes its place, ms.
const REPLACED_MS: u64 = 5_000;

/// Why the time is over.
#[derive(Debug)]
pub(super) enum End {
    /// It was told to stop, and has, or its time is over.
    Stopped,
    /// Likewise, for another to take its place.
    Restart,
    /// It has ended by itself.
    Gone(String),
    /// It says nothing.
    Silent,
    /// It says what it may not.
    Bad(String),
}

/// See the module.
pub(super) struct Session {
    pipe: Pipe,
    process: Option<Box<dyn Process>>,
    pid: u32,
    /// Beats since it was last heard of.
    quiet: u32,
    /// Frames it may still send.
    credit: u32,
    /// Answers on their way: number, bytes, those sent.
    answers: VecDeque<(u32, Vec<u8>, usize)>,
    asked: JoinSet<(u32, Vec<u8>)>,
    /// Questions without a whole answer.
    open: usize,
    prepares: u32,
    began: Instant,
    leave: Option<Leave>,
    /// What it says of pods; `None` when it was not told to follow them.
    pods: Option<Heard>,
}

/// It is to end.
struct Leave {
    until: Instant,
    limit_ms: u64,
    /// For another to take its place.
    again: bool,
    told: bool,
}

impl Session {
    fn new(launched: Launched, pods: Option<Heard>) -> io::Result<Self> {
        Ok(Self {
            pipe: Pipe::new(launched.stream, REPORT_MAX, ORDER_MAX)?,
            pid: launched.process.pid(),
            process: Some(launched.process),
            quiet: 0,
            credit: FRAMES,
            answers: VecDeque::new(),
            asked: JoinSet::new(),
            open: 0,
            prepares: 0,
            began: Instant::now(),
            leave: None,
            pods,
        })
    }

    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    /// It is to end, for another to take its place.
    fn replace(&mut self) {
        self.leave.get_or_insert(Leave {
            until: Instant::now() + START,
            limit_ms: REPLACED_MS,
            again: true,
            told: false,
        });
    }

    /// The first word of the outlet.
    async fn first(&mut self) -> Result<Report, WireError> {
        loop {
            if let Some(report) = self.pipe.next()? {
                return Ok(report);
            }
            if self.pipe.turn().await? == Turn::Closed {
                return match self.pipe.next()? {
                    Some(report) => Ok(report),
                    None => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                };
            }
        }
    }

    /// Ends the process; one that was told to end has a moment for it.
    pub(super) async fn dismiss(mut self, gently: bool) {
        if gently {
            // Its end of the pair is closed when it is gone.
            let gone = async {
                while matches!(self.pipe.turn().await, Ok(Turn::Moved)) {
                    while let Ok(Some(_)) = self.pipe.next::<Report>() {}
                }
            };
            drop(timeout(GRACE, gone).await);
        }
        let process = self.process.take();
        drop(self);
        let ended = tokio::task::spawn_blocking(move || process.map(|mut it| it.end()));
        drop(ended.await);
    }

    /// Puts into the pipe what fits: first documents, then answers in turn.
    fn fill(&mut self, keeper: &mut Keeper) -> Result<(), WireError> {
        if self.leave.as_ref().is_some_and(|leave| leave.told) {
            return Ok(());
        }
        while self.pipe.waiting() < FULL {
            let Some(frame) = keeper.backlog.send() else {
                break;
            };
            self.pipe.queue_frame(frame);
            self.credit = self.credit.saturating_add(1);
        }
        while self.pipe.waiting() < FULL {
            let Some((id, bytes, sent)) = self.answers.pop_front() else {
                break;
            };
            let rest = bytes.get(sent..).unwrap_or_default();
            let part = rest.get(..PART).unwrap_or(rest);
            let last = part.len() == rest.len();
            self.pipe.queue(&wire::Order::Answer(Answer {
                id,
                part: part.to_vec(),
                last,
            }))?;
            if last {
                self.open -= 1;
            } else {
                self.answers.push_back((id, bytes, sent + PART));
            }
        }
        if let Some(leave) = &mut self.leave
            && keeper.backlog.unsent() == 0
        {
            leave.told = true;
            self.pipe.queue(&wire::Order::Stop(leave.limit_ms))?;
        }
        Ok(())
    }
}

impl Keeper {
    /// Starts an outlet and waits until it is there.
    ///
    /// # Errors
    /// What it cannot begin for.
    pub(super) async fn begin(&mut self) -> Result<Session, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(Exit::Internal, format_args!("start the outlet: {error}"))
        };
        self.count += 1;
        let launched = self.launch.launch().map_err(|error| failed(&error))?;
        let pods = self.pods.as_ref().map(Heard::new);
        let mut session = Session::new(launched, pods).map_err(|error| failed(&error))?;
        let hello = wire::Order::Hello(Box::new(self.hello.clone()));
        session.pipe.queue(&hello).map_err(|error| failed(&error))?;
        let first = timeout(START, session.first()).await;
        let failure = match first {
            Ok(Ok(Report::Ready(address))) => {
                self.hello.address = address;
                return Ok(session);
            }
            Ok(Ok(Report::Refused(code, why))) => Failure::new(Exit::of(code), why),
            Ok(Ok(_)) => failed(&"it began with another word"),
            Ok(Err(error)) => failed(&error),
            Err(_elapsed) => failed(&"it did not say that it is there"),
        };
        session.dismiss(false).await;
        Err(failure)
    }

    /// Serves one outlet until it is gone or no longer wanted.
    pub(super) async fn serve(&mut self, session: &mut Session) -> End {
        match self.converse(session).await {
            Ok(end) => end,
            Err(WireError::Io(error)) => End::Gone(error.to_string()),
            Err(error) => End::Bad(error.to_string()),
        }
    }

    async fn converse(&mut self, session: &mut Session) -> Result<End, WireError> {
        let mut beat = interval(self.beat);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            session.fill(self)?;
            self.core.outlet.set_waiting(self.backlog.len());
            let until = session.leave.as_ref().map(|leave| leave.until);
            tokio::select! {
                order = self.orders.recv() => {
                    let mut next = order;
                    while let Some(order) = next {
                        self.take(order, session)?;
                        next = self.orders.try_recv().ok();
                    }
                }
                turn = session.pipe.turn() => {
                    let closed = turn? == Turn::Closed;
                    while let Some(report) = session.pipe.next::<Report>()? {
                        if let Some(end) = self.hear(report, session) {
                            return Ok(end);
                        }
                    }
                    if closed {
                        return Ok(match &session.leave {
                            Some(leave) if leave.told && leave.again => End::Restart,
                            Some(leave) if leave.told => End::Stopped,
                            _ => End::Gone("it has ended by itself".to_owned()),
                        });
                    }
                }
                Some(answered) = session.asked.join_next() => match answered {
                    Ok((id, bytes)) => session.answers.push_back((id, bytes, 0)),
                    Err(error) => warn!("a question of the outlet: {error}"),
                },
                _ = beat.tick() => if let Some(end) = self.beat(session)? {
                    return Ok(end);
                },
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {
                    warn!("the outlet takes too long to stop");
                    let again = session.leave.as_ref().is_some_and(|leave| leave.again);
                    return Ok(if again { End::Restart } else { End::Stopped });
                }
            }
        }
    }

    /// Takes an order while there is an outlet.
    fn take(&mut self, order: Order, session: &mut Session) -> Result<(), WireError> {
        match order {
            Order::Tell(document) => self.keep_document(&document),
            Order::Counts(counts) => self.keep_counts(&counts),
            Order::Missing(missing) => {
                self.missing = missing;
                self.say_beat(session)?;
            }
            Order::Prepare(config, answer) => {
                let id = session.prepares;
                session.prepares += 1;
                let order = wire::Order::Prepare(id, config.clone());
                if let Err(error) = session.pipe.queue(&order) {
                    let why = format_args!("sinks: {error}");
                    drop(answer.send(Err(Failure::new(Exit::Usage, why))));
                    return Ok(());
                }
                let since = Instant::now();
                self.preparing = Some(Preparing {
                    id,
                    config,
                    answer,
                    since,
                });
            }
            Order::Commit(ticket) => self.commit(ticket, session)?,
            Order::Stop(limit, done) => {
                let until = Instant::now() + limit + GRACE;
                let told = session.leave.as_ref().is_some_and(|leave| leave.told);
                session.leave = Some(Leave {
                    until,
                    limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
                    again: false,
                    told,
                });
                self.stopping = Some((until, done));
            }
        }
        Ok(())
    }

    /// Puts in place what was prepared; by another outlet when this one has not made it.
    fn commit(&mut self, ticket: Ticket, session: &mut Session) -> Result<(), WireError> {
        self.hello.config = ticket.config;
        if let Some((outlet, id)) = ticket.made
            && outlet == self.count
        {
            return session.pipe.queue(&wire::Order::Commit(id));
        }
        session.replace();
        Ok(())
    }

    /// Says that the collector lives, and looks whether the outlet does.
    fn beat(&mut self, session: &mut Session) -> Result<Option<End>, WireError> {
        session.quiet += 1;
        session.credit = session.credit.max(FRAMES);
        if let Some(pods) = &mut session.pods {
            pods.beat();
        }
        if session.quiet > PATIENCE {
            return Ok(Some(End::Silent));
        }
        let late = |it: &Preparing| it.since.elapsed() > START;
        if self.preparing.as_ref().is_some_and(late) {
            return Ok(bad("it does not say what came of its sinks"));
        }
        self.say_beat(session)?;
        Ok(None)
    }

    fn say_beat(&self, session: &mut Session) -> Result<(), WireError> {
        if session.pipe.waiting() > FULL {
            return Ok(());
        }
        let turned = self.core.turned_ns();
        session
            .pipe
            .queue(&wire::Order::Beat(turned, self.missing.clone()))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is what its callers answer")]
fn bad(why: &str) -> Option<End> {
    Some(End::Bad(why.to_owned()))
}
