//! `lineage.lock`: chains by service, as a file people review and merge.
//!
//! One order, one form, one entry a group of lines: the same chains are the same bytes
//! whoever wrote them. Reading refuses what it does not know.

mod file;
mod form;

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

pub(in crate::profile) use self::form::{StepForm, chain};
pub use self::{
    file::{LockError, read, write},
    form::nearest,
};
use super::{Day, chain::Chain, key::Key};

/// Version of the form.
pub const VERSION: u32 = 1;
/// Most chains of one file.
pub const CHAINS_MAX: usize = 65_536;

/// How often and when a chain was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How often.
    pub count: u64,
    /// On how many days.
    pub days: u32,
    /// First day.
    pub first: Day,
    /// Last day.
    pub last: Day,
}

impl Seen {
    /// Seen once.
    #[must_use]
    pub const fn once(day: Day) -> Self {
        Self {
            count: 1,
            days: 1,
            first: day,
            last: day,
        }
    }

    /// Seen once more.
    pub fn again(&mut self, day: Day) {
        self.count = self.count.saturating_add(1);
        if day > self.last {
            self.days = self.days.saturating_add(1);
            self.last = day;
        }
    }

    /// Both together. Where the days overlap, the same observations may stand in both, so
    /// numbers are not added up: they are never too large.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let apart = self.last < other.first || other.last < self.first;
        let (count, days) = if apart {
            (
                self.count.saturating_add(other.count),
                self.days.saturating_add(other.days),
            )
        } else {
            (self.count.max(other.count), self.days.max(other.days))
        };
        Self {
            count,
            days,
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }

    /// Two chains that were one all along: every observation counts.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            days: self.days.max(other.days),
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }
}

/// See the module. An entry written by hand need not have been seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// Chains of each service.
    pub services: BTreeMap<Key, BTreeMap<Chain, Option<Seen>>>,
}

impl Lock {
    /// Every chain with its service.
    pub fn entries(&self) -> impl Iterator<Item = (&Key, &Chain, Option<Seen>)> {
        let services = self.services.iter();
        services
            .flat_map(|(key, chains)| chains.iter().map(move |(chain, seen)| (key, chain, *seen)))
    }

    /// Adds a chain, or what was seen of it.
    pub fn add(&mut self, key: &Key, chain: &Chain, seen: Option<Seen>) {
        let chains = self.services.entry(key.clone()).or_default();
        let entry = chains.entry(chain.clone()).or_insert(seen);
        *entry = match (*entry, seen) {
            (Some(a), Some(b)) if a != b => Some(a.merge(b)),
            (a, b) => a.or(b),
        };
    }

    /// Adds what `newer` has. A chain that an entry here stands for already is counted
    /// there.
    pub fn merge(&mut self, newer: &Self) {
        for (key, chain, seen) in newer.entries() {
            let covering = self.services.get(key).and_then(|chains| {
                let mut others = chains.keys().filter(|known| *known != chain);
                let found = others.find(|known| known.covers(chain))?;
                Some(found.clone())
            });
            self.add(key, covering.as_ref().unwrap_or(chain), seen);
        }
    }

    /// Takes out what was seen on fewer days, or less often. What was written by hand stays.
    pub fn retain(&mut self, days: u32, count: u64) {
        for chains in self.services.values_mut() {
            chains.retain(|_, seen| seen.is_none_or(|it| it.days >= days && it.count >= count));
        }
        self.services.retain(|_, chains| !chains.is_empty());
    }

    /// Takes out what another entry of the same service stands for: the beginning of a
    /// longer chain, or one with fewer placeholders. What was seen is counted there.
    pub fn prune(&mut self) {
        for chains in self.services.values_mut() {
            let all: Vec<Chain> = chains.keys().cloned().collect();
            for chain in &all {
                let mut wider = all
                    .iter()
                    .filter(|other| *other != chain && chains.contains_key(*other));
                let Some(wider) = wider.find(|other| other.covers(chain)).cloned() else {
                    continue;
                };
                let same = wider.steps().len() == chain.steps().len();
                let seen = chains.remove(chain).flatten();
                // Execs of a shell are not execs of what it runs.
                if same && let (Some(own), Some(Some(into))) = (seen, chains.get_mut(&wider)) {
                    *into = into.merge(own);
                }
            }
        }
    }

    /// Number of chains.
    #[must_use]
    pub fn len(&self) -> usize {
        self.services.values().map(BTreeMap::len).sum()
    }

    /// It has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// SHA-256 of its text, in hex.
    #[must_use]
    pub fn hash(&self) -> String {
        format!("{:x}", Sha256::digest(self.to_yaml()))
    }
}

#[cfg(test)]
pub(in crate::profile) mod tests {
    use super::*;
    use crate::profile::{key::Place, step::Step};

    pub(in crate::profile) fn chain(steps: &[(&str, &[&str])]) -> Chain {
        let step = |(exe, args): &(&str, &[&str])| {
            let args: Vec<_> = args.iter().map(|&arg| arg.to_owned()).collect();
            Step::parse(exe, &args).unwrap()
        };
        Chain::new(steps.iter().map(step).collect()).unwrap()
    }

    pub(in crate::profile) fn key(unit: &str) -> Key {
        Key {
            kind: "php-fpm",
            place: Place::Unit(unit.to_owned()),
            uid: 33,
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "as entries have it")]
    fn seen(count: u64, days: u32, first: &str, last: &str) -> Option<Seen> {
        let [first, last] = [first, last].map(|day| day.parse().unwrap());
        Some(Seen {
            count,
            days,
            first,
            last,
        })
    }

    fn sample() -> Lock {
        let mut lock = Lock::default();
        let sh: (&str, &[&str]) = (
            "/usr/bin/dash",
            &["sh", "-c", "tool {path:/tmp} 'a b' 2>& 1"],
        );
        lock.add(
            &key("b.service"),
            &chain(&[sh]),
            seen(3, 2, "2026-11-20", "2026-11-21"),
        );
        lock.add(
            &key("a.service"),
            &chain(&[
                sh,
                ("/usr/bin/tool", &["tool", "{path:/tmp}", "\u{e4} \"x\"\n"]),
            ]),
            seen(1, 1, "2026-11-22", "2026-11-22"),
        );
        lock.add(&key("a.service"), &chain(&[("/usr/bin/id", &["id"])]), None);
        lock
    }

    #[test]
    fn the_form_is_plain_and_stable() {
        let text = sample().to_yaml();
        insta::assert_snapshot!(text);
        assert_eq!(Lock::parse(&text).unwrap(), sample());
        assert_eq!(Lock::parse(&text).unwrap().to_yaml(), text);
        assert_eq!(
            Lock::parse(&Lock::default().to_yaml()).unwrap(),
            Lock::default()
        );
        assert_ne!(sample().hash(), Lock::default().hash());
    }

    #[test]
    fn merging_is_idempotent_and_in_any_order() {
        let (first, mut second) = (sample(), Lock::default());
        let tool = chain(&[("/usr/bin/tool", &["tool"])]);
        second.add(
            &key("a.service"),
            &tool,
            seen(5, 1, "2026-12-01", "2026-12-01"),
        );
        let id = chain(&[("/usr/bin/id", &["id"])]);
        second.add(
            &key("a.service"),
            &id,
            seen(1, 1, "2026-12-01", "2026-12-01"),
        );
        let merged = |parts: &[&Lock]| {
            let mut lock = Lock::default();
            for part in parts {
                lock.merge(part);
            }
            lock.to_yaml()
        };
        let both = merged(&[&first, &second]);
        assert_eq!(both, merged(&[&second, &first]));
        assert_eq!(both, merged(&[&first, &second, &second, &first]));
        assert!(both.contains("2026-12-01"), "{both}");
    }

    #[test]
    fn numbers_add_up_only_when_days_do_not_overlap() {
        let [a, b, c] = [
            seen(3, 2, "2026-11-01", "2026-11-02"),
            seen(2, 1, "2026-11-03", "2026-11-03"),
            seen(9, 2, "2026-11-02", "2026-11-03"),
        ]
        .map(Option::unwrap);
        assert_eq!(Some(a.merge(b)), seen(5, 3, "2026-11-01", "2026-11-03"));
        assert_eq!(Some(a.merge(c)), seen(9, 2, "2026-11-01", "2026-11-03"));
        assert_eq!(a.merge(a), a);
    }

    #[test]
    fn a_wider_entry_takes_what_it_stands_for() {
        let mut lock = Lock::default();
        let wide = chain(&[
            ("/usr/bin/tool", &["tool", "{number}"]),
            ("/usr/bin/x", &["x"]),
        ]);
        lock.add(&key("a"), &wide, seen(1, 1, "2026-11-01", "2026-11-01"));
        let mut newer = Lock::default();
        let narrow = chain(&[("/usr/bin/tool", &["tool", "7"])]);
        newer.add(&key("a"), &narrow, seen(1, 1, "2026-11-09", "2026-11-09"));
        lock.merge(&newer);
        assert_eq!(lock.len(), 1);
        let (_, chain, found) = lock.entries().next().unwrap();
        assert_eq!(
            (chain, found),
            (&wide, seen(2, 2, "2026-11-01", "2026-11-09"))
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let text = sample().to_yaml();
        for (from, to, expected) in [
            ("version: 1", "version: 2", "version 2"),
            (
                "version: 1",
                "vers: 1",
                "unknown key `vers`: did you mean `version`?",
            ),
            (
                "        count: 3",
                "        cuont: 3",
                "unknown key `cuont`: did you mean `count`?",
            ),
            ("kind: php-fpm", "kind: iis", "`iis` is no kind of server"),
            ("/usr/bin/id", "id", "exe `id`: expected an absolute path"),
            ("{path:/tmp}", "{pth:/tmp}", "is no placeholder"),
            ("2026-11-20", "2026-11-31", "expected a day"),
            (
                "unit: a.service",
                "unit: a.service\n    exe: /x",
                "one of name, unit and exe",
            ),
            ("2>& 1", "$(id)", "substitution"),
            (
                "first: 2026-11-20",
                "first: 2026-12-20",
                "before it was first seen",
            ),
        ] {
            assert!(text.contains(from), "{from}");
            let error = Lock::parse(&text.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(expected), "{to}: {error}");
        }
    }
}
