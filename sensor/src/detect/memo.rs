//! Verdicts on execs, remembered: a service does the same few things all day.
//!
//! A verdict is a pure function of the fields that were read to come to it. The key of an
//! entry holds every field that rules of its engine name, values in full: keys are
//! compared byte by byte, so no two acts are taken for one another, whatever their hashes.
//! While an engine comes to a verdict, what it reads is watched, and a verdict for which
//! anything was read that the key does not hold is not kept. So the memo can be slow, but
//! not wrong.
//!
//! To write a key costs more than to compare an act with one like it, so what comes often
//! is found by that first (`near`).
//!
//! Belongs to a rule set, so that other rules begin with an empty one. Bounded in entries
//! and bytes; what was not asked for longest goes first.

mod key;
mod near;

use std::{borrow::Cow, cell::Cell, sync::Arc};

use foldhash::quality::RandomState;
use lru::LruCache;
use rsigma_eval::{Event, EventValue};
use serde_json::Value;

pub(super) use self::key::Basis;
use self::near::Near;
use super::{field, past::Past, ruleset::Fields, setting::Grounds, view::View};

/// Entries kept. A busy host has some hundred kinds of execs.
pub(super) const ENTRIES: usize = 8_192;

/// Bytes kept: half of keys, verdicts and what holds them, half of what `near` keeps.
pub(super) const BYTES: usize = 8 << 20;

/// Longest key, bytes: what is longer is told anew each time. Arguments alone may have
/// 3 KiB, paths and ancestors are not that long together unless somebody means them to be.
pub(super) const KEY: usize = 8 << 10;

/// Texts of one verdict, bytes, like [`KEY`].
const TEXTS: usize = 8 << 10;

/// What an entry takes besides its key and texts, about.
const OVERHEAD: usize = 160;

/// Rules that matched, as the engines number them, and what made them.
pub(super) type Verdict = Arc<[(usize, Fields)]>;

/// What became of the execs that were asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoStats {
    /// Verdicts that were remembered.
    pub hits: u64,
    /// Those of them that were found without a key.
    pub near: u64,
    /// Verdicts that were come to, and kept.
    pub misses: u64,
    /// Verdicts that were come to and could not be kept: too long, or a rule read what
    /// hardly two acts have in common.
    pub unkept: u64,
    /// Entries now.
    pub entries: u64,
    /// Bytes they take, about.
    pub bytes: u64,
}

/// See the module.
pub(super) struct Memo {
    near: Near,
    verdicts: LruCache<Box<[u8]>, Verdict, RandomState>,
    bytes: usize,
    /// Most bytes of keys and verdicts; none at all when 0.
    bound: usize,
    /// The key asked for, kept for its room.
    key: Vec<u8>,
    stats: MemoStats,
}

impl Default for Memo {
    fn default() -> Self {
        Self::new(BYTES)
    }
}

impl Memo {
    /// A memo of at most so many bytes; with 0 it remembers nothing.
    pub(super) fn new(bound: usize) -> Self {
        Self {
            near: Near::new(bound / 2),
            verdicts: LruCache::unbounded_with_hasher(RandomState::default()),
            bytes: 0,
            bound: bound / 2,
            key: Vec::new(),
            stats: MemoStats::default(),
        }
    }

    pub(super) fn stats(&self) -> MemoStats {
        MemoStats {
            entries: self.verdicts.len() as u64,
            bytes: (self.bytes + self.near.bytes()) as u64,
            ..self.stats
        }
    }

    /// What `tell` makes of the verdict on an act that comes again and again. `of` tells
    /// apart the engines of one rule set, and `basis` is theirs.
    #[inline]
    pub(super) fn recall<T>(
        &mut self,
        of: u16,
        basis: &Basis,
        act: (&Grounds<'_>, &Past),
        tell: impl FnOnce(&Verdict) -> T,
    ) -> Option<T> {
        if self.bound == 0 || !basis.is_compared() {
            return None;
        }
        let told = self.near.get(of, act, tell)?;
        self.stats.hits += 1;
        self.stats.near += 1;
        Some(told)
    }

    /// The verdict on an act that [`Memo::recall`] does not know: remembered by its key, or
    /// what `evaluate` comes to.
    pub(super) fn verdict(
        &mut self,
        of: u16,
        basis: &Basis,
        view: &View<'_>,
        evaluate: impl FnOnce(&Watched<'_, '_>) -> Verdict,
    ) -> Verdict {
        self.key.clear();
        self.key.extend_from_slice(&of.to_le_bytes());
        let is_short = self.bound > 0 && basis.write(view, &mut self.key);
        if is_short && let Some(verdict) = self.verdicts.get(self.key.as_slice()) {
            self.stats.hits += 1;
            if basis.is_compared() {
                let grounds = view.setting.grounds();
                self.near.keep(of, grounds, view.past(), verdict);
            }
            return Arc::clone(verdict);
        }
        let watched = Watched {
            view,
            basis,
            beyond: Cell::new(false),
        };
        let verdict = evaluate(&watched);
        if is_short && !watched.beyond.get() && texts(&verdict) <= TEXTS {
            self.stats.misses += 1;
            self.keep(Arc::clone(&verdict));
        } else {
            self.stats.unkept += 1;
        }
        verdict
    }

    /// Enters a verdict under the key asked for.
    fn keep(&mut self, verdict: Verdict) {
        self.bytes += cost(&self.key, &verdict);
        self.verdicts.put(self.key.as_slice().into(), verdict);
        while self.bytes > self.bound || self.verdicts.len() > ENTRIES {
            let Some((key, verdict)) = self.verdicts.pop_lru() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(cost(&key, &verdict));
        }
    }
}

fn cost(key: &[u8], verdict: &Verdict) -> usize {
    OVERHEAD + key.len() + texts(verdict)
}

fn texts(verdict: &Verdict) -> usize {
    let fields = verdict.iter().flat_map(|(_, fields)| &**fields);
    let texts = fields.map(|(name, value)| name.len() + value.len() + 2 * size_of::<String>());
    texts.sum::<usize>() + size_of_val::<[_]>(verdict)
}

/// A view of which is noted whether anything is read of it that the key does not hold.
pub(super) struct Watched<'w, 's> {
    view: &'w View<'s>,
    basis: &'w Basis,
    beyond: Cell<bool>,
}

impl<'s> Watched<'_, 's> {
    fn all(&self) -> &View<'s> {
        self.beyond.set(true);
        self.view
    }
}

impl Event for Watched<'_, '_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        let held = match field::locate(path) {
            Some((place, _)) => self.basis.holds(place),
            // A variable; anything else is no field and never has a value.
            None => self.basis.holds_program() || !path.starts_with(field::ENV),
        };
        if !held {
            self.beyond.set(true);
        }
        self.view.get_field(path)
    }

    fn any_string_value(&self, pred: &dyn Fn(&str) -> bool) -> bool {
        self.all().any_string_value(pred)
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        self.all().all_string_values()
    }

    fn visit_string_values(&self, visit: &mut dyn FnMut(&str)) {
        self.all().visit_string_values(visit);
    }

    fn to_json(&self) -> Value {
        self.all().to_json()
    }

    fn field_keys(&self) -> Vec<Cow<'_, str>> {
        self.all().field_keys()
    }
}

/// What keys hold of a program.
#[cfg(test)]
pub(super) fn program_key(program: &crate::event::Program) -> Vec<u8> {
    let mut key = Vec::new();
    key::program(program, &mut key);
    key
}

/// The numbers near entries hold of what an act is set in.
#[cfg(test)]
pub(super) fn near_numbers(grounds: &Grounds<'_>) -> Option<Vec<u64>> {
    let mut numbers = Vec::new();
    grounds.write(&mut numbers).map(|()| numbers)
}

/// The fields that depend on a program alone.
#[cfg(test)]
pub(super) fn program_fields(program: &crate::event::Program) -> Vec<(&'static str, Value)> {
    let subject = crate::lineage::Subject {
        program: Arc::new(program.clone()),
        ..super::tests::subject("{image: /x}")
    };
    values(&subject, field::Field::is_of_program)
}

/// The fields that depend on what an act is set in.
#[cfg(test)]
pub(super) fn setting_fields(subject: &crate::lineage::Subject) -> Vec<(&'static str, Value)> {
    values(subject, field::Field::is_of_setting)
}

#[cfg(test)]
fn values(
    subject: &crate::lineage::Subject,
    which: fn(&field::Field) -> bool,
) -> Vec<(&'static str, Value)> {
    let (users, memory) = Default::default();
    let view = View::new(subject, (&users, &memory), super::view::Evidence::default());
    let fields = field::all().filter(|field| which(field));
    let fields = fields.map(|field| {
        let value = field
            .get(&view)
            .map_or(Value::Null, |found| found.to_json());
        (field.name, value)
    });
    fields.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Option<EventValue<'static>>> {
        let text = prop::sample::select(vec!["", "s", "ss", "-", "\0", "a\0\0\0\0\0\0\0"]);
        let one = prop_oneof![
            text.prop_map(|text| EventValue::Str(text.into())),
            (0..3_i64).prop_map(EventValue::Int),
            any::<bool>().prop_map(EventValue::Bool),
            Just(EventValue::Null),
            Just(EventValue::Float(0.0)),
        ];
        let list = prop::collection::vec(one.clone(), 0..3).prop_map(EventValue::Array);
        let map = prop::collection::vec(one.clone(), 0..2).prop_map(|values| {
            EventValue::Map(values.into_iter().map(|it| ("s".into(), it)).collect())
        });
        prop::option::of(prop_oneof![3 => one, 1 => list, 1 => map])
    }

    proptest! {
        #[test]
        fn different_values_have_different_keys(
            one in prop::collection::vec(value(), 4),
            two in prop::collection::vec(value(), 4),
        ) {
            let key = |values: &[Option<EventValue<'static>>]| {
                let mut key = Vec::new();
                for found in values {
                    key::field(found.as_ref(), &mut key);
                }
                key
            };
            prop_assert_eq!(key(&one) == key(&two), format!("{one:?}") == format!("{two:?}"));
        }
    }
}
