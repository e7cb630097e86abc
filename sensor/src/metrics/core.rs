//! Numbers that the core writes and a scrape reads. Atomics only: the core takes no lock.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crate::{
    alert::Reason,
    detect::MemoStats,
    event::{Event, RingKind},
    incident,
    lineage::ServiceKind,
};

/// Services of each kind, in order of [`ServiceKind::ALL`].
#[derive(Debug)]
pub(super) struct Kinds([Kind; ServiceKind::ALL.len()]);

#[derive(Debug, Default)]
struct Kind {
    live: AtomicU64,
    /// There has been one since the start.
    met: AtomicBool,
}

impl Default for Kinds {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Kind::default()))
    }
}

impl Kinds {
    /// Live services of the kinds that have been met: the others would be many series of
    /// nothing.
    pub(super) fn met(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let kinds = ServiceKind::ALL.iter().zip(&self.0);
        let met = kinds.filter(|(_, gauge)| gauge.met.load(Relaxed));
        met.map(|(kind, gauge)| (kind.name(), gauge.live.load(Relaxed)))
    }
}

/// Numbers of incidents.
#[derive(Debug, Default)]
pub(super) struct IncidentStats {
    pub(super) open: AtomicU64,
    pub(super) opened: AtomicU64,
    pub(super) suppressed: AtomicU64,
    /// In order of [`Reason::ALL`].
    pub(super) closed: [AtomicU64; Reason::ALL.len()],
}

/// Numbers of the memo of verdicts.
#[derive(Debug, Default)]
pub(super) struct MemoCounts {
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) unkept: AtomicU64,
    pub(super) entries: AtomicU64,
}

/// What the outlet has cost and has not taken.
#[derive(Debug, Default)]
pub struct OutletStats {
    pub(super) restarts: [AtomicU64; Self::REASONS.len()],
    pub(super) waiting: AtomicU64,
    pub(super) dropped: AtomicU64,
    /// Pods known by what it says; none before it has said anything.
    pub(super) pods: AtomicU64,
    pub(super) pods_left_out: AtomicU64,
    pub(super) follows_pods: AtomicBool,
}

impl OutletStats {
    /// Why an outlet was started in the place of another.
    pub const REASONS: &'static [&'static str] = &["ended", "silent", "misbehaved", "reload"];

    /// Counts one that was started in the place of another.
    pub fn restarted(&self, reason: &str) {
        let found = Self::REASONS.iter().zip(&self.restarts);
        if let Some((_, count)) = found.into_iter().find(|(known, _)| **known == reason) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// States how many documents it has not accepted.
    pub fn set_waiting(&self, count: usize) {
        self.waiting.store(count as u64, Relaxed);
    }

    /// Counts documents that are lost.
    pub fn drop_some(&self, count: u64) {
        self.dropped.fetch_add(count, Relaxed);
    }

    /// States how many pods are known by what it says, and counts those there was no room for.
    pub fn set_pods(&self, known: usize, left_out: usize) {
        self.pods.store(known as u64, Relaxed);
        self.pods_left_out.fetch_add(left_out as u64, Relaxed);
        self.follows_pods.store(true, Relaxed);
    }

    /// Documents it has not accepted.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Relaxed)
    }

    /// Documents lost so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Times it was started again for this reason.
    #[must_use]
    pub fn restarts(&self, reason: &str) -> u64 {
        let found = Self::REASONS.iter().zip(&self.restarts);
        let found = found.into_iter().find(|(known, _)| **known == reason);
        found.map_or(0, |(_, count)| count.load(Relaxed))
    }
}

/// Counters and gauges of the core. All times are `CLOCK_BOOTTIME` ns.
#[derive(Debug, Default)]
pub struct CoreStats {
    pub(super) execs: AtomicU64,
    pub(super) forks: AtomicU64,
    pub(super) exits: AtomicU64,
    pub(super) files: AtomicU64,
    pub(super) sockets: AtomicU64,
    pub(super) missing: AtomicU64,
    pub(super) missing_files: AtomicU64,
    pub(super) live: AtomicU64,
    pub(super) exited: AtomicU64,
    pub(super) evicted: AtomicU64,
    pub(super) silenced: AtomicU64,
    pub(super) would_silence: AtomicU64,
    pub(super) chains: AtomicU64,
    pub(super) not_learnt: AtomicU64,
    pub(super) services: Kinds,
    pub(super) incidents: IncidentStats,
    pub(super) memo: MemoCounts,
    /// What the outlet has cost.
    pub outlet: OutletStats,
    self_test_ns: AtomicU64,
    tick_ns: AtomicU64,
}

impl CoreStats {
    /// Counts an event that the core has consumed.
    pub fn count(&self, event: &Event) {
        match event {
            Event::Exec(_) => self.execs.fetch_add(1, Relaxed),
            Event::Fork(_) => self.forks.fetch_add(1, Relaxed),
            Event::Exit(_) => self.exits.fetch_add(1, Relaxed),
            Event::File(_) => self.files.fetch_add(1, Relaxed),
            Event::Socket(_) => self.sockets.fetch_add(1, Relaxed),
            Event::Lost(lost) => match lost.ring {
                RingKind::Lifecycle => self.missing.fetch_add(lost.count, Relaxed),
                RingKind::File => self.missing_files.fetch_add(lost.count, Relaxed),
            },
        };
    }

    /// States how many processes the tree holds.
    pub fn set_processes(&self, live: u64, exited: u64) {
        self.live.store(live, Relaxed);
        self.exited.store(exited, Relaxed);
    }

    /// States how many processes have been dropped from the tree to keep its bound.
    pub fn set_evicted(&self, total: u64) {
        self.evicted.store(total, Relaxed);
    }

    /// States how many alerts profiles have silenced, and would have in mode alert.
    pub fn set_silenced(&self, silenced: u64, would_silence: u64) {
        self.silenced.store(silenced, Relaxed);
        self.would_silence.store(would_silence, Relaxed);
    }

    /// States how many chains have been learnt, and for how many execs there was no room.
    pub fn set_learnt(&self, chains: u64, not_learnt: u64) {
        self.chains.store(chains, Relaxed);
        self.not_learnt.store(not_learnt, Relaxed);
    }

    /// States how many services of each kind live; kinds not named have none.
    pub fn set_services(&self, counts: impl IntoIterator<Item = (ServiceKind, u64)>) {
        let counts = counts.into_iter().collect::<Vec<_>>();
        for (kind, gauge) in ServiceKind::ALL.iter().zip(&self.services.0) {
            let of_kind = counts.iter().filter(|(of, _)| of == kind);
            let count: u64 = of_kind.map(|(_, count)| count).sum();
            gauge.live.store(count, Relaxed);
            gauge.met.fetch_or(count > 0, Relaxed);
        }
    }

    /// States the numbers of incidents.
    pub fn set_incidents(&self, stats: &incident::Stats) {
        self.incidents.open.store(stats.open, Relaxed);
        self.incidents.opened.store(stats.opened, Relaxed);
        self.incidents.suppressed.store(stats.suppressed, Relaxed);
        for (counter, &count) in self.incidents.closed.iter().zip(&stats.closed) {
            counter.store(count, Relaxed);
        }
    }

    /// States how the memo of verdicts has served.
    pub fn set_memo(&self, stats: MemoStats) {
        self.memo.hits.store(stats.hits, Relaxed);
        self.memo.misses.store(stats.misses, Relaxed);
        self.memo.unkept.store(stats.unkept, Relaxed);
        self.memo.entries.store(stats.entries, Relaxed);
    }

    /// Notes that the self-test has just passed.
    pub fn set_self_test(&self, now_ns: u64) {
        self.self_test_ns.store(now_ns, Relaxed);
    }

    /// Notes that the loop of the core turns. Expected every second or so.
    pub fn tick(&self, now_ns: u64) {
        self.tick_ns.store(now_ns, Relaxed);
    }

    /// When the loop of the core last turned; 0 before it began.
    #[must_use]
    pub fn turned_ns(&self) -> u64 {
        self.tick_ns.load(Relaxed)
    }

    pub(super) fn self_test_age(&self, now_ns: u64) -> Option<Duration> {
        age(&self.self_test_ns, now_ns)
    }
}

/// Time since a moment; `None` when it has not come (0).
fn age(moment: &AtomicU64, now_ns: u64) -> Option<Duration> {
    let moment = moment.load(Relaxed);
    (moment > 0).then(|| Duration::from_nanos(now_ns.saturating_sub(moment)))
}
