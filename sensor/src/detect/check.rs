//! What `lineage-sensor rules check` finds out about rules before they are used.
//!
//! Everything that would stop a load, and beyond it: fields the sensor cannot serve,
//! facts a rule reads without waiting for them, examples that do not do what they say.

use std::{fmt, path::Path, sync::Arc};

use super::{
    analysis,
    detector::{Detector, Fact},
    example::{self, Example, Examples},
    field,
    rule::Rule,
    ruleset::{Candidate, Gathered, RuleSet, Skipped},
    source::{self, Problem},
    view::Users,
};

/// Result of a check.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// Rules looked at.
    pub rules: usize,
    /// Their examples, all of them run.
    pub examples: usize,
    /// Valid rules that are not for this sensor.
    pub skipped: Vec<Skipped>,
    /// What is wrong, in order of file.
    pub problems: Vec<Problem>,
    /// What is allowed and seldom meant.
    pub notes: Vec<Problem>,
}

impl CheckReport {
    /// How many things are wrong.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.problems.len()
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "error: {problem}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        for Skipped { file, rule, reason } in &self.skipped {
            writeln!(f, "skipped: {file}: {rule}: {reason}")?;
        }
        let Self {
            rules,
            examples,
            skipped,
            ..
        } = self;
        write!(
            f,
            "{}, {}, {} skipped, {}",
            count(*rules, "rule"),
            count(*examples, "example"),
            skipped.len(),
            count(self.errors(), "error")
        )
    }
}

/// `1 rule`, `2 rules`.
pub(super) fn count(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

/// Checks the rules under `directory` against one another and the shipped ones;
/// without a directory the shipped ones alone.
#[must_use]
pub fn check(directory: Option<&Path>) -> CheckReport {
    let (sources, problems) = directory.map(source::read).unwrap_or_default();
    let shipped: Vec<_> = source::shipped().collect();
    let own: Vec<String> = match directory {
        Some(_) => sources.iter().map(|source| source.file.clone()).collect(),
        None => shipped.iter().map(|source| source.file.clone()).collect(),
    };
    let gathered = Gathered::new(shipped.into_iter().chain(sources));
    let mut report = CheckReport {
        skipped: gathered.skipped.clone(),
        problems,
        ..CheckReport::default()
    };
    report.problems.extend(gathered.problems.iter().cloned());
    let own = |rule: &Rule| own.contains(&rule.file);
    for candidate in gathered
        .candidates
        .iter()
        .filter(|candidate| own(&candidate.rule))
    {
        report.rules += 1;
        report.problems.extend(unserved(candidate));
        report.notes.extend(empty(candidate));
        report.notes.extend(loopholes(candidate));
    }
    let rules = RuleSet::build(gathered);
    let checked: Vec<Arc<Rule>> = rules
        .list()
        .iter()
        .filter(|rule| own(rule))
        .cloned()
        .collect();
    let mut detector = Detector::new(rules, Users::new());
    detector.fact(Fact::Shells(example::shells()), 0);
    for rule in checked {
        let run = examples(&rule, &mut detector);
        report.examples += run.firing.1 + run.silent.1;
        report.problems.extend(run.problems);
    }
    report.problems.sort();
    report.notes.sort();
    report
}

/// Fields that are Sigma's and have no value here: a rule for other sensors too may name
/// them, and should not rest on them.
fn empty(candidate: &Candidate) -> Vec<Problem> {
    let Candidate { rule, sigma, .. } = candidate;
    let fields = analysis::fields(sigma).into_iter();
    let never = fields.filter(|name| field::find(name).is_some_and(|field| field.never));
    let note = never.map(|name| {
        let reason = format!("field `{name}` never has a value: what asks for it does not match");
        Problem::new(&rule.file, Some(&rule.name), reason)
    });
    note.collect()
}

/// Exceptions of a rule that fit more than their author typed.
fn loopholes(candidate: &Candidate) -> Vec<Problem> {
    let Candidate { rule, sigma, .. } = candidate;
    let loose = analysis::loose_exceptions(sigma).into_iter();
    let note = loose.map(|loose| Problem::new(&rule.file, Some(&rule.name), loose.to_string()));
    note.collect()
}

/// Fields of a rule that will never have a value.
pub(super) fn unserved(candidate: &Candidate) -> Vec<Problem> {
    let Candidate { rule, sigma, .. } = candidate;
    let mut problems = Vec::new();
    for name in analysis::fields(sigma) {
        let reason = match field::find(&name) {
            Some(field) if field.only.is_some_and(|only| only != rule.category) => {
                format!(
                    "field `{name}` has no value in category {}",
                    rule.category.name()
                )
            }
            Some(field) => match field.fact.filter(|fact| !rule.needs.contains(fact)) {
                Some(fact) => format!(
                    "field `{name}` has a value only for rules with `needs: [{}]`",
                    fact.name()
                ),
                None => continue,
            },
            None if name
                .strip_prefix(field::ENV)
                .is_some_and(|name| !name.is_empty()) =>
            {
                continue;
            }
            None => match field::nearest(&name) {
                Some(nearest) => format!("no field `{name}`; did you mean `{nearest}`?"),
                None => format!("no field `{name}`"),
            },
        };
        problems.push(Problem::new(&rule.file, Some(&rule.name), reason));
    }
    problems
}

/// What became of a rule's examples.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// Those that fire and those that should.
    pub(super) firing: (usize, usize),
    /// Those that are silent and those that should be.
    pub(super) silent: (usize, usize),
    /// Those that do not do what they say.
    pub(super) problems: Vec<Problem>,
}

/// The examples of a rule; none when it has none.
pub(super) fn read(rule: &Rule) -> Result<Examples, Problem> {
    let Some(value) = rule.examples.clone() else {
        return Ok(Examples::default());
    };
    yaml_serde::from_value(value)
        .map_err(|error| Problem::new(&rule.file, Some(&rule.name), format!("examples: {error}")))
}

/// Runs a rule's examples.
pub(super) fn examples(rule: &Rule, detector: &mut Detector) -> Run {
    let mut run = Run::default();
    let examples = match read(rule) {
        Ok(examples) => examples,
        Err(problem) => {
            run.problems.push(problem);
            return run;
        }
    };
    let firing = examples.firing.iter().map(|example| (example, true));
    let silent = examples.silent.iter().map(|example| (example, false));
    for (index, (example, fires)) in firing.chain(silent).enumerate() {
        let (good, all) = if fires {
            &mut run.firing
        } else {
            &mut run.silent
        };
        *all += 1;
        match verify(rule, example, fires, detector) {
            Ok(()) => *good += 1,
            Err(reason) => {
                let reason = format!("example {} ({}): {reason}", index + 1, example.note);
                let problem = Problem::new(&rule.file, Some(&rule.name), reason);
                run.problems.push(problem);
            }
        }
    }
    run
}

fn verify(
    rule: &Rule,
    example: &Example,
    fires: bool,
    detector: &mut Detector,
) -> Result<(), String> {
    let matches = example.run(detector)?;
    match (matches.iter().any(|found| found.rule.id == rule.id), fires) {
        (false, true) => Err("should fire, is silent".to_owned()),
        (true, false) => Err("should be silent, fires".to_owned()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn checked(rules: &[(&str, &str)]) -> (tempfile::TempDir, CheckReport) {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in rules {
            fs::write(directory.path().join(name), text).unwrap();
        }
        let report = check(Some(directory.path()));
        (directory, report)
    }

    const GOOD: &str = "
title: Made up
id: 11111111-2222-4333-8444-555555555555
level: low
logsource: {product: linux, category: process_creation}
detection:
  selection: {Image|endswith: /made-up}
  condition: selection
examples:
  firing: [{note: it runs, image: /usr/bin/made-up}]
  silent: [{note: another, image: /usr/bin/other}]
";

    #[test]
    fn the_shipped_rules_pass() {
        let report = check(None);
        assert_eq!(report.errors(), 0, "{report}");
        assert!(report.rules >= 10 && report.examples >= 60, "{report}");
    }

    #[test]
    fn a_good_rule_passes() {
        let (_directory, report) = checked(&[("good.yml", GOOD)]);
        assert_eq!(
            report.to_string(),
            "1 rule, 2 examples, 0 skipped, 0 errors"
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, expected) in [
            (
                "Image|endswith",
                "Imgae|endswith",
                "made_up: no field `Imgae`; did you mean `Image`?",
            ),
            (
                "Image|endswith: /made-up",
                "Hashes|contains: x",
                "only for rules with `needs: [hash]`",
            ),
            ("level: low", "", "Made up: no level"),
            ("level: low", "level: bad", "invalid level: 'bad'"),
            (
                "id: 11111111-2222-4333-8444-555555555555",
                "",
                "Made up: no id",
            ),
            ("id: 1111", "id: x", "is not a UUID"),
            (
                "title: Made up",
                "title: Made up\nname: Made Up",
                "is not a slug",
            ),
            (
                "title: Made up",
                "title: Made up\nneeds: [moon]",
                "needs `moon`, which is no fact",
            ),
            (
                "title: Made up",
                "title: Made up\nname: shell_under_app_worker",
                "is already used by builtin:",
            ),
            ("|endswith: /made-up", "|re: '('", "made_up: "),
            ("|endswith", "|ends", "Unknown modifier 'ends'"),
            (
                "condition: selection",
                "condition: selectoin",
                "names `selectoin`, which is not defined",
            ),
            (
                "image: /usr/bin/other",
                "image: /bin/made-up",
                "example 2 (another): should be silent, fires",
            ),
            (
                "image: /usr/bin/made-up",
                "image: /usr/bin/no",
                "example 1 (it runs): should fire, is silent",
            ),
            ("note: another", "nope: another", "unknown field `nope`"),
            ("note: another", "service: iis", "service `iis`"),
            ("level: low", "level: low\nlevel: [", "YAML"),
        ] {
            let (_directory, report) = checked(&[("rule.yml", &GOOD.replace(from, to))]);
            assert!(report.errors() > 0, "{to}: {report}");
            let text = report.to_string();
            assert!(
                text.contains("rule.yml") && text.contains(expected),
                "{to}: {text}"
            );
        }
    }

    #[test]
    fn a_field_that_is_always_empty_is_a_note() {
        let rule = GOOD
            .replace("process_creation", "network_connection")
            .replace(
                "Image|endswith: /made-up",
                "DestinationHostname|endswith: .example",
            )
            .replace("  firing: [{note: it runs, image: /usr/bin/made-up}]\n", "");
        let (_directory, report) = checked(&[("rule.yml", &rule)]);
        assert_eq!((report.errors(), report.notes.len()), (0, 1), "{report}");
        assert!(report.to_string().contains("note: "), "{report}");
        assert!(report.to_string().contains("never has a value"), "{report}");
    }

    #[test]
    fn what_is_not_for_us_is_skipped_with_a_reason() {
        for (from, to, expected) in [
            ("product: linux", "product: windows", "for product windows"),
            (
                "category: process_creation",
                "category: dns_query",
                "of category dns_query",
            ),
            (
                "category: process_creation",
                "service: auditd",
                "for the log of service auditd",
            ),
            ("level: low", "level: low\nstatus: deprecated", "deprecated"),
        ] {
            let (_directory, report) = checked(&[("rule.yml", &GOOD.replace(from, to))]);
            assert_eq!(
                (report.errors(), report.skipped.len()),
                (0, 1),
                "{to}: {report}"
            );
            assert!(report.to_string().contains(expected), "{report}");
        }
    }
}
