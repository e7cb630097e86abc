//! A recording as a stream that can be repeated.

use std::{fs::File, path::Path, sync::Arc};

use sensor::{
    decode::decode,
    detect::Fact,
    engine::Input,
    event::{Event, Membership, ProcessId, Program, Stamp, Written},
    record::{Header, Reader},
};

use super::{busy, encode::encode};

/// Between two repetitions, ns: grace and time-outs pass.
const PAUSE_NS: u64 = 100_000_000;

/// How often a running sensor looks at the clock.
const TICK_NS: u64 = 100_000_000;

/// One step of a repetition.
pub(super) enum Item {
    /// The kernel's bytes.
    Record(Vec<u8>),
    /// What does not come from the ring.
    Input(Other),
}

/// An input that does not come from the ring.
#[derive(Clone)]
pub(super) enum Other {
    Tick(u64),
    Fact(Fact),
    Inspected(ProcessId, Arc<Program>, Option<String>),
    Gone(ProcessId),
    Listening(Vec<ProcessId>),
}

impl Other {
    /// `None` for what comes from the ring, or once at the start.
    fn of(input: Input) -> Option<Self> {
        Some(match input {
            Input::Tick(now_ns) => Self::Tick(now_ns),
            Input::Fact(fact) => Self::Fact(fact),
            Input::Inspected(process, program, image) => Self::Inspected(process, program, image),
            Input::Gone(process) => Self::Gone(process),
            Input::Listening(roots) => Self::Listening(roots),
            _ => return None,
        })
    }

    pub(super) fn make(&self) -> Input {
        match self.clone() {
            Self::Tick(now_ns) => Input::Tick(now_ns),
            Self::Fact(fact) => Input::Fact(fact),
            Self::Inspected(process, program, image) => Input::Inspected(process, program, image),
            Self::Gone(process) => Input::Gone(process),
            Self::Listening(roots) => Input::Listening(roots),
        }
    }
}

enum Step {
    Event(Event),
    Other(Other),
}

/// See the module.
pub(super) struct Stream {
    pub(super) header: Header,
    steps: Vec<Step>,
    /// Time from one repetition to the next, ns.
    period_ns: u64,
    /// Highest sequence number.
    sequence: u64,
}

impl Stream {
    /// Reads a recording; scans and losses are left out.
    pub(super) fn read(path: &Path) -> Self {
        let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let reader = Reader::new(file).expect("a recording");
        let header = reader.header().clone();
        let steps = reader.filter_map(|input| match input.expect("a whole recording") {
            Input::Event(event) => {
                let record = encode(&event)?;
                // Proof that the record is the event's.
                assert_eq!(decode(&record).as_ref(), Ok(&event));
                Some(Step::Event(event))
            }
            other => Other::of(other).map(Step::Other),
        });
        let steps: Vec<Step> = steps.collect();
        Self::new(header, steps)
    }

    /// A busy host, seen whole or as far as its services go; facts are those of `like`.
    pub(super) fn busy(like: &Self, host: bool) -> Self {
        let mut header = like.header.clone();
        if host {
            header.config = header.config.replace("scope: services", "scope: host");
        }
        let facts = like.steps.iter().filter_map(|step| match step {
            Step::Other(Other::Fact(fact)) => Some(Step::Other(Other::Fact(fact.clone()))),
            _ => None,
        });
        let mut steps: Vec<Step> = facts.collect();
        let mut tick_ns = 0;
        for event in busy::events() {
            let Some(stamp) = event.stamp() else { continue };
            while tick_ns + TICK_NS <= stamp.time_ns {
                tick_ns += TICK_NS;
                steps.push(Step::Other(Other::Tick(tick_ns)));
            }
            if host || !is_foreign(&event) {
                let record = encode(&event).expect("no loss");
                steps.push(Step::Event(decode(&record).expect("an encoded record")));
            }
        }
        Self::new(header, steps)
    }

    fn new(header: Header, steps: Vec<Step>) -> Self {
        let stamps = steps.iter().filter_map(|step| match step {
            Step::Event(event) => event.stamp(),
            Step::Other(_) => None,
        });
        let stamps: Vec<Stamp> = stamps.collect();
        let times = || stamps.iter().map(|stamp| stamp.time_ns);
        let length = times().max().unwrap_or(0) - times().min().unwrap_or(0);
        Self {
            period_ns: length + PAUSE_NS,
            sequence: stamps.iter().map(|stamp| stamp.seq).max().unwrap_or(0),
            header,
            steps,
        }
    }

    /// The forks and exits alone, with the execs of the servers.
    pub(super) fn of_lifes(&self) -> Self {
        let kept = self.steps.iter().filter_map(|step| match step {
            Step::Event(Event::Exec(exec)) if !exec.recognised => None,
            Step::Event(Event::File(_) | Event::Socket(_)) => None,
            Step::Event(event) => Some(Step::Event(event.clone())),
            Step::Other(other) => Some(Step::Other(other.clone())),
        });
        Self::new(self.header.clone(), kept.collect())
    }

    /// Records in one repetition.
    pub(super) fn records(&self) -> usize {
        self.count(|_| true)
    }

    /// Such records in one repetition.
    pub(super) fn count(&self, is_it: impl Fn(&Event) -> bool) -> usize {
        let steps = self.steps.iter();
        steps
            .filter(|step| matches!(step, Step::Event(event) if is_it(event)))
            .count()
    }

    /// The stream as other processes do it later.
    pub(super) fn repeat(&self, repetition: u64) -> Vec<Item> {
        let later = Later {
            ns: repetition * self.period_ns,
            seq: repetition * self.sequence,
            since_ns: 0,
        };
        let items = self.steps.iter().map(|step| match step {
            Step::Event(event) => Item::Record(encode(&later.event(event)).expect("encoded once")),
            Step::Other(other) => Item::Input(later.other(other)),
        });
        items.collect()
    }
}

/// What the kernel does not tell where only services are followed.
fn is_foreign(event: &Event) -> bool {
    match event {
        Event::Fork(fork) => fork.membership.is_none(),
        Event::Exec(exec) => exec.membership.is_none(),
        Event::Exit(exit) => exit.membership.is_none(),
        Event::File(_) | Event::Socket(_) | Event::Lost(_) => false,
    }
}

/// Moves identities and times.
pub(super) struct Later {
    /// By how much.
    pub(super) ns: u64,
    /// And sequence numbers.
    pub(super) seq: u64,
    /// Processes that began before stay who they are.
    pub(super) since_ns: u64,
}

impl Later {
    /// The same with a program of its own.
    pub(super) fn event(&self, event: &Event) -> Event {
        let mut event = event.clone();
        match &mut event {
            Event::Fork(fork) => {
                self.stamp(&mut fork.stamp);
                self.process(&mut fork.child);
                self.process(&mut fork.creator);
                self.process(&mut fork.parent);
                self.membership(&mut fork.membership);
            }
            Event::Exec(exec) => {
                self.stamp(&mut exec.stamp);
                self.process(&mut exec.process);
                self.process(&mut exec.parent);
                self.membership(&mut exec.membership);
                let program = Arc::make_mut(&mut exec.program);
                program.time_ns = exec.stamp.time_ns;
                self.written(&mut program.written);
            }
            Event::Exit(exit) => {
                self.stamp(&mut exit.stamp);
                self.process(&mut exit.process);
                self.membership(&mut exit.membership);
            }
            Event::File(file) => {
                let file = Arc::make_mut(file);
                self.stamp(&mut file.stamp);
                self.process(&mut file.process);
                self.membership(&mut file.membership);
                self.written(&mut file.written);
            }
            Event::Socket(socket) => {
                let socket = Arc::make_mut(socket);
                self.stamp(&mut socket.stamp);
                self.process(&mut socket.process);
                self.membership(&mut socket.membership);
            }
            Event::Lost(_) => {}
        }
        event
    }

    fn other(&self, other: &Other) -> Other {
        let mut other = other.clone();
        match &mut other {
            Other::Tick(now_ns) => *now_ns += self.ns,
            Other::Fact(Fact::Hash { process, .. }) | Other::Gone(process) => self.process(process),
            Other::Inspected(process, program, _) => {
                self.process(process);
                Arc::make_mut(program).time_ns += self.ns;
            }
            Other::Listening(roots) => roots.iter_mut().for_each(|root| self.process(root)),
            // What is found out of files and containers is told again as it was.
            Other::Fact(Fact::Shells(_) | Fact::Examined(_) | Fact::Located(_)) => {}
        }
        other
    }

    fn stamp(&self, stamp: &mut Stamp) {
        stamp.time_ns += self.ns;
        stamp.seq += self.seq;
    }

    fn process(&self, process: &mut ProcessId) {
        if process.start_ns >= self.since_ns {
            process.start_ns += self.ns;
        }
    }

    fn written(&self, written: &mut Option<Written>) {
        if let Some(written) = written {
            self.process(&mut written.root);
        }
    }

    fn membership(&self, membership: &mut Option<Membership>) {
        if let Some(membership) = membership {
            self.process(&mut membership.root);
        }
    }
}
