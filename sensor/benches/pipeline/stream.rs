//! A recording as a stream that can be repeated.

use std::{fs::File, path::Path, sync::Arc};

use sensor::{
    decode::decode,
    detect::Fact,
    engine::Input,
    event::{Event, Membership, ProcessId, Stamp},
    record::{Header, Reader},
};

use super::encode::encode;

/// Between two repetitions, ns: grace and time-outs pass.
const PAUSE_NS: u64 = 100_000_000;

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
}

impl Other {
    pub(super) fn make(&self) -> Input {
        match self {
            Self::Tick(now_ns) => Input::Tick(*now_ns),
            Self::Fact(fact) => Input::Fact(fact.clone()),
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
    /// Reads a recording; what has no lifecycle record is left out.
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
            Input::Tick(now_ns) => Some(Step::Other(Other::Tick(now_ns))),
            Input::Fact(fact) => Some(Step::Other(Other::Fact(fact))),
            _ => None,
        });
        let steps: Vec<Step> = steps.collect();
        Self::new(header, steps)
    }

    fn new(header: Header, steps: Vec<Step>) -> Self {
        let stamps = steps.iter().filter_map(|step| match step {
            Step::Event(event) => stamp(event),
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

    /// The same without execs and what waits for them, but for those of the servers.
    pub(super) fn without_execs(&self) -> Self {
        let kept = self.steps.iter().filter_map(|step| match step {
            Step::Event(Event::Exec(exec)) if !exec.recognised => None,
            Step::Event(event) => Some(Step::Event(event.clone())),
            Step::Other(other) => Some(Step::Other(other.clone())),
        });
        Self::new(self.header.clone(), kept.collect())
    }

    /// Records in one repetition.
    pub(super) fn records(&self) -> usize {
        let events = self.steps.iter();
        events.filter(|step| matches!(step, Step::Event(_))).count()
    }

    /// Execs in one repetition.
    pub(super) fn execs(&self) -> usize {
        let events = self.steps.iter();
        events
            .filter(|step| matches!(step, Step::Event(Event::Exec(_))))
            .count()
    }

    /// The stream as other processes do it later.
    pub(super) fn repeat(&self, repetition: u64) -> Vec<Item> {
        let later = Later {
            ns: repetition * self.period_ns,
            seq: repetition * self.sequence,
        };
        let items = self.steps.iter().map(|step| match step {
            Step::Event(event) => Item::Record(encode(&later.event(event)).expect("encoded once")),
            Step::Other(other) => Item::Input(later.other(other)),
        });
        items.collect()
    }
}

fn stamp(event: &Event) -> Option<Stamp> {
    match event {
        Event::Fork(fork) => Some(fork.stamp),
        Event::Exec(exec) => Some(exec.stamp),
        Event::Exit(exit) => Some(exit.stamp),
        _ => None,
    }
}

/// Moves identities and times.
struct Later {
    ns: u64,
    seq: u64,
}

impl Later {
    fn event(&self, event: &Event) -> Event {
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
                Arc::make_mut(&mut exec.program).time_ns = exec.stamp.time_ns;
            }
            Event::Exit(exit) => {
                self.stamp(&mut exit.stamp);
                self.process(&mut exit.process);
                self.membership(&mut exit.membership);
            }
            _ => {}
        }
        event
    }

    fn other(&self, other: &Other) -> Other {
        let mut other = other.clone();
        match &mut other {
            Other::Tick(now_ns) => *now_ns += self.ns,
            Other::Fact(Fact::Hash { process, .. }) => self.process(process),
            Other::Fact(_) => {}
        }
        other
    }

    fn stamp(&self, stamp: &mut Stamp) {
        stamp.time_ns += self.ns;
        stamp.seq += self.seq;
    }

    fn process(&self, process: &mut ProcessId) {
        process.start_ns += self.ns;
    }

    fn membership(&self, membership: &mut Option<Membership>) {
        if let Some(membership) = membership {
            self.process(&mut membership.root);
        }
    }
}
