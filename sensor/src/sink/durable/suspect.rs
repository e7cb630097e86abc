//! Alerts at the head of the backlog that a receiver refuses on their own, while it has taken
//! nothing that it could be asked about again. One it takes from behind them shows that they
//! are to blame; they are given up then without another word, for later they would come
//! behind it. So one looks behind them late, and at few at a time: of a receiver that refuses
//! everything hardly one will stop doing so in that very moment.

/// Rounds in which only the first is asked about.
const ROUNDS: u32 = 6;
/// How many behind those known are asked about in a round.
pub(super) const LOOK: usize = 4;
/// Most that are known: beyond them all is forgotten, and one begins anew.
const MOST: usize = 4_096;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    /// Number and `event.id`, in order.
    rows: Vec<(i64, String)>,
    /// Rounds in a row in which nothing was accepted and the first was refused.
    rounds: u32,
}

impl Suspects {
    /// The first that waits was refused once more; whether to look behind it.
    pub(super) fn again(&mut self, seq: i64, id: &str) -> bool {
        if self.rows.first().is_none_or(|(first, _)| *first != seq) || self.rows.len() >= MOST {
            self.rows.clear();
            self.rows.push((seq, id.to_owned()));
        }
        self.rounds = self.rounds.saturating_add(1);
        self.rounds > ROUNDS
    }

    /// One behind them was refused.
    pub(super) fn add(&mut self, seq: i64, id: String) {
        self.rows.push((seq, id));
    }

    /// What is behind this number has not been refused; 0 for everything.
    pub(super) fn after(&self) -> i64 {
        self.rows.last().map_or(0, |(seq, _)| *seq)
    }

    /// Nothing is known of any: one was accepted, or something else went wrong.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// One behind them was accepted: they are to blame.
    pub(super) fn take(&mut self) -> Vec<(i64, String)> {
        std::mem::take(self).rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(suspects: &mut Suspects, rounds: u32) -> bool {
        (0..rounds).fold(false, |_, _| suspects.again(7, "seven"))
    }

    #[test]
    fn one_looks_behind_the_first_after_many_rounds() {
        let mut suspects = Suspects::default();
        assert!(!refused(&mut suspects, ROUNDS));
        assert!(refused(&mut suspects, 1));
        assert_eq!(suspects.after(), 7);
        suspects.add(9, "nine".to_owned());
        assert!(refused(&mut suspects, 1), "the others stay known");
        assert_eq!(suspects.after(), 9);
        let taken: Vec<_> = suspects.take().into_iter().map(|(seq, _)| seq).collect();
        assert_eq!((taken, suspects.after()), (vec![7, 9], 0));
    }

    #[test]
    fn another_failure_begins_the_rounds_anew() {
        let mut suspects = Suspects::default();
        assert!(!refused(&mut suspects, ROUNDS));
        suspects.forget();
        assert!(!refused(&mut suspects, ROUNDS));
    }

    #[test]
    fn they_are_of_the_one_that_is_first_and_bounded() {
        let mut suspects = Suspects::default();
        refused(&mut suspects, 1);
        suspects.add(9, "nine".to_owned());
        suspects.again(8, "eight");
        assert_eq!(suspects.after(), 8, "seven is gone, and nine unknown");
        for seq in 9..9 + i64::try_from(MOST).unwrap() {
            suspects.add(seq, seq.to_string());
        }
        suspects.again(8, "eight");
        assert_eq!(suspects.after(), 8);
    }
}
