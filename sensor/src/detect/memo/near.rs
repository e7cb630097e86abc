//! What comes again and again, found without a key being written.
//!
//! Stands before the verdicts by key and never knows more than they do. All that an act is
//! set in ([`Grounds`]) and all that rules see of its past ([`Past`]) is a short list of
//! numbers, in which a program is the number of its kind: the tree has compared it, byte by
//! byte, with one like it. Lists are compared in full; what is no number (the service, the
//! profile's word, the names of users) is compared with what the entry keeps, and mostly
//! is the same object. The hash only finds the entry. An act with a program that has no
//! number is not found here.
//!
//! Bounded in entries and bytes; no program is kept alive.

use std::{
    hash::{BuildHasher as _, BuildHasherDefault, Hasher},
    mem::size_of,
    sync::Arc,
};

use lru::LruCache;

use super::Verdict;
use crate::{
    detect::{
        past::Past,
        setting::{Grounds, Rest},
    },
    event::FOLD,
    lineage::{Service, Standing},
};

/// Entries kept.
pub(super) const ENTRIES: usize = 2_048;

/// An entry that was put first among those that stay so few questions ago stays where it is:
/// what is common need not be moved each time.
const LATELY: u64 = 256;

/// See the module.
pub(super) struct Near {
    entries: LruCache<u64, Entry, BuildHasherDefault<Hashed>>,
    hasher: foldhash::fast::RandomState,
    bytes: usize,
    /// Most bytes; none at all when 0.
    bound: usize,
    /// Those of an act, kept for their room.
    numbers: Vec<u64>,
    /// How often was asked.
    asked: u64,
}

/// The place of a hash is the hash.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("the keys are numbers")
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

struct Entry {
    numbers: Box<[u64]>,
    rest: Rest,
    verdict: Verdict,
    cost: usize,
    /// When it was put first among those that stay, by [`Near::asked`].
    asked: u64,
}

impl Near {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            entries: LruCache::unbounded_with_hasher(BuildHasherDefault::default()),
            hasher: foldhash::fast::RandomState::default(),
            bytes: 0,
            bound,
            numbers: Vec::new(),
            asked: 0,
        }
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// What `tell` makes of the verdict of the engines `of` on an act that is known.
    pub(super) fn get<T>(
        &mut self,
        of: u16,
        (grounds, past): (&Grounds<'_>, &Past),
        tell: impl FnOnce(&Verdict) -> T,
    ) -> Option<T> {
        let hash = self.write(of, grounds, past)?;
        self.asked += 1;
        let entry = self.entries.peek_mut(&hash)?;
        if *entry.numbers != *self.numbers || !grounds.is_like(&entry.rest) {
            return None;
        }
        let told = tell(&entry.verdict);
        if self.asked - entry.asked > LATELY {
            entry.asked = self.asked;
            self.entries.promote(&hash);
        }
        Some(told)
    }

    /// Enters the verdict on an act.
    pub(super) fn keep(&mut self, of: u16, grounds: &Grounds<'_>, past: &Past, verdict: &Verdict) {
        let Some(hash) = self.write(of, grounds, past) else {
            return;
        };
        let rest = grounds.rest();
        let cost = cost(&self.numbers, &rest, verdict);
        if cost > self.bound {
            return;
        }
        let entry = Entry {
            numbers: self.numbers.as_slice().into(),
            rest,
            verdict: Arc::clone(verdict),
            cost,
            asked: self.asked,
        };
        self.bytes += cost;
        if let Some(old) = self.entries.put(hash, entry) {
            self.bytes = self.bytes.saturating_sub(old.cost);
        }
        while self.bytes > self.bound || self.entries.len() > ENTRIES {
            let Some((_, old)) = self.entries.pop_lru() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(old.cost);
        }
    }

    /// Puts down the numbers of an act and gives their hash; `None` when a program has none.
    fn write(&mut self, of: u16, grounds: &Grounds<'_>, past: &Past) -> Option<u64> {
        self.numbers.clear();
        self.numbers.push(of.into());
        past.write(&mut self.numbers);
        grounds.write(&mut self.numbers)?;
        // Seeded, and folded once more at the end: nobody chooses the numbers of kinds.
        let service = grounds.service.map_or(0, |it| it.id.start_ns);
        let folded = self.numbers.iter().fold(service, |folded, &number| {
            (folded.rotate_left(23) ^ number).wrapping_mul(FOLD)
        });
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u64(folded);
        Some(hasher.finish())
    }
}

/// What an entry keeps, bytes, about.
fn cost(numbers: &[u64], rest: &Rest, verdict: &Verdict) -> usize {
    let service = rest.service.as_ref();
    let service = service.map_or(0, |it| size_of::<Service>() + it.unit.len());
    let profile = rest.profile.as_ref();
    let profile = profile.map_or(0, |it| size_of::<Standing>() + it.judgement.reason().len());
    super::OVERHEAD
        + size_of::<Entry>()
        + size_of_val(numbers)
        + super::texts(verdict)
        + service
        + profile
}
