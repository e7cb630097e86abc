//! Evaluates subjects and holds those that wait for a fact.
//!
//! Owns the rule set, the table of installed shells and the waiting subjects. Reads no
//! clock and no file: time comes with each call, facts come back by [`Detector::fact`].

use std::{collections::VecDeque, sync::Arc};

pub(super) use super::fact::{Fact, Request};
use super::{
    category::Stream,
    masquerade::{self, KnownShell, Likeness},
    memory::Memory,
    reading::Reading,
    rule::Rule,
    ruleset::{Fields, RuleSet, Stage},
    tuning::{Exception, Tuning},
    view::{Evidence, Users, View},
};
use crate::{
    event::{FileId, ProcessId},
    lineage::{Act, Subject},
};

/// Subjects that may wait at once; the oldest gives way.
pub const MAX_WAITING: usize = 1_024;

/// How long a rule waits for a fact, ns.
pub const MAX_WAIT_NS: u64 = 2_000_000_000;

/// A rule that matched.
#[derive(Clone, Debug)]
pub struct Match {
    /// The rule.
    pub rule: Arc<Rule>,
    /// What it matched.
    pub subject: Arc<Subject>,
    /// Fields and values that made it match, by name.
    pub fields: Arc<[(String, String)]>,
    /// Facts that did not arrive in time.
    pub incomplete: Vec<&'static str>,
    /// It is one of the many files of an update that the service has unpacked.
    pub updates: bool,
}

/// A rule that matched and does not alert, by an exception.
#[derive(Clone, Debug)]
pub struct Excepted {
    /// The rule.
    pub rule: Arc<Rule>,
    /// What it matched.
    pub subject: Arc<Subject>,
    /// What excuses it.
    pub exception: Arc<Exception>,
}

/// Outcome of one evaluation.
#[derive(Clone, Debug, Default)]
pub struct Verdicts {
    /// Rules that matched, most severe first; those of older subjects that had to make
    /// room come before.
    pub matches: Vec<Match>,
    /// Rules that matched and were excused.
    pub excepted: Vec<Excepted>,
    /// Facts wanted.
    pub requests: Vec<Request>,
}

impl Verdicts {
    fn add(&mut self, other: Self) {
        self.matches.extend(other.matches);
        self.excepted.extend(other.excepted);
        self.requests.extend(other.requests);
    }
}

/// A rule that matches, and the fields that made it.
type Found = (Arc<Rule>, Fields);

struct Waiting {
    subject: Arc<Subject>,
    likeness: Option<Likeness>,
    evidence: Evidence,
    deadline_ns: u64,
}

impl Waiting {
    fn wants(&self, process: ProcessId, file: FileId) -> bool {
        self.subject.process == process && self.subject.program.image.file == file
    }
}

/// The detector.
#[derive(Debug)]
pub struct Detector {
    /// Boxed: futures that hold a detector are moved.
    memory: Box<Memory>,
    rules: RuleSet,
    tuning: Tuning,
    users: Arc<Users>,
    shells: Vec<KnownShell>,
    waiting: VecDeque<Waiting>,
}

impl Detector {
    /// A detector for `rules`; `users` are names by uid.
    #[must_use]
    pub fn new(rules: RuleSet, users: Users) -> Self {
        Self {
            memory: Box::default(),
            rules,
            tuning: Tuning::default(),
            users: Arc::new(users),
            shells: Vec::new(),
            waiting: VecDeque::new(),
        }
    }

    /// The same detector with exceptions.
    #[must_use]
    pub fn tuned(mut self, tuning: Tuning) -> Self {
        self.tuning = tuning;
        self
    }

    /// Goes on with other rules and exceptions; what is remembered of acts stays.
    pub fn replace(&mut self, rules: RuleSet, tuning: Tuning) {
        self.rules = rules;
        self.tuning = tuning;
    }

    /// Exceptions that have ended by `now_ns`, each told once.
    pub fn ended(&mut self, now_ns: u64) -> Vec<Arc<Exception>> {
        self.tuning.ended(now_ns)
    }

    /// The rules in force.
    #[must_use]
    pub const fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Subjects that wait for a fact.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Forgets earlier acts: each example stands by itself.
    pub(super) fn forget(&mut self) {
        self.waiting.clear();
        *self.memory = Memory::default();
    }

    /// Evaluates one act.
    pub fn evaluate(&mut self, mut subject: Arc<Subject>, now_ns: u64) -> Verdicts {
        let program = Arc::clone(&subject.program);
        let reading = Reading::new(&program, subject.own_image);
        let noted = self.memory.note(&subject, &reading);
        let stream = Stream::of(&subject.act);
        let role = subject.service.as_ref().map(|service| service.role);
        if !self.rules.has(stream, role) {
            return Verdicts::default();
        }
        let mut evidence = Evidence {
            noted,
            ..Evidence::default()
        };
        if stream == Stream::Exec && role.is_some() {
            self.remember(&mut subject, &reading, &mut evidence);
        }
        let likeness = self.likeness(&subject);
        evidence.shell = likeness.and_then(known);
        let (waits, hash_all) = self.rules.waits(stream, role);
        let wanted = waits && (hash_all || likeness == Some(Likeness::Size));

        let view = View::read(&subject, (&self.users, &self.memory), evidence, reading);
        let stages: &[_] = if waits && !wanted {
            &[Stage::Ready, Stage::Waiting]
        } else {
            &[Stage::Ready]
        };
        let found = self.rules.matches(&view, stages);
        let own = self.weigh(&view, &subject, found, &[]);
        if !wanted {
            return own;
        }
        let request = request(&subject);
        let waiting = Waiting {
            subject,
            likeness,
            evidence,
            deadline_ns: now_ns.saturating_add(MAX_WAIT_NS),
        };
        let mut verdicts = self.hold(waiting);
        verdicts.requests.insert(0, request);
        verdicts.add(own);
        verdicts
    }

    /// Takes a fact; returns what matches now that it is known.
    pub fn fact(&mut self, fact: Fact, _now_ns: u64) -> Verdicts {
        match fact {
            Fact::Shells(shells) => {
                self.shells = shells;
                Verdicts::default()
            }
            Fact::Examined(_) => Verdicts::default(),
            Fact::Hash {
                process,
                file,
                sha256,
            } => {
                let all = std::mem::take(&mut self.waiting);
                let (answered, rest): (VecDeque<_>, _) = all
                    .into_iter()
                    .partition(|waiting| waiting.wants(process, file));
                self.waiting = rest;
                let mut verdicts = Verdicts::default();
                for waiting in answered {
                    verdicts.add(self.resolve(&waiting, sha256));
                }
                verdicts
            }
        }
    }

    /// Evaluates without their fact those that have waited long enough.
    pub fn tick(&mut self, now_ns: u64) -> Verdicts {
        let mut verdicts = Verdicts::default();
        while let Some(waiting) = self.waiting.pop_front_if(|w| w.deadline_ns <= now_ns) {
            verdicts.add(self.resolve(&waiting, None));
        }
        verdicts
    }

    /// Separates what alerts from what is excused.
    fn weigh(
        &self,
        view: &View<'_>,
        subject: &Arc<Subject>,
        found: Vec<Found>,
        incomplete: &[&'static str],
    ) -> Verdicts {
        let mut verdicts = Verdicts::default();
        for (rule, fields) in found {
            let subject = subject.clone();
            match self.tuning.excepts(&rule, view) {
                Some(exception) => verdicts.excepted.push(Excepted {
                    rule,
                    subject,
                    exception: exception.clone(),
                }),
                None => verdicts.matches.push(Match {
                    rule,
                    subject,
                    fields,
                    incomplete: incomplete.to_vec(),
                    updates: view.evidence.noted.updates,
                }),
            }
        }
        verdicts
    }

    /// `None` while nothing is known of the installed shells, or outside services.
    fn likeness(&self, subject: &Subject) -> Option<Likeness> {
        if self.shells.is_empty() || subject.service.is_none() || subject.act != Act::Exec {
            return None;
        }
        if subject.own_image {
            return Some(Likeness::None);
        }
        Some(masquerade::likeness(&subject.program.image, &self.shells))
    }

    /// Puts to an exec what is remembered of files and connects.
    fn remember(&self, subject: &mut Arc<Subject>, reading: &Reading<'_>, evidence: &mut Evidence) {
        let now = subject.stamp.time_ns;
        evidence.jndi_age_ns = self.memory.jndi_age(subject);
        evidence.preload = self.memory.preload(&subject.program, now);
        if subject.script_written.is_none()
            && let Some(written) = self.memory.script(reading, now)
        {
            Arc::make_mut(subject).script_written = Some(written);
        }
    }

    fn hold(&mut self, waiting: Waiting) -> Verdicts {
        let mut verdicts = Verdicts::default();
        if self.waiting.len() >= MAX_WAITING
            && let Some(oldest) = self.waiting.pop_front()
        {
            verdicts = self.resolve(&oldest, None);
        }
        self.waiting.push_back(waiting);
        verdicts
    }

    /// Evaluates the waiting rules with a hash, or without one for good.
    fn resolve(&self, waiting: &Waiting, sha256: Option<[u8; 32]>) -> Verdicts {
        let shell = match (waiting.likeness, sha256) {
            (Some(Likeness::Size), Some(hash)) => {
                Some(self.shells.iter().any(|shell| shell.sha256 == hash))
            }
            // The size alone speaks against it, and silence would be the greater mistake.
            (Some(Likeness::Size), None) => Some(true),
            (likeness, _) => likeness.and_then(known),
        };
        let evidence = Evidence {
            shell,
            sha256,
            ..waiting.evidence
        };
        let view = View::new(&waiting.subject, (&self.users, &self.memory), evidence);
        let found = self.rules.matches(&view, &[Stage::Waiting]);
        let incomplete: &[_] = if sha256.is_none() { &["hash"] } else { &[] };
        self.weigh(&view, &waiting.subject, found, incomplete)
    }
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Waiting({:?} until {})",
            self.subject.process, self.deadline_ns
        )
    }
}

/// What a likeness says by itself.
const fn known(likeness: Likeness) -> Option<bool> {
    match likeness {
        Likeness::None => Some(false),
        Likeness::File => Some(true),
        Likeness::Size => None,
    }
}

fn request(subject: &Subject) -> Request {
    let program = &subject.program;
    Request::Hash {
        process: subject.process,
        file: program.image.file,
        size: program.image.size,
        path: program.image.path.clone(),
        mount_ns: program.ns.mount,
    }
}
