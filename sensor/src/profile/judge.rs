//! The profiles in force: what they say of an exec, and which alerts that silences.
//!
//! Only a match of a rule that says of itself that it may be learnt is ever silenced, and
//! only by the chain of the very exec it matched. Time comes from the events.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    Day,
    chain::Trail,
    key::Key,
    lack::{Lack, Lacks},
    learn::{self, Learner},
    lock::Lock,
    policy::Policy,
    shipped::{self, Scene, Shipped},
    table::Table,
};
use crate::{
    detect::{Learnable, Level, Match},
    lineage::{Act, Judgement, Known, Mode, Part, Standing, Subject},
    redact::Redactor,
};

/// Name of the user's profile in alerts.
const LOCK: &str = "lineage.lock";

/// An entry of the user's profile.
#[derive(Clone, Debug)]
struct Entry {
    /// The last day it was used, as far as is known.
    last: Option<Day>,
    shown: Arc<str>,
}

/// What is known beforehand, in the form in which it is asked.
#[derive(Debug)]
pub struct Profiles {
    policy: Policy,
    lock: BTreeMap<Key, Table<Entry>>,
    shipped: Shipped,
}

impl Profiles {
    /// The user's profile and the shipped ones that `policy` names. Takes its time: a lock
    /// may have tens of thousands of chains.
    #[must_use]
    pub fn new(policy: Policy, lock: &Lock) -> Self {
        let mut tables: BTreeMap<Key, Table<Entry>> = BTreeMap::new();
        for (key, chain, seen) in lock.entries() {
            let entry = Entry {
                last: seen.map(|seen| seen.last),
                shown: chain.to_string().into(),
            };
            let table = tables.entry(key.clone()).or_default();
            table.push(chain.clone(), entry);
        }
        Self {
            shipped: Shipped::new(&policy.products),
            policy,
            lock: tables,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Judge {
    profiles: Profiles,
    learner: Learner,
    redactor: Arc<Redactor>,
    realtime_minus_boottime_ns: i64,
    silenced: u64,
    would_silence: u64,
    /// Kept for `profile check` only.
    lacks: Option<Lacks>,
}

/// What became of the matches of one act.
#[derive(Debug, Default)]
pub struct Settled {
    /// What is to be alerted.
    pub alerts: Vec<Match>,
    /// What the profile silenced; the reason is in `subject.profile`.
    pub silenced: Vec<Match>,
}

impl Judge {
    /// A judge by `policy` and `lock`.
    #[must_use]
    pub fn new(policy: Policy, lock: &Lock, realtime_minus_boottime_ns: i64) -> Self {
        Self {
            profiles: Profiles::new(policy, lock),
            redactor: Arc::default(),
            learner: Learner::default(),
            realtime_minus_boottime_ns,
            silenced: 0,
            would_silence: 0,
            lacks: None,
        }
    }

    /// Goes on by other profiles; what has been learnt and counted stays.
    pub fn replace(&mut self, profiles: Profiles) {
        self.profiles = profiles;
    }

    /// What has been learnt.
    #[must_use]
    pub const fn learner(&self) -> &Learner {
        &self.learner
    }

    /// From now on notes what the profile lacks; with `by_kind`, compared with the entries
    /// of every service of the same kind.
    pub fn keep_lacks(&mut self, by_kind: bool) {
        self.lacks = Some(Lacks::new(by_kind));
    }

    /// What the profile lacks, as far as that was noted.
    pub fn lacks(&self) -> impl Iterator<Item = Lack> {
        self.lacks.iter().flat_map(Lacks::all)
    }

    /// What has been learnt, for whoever asks the running sensor.
    #[must_use]
    pub fn view(&self) -> Value {
        let refused = self.learner.refused();
        let refused: Vec<_> = refused
            .map(|(key, exe, why, count)| format!("{key}: {exe}, {count} times: {why}"))
            .collect();
        json!({
            "lock": self.learner.lock().to_yaml(),
            "refused": refused,
            "overflow": self.learner.overflow(),
            "silenced": self.silenced,
            "would_silence": self.would_silence,
        })
    }

    /// Matches silenced, and those that would have been.
    #[must_use]
    pub const fn counts(&self) -> (u64, u64) {
        (self.silenced, self.would_silence)
    }

    fn day(&self, subject: &Subject) -> Day {
        let boottime = i128::from(subject.stamp.time_ns);
        Day::of(boottime + i128::from(self.realtime_minus_boottime_ns))
    }

    /// How an exec stands to the profiles; `None` for other acts, outside services, for a
    /// service's own image, and where profiles are off.
    #[must_use]
    pub fn stand(&mut self, subject: &Subject) -> Option<Standing> {
        if subject.act != Act::Exec || subject.own_image {
            return None;
        }
        let key = Key::of(subject)?;
        let mode = self.profiles.policy.mode(&key);
        let trail = match Trail::of(subject) {
            Ok(trail) => trail,
            Err(refusal) => {
                let why = learn::reason(refusal);
                let exe = subject.program.image.path.to_string();
                return (mode != Mode::Off).then(|| Standing {
                    mode,
                    first: !self.learner.has_refused(&key, &exe, &why),
                    judgement: Judgement::Refused(refusal.name(), why),
                });
            }
        };
        if let Some(known) = self
            .profiles
            .shipped
            .known(scene(subject, key.kind), &trail)
        {
            return Some(Standing {
                mode: Mode::Alert,
                first: !self.learner.knows(&key, &trail),
                judgement: Judgement::Known(known),
            });
        }
        if mode == Mode::Off {
            return None;
        }
        let first = !self.learner.knows(&key, &trail);
        let today = self.day(subject);
        Some(Standing {
            mode,
            first,
            judgement: self.ask(&key, &trail, today),
        })
    }

    fn ask(&mut self, key: &Key, trail: &Trail<'_>, today: Day) -> Judgement {
        let expires = self.profiles.policy.expire_days;
        let by_kind = self.lacks.as_ref().is_some_and(Lacks::is_by_kind);
        // Nobody reads why while it is learnt, and to find out takes its time.
        let why = self.lacks.is_some() || self.profiles.policy.mode(key) != Mode::Learn;
        let same = |other: &Key| other == key || by_kind && other.kind == key.kind;
        let mut difference = None;
        let mut any = false;
        for (_, table) in self
            .profiles
            .lock
            .iter_mut()
            .filter(|(other, _)| same(other))
        {
            any = true;
            match table.beginning(trail) {
                Some(number) => return known(table, number, trail, today, expires),
                None if why => difference = difference.or_else(|| table.difference(trail)),
                None => {}
            }
        }
        let none = || "the profile has nothing of this service".to_owned();
        Judgement::Unknown(difference.filter(|_| any).unwrap_or_else(none))
    }

    /// Parts what is to be alerted from what the profile silences, and learns from it.
    pub fn settle(&mut self, subject: &Subject, matches: Vec<Match>) -> Settled {
        self.learn(subject, &matches);
        let mut settled = Settled::default();
        for found in matches {
            match verdict(&found) {
                Some(Mode::Alert) => {
                    self.silenced = self.silenced.saturating_add(1);
                    settled.silenced.push(found);
                }
                Some(_) => {
                    self.would_silence = self.would_silence.saturating_add(1);
                    settled.alerts.push(found);
                }
                None => settled.alerts.push(found),
            }
        }
        settled
    }

    /// Matches that came after their act: what must not be learnt is taken back.
    pub fn settle_late(&mut self, matches: Vec<Match>) -> Settled {
        let mut settled = Settled::default();
        for found in matches {
            let subject = Arc::clone(&found.subject);
            let part = if forbids(&found) {
                self.taint(&subject);
                None
            } else {
                verdict(&found)
            };
            if part == Some(Mode::Alert) {
                self.silenced = self.silenced.saturating_add(1);
                settled.silenced.push(found);
            } else {
                settled.alerts.push(found);
            }
        }
        settled
    }

    fn learn(&mut self, subject: &Subject, matches: &[Match]) {
        let forbidden = matches.iter().find(|found| forbids(found));
        if subject.act != Act::Exec {
            if forbidden.is_some() {
                self.taint(subject);
            }
            return;
        }
        let (Some(standing), Some(key)) = (&subject.profile, Key::of(subject)) else {
            return;
        };
        let exe = || subject.program.image.path.to_string();
        let built_in =
            matches!(&standing.judgement, Judgement::Known(known) if &*known.profile != LOCK);
        if built_in || self.profiles.policy.mode(&key) == Mode::Off || is_simulated(subject) {
            return;
        }
        self.lack(&key, subject, &standing.judgement);
        if let Judgement::Refused(_, why) = &standing.judgement {
            return self.learner.refuse(&key, &exe(), why);
        }
        let Ok(trail) = Trail::of(subject) else {
            return;
        };
        let day = self.day(subject);
        match forbidden {
            Some(found) => {
                let why = format!("rule {} is never learnt", found.rule.name);
                self.learner.refuse(&key, &exe(), &why);
                self.learner.taint(&key, &trail, day);
            }
            None if !self.learner.has(&key, &trail) && self.is_secret(subject) => {
                self.learner.refuse(&key, &exe(), SECRET);
            }
            None => self.learner.note(&key, &trail, day),
        }
    }

    fn is_secret(&self, subject: &Subject) -> bool {
        let ancestors = subject.lineage.ancestors.iter();
        let below = ancestors.filter(|ancestor| ancestor.part == Part::Descendant);
        let mut programs = below.flat_map(|ancestor| &ancestor.chain);
        programs.any(|program| self.redactor.is_secret(&program.args))
    }

    /// From now on this one says what is secret.
    pub fn set_redactor(&mut self, redactor: Arc<Redactor>) {
        self.redactor = redactor;
    }

    /// Notes for `profile check` what the profile does not know.
    fn lack(&mut self, key: &Key, subject: &Subject, judgement: &Judgement) {
        let Some(lacks) = &mut self.lacks else {
            return;
        };
        let chain = Trail::of(subject).and_then(|trail| trail.chain());
        let shown = chain.map(|chain| chain.to_string());
        let shown = shown.unwrap_or_else(|_none| subject.program.image.path.to_string());
        match judgement {
            Judgement::Known(_) => {}
            Judgement::Refused(_, why) => lacks.note(key, shown, why),
            other => lacks.note(key, shown, &other.reason()),
        }
    }

    fn taint(&mut self, subject: &Subject) {
        let below = subject.lineage.ancestors.last();
        if below.is_none_or(|process| process.part != Part::Descendant) {
            return;
        }
        let day = self.day(subject);
        if let (Some(key), Ok(trail)) = (Key::of(subject), Trail::of(subject)) {
            self.learner.taint(&key, &trail, day);
        }
    }
}

/// Begins the name of the directory in which `simulate` works.
pub const SIMULATION: &str = "lineage-sensor-simulate.";

/// It happened below a program of a simulation, which no service will do again: a chain of
/// nobody, under a key of its own for each run. Who calls a directory so himself is not
/// learnt either.
fn is_simulated(subject: &Subject) -> bool {
    let ancestors = subject.lineage.ancestors.iter();
    let mut programs = ancestors.flat_map(|it| it.chain.iter().chain(&it.program));
    programs.any(|program| {
        let mut parts = program.image.path.split(|&byte| byte == b'/');
        parts.any(|part| part.starts_with(SIMULATION.as_bytes()))
    })
}

/// SHA-256 of the built-in profiles and of `lock`, in hex.
#[must_use]
pub fn hash(lock: &Lock) -> String {
    let mut hash = Sha256::new();
    hash.update(shipped::hash());
    hash.update(lock.to_yaml());
    format!("{:x}", hash.finalize())
}

/// What the entry `number` says of a trail that it begins with.
fn known(
    table: &mut Table<Entry>,
    number: usize,
    trail: &Trail<'_>,
    today: Day,
    expires: u32,
) -> Judgement {
    let exact = table
        .get(number)
        .is_some_and(|(chain, _)| chain.is_exact(trail.len()));
    let Some(entry) = table.get_mut(number) else {
        return Judgement::Unknown(String::new());
    };
    match entry.last {
        Some(last) if expires > 0 && today.since(last) > expires => {
            return Judgement::Expired(last.to_string());
        }
        Some(last) => entry.last = Some(last.max(today)),
        None => {}
    }
    Judgement::Known(Known {
        profile: LOCK.into(),
        chain: Arc::clone(&entry.shown),
        exact,
    })
}

fn scene(subject: &Subject, kind: &'static str) -> Scene {
    let began = subject
        .service
        .as_ref()
        .map_or(0, |service| service.id.start_ns);
    Scene {
        kind,
        origin: subject.origin,
        age_ns: subject.stamp.time_ns.saturating_sub(began),
    }
}

/// Why a chain with a secret is not written down. An entry by hand can have it.
const SECRET: &str = "an argument holds a secret";

/// What it matched must not be learnt. Low levels are context, not suspicion.
fn forbids(found: &Match) -> bool {
    let context = matches!(found.rule.level, Level::Informational | Level::Low);
    found.rule.learnable == Learnable::Never && !context
}

/// The mode in which a profile knows what a rule matched, where the rule may be learnt:
/// [`Mode::Alert`] silences, [`Mode::Shadow`] says so. `None`: nothing to say.
#[must_use]
pub fn verdict(found: &Match) -> Option<Mode> {
    let standing = found.subject.profile.as_deref()?;
    let Judgement::Known(known) = &standing.judgement else {
        return None;
    };
    let may = match found.rule.learnable {
        Learnable::Never => false,
        Learnable::Exact => known.exact,
        Learnable::Chain => true,
    };
    let speaks = matches!(standing.mode, Mode::Shadow | Mode::Alert);
    (may && speaks && found.subject.act == Act::Exec).then_some(standing.mode)
}
