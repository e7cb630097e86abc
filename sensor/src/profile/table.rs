//! Chains by route: those worth comparing with a trail are found by its executables and
//! the programs in its commands, so that the number of chains of a service does not matter.

use std::collections::BTreeMap;

use super::chain::{Chain, Trail};

/// Chains with what is known of each.
#[derive(Clone, Debug)]
pub(super) struct Table<T> {
    entries: Vec<(Chain, T)>,
    /// Numbers of the entries that begin with a route.
    routes: BTreeMap<Vec<u8>, Vec<usize>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            routes: BTreeMap::new(),
        }
    }
}

impl<T> Table<T> {
    /// Adds a chain; returns its number.
    pub(super) fn push(&mut self, chain: Chain, value: T) -> usize {
        let number = self.entries.len();
        for count in 1..=chain.steps().len() {
            let route = self.routes.entry(chain.route(count)).or_default();
            route.push(number);
        }
        self.entries.push((chain, value));
        number
    }

    /// Puts another chain of the same route in the place of one.
    pub(super) fn replace(&mut self, number: usize, chain: Chain) {
        if let Some(entry) = self.entries.get_mut(number) {
            entry.0 = chain;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, number: usize) -> Option<&(Chain, T)> {
        self.entries.get(number)
    }

    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut T> {
        self.entries.get_mut(number).map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(Chain, T)> {
        self.entries.iter()
    }

    /// Entries whose executables begin like the trail's, or with them all.
    pub(super) fn near<'t>(
        &'t self,
        trail: &'t Trail<'_>,
    ) -> impl Iterator<Item = (usize, &'t (Chain, T))> {
        let numbers = self.routes.get(&trail.route).into_iter().flatten();
        numbers.filter_map(|&number| Some((number, self.entries.get(number)?)))
    }

    /// The first entry that begins like the trail.
    pub(super) fn beginning(&self, trail: &Trail<'_>) -> Option<usize> {
        let found = self.near(trail).find(|(_, (chain, _))| chain.begins(trail));
        found.map(|(number, _)| number)
    }

    /// The entry that is the trail.
    pub(super) fn exactly(&self, trail: &Trail<'_>) -> Option<usize> {
        let found = self
            .near(trail)
            .find(|(_, (chain, _))| chain.matches(trail));
        found.map(|(number, _)| number)
    }

    /// Where the trail differs from the entry that agrees with it for longest.
    pub(super) fn difference(&self, trail: &Trail<'_>) -> Option<String> {
        let all = self.entries.iter().take(COMPARED);
        let differences = all.map(|(chain, _)| chain.difference(trail));
        let nearest = differences
            .enumerate()
            .max_by_key(|(index, (steps, _))| (*steps, std::cmp::Reverse(*index)));
        nearest.map(|(_, (_, difference))| difference)
    }
}

/// Entries looked at to say where a chain differs.
const COMPARED: usize = 128;
