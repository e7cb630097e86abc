//! The judge on subjects: what is learnt, silenced, said, and never silenced.

mod known;
mod learnt;
mod refused;

use std::sync::Arc;

use super::{Choice, Judge, Lock, Policy, lock};
use crate::{
    alert::sample::{program, sample},
    detect::{Detector, Match, RuleSet, Users, Verdicts},
    event::{ProcessId, Program, Written},
    lineage::{Judgement, Mode, Part, Subject},
};

const DAY_NS: u64 = 86_400 * 1_000_000_000;

/// Executable, then argv; the last is what the subject runs.
fn subject(lines: &[&[&str]]) -> Subject {
    let mut subject = sample().subject;
    // Its worker lives: what outlives a request is another matter.
    for ancestor in subject
        .lineage
        .ancestors
        .iter_mut()
        .chain(&mut subject.creator)
    {
        ancestor.exit = None;
    }
    subject.parent = subject.creator.as_ref().map(|creator| creator.id);
    let chain = lines.iter().map(|line| program(line[0], &line[1..]));
    put(&mut subject, chain.map(Arc::new).collect());
    subject
}

fn put(subject: &mut Subject, chain: Vec<Arc<Program>>) {
    let own = subject.lineage.ancestors.last_mut().unwrap();
    subject.program = Arc::clone(chain.last().unwrap());
    own.program = Some(Arc::clone(&subject.program));
    own.chain = chain;
}

/// The same with the last program changed.
fn changed(mut subject: Subject, change: impl FnOnce(&mut Program)) -> Subject {
    let mut program = (*subject.program).clone();
    change(&mut program);
    let mut chain = subject.lineage.ancestors.last().unwrap().chain.clone();
    *chain.last_mut().unwrap() = Arc::new(program);
    put(&mut subject, chain);
    subject
}

struct World {
    judge: Judge,
    detector: Detector,
}

impl World {
    fn new(mode: Mode, lock: &Lock) -> Self {
        let policy = Policy {
            mode,
            ..Policy::default()
        };
        Self {
            judge: Judge::new(policy, lock, 0),
            detector: Detector::new(RuleSet::load(&[]).unwrap(), Users::new()),
        }
    }

    /// Rules that alert and rules that are silenced, by name.
    fn see(&mut self, mut subject: Subject) -> (Vec<String>, Vec<String>) {
        subject.profile = self.judge.stand(&subject).map(Arc::new);
        let subject = Arc::new(subject);
        let Verdicts { matches, .. } = self.detector.evaluate(Arc::clone(&subject), 0);
        let settled = self.judge.settle(&subject, matches);
        let names =
            |matches: Vec<Match>| matches.into_iter().map(|it| it.rule.name.clone()).collect();
        (names(settled.alerts), names(settled.silenced))
    }

    fn learnt(&self) -> Lock {
        self.judge.learner().lock()
    }

    fn chains(&self) -> Vec<String> {
        self.learnt()
            .entries()
            .map(|(_, chain, _)| chain.to_string())
            .collect()
    }
}

const TOOL: &[&str] = &["/usr/bin/dash", "sh", "-c", "tool /srv/www/a.txt"];

fn learnt(lines: &[&[&[&str]]]) -> Lock {
    let mut world = World::new(Mode::Learn, &Lock::default());
    for line in lines {
        world.see(subject(line));
    }
    world.learnt()
}
