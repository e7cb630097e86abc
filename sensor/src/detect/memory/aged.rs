//! A bounded table of what was when; what was noted longest ago goes first.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

/// See the module. Times are ns; they may come out of order.
#[derive(Debug)]
pub(super) struct Aged<K, V = ()> {
    entries: HashMap<K, Entry<V>>,
    /// Keys in the order in which they were noted, with the number of that.
    order: VecDeque<(K, u64)>,
    noted: u64,
    bound: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry<V> {
    value: V,
    time_ns: u64,
    number: u64,
}

impl<K: Copy + Eq + Hash, V: Copy> Aged<K, V> {
    /// A table of at most `bound` entries.
    pub(super) fn new(bound: usize) -> Self {
        Self {
            entries: HashMap::new(),
            order: VecDeque::new(),
            noted: 0,
            bound,
        }
    }

    pub(super) fn insert(&mut self, key: K, value: V, now: u64) {
        self.noted += 1;
        let number = self.noted;
        let entry = Entry {
            value,
            time_ns: now,
            number,
        };
        self.entries.insert(key, entry);
        self.order.push_back((key, number));
        while self.entries.len() > self.bound || self.order.len() > 2 * self.bound {
            let Some((key, number)) = self.order.pop_front() else {
                break;
            };
            // Noted again since: its later entry counts.
            if self.entries.get(&key).is_some_and(|it| it.number == number) {
                self.entries.remove(&key);
            }
        }
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.entries.remove(key);
    }

    /// What was noted, and how long ago.
    pub(super) fn get(&self, key: &K, now: u64) -> Option<(V, u64)> {
        let entry = self.entries.get(key)?;
        Some((entry.value, now.saturating_sub(entry.time_ns)))
    }

    /// How long ago it was noted, ns.
    pub(super) fn age(&self, key: &K, now: u64) -> Option<u64> {
        self.get(key, now).map(|(_, age)| age)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_and_what_is_noted_again_stays() {
        let mut aged = Aged::new(100);
        for key in 0..100_u64 {
            aged.insert(key, (), key);
        }
        aged.insert(0, (), 100);
        aged.insert(1_000, (), 101);
        assert_eq!(aged.age(&0, 101), Some(1));
        assert_eq!(aged.age(&1_000, 101), Some(0));
        assert_eq!(aged.age(&1, 101), None);
        for _ in 0..10_000 {
            aged.insert(0, (), 7);
        }
        assert!(aged.len() <= 100 && aged.order.len() <= 200);
        assert_eq!(aged.age(&0, 3), Some(0), "out of order is not long ago");
    }
}
