//! Evaluates subjects and holds those that wait for a fact.
//!
//! Owns the rule set, the table of installed shells and the waiting subjects. Reads no
//! clock and no file: time comes with each call, facts come back by [`Detector::fact`].

use std::{cell::OnceCell, collections::VecDeque, sync::Arc};

pub(super) use super::fact::{Fact, Request};
use super::{
    category::Stream,
    masquerade::{self, KnownShell, Likeness},
    memo::Verdict,
    memory::Memory,
    past::Past,
    rule::Rule,
    ruleset::{Place, RuleSet, Stage},
    setting::Grounds,
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

/// An act that is judged.
struct Judged<'s> {
    subject: &'s Arc<Subject>,
    evidence: Evidence,
    /// Facts that did not arrive in time.
    incomplete: &'static [&'static str],
}

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
        let noted = self.memory.note(&subject);
        let stream = Stream::of(&subject.act);
        let role = subject.service.as_ref().map(|service| service.role);
        let Some(place) = self.rules.place(stream, role) else {
            return Verdicts::default();
        };
        let mut evidence = Evidence {
            noted,
            ..Evidence::default()
        };
        if place.is_exec && role.is_some() {
            self.remember(&mut subject, &mut evidence);
        }
        let likeness = self.likeness(&subject);
        evidence.shell = likeness.and_then(known);
        let (waits, hash_all) = place.waits();
        let wanted = waits && (hash_all || likeness == Some(Likeness::Size));
        let stages: &[_] = if waits && !wanted {
            &[Stage::Ready, Stage::Waiting]
        } else {
            &[Stage::Ready]
        };
        let act = Judged {
            subject: &subject,
            evidence,
            incomplete: &[],
        };
        let own = self.judge(&act, place, stages);
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
            Fact::Examined(_) | Fact::Located(_) => Verdicts::default(),
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

    /// What rules of some stages say of an act, what alerts apart from what is excused.
    fn judge(&self, act: &Judged<'_>, place: Place<'_>, stages: &[Stage]) -> Verdicts {
        let Judged {
            subject, evidence, ..
        } = act;
        // To make a view costs more than to recall a verdict, and few need one then.
        let view = OnceCell::new();
        let surroundings = (&self.users, &*self.memory);
        let view = || view.get_or_init(|| View::new(subject, surroundings, *evidence));
        let tell = |verdict: &Verdict| self.weigh(verdict, act, &view);
        let known = place.is_exec.then(|| {
            let past = Past::of(subject, evidence, &self.memory);
            let grounds = Grounds::of(subject, &self.users);
            self.rules.recall((place, stages), (&grounds, &past), tell)
        });
        match known.flatten() {
            Some(verdicts) => verdicts,
            None => tell(&self.rules.judge(place, stages, view())),
        }
    }

    /// Separates what alerts from what is excused, for which a view is needed.
    #[inline]
    fn weigh<'v, 's: 'v>(
        &self,
        verdict: &Verdict,
        act: &Judged<'_>,
        view: &impl Fn() -> &'v View<'s>,
    ) -> Verdicts {
        let mut verdicts = Verdicts::default();
        verdicts.matches.reserve_exact(verdict.len());
        for (rule, fields) in self.rules.named(verdict) {
            let (rule, subject) = (Arc::clone(rule), Arc::clone(act.subject));
            let may_except = self.tuning.may_except(&rule);
            match may_except.then(|| self.tuning.excepts(&rule, view())) {
                Some(Some(exception)) => verdicts.excepted.push(Excepted {
                    rule,
                    subject,
                    exception: exception.clone(),
                }),
                _ => verdicts.matches.push(Match {
                    rule,
                    subject,
                    fields: Arc::clone(fields),
                    incomplete: act.incomplete.to_vec(),
                    updates: act.evidence.noted.updates,
                }),
            }
        }
        if self.rules.is_reordered() {
            let by_rank = |a: &Arc<Rule>, b: &Arc<Rule>| a.rank().cmp(&b.rank());
            verdicts.matches.sort_by(|a, b| by_rank(&a.rule, &b.rule));
            verdicts.excepted.sort_by(|a, b| by_rank(&a.rule, &b.rule));
        }
        verdicts
    }

    /// `None` while nothing is known of the installed shells, or outside services.
    #[inline]
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
    fn remember(&self, subject: &mut Arc<Subject>, evidence: &mut Evidence) {
        let now = subject.stamp.time_ns;
        evidence.jndi_age_ns = self.memory.jndi_age(subject);
        evidence.preload = self.memory.preload(&subject.program, now);
        if subject.script_written.is_none()
            && let Some(written) = self.memory.script(&subject.program, now)
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
        let subject = &waiting.subject;
        let role = subject.service.as_ref().map(|service| service.role);
        let Some(place) = self.rules.place(Stream::of(&subject.act), role) else {
            return Verdicts::default();
        };
        let act = Judged {
            subject,
            evidence,
            incomplete: if sha256.is_none() { &["hash"] } else { &[] },
        };
        self.judge(&act, place, &[Stage::Waiting])
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
