//! The loop: ring, facts, queries and time into the engine, what it says to those it
//! concerns. One task, no waiting for anybody outside.

mod reload;

use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
    time::{Duration, Instant},
};

use sensor_common::counter::Counter;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tracing::{debug, info, trace, warn};

use super::{
    record::Reporter,
    reload::Reloader,
    self_test::{self, SelfTest},
    serve::Surroundings,
    spawner::Spawner,
    start::Started,
    supervisor::Supervisor,
};
use crate::{
    alert::Document,
    clock,
    config::Config,
    control::Query,
    detect::Fact,
    engine::{Input, Output},
    enrich::{self, Asker},
    event::{Event, Lost, ProcessId, RingKind, Snapshot},
    exit::{Exit, Failure},
    inspect,
    lineage::Service,
    logging,
    probe::{Attached, Counters, Hook},
    record::Core,
    reload::catalogue,
    ring::AsyncRings,
    scan,
};

/// How often the ring is looked at without a wake-up, and time passes for the engine.
const TICK: Duration = Duration::from_millis(100);
/// Records taken from the ring before others get a turn. What they cause is handed on
/// after each batch, so that it fits the queues of the sinks.
const BATCH: usize = 256;
/// How often watched directories are looked for again: packages make new ones.
const REFRESH: Duration = Duration::from_mins(1);
/// How often losses are looked for that leave no gap in the stream, and the least time
/// between two scans.
const LOOK: Duration = Duration::from_secs(1);

/// Processes looked at at once.
const LOOKS: usize = 64;

/// Why it ends when the outlet does for good.
const MUTE: &str = "the outlet cannot be started again: what is seen could not be told to anybody";

/// State of the loop.
pub(super) struct Watch<'a> {
    core: Core,
    recording: Reporter,
    rings: AsyncRings,
    attached: Attached,
    counters: std::sync::Arc<Counters>,
    kernel_log: Option<aya_log::EbpfLogger<&'static dyn log::Log>>,
    facts: mpsc::Receiver<Fact>,
    asker: Asker,
    queries: mpsc::Receiver<Query>,
    surroundings: &'a Surroundings,
    signals: Signals,
    supervisor: Supervisor,
    reloader: Reloader,
    self_test: SelfTest,
    host_scope: bool,
    out: Vec<Output>,
    /// A loss happened that the tree has not been repaired after.
    stale: bool,
    /// Processes of a new service are to be looked for.
    curious: bool,
    looked: Instant,
    surveyed: Instant,
    refreshed: Instant,
    directories: Vec<PathBuf>,
    /// In force.
    config: Config,
    map_full: u64,
    /// Recursion misses seen so far.
    missed: u64,
    snapshots: (mpsc::Sender<Found>, mpsc::Receiver<Found>),
    looks: (mpsc::Sender<Input>, mpsc::Receiver<Input>),
}

/// Why the processes are scanned again.
#[derive(Clone, Copy, Debug)]
enum Cause {
    /// Records were lost.
    Loss,
    /// A service is new, and has forked before it was known.
    Service,
}

type Found = (Cause, Snapshot);

impl<'a> Watch<'a> {
    /// Takes over what start-up has made ready, and says so.
    pub(super) fn new(
        started: Started,
        queries: mpsc::Receiver<Query>,
        (signals, supervisor): (Signals, Supervisor),
        (reloader, spawner): (Reloader, Spawner),
        surroundings: &'a Surroundings,
    ) -> Result<Self, Failure> {
        let internal = |error: io::Error| Failure::new(Exit::Internal, error);
        let pod_logs = &started.config.kubernetes.pod_logs;
        let (asker, facts) = enrich::start(pod_logs, surroundings.pods()).map_err(internal)?;
        let found = services(&started.out);
        let mut attached = started.attached;
        // Only now: while it is seeded, every server by name has to be looked at.
        if let Err(error) = attached.recognise(&self_test::names(&catalogue(&started.config))) {
            warn!("the self-test cannot be made again: {error}");
        }
        let mut watch = Self {
            rings: AsyncRings::new(started.ring, started.file_ring).map_err(internal)?,
            core: started.core,
            recording: Reporter::default(),
            attached,
            counters: started.counters,
            kernel_log: started.kernel_log,
            facts,
            asker,
            queries,
            surroundings,
            signals,
            supervisor,
            reloader,
            self_test: SelfTest::start(spawner).map_err(internal)?,
            host_scope: started.host_scope,
            out: started.out,
            stale: started.stale,
            curious: false,
            looked: Instant::now(),
            surveyed: Instant::now(),
            refreshed: Instant::now(),
            directories: started.directories,
            config: started.config,
            map_full: 0,
            missed: 0,
            snapshots: mpsc::channel(1),
            looks: mpsc::channel(LOOKS),
        };
        watch.deliver();
        for (hook, why) in &started.missing {
            warn!("{hook} is not seen: {why}");
        }
        if let Some(shortage) = &started.shortage {
            warn!("{shortage}");
        }
        for hook in &started.hooks {
            if let Some(shortcoming) = hook.shortcoming() {
                info!("{} ({}): {shortcoming}", hook.name, hook.rung);
            }
        }
        watch
            .surroundings
            .configured(reload::short(&started.hash), false);
        watch.surroundings.ready();
        let uname = rustix::system::uname();
        info!(
            target: logging::READY,
            "ready: Linux {}, hooks {}, services {found}, {}, configuration {}",
            uname.release().to_string_lossy(),
            hooks(&started.hooks),
            watch.surroundings.address(),
            reload::short(&started.hash),
        );
        watch.supervisor.ready(reload::short(&started.hash));
        Ok(watch)
    }

    /// Runs until a signal; then detaches and takes what is left in the ring.
    pub(super) async fn run(mut self) -> Result<(), Failure> {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Most records wake nobody: while there are more, no wake-up is waited for.
        let mut more = true;
        let mut end = Ok(());
        loop {
            tokio::select! {
                biased;
                signal = self.signals.next() => match signal {
                    Wish::Stop => break,
                    Wish::Reload => self.reloader.ask(),
                },
                outcome = self.reloader.next() => self.reload(outcome),
                outcome = self.self_test.next() => self.tested(outcome),
                Some(fact) = self.facts.recv() => self.step(Input::Fact(fact)),
                Some(query) = self.queries.recv() => {
                    // Forks wake nobody: what has happened by now is part of the answer.
                    more = self.take();
                    self.step(Input::Query(query));
                }
                Some((because, snapshot)) = self.snapshots.1.recv() => self.repair(because, snapshot),
                Some(found) = self.looks.1.recv() => self.step(found),
                _ = tick.tick() => {
                    self.tick();
                    more = true;
                }
                woken = self.rings.readable(), if !more => {
                    woken.map_err(|error| Failure::new(Exit::Internal, error))?;
                    more = true;
                }
                () = self.surroundings.abandoned() => {
                    end = Err(Failure::new(Exit::Internal, MUTE));
                    break;
                }
                () = tokio::task::yield_now(), if more => more = self.take(),
            }
            self.deliver();
            if self.core.broken() {
                break;
            }
        }
        info!("stopping: detaching, writing what is left");
        self.supervisor.stopping();
        self.attached.detach();
        while self.take() {
            self.deliver();
        }
        self.step(Input::Stop);
        self.deliver();
        end.and(self.core.tape.map_or(Ok(()), super::record::finish))
    }

    fn step(&mut self, input: Input) {
        self.core.step(input, &mut self.out);
    }

    /// Takes a batch of records; `false` when the ring is empty.
    fn take(&mut self) -> bool {
        let Self {
            core,
            rings,
            out,
            surroundings,
            stale,
            self_test,
            ..
        } = self;
        for _ in 0..BATCH {
            let more = rings.step(|read| {
                trace!("{read:?}");
                surroundings.stats().read(&read);
                self_test.see(&read);
                *stale |= core.take(read, out);
            });
            if !more {
                return false;
            }
        }
        true
    }

    fn tick(&mut self) {
        self.step(Input::Tick(clock::boottime_ns()));
        if self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            self.look();
        }
        if (self.stale || self.curious) && self.surveyed.elapsed() >= LOOK {
            self.surveyed = Instant::now();
            self.survey();
        }
        if self.refreshed.elapsed() >= REFRESH {
            self.refreshed = Instant::now();
            self.watch_directories();
        }
        if let Some(log) = &mut self.kernel_log {
            log.flush();
        }
        let stats = self.surroundings.stats();
        stats.tree(&self.core.engine.stats());
        stats.incidents(&self.core.engine.incidents());
        stats.profiles(self.core.engine.profiles());
        stats.memo(self.core.engine.memo());
        self.recording.tell(self.core.tape.as_ref());
        self.supervisor.alive();
    }

    fn watch_directories(&mut self) {
        let directories = crate::watch::directories(&self.directories);
        if let Err(error) = self.attached.watch(&directories) {
            warn!("cannot watch new directories: {error}");
        }
    }

    /// Looks for losses that leave no gap in the stream, and repairs the tree.
    fn look(&mut self) {
        let map_full = self.counters.sum(Counter::MapFull).unwrap_or(self.map_full);
        self.stale |= map_full > self.map_full;
        self.map_full = map_full;
        let missed = self.counters.recursion_misses();
        if missed > self.missed {
            let lost = Lost {
                ring: RingKind::Lifecycle,
                cpu: u32::MAX,
                count: missed - self.missed,
                time_ns: clock::boottime_ns(),
            };
            self.missed = missed;
            self.stale = true;
            self.step(Input::Event(Event::Lost(lost)));
        }
    }

    /// Asks for a new snapshot. Its reading happens elsewhere; it comes back as an input.
    fn survey(&mut self) {
        let survey = match self.attached.survey() {
            Ok(survey) => survey,
            Err(error) => return warn!("cannot scan again after a loss: {error}"),
        };
        self.surroundings.stale(self.stale);
        let because = if self.stale {
            Cause::Loss
        } else {
            Cause::Service
        };
        (self.stale, self.curious) = (false, false);
        let (host_scope, done) = (self.host_scope, self.snapshots.0.clone());
        tokio::task::spawn_blocking(move || {
            // Nobody waits for it any more when the sensor has ended.
            drop(done.blocking_send((because, survey.read(host_scope))));
        });
    }

    fn repair(&mut self, because: Cause, snapshot: Snapshot) {
        let count = snapshot.processes.len();
        match because {
            Cause::Loss => warn!("records are missing: {count} processes scanned again"),
            Cause::Service => debug!("a service is new: {count} processes scanned"),
        }
        self.step(Input::Snapshot(snapshot));
        self.step(Input::Degraded(Vec::new()));
        self.surroundings.stale(self.stale);
    }

    /// Has a process looked at. When nobody keeps up, later ones are not: they are no
    /// services then until the next start, or an Apache stays what it was.
    fn look_at(&self, process: ProcessId, look: fn(ProcessId) -> Option<Input>) {
        let Ok(permit) = self.looks.0.clone().try_reserve_owned() else {
            return warn!("cannot look at pid {}: too many at once", process.tgid);
        };
        tokio::task::spawn_blocking(move || {
            if let Some(found) = look(process) {
                drop(permit.send(found));
            }
        });
    }

    /// Tells the kernel side about a candidate that is a service.
    fn promote(&mut self, root: ProcessId) {
        if let Err(error) = self.attached.promote(root) {
            warn!("cannot mark the service at pid {}: {error}", root.tgid);
        }
        // From here on its exit is reported; before, it ended in silence.
        if !scan::lives(root) {
            self.step(Input::Gone(root));
        }
    }

    fn tested(&mut self, outcome: self_test::Outcome) {
        if let Some(why) = self.surroundings.tested(outcome) {
            let own = ProcessId::new(std::process::id(), 0);
            self.step(Input::Unproven(own, clock::boottime_ns(), why));
        }
    }

    fn deliver(&mut self) {
        // What follows from telling the kernel side is delivered next time.
        for output in std::mem::take(&mut self.out) {
            match output {
                Output::Alert(alert) => self.surroundings.tell(Document::Alert(alert)),
                Output::Notice(notice) => self.surroundings.tell(Document::Notice(notice)),
                Output::Silenced(found) => {
                    let profile = found.subject.profile.as_ref();
                    let reason = profile.map(|it| it.judgement.reason());
                    debug!(
                        "{} at pid {} is silenced: {}",
                        found.rule.name,
                        found.subject.process.tgid,
                        reason.unwrap_or_default()
                    );
                }
                Output::Started(service) => {
                    debug!("service {} at pid {}", service.kind.name(), service.id.tgid);
                    self.surroundings.expect(&self.core.engine, service.kind);
                }
                Output::Retired(root) => {
                    if let Err(error) = self.attached.retire(root) {
                        warn!("cannot un-mark pid {}: {error}", root.tgid);
                    }
                }
                Output::Demoted(root) => {
                    if let Err(error) = self.attached.demote(root) {
                        warn!("cannot un-mark pid {}: {error}", root.tgid);
                    }
                }
                Output::Promoted(root) => self.promote(root),
                Output::Inspect(process) => self.look_at(process, inspected),
                Output::Examine(master) => self.look_at(master, examined),
                Output::Survey => self.curious = true,
                Output::Adopted(process, membership) => {
                    // The scan that follows makes it count.
                    self.curious = true;
                    if let Err(error) = self.attached.adopt(process, membership) {
                        warn!("cannot mark pid {}: {error}", process.tgid);
                    }
                }
                Output::Excepted(excepted) => self.surroundings.excepted(&excepted),
                Output::Ended(exception) => {
                    warn!("{exception} has ended and no longer applies: renew it or remove it");
                }
                Output::Request(request) => self.asker.fact(request),
                Output::Inquire(file) => self.asker.file(file),
                Output::Locate(place) => self.asker.place(place),
                Output::Quiet(counts) => self.surroundings.count(&counts),
            }
        }
    }
}

/// What a signal asks for.
pub(super) enum Wish {
    /// The end.
    Stop,
    /// Everything read again.
    Reload,
}

/// The signals that the sensor obeys.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// From now on these signals are waited for, not died of.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// What the next signal asks for. A hang-up ends a sensor that belongs to a terminal,
    /// and makes a daemon read its configuration again.
    async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::Stop,
            _ = self.interrupt.recv() => Wish::Stop,
            _ = self.hangup.recv() => {
                if io::stdin().is_terminal() || io::stdout().is_terminal() {
                    return Wish::Stop;
                }
                Wish::Reload
            }
        }
    }
}

fn inspected(process: ProcessId) -> Option<Input> {
    let found = inspect::inspect(process)?;
    Some(Input::Inspected(found.process, found.program, found.image))
}

fn examined(master: ProcessId) -> Option<Input> {
    inspect::apache(master).map(Input::Apache)
}

/// `name rung` of each hook.
fn hooks(hooks: &[Hook]) -> String {
    let hooks: Vec<String> = hooks
        .iter()
        .map(|hook| format!("{} ({})", hook.name, hook.rung))
        .collect();
    hooks.join(" ")
}

/// Kind and pid of each service found at start.
fn services(out: &[Output]) -> String {
    let services: Vec<String> = out
        .iter()
        .filter_map(|output| match output {
            Output::Started(service) => Some(named(service)),
            _ => None,
        })
        .collect();
    if services.is_empty() {
        "none yet".to_owned()
    } else {
        services.join(" ")
    }
}

fn named(service: &Service) -> String {
    format!("{} (pid {})", service.kind.name(), service.id.tgid)
}
