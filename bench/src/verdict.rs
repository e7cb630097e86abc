//! What a verdict costs with two hundred rules, remembered and come to anew.
//!
//! The rules are the shipped ones and others in their style: lists of programs, roles,
//! parts of command lines. The execs are those of members of the busy host.

use std::{fmt::Write as _, fs, hint::black_box, path::Path, sync::Arc};

use sensor::{
    detect::{Detector, RuleSet},
    lineage::{Act, Subject},
    service::Catalogue,
    tree::{Limits, Scope, Tree},
};

use super::busy;

/// Rules in force.
const RULES: usize = 200;

/// See the module.
pub(super) struct Verdicts {
    detector: Detector,
    subjects: Vec<Arc<Subject>>,
    /// Execs that no two of are the same; made so far.
    made: u64,
}

impl Verdicts {
    pub(super) fn new() -> Self {
        let rules = rules();
        assert_eq!(rules.list().len(), RULES);
        Self {
            detector: Detector::new(rules, [(33, "www-data".to_owned())].into()),
            subjects: subjects(),
            made: 0,
        }
    }

    /// The execs as they are, so many times: each kind comes again and again, each time with
    /// a program that was decoded anew.
    pub(super) fn repeated(&self, times: usize) -> Vec<Arc<Subject>> {
        let subjects = self.subjects.iter().cycle().take(times);
        subjects.map(|subject| Arc::new(afresh(subject))).collect()
    }

    /// As many of which each has an argument that was never seen.
    pub(super) fn different(&mut self, times: usize) -> Vec<Arc<Subject>> {
        let subjects = self.subjects.iter().cycle().take(times);
        let different = subjects.map(|subject| {
            let mut subject = Subject::clone(subject);
            let program = Arc::make_mut(&mut subject.program);
            self.made += 1;
            program
                .args
                .head
                .push(format!("--job={}", self.made).into());
            Arc::new(subject)
        });
        different.collect()
    }

    /// What is measured: from the tree's hands to a verdict. Not that subjects end: the
    /// engine has them longer.
    pub(super) fn judge(&mut self, subjects: &[Arc<Subject>]) {
        for subject in subjects {
            let now_ns = subject.stamp.time_ns;
            black_box(self.detector.evaluate(Arc::clone(subject), now_ns));
        }
    }

    /// Verdicts that were remembered, and that were not, so far.
    pub(super) fn counts(&self) -> (u64, u64) {
        let stats = self.detector.rules().memo();
        (stats.hits, stats.misses + stats.unkept)
    }
}

/// The same exec with a program of its own: no address tells that it is the same.
fn afresh(subject: &Subject) -> Subject {
    let mut afresh = subject.clone();
    let program = Arc::new(subject.program.as_ref().clone());
    for ancestor in &mut afresh.lineage.ancestors {
        for each in ancestor.chain.iter_mut().chain(&mut ancestor.program) {
            if Arc::ptr_eq(each, &subject.program) {
                each.clone_from(&program);
            }
        }
    }
    afresh.program = program;
    afresh
}

/// Execs of members, without those that start servers.
fn subjects() -> Vec<Arc<Subject>> {
    let mut tree = Tree::new(Limits::default(), Scope::Services, Catalogue::new(&[]));
    let mut subjects = Vec::new();
    for event in busy::events() {
        subjects.extend(tree.apply(&event).subjects);
    }
    let execs = subjects
        .into_iter()
        .filter(|it| it.act == Act::Exec && it.service.is_some() && !it.own_image);
    execs.map(Arc::new).collect()
}

fn rules() -> RuleSet {
    let shipped = RuleSet::load(&[]).expect("the built-in rules load");
    let directory = tempfile::tempdir().expect("a directory");
    for number in shipped.list().len()..RULES {
        write(directory.path(), number);
    }
    let directories = [directory.path().to_owned()];
    RuleSet::load(&directories).unwrap_or_else(|error| panic!("{error}"))
}

/// A rule as people write them for a host of theirs.
fn write(directory: &Path, number: usize) {
    let list = |words: &[&str]| {
        let words = (0..12).map(|index| format!("{}{number}x{index}", words[index % words.len()]));
        words.collect::<Vec<_>>().join(", ")
    };
    let (role, origin) = [
        ("app", "worker"),
        ("cgi", "worker"),
        ("db", "both"),
        ("app", "both"),
    ][number % 4];
    let mut text = format!(
        "title: own {number}\nid: 00000000-0000-4000-8000-{number:012}\nlevel: low\n\
         logsource: {{product: linux, category: process_creation}}\ndetection:\n"
    );
    let programs = list(&["pack", "send", "sync", "fetch"]);
    let parts = list(&["--out=", "/srv/x", "host"]);
    let written = match number % 3 {
        0 => writeln!(
            text,
            "  programs: {{Service.Role: {role}, Exec.OwnImage: false, Exec.Program: [{programs}]}}\n  \
             known: {{CommandLine|contains: [{parts}]}}\n  condition: programs and not known"
        ),
        1 => writeln!(
            text,
            "  below: {{Service.Origin: {origin}, Exec.OwnImage: false}}\n  \
             said: {{CommandLine|contains: [{parts}]}}\n  condition: below and said"
        ),
        _ => writeln!(
            text,
            "  images: {{Image|endswith: [{parts}], Service.Worker: true}}\n  \
             parents: {{ParentImage|endswith: [{programs}]}}\n  condition: images or parents"
        ),
    };
    written.expect("text grows");
    fs::write(directory.join(format!("own{number}.yml")), text).expect("a rule is written");
}
