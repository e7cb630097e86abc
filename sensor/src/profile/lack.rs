//! What a profile lacks, counted for `profile check`.

use std::collections::BTreeMap;

use super::key::Key;

/// Chains kept.
const LACKS_MAX: usize = 4_096;

/// A chain that the profile lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// Service.
    pub key: Key,
    /// Chain, as an entry would show it; the executable when there can be none.
    pub chain: String,
    /// Why it is not known.
    pub why: String,
    /// How often it ran.
    pub count: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Lacks {
    all: BTreeMap<(Key, String, String), u64>,
    by_kind: bool,
}

impl Lacks {
    pub(super) const fn new(by_kind: bool) -> Self {
        Self {
            all: BTreeMap::new(),
            by_kind,
        }
    }

    /// Entries of every service of the same kind count.
    pub(super) const fn is_by_kind(&self) -> bool {
        self.by_kind
    }

    pub(super) fn note(&mut self, key: &Key, chain: String, why: &str) {
        let lack = (key.clone(), chain, why.to_owned());
        if self.all.len() < LACKS_MAX || self.all.contains_key(&lack) {
            *self.all.entry(lack).or_default() += 1;
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Lack> {
        self.all.iter().map(|((key, chain, why), count)| Lack {
            key: key.clone(),
            chain: chain.clone(),
            why: why.clone(),
            count: *count,
        })
    }
}
