//! What services spawn, noted while they run.
//!
//! A chain seen once is kept as it was; a fourth that differs only in arguments makes one
//! with placeholders of all. What a rule that must never be learnt matched is kept out,
//! with everything below it.

use std::collections::BTreeMap;

use super::{
    Day, Refusal,
    chain::{Chain, Trail},
    key::Key,
    lock::{Lock, Seen},
    table::Table,
};

/// Services kept.
pub(super) const SERVICES_MAX: usize = 256;
/// Chains kept of one service.
pub(super) const CHAINS_MAX: usize = 2_048;
/// Chains kept of all services.
pub(super) const TOTAL_MAX: usize = 16_384;
/// Reasons kept, of one service, for what is not learnt.
const REASONS_MAX: usize = 256;
/// Chains that differ in arguments only before they become one.
const VARIANTS: usize = 3;

#[derive(Clone, Debug)]
struct Note {
    seen: Seen,
    /// A rule that must never be learnt matched it or something above it.
    tainted: bool,
    /// It has become part of another one.
    joined: bool,
    /// What it shares with those it could be joined with.
    shape: String,
}

#[derive(Clone, Debug, Default)]
struct Service {
    table: Table<Note>,
    tainted: bool,
    /// What is not learnt: executable, why, how often.
    refused: BTreeMap<(String, String), u64>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Learner {
    services: BTreeMap<Key, Service>,
    chains: usize,
    overflow: u64,
}

impl Learner {
    /// The chain was noted before.
    pub(super) fn knows(&self, key: &Key, trail: &Trail<'_>) -> bool {
        self.services
            .get(key)
            .is_some_and(|service| service.table.beginning(trail).is_some())
    }

    /// The chain itself was noted before.
    pub(super) fn has(&self, key: &Key, trail: &Trail<'_>) -> bool {
        self.services
            .get(key)
            .is_some_and(|service| service.table.exactly(trail).is_some())
    }

    /// Something was kept out for this reason before.
    pub(super) fn has_refused(&self, key: &Key, exe: &str, why: &str) -> bool {
        let reason = (exe.to_owned(), why.to_owned());
        let service = self.services.get(key);
        service.is_some_and(|service| service.refused.contains_key(&reason))
    }

    fn service(&mut self, key: &Key) -> Option<&mut Service> {
        if !self.services.contains_key(key) && self.services.len() >= SERVICES_MAX {
            self.overflow = self.overflow.saturating_add(1);
            return None;
        }
        Some(self.services.entry(key.clone()).or_default())
    }

    /// Notes a chain.
    pub(super) fn note(&mut self, key: &Key, trail: &Trail<'_>, day: Day) {
        let room = self.chains < TOTAL_MAX;
        let Some(service) = self.service(key) else {
            return;
        };
        let before = service.table.len();
        if !service.note(trail, day, room) {
            self.overflow = self.overflow.saturating_add(1);
            return;
        }
        let added = service.table.len() - before;
        self.chains += added;
    }

    /// Counts what is kept out, and why.
    pub(super) fn refuse(&mut self, key: &Key, exe: &str, why: &str) {
        let Some(service) = self.service(key) else {
            return;
        };
        let reason = (exe.to_owned(), why.to_owned());
        let full = service.refused.len() >= REASONS_MAX;
        if full && !service.refused.contains_key(&reason) {
            self.overflow = self.overflow.saturating_add(1);
            return;
        }
        let count = service.refused.entry(reason).or_default();
        *count = count.saturating_add(1);
    }

    /// Keeps a chain out, whether it was noted or will be, and what comes below it.
    pub(super) fn taint(&mut self, key: &Key, trail: &Trail<'_>, day: Day) {
        self.note(key, trail, day);
        let Some(service) = self.services.get_mut(key) else {
            return;
        };
        let numbers: Vec<usize> = service
            .table
            .near(trail)
            .map(|(number, _)| number)
            .collect();
        for number in numbers {
            let begins = service
                .table
                .get(number)
                .is_some_and(|(chain, _)| chain.begins(trail));
            if begins && let Some(note) = service.table.get_mut(number) {
                note.tainted = true;
                service.tainted = true;
            }
        }
    }

    /// What has been learnt.
    #[must_use]
    pub fn lock(&self) -> Lock {
        let mut lock = Lock::default();
        for (key, service) in &self.services {
            for (chain, note) in service.table.iter() {
                if !note.tainted && !note.joined {
                    lock.add(key, chain, Some(note.seen));
                }
            }
        }
        lock
    }

    /// What was kept out: service, executable, why, how often.
    pub fn refused(&self) -> impl Iterator<Item = (&Key, &str, &str, u64)> {
        self.services.iter().flat_map(|(key, service)| {
            let refused = service.refused.iter();
            refused.map(move |((exe, why), count)| (key, exe.as_str(), why.as_str(), *count))
        })
    }

    /// Execs for which there was no room.
    #[must_use]
    pub const fn overflow(&self) -> u64 {
        self.overflow
    }

    /// Chains kept.
    #[must_use]
    pub const fn chains(&self) -> usize {
        self.chains
    }
}

impl Service {
    /// `false` when there is no room.
    fn note(&mut self, trail: &Trail<'_>, day: Day, room: bool) -> bool {
        if let Some(number) = self.table.exactly(trail) {
            if let Some(note) = self.table.get_mut(number) {
                note.seen.again(day);
            }
            return true;
        }
        let Ok(chain) = trail.chain() else {
            return true;
        };
        let tainted = self.tainted && self.is_below_tainted(trail);
        if !tainted && self.join(&chain, trail, day) {
            return true;
        }
        if !room || self.table.len() >= CHAINS_MAX {
            return false;
        }
        let note = Note {
            seen: Seen::once(day),
            tainted,
            joined: false,
            shape: chain.shape(),
        };
        self.table.push(chain, note);
        true
    }

    /// A tainted chain is the beginning of this one.
    fn is_below_tainted(&self, trail: &Trail<'_>) -> bool {
        let mut tainted = self.table.iter().filter(|(_, note)| note.tainted);
        tainted.any(|(chain, _)| chain.is_begun_by(trail))
    }

    /// Makes one chain of those that differ in arguments only, when there are enough.
    fn join(&mut self, chain: &Chain, trail: &Trail<'_>, day: Day) -> bool {
        let shape = chain.shape();
        let alike = self.table.near(trail).filter(|(_, (known, note))| {
            !note.tainted
                && !note.joined
                && known.steps().len() == chain.steps().len()
                && note.shape == shape
        });
        let mut joined = chain.clone();
        let mut seen = Seen::once(day);
        let mut members = Vec::new();
        for (number, (known, note)) in alike {
            let Some(wider) = joined.join(known) else {
                continue;
            };
            let is_wide = !known.is_exact(known.steps().len());
            joined = wider;
            seen = note.seen.plus(seen);
            members.push((number, is_wide));
        }
        let enough = members.len() >= VARIANTS || members.iter().any(|(_, is_wide)| *is_wide);
        let Some(((first, _), rest)) = members.split_first().filter(|_| enough) else {
            return false;
        };
        self.table.replace(*first, joined);
        if let Some(note) = self.table.get_mut(*first) {
            seen.days = note.seen.days + u32::from(day > note.seen.last);
            note.seen = seen;
        }
        for (number, _) in rest {
            if let Some(note) = self.table.get_mut(*number) {
                note.joined = true;
            }
        }
        true
    }
}

/// What is said of an exec that no profile may hold.
pub(super) fn reason(refusal: Refusal) -> String {
    refusal.to_string()
}
