//! What is to be reached, and whether it is. Times are medians of rounds that take turns,
//! so that what else the machine does falls on all of them alike.

use std::{fmt, sync::Arc};

use sensor::lineage::Subject;

use super::{clock, verdict::Verdicts};

/// Lifecycle records a second on one core, at least.
const RECORDS: f64 = 1_000_000.0;
/// A verdict that is remembered, ns, at most.
const HIT_NS: f64 = 300.0;
/// One that is not, with two hundred rules, ns, at most.
const MISS_NS: f64 = 25_000.0;
/// Rounds of verdicts, and how many in each.
const ROUNDS: usize = 31;
const VERDICTS: usize = 2_000;
/// How many are made at once: what the tree has just handed on is still in the caches when
/// it is judged.
const HANDED: usize = 50;

/// What is to be reached, said, and whether it is.
pub(super) struct Gate {
    text: String,
    is_reached: bool,
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.is_reached { "PASS" } else { "FAIL" };
        write!(f, "gate: {}: {word}", self.text)
    }
}

/// Says of each gate whether it is reached.
///
/// # Errors
/// How many are not.
pub(super) fn close(gates: &[Gate], mut say: impl FnMut(&str)) -> Result<(), usize> {
    for gate in gates {
        say(&gate.to_string());
    }
    match gates.iter().filter(|gate| !gate.is_reached).count() {
        0 => Ok(()),
        failed => Err(failed),
    }
}

/// A gate for the pipeline: it is for decode, tree and rules; the whole engine
/// (profiles, incidents, what became of each exec) is told beside it.
pub(super) fn pipeline(name: &str, [speed, whole]: [f64; 2]) -> Gate {
    Gate {
        text: format!(
            "{name}: {speed:.0} records/s through decode, tree and rules, at least {RECORDS:.0} \
             ({whole:.0} through the whole engine)"
        ),
        is_reached: speed >= RECORDS,
    }
}

/// Gates for verdicts.
pub(super) fn verdicts() -> [Gate; 2] {
    let mut verdicts = Verdicts::new();
    let warm = verdicts.repeated(VERDICTS);
    verdicts.judge(&warm);
    let (mut hits, mut misses) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let before = verdicts.counts();
        hits.push(round(&mut verdicts, Verdicts::repeated));
        let between = verdicts.counts();
        assert_eq!(between.1, before.1, "all were remembered");
        misses.push(round(&mut verdicts, Verdicts::different));
        assert_eq!(verdicts.counts().0, between.0, "none was remembered");
    }
    [
        at_most(
            "verdict that is remembered, 200 rules",
            median(hits),
            HIT_NS,
        ),
        at_most("verdict that is not", median(misses), MISS_NS),
    ]
}

fn at_most(what: &str, ns: f64, most: f64) -> Gate {
    Gate {
        text: format!("{what}: {ns:.0} ns, at most {most:.0}"),
        is_reached: ns <= most,
    }
}

/// ns for each verdict of a round; that subjects are made is not counted.
fn round(verdicts: &mut Verdicts, make: fn(&mut Verdicts, usize) -> Vec<Arc<Subject>>) -> f64 {
    let mut seconds = 0.0;
    for _ in 0..VERDICTS / HANDED {
        let subjects = make(verdicts, HANDED);
        let began = clock::seconds();
        verdicts.judge(&subjects);
        seconds += clock::seconds() - began;
    }
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let verdicts = VERDICTS as f64;
    seconds * 1e9 / verdicts
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_gate_that_is_not_reached_is_a_failure() {
        let gates = |miss| {
            [
                at_most("hit", 299.6, 300.0),
                at_most("miss", miss, 25_000.0),
            ]
        };
        let mut said = Vec::new();
        assert_eq!(
            close(&gates(25_000.0), |line| said.push(line.to_owned())),
            Ok(())
        );
        assert_eq!(
            close(&gates(25_001.0), |line| said.push(line.to_owned())),
            Err(1)
        );
        assert_eq!(close(&[], |_| {}), Ok(()));
        assert_eq!(
            said,
            [
                "gate: hit: 300 ns, at most 300: PASS",
                "gate: miss: 25000 ns, at most 25000: PASS",
                "gate: hit: 300 ns, at most 300: PASS",
                "gate: miss: 25001 ns, at most 25000: FAIL",
            ]
        );
        let slow = pipeline("host", [999_999.0, 2_000_000.0]);
        assert_eq!(
            close(&[slow], |_| {}),
            Err(1),
            "the whole engine is only told"
        );
        assert_eq!(
            close(&[pipeline("host", [1_000_000.0, 1.0])], |_| {}),
            Ok(())
        );
    }
}
