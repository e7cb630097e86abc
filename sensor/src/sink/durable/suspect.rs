//! Alerts that were refused on their own. Only when their receiver takes one that came later,
//! right after, and refuses them again, are they to blame; a receiver that refuses
//! everything is itself.

use super::super::spool::Row;

/// How many in a row are tried before the receiver is to blame, at first and at most; it
/// doubles each time, so that a long row of bad ones ends some day.
const LEAST: usize = 4;
const MOST: usize = 1_024;

/// See the module.
#[derive(Debug)]
pub(super) struct Suspects {
    rows: Vec<Row>,
    most: usize,
}

impl Suspects {
    pub(super) const fn new() -> Self {
        Self {
            rows: Vec::new(),
            most: LEAST,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What is behind this number has not been refused; 0 for everything.
    pub(super) fn after(&self) -> i64 {
        self.rows.last().map_or(0, |row| row.seq)
    }

    /// One more; `false` when there are so many that the receiver is to blame: then none is.
    pub(super) fn add(&mut self, row: Row) -> bool {
        self.rows.push(row);
        if self.rows.len() < self.most {
            return true;
        }
        self.rows.clear();
        self.most = MOST.min(self.most * 2);
        false
    }

    /// Nothing is known of any: something else went wrong, or time has passed.
    pub(super) fn forget(&mut self) {
        self.rows.clear();
    }

    /// One behind them was accepted: they are to be asked about.
    pub(super) fn take(&mut self) -> Vec<Row> {
        self.most = LEAST;
        std::mem::take(&mut self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seq: i64) -> Row {
        Row {
            seq,
            id: seq.to_string(),
            text: String::new(),
        }
    }

    #[test]
    fn they_are_those_behind_which_one_looks() {
        let mut suspects = Suspects::new();
        assert!(suspects.add(row(7)) && suspects.add(row(9)));
        assert_eq!(suspects.after(), 9);
        let seen: Vec<_> = suspects.take().iter().map(|it| it.seq).collect();
        assert_eq!(seen, [7, 9]);
        assert!(suspects.is_empty() && suspects.after() == 0);
    }

    #[test]
    fn who_refuses_all_is_to_blame_and_is_asked_about_more_next_time() {
        let mut suspects = Suspects::new();
        let tried = |suspects: &mut Suspects| {
            let mut seq = 1;
            while suspects.add(row(seq)) {
                seq += 1;
            }
            assert_eq!(suspects.after(), 0);
            seq
        };
        assert_eq!(tried(&mut suspects), 4);
        assert_eq!(tried(&mut suspects), 8);
        for _ in 0..10 {
            tried(&mut suspects);
        }
        assert_eq!(tried(&mut suspects), 1_024);
    }
}
