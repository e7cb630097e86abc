//! What is to be reached, and whether it is. Times are medians of rounds that take turns,
//! so that what else the machine does falls on all of them alike.

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

/// A line about the pipeline: the gate is for decode, tree and rules; the whole engine
/// (profiles, incidents, what became of each exec) is told beside it.
pub(super) fn pipeline(name: &str, [speed, whole]: [f64; 2]) -> String {
    line(
        &format!(
            "{name}: {speed:.0} records/s through decode, tree and rules, at least {RECORDS:.0} \
             ({whole:.0} through the whole engine)"
        ),
        speed >= RECORDS,
    )
}

/// Lines about verdicts.
pub(super) fn verdicts() -> Vec<String> {
    let mut verdicts = Verdicts::new();
    let warm = verdicts.repeated(VERDICTS);
    verdicts.judge(&warm);
    let (mut hits, mut misses) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let before = verdicts.counts();
        let subjects = verdicts.repeated(VERDICTS);
        hits.push(timed(|| verdicts.judge(&subjects)));
        let between = verdicts.counts();
        assert_eq!(between.1, before.1, "all were remembered");
        let subjects = verdicts.different(VERDICTS);
        misses.push(timed(|| verdicts.judge(&subjects)));
        assert_eq!(verdicts.counts().0, between.0, "none was remembered");
    }
    let (hit, miss) = (median(hits), median(misses));
    vec![
        line(
            &format!("verdict that is remembered, 200 rules: {hit:.0} ns, at most {HIT_NS:.0}"),
            hit <= HIT_NS,
        ),
        line(
            &format!("verdict that is not: {miss:.0} ns, at most {MISS_NS:.0}"),
            miss <= MISS_NS,
        ),
    ]
}

fn line(text: &str, reached: bool) -> String {
    format!("gate: {text}: {}", if reached { "PASS" } else { "FAIL" })
}

/// ns for each verdict of a round.
fn timed(run: impl FnOnce()) -> f64 {
    let began = clock::seconds();
    run();
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let verdicts = VERDICTS as f64;
    (clock::seconds() - began) * 1e9 / verdicts
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
