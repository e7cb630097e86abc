//! What `lineage-sensor rules test` finds out: examples kept and broken, and what each
//! rule costs.

use std::{path::Path, sync::Arc, time::Instant};

use super::{
    category::Category,
    check::{self, Run},
    detector::{Detector, Fact},
    example,
    rule::Rule,
    ruleset::{Gathered, RuleSet, Skipped},
    source::{self, Problem},
    view::Users,
};
use crate::lineage::Subject;

/// Times the examples are shown to a rule; the median counts.
const ROUNDS: usize = 9;

/// One rule, tried.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The rule.
    pub rule: Arc<Rule>,
    /// Examples that fire, of those that should.
    pub firing: (usize, usize),
    /// Examples that are silent, of those that should be.
    pub silent: (usize, usize),
    /// Time this rule alone takes for one act of its category, ns; median over the
    /// examples of all rules. Of this machine, and of this moment.
    pub cost_ns: u64,
}

/// The rules of a directory, tried.
#[derive(Clone, Debug, Default)]
pub struct Trial {
    /// In order of severity.
    pub rules: Vec<Tried>,
    /// Examples that do not do what they say, and rules that cannot be used.
    pub problems: Vec<Problem>,
    /// Valid rules that are not for this sensor.
    pub skipped: Vec<Skipped>,
}

/// Tries the rules under `directory`, or the shipped ones; says from time to time how many
/// are done, of how many.
#[must_use]
pub fn trial(directory: Option<&Path>, mut done: impl FnMut(u64, u64)) -> Trial {
    let (sources, problems) = match directory {
        Some(directory) => source::read(directory),
        None => (source::shipped().collect(), Vec::new()),
    };
    let gathered = Gathered::new(sources.iter().cloned());
    let mut trial = Trial {
        problems,
        skipped: gathered.skipped.clone(),
        ..Trial::default()
    };
    trial.problems.extend(gathered.problems.iter().cloned());
    let rules = RuleSet::build(gathered);
    let list = rules.list().to_vec();
    let mut detector = shown(rules);
    let acts = Acts::new();
    let all = list.len() as u64;
    for (number, rule) in (0..).zip(list) {
        done(number, all);
        let Run {
            firing,
            silent,
            problems,
        } = check::examples(&rule, &mut detector);
        trial.problems.extend(problems);
        let alone = sources.iter().filter(|source| source.file == rule.file);
        let alone = Gathered::new(alone.cloned()).only(&rule.name);
        trial.rules.push(Tried {
            firing,
            silent,
            cost_ns: acts.cost(RuleSet::build(alone), rule.category),
            rule,
        });
    }
    trial
}

fn shown(rules: RuleSet) -> Detector {
    let mut detector = Detector::new(rules, Users::new());
    detector.fact(Fact::Shells(example::shells()), 0);
    detector
}

/// The acts of all examples of the shipped rules.
struct Acts(Vec<(Category, Arc<Subject>)>);

impl Acts {
    fn new() -> Self {
        let shipped = RuleSet::build(Gathered::new(source::shipped()));
        let mut acts = Vec::new();
        for rule in shipped.list() {
            let examples = check::read(rule).unwrap_or_default();
            let all = examples.firing.iter().chain(&examples.silent);
            let subjects = all.filter_map(|example| example.subject().ok());
            acts.extend(subjects.map(|subject| (rule.category, Arc::new(subject))));
        }
        Self(acts)
    }

    /// Median time of one evaluation, ns, the upkeep of the detector's memory included.
    fn cost(&self, rules: RuleSet, category: Category) -> u64 {
        let own = |(of, _): &&(Category, Arc<Subject>)| *of == category;
        let acts: Vec<_> = self.0.iter().filter(own).map(|(_, act)| act).collect();
        let mut detector = shown(rules);
        let mut rounds: Vec<u64> = (0..ROUNDS)
            .map(|_| {
                detector.forget();
                let began = Instant::now();
                for act in &acts {
                    detector.evaluate(Arc::clone(act), 0);
                }
                let took = began.elapsed().as_nanos();
                let acts = acts.len().max(1) as u128;
                u64::try_from(took / acts).unwrap_or(u64::MAX)
            })
            .collect();
        rounds.sort_unstable();
        rounds.get(ROUNDS / 2).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_rules_keep_their_examples_and_have_a_cost() {
        let mut last = (0, 0);
        let trial = trial(None, |done, all| last = (done, all));
        assert_eq!(last.0 + 1, last.1);
        assert_eq!(last.1, trial.rules.len() as u64);
        assert_eq!(trial.problems, []);
        for tried in &trial.rules {
            let Tried { firing, silent, .. } = tried;
            assert!(firing.0 > 0 && firing.0 == firing.1, "{}", tried.rule.name);
            assert!(silent.0 > 0 && silent.0 == silent.1, "{}", tried.rule.name);
            assert!(tried.cost_ns > 0, "{}", tried.rule.name);
        }
    }
}
