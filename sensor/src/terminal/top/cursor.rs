//! A place in a list that changes: it stays with what it stands on.

use super::model::Key;

/// Rows of a page.
const PAGE: usize = 10;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Cursor<K> {
    on: Option<K>,
    /// Where that was.
    row: usize,
}

impl<K> Default for Cursor<K> {
    fn default() -> Self {
        Self { on: None, row: 0 }
    }
}

impl<K: PartialEq + Clone> Cursor<K> {
    /// Its row among these; where it was when what it stood on is gone.
    pub(super) fn at(&self, keys: impl Iterator<Item = K>) -> usize {
        let mut last = 0;
        for (row, key) in keys.enumerate() {
            if self.on.as_ref() == Some(&key) {
                return row;
            }
            last = row;
        }
        self.row.min(last)
    }

    /// Moves as the key says.
    pub(super) fn step(&mut self, keys: &[K], key: Key) {
        let last = keys.len().saturating_sub(1);
        self.row = moved(self.at(keys.iter().cloned()), key, last);
        self.on = keys.get(self.row).cloned();
    }
}

/// Where a key leads from `at`.
pub(super) fn moved(at: usize, key: Key, last: usize) -> usize {
    let to = match key {
        Key::Up | Key::Char('k') => at.saturating_sub(1),
        Key::Down | Key::Char('j') => at.saturating_add(1),
        Key::PageUp => at.saturating_sub(PAGE),
        Key::PageDown | Key::Char(' ') => at.saturating_add(PAGE),
        Key::First | Key::Char('g') => 0,
        Key::Last | Key::Char('G') => last,
        _ => at,
    };
    to.min(last)
}
