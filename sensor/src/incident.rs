//! Incidents: the alerts of one spawn root, told as one story.
//!
//! A spawn root is the first process that left the service's own image; what acts in
//! that image is its own. The first alert of a spawn root always goes out; later ones are
//! updates, limited for each rule by a [`Bucket`], and what that leaves out is said in
//! numbers by the next update and at the close. Of an update that an application makes
//! of itself each rule that is not grave tells one file. Works in event time; reads no clock, and
//! nothing but its bounds decides what is forgotten.

mod bucket;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use self::bucket::Bucket;
pub use self::bucket::{BURST, EVERY_NS};
use crate::{
    alert::{self, Closed, Host, Level, Reason, RuleInfo, RuleTotal, Standing, Suppressed},
    event::ProcessId,
    lineage::{Service, Subject},
};

/// Incidents open at once; the one that has been quiet for longest gives way.
pub const OPEN: usize = 4_096;
/// Rules told apart in one incident; further ones share a bucket and a count.
pub const RULES: usize = 64;
/// How long nothing must have matched for an incident to be over though its processes
/// live, ns.
pub const QUIET_NS: u64 = 15 * 60 * 1_000_000_000;
/// How long after its last alert an incident whose processes are gone is kept, ns: late
/// facts still find it.
pub const SETTLE_NS: u64 = 5_000_000_000;
/// How often it is looked whether processes are gone, ns.
const LOOK_NS: u64 = 1_000_000_000;
/// Stands for the rules above [`RULES`].
const OTHER: &str = "other";
/// Rules named by one word about what was left out; further ones count together.
const NAMED: usize = 8;
/// Bytes of the first alert's sentence that the close event repeats.
const WHAT: usize = 512;

/// Distinct rules, of level low or above, that raise an incident by one level, by two.
const RAISE: [usize; 2] = [3, 6];

/// Service root, if any, and spawn root.
type Key = (Option<ProcessId>, ProcessId);

/// Numbers for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Incidents open now.
    pub open: u64,
    /// Incidents opened so far.
    pub opened: u64,
    /// Alerts left out so far.
    pub suppressed: u64,
    /// Incidents closed so far, in order of [`Reason::ALL`].
    pub closed: [u64; Reason::ALL.len()],
}

/// A match that was left out, in the incident with this id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded(pub String);

/// The open incidents.
#[derive(Debug, Default)]
pub struct Incidents {
    open: BTreeMap<Key, Incident>,
    /// Open incidents by the time of their last alert.
    by_time: BTreeSet<(u64, Key)>,
    looked_ns: u64,
    stats: Stats,
}

#[derive(Debug)]
struct Incident {
    id: String,
    service: Option<Arc<Service>>,
    opened_ns: u64,
    last_ns: u64,
    alerts: u64,
    folded: u64,
    highest: Level,
    rules: BTreeMap<String, RuleState>,
    what: String,
}

#[derive(Debug)]
struct RuleState {
    level: Level,
    bucket: Bucket,
    alerts: u64,
    folded: u64,
    /// Left out since this was last said, and since when.
    unsaid: u64,
    since_ns: u64,
}

impl Incidents {
    /// What becomes of a match: the place of its alert in the incident, or nothing when
    /// it is left out and only counted; `updates` when it is one of the many files of an
    /// update. Incidents that had to make room are appended to
    /// `closed`.
    ///
    /// # Errors
    /// [`Folded`] when it is left out.
    pub fn admit(
        &mut self,
        subject: &Subject,
        (rule, updates): (&RuleInfo, bool),
        host: &Host,
        closed: &mut Vec<Closed>,
    ) -> Result<Standing, Folded> {
        let key = key(subject);
        let now_ns = subject.stamp.time_ns;
        if !self.open.contains_key(&key) {
            self.make_room(now_ns, closed);
            self.by_time.insert((now_ns, key));
            self.stats.opened += 1;
        }
        let new = || Incident::new(subject, host);
        let incident = self.open.entry(key).or_insert_with(new);
        if now_ns > incident.last_ns {
            self.by_time.remove(&(incident.last_ns, key));
            self.by_time.insert((now_ns, key));
            incident.last_ns = now_ns;
        }
        let standing = incident.take(rule, updates, now_ns);
        standing.ok_or_else(|| {
            self.stats.suppressed += 1;
            Folded(incident.id.clone())
        })
    }

    /// Keeps the sentence of an incident's first alert, for its close event.
    pub fn describe(&mut self, subject: &Subject, sentence: &str) {
        if let Some(incident) = self.open.get_mut(&key(subject))
            && incident.what.is_empty()
        {
            let mut end = sentence.len().min(WHAT);
            while !sentence.is_char_boundary(end) {
                end -= 1;
            }
            let begin = sentence.get(..end).unwrap_or_default();
            begin.clone_into(&mut incident.what);
        }
    }

    /// Closes what is over at `now_ns`; `gone` tells whether a spawn root and all below
    /// it have ended.
    pub fn tick(&mut self, now_ns: u64, gone: impl Fn(ProcessId) -> bool) -> Vec<Closed> {
        let mut over = Vec::new();
        if now_ns.saturating_sub(self.looked_ns) < LOOK_NS {
            return over;
        }
        self.looked_ns = now_ns;
        let settled = now_ns.saturating_sub(SETTLE_NS);
        let quiet = now_ns.saturating_sub(QUIET_NS);
        let idle = self.by_time.range(..(settled, LEAST));
        let ended: Vec<_> = idle
            .filter_map(|&(last_ns, key)| {
                if last_ns < quiet {
                    return Some((key, Reason::Quiet));
                }
                gone(key.1).then_some((key, Reason::Ended))
            })
            .collect();
        for (key, reason) in ended {
            over.extend(self.close(key, reason, now_ns));
        }
        over
    }

    /// Closes all: the sensor ends.
    pub fn stop(&mut self, now_ns: u64) -> Vec<Closed> {
        let keys: Vec<_> = self.open.keys().copied().collect();
        keys.into_iter()
            .filter_map(|key| self.close(key, Reason::Stopped, now_ns))
            .collect()
    }

    /// Numbers for the metrics.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            open: self.open.len() as u64,
            ..self.stats
        }
    }

    fn make_room(&mut self, now_ns: u64, closed: &mut Vec<Closed>) {
        while self.open.len() >= OPEN {
            let Some(&(_, key)) = self.by_time.first() else {
                return;
            };
            closed.extend(self.close(key, Reason::Evicted, now_ns));
        }
    }

    fn close(&mut self, key: Key, reason: Reason, now_ns: u64) -> Option<Closed> {
        let incident = self.open.remove(&key)?;
        self.by_time.remove(&(incident.last_ns, key));
        let index = Reason::ALL.iter().position(|&it| it == reason);
        if let Some(count) = index.and_then(|index| self.stats.closed.get_mut(index)) {
            *count += 1;
        }
        Some(incident.end(key, reason, now_ns))
    }
}

/// Before every key of the same time.
const LEAST: Key = (None, ProcessId::new(0, 0));

fn key(subject: &Subject) -> Key {
    let service = subject.service.as_ref().map(|service| service.id);
    (service, subject.spawn_root)
}

impl Incident {
    fn new(subject: &Subject, host: &Host) -> Self {
        Self {
            id: alert::incident_id(host, subject),
            service: subject.service.clone(),
            opened_ns: subject.stamp.time_ns,
            last_ns: subject.stamp.time_ns,
            alerts: 0,
            folded: 0,
            highest: Level::Informational,
            rules: BTreeMap::new(),
            what: String::new(),
        }
    }

    /// Counts one match; its place when it is to be told.
    fn take(&mut self, rule: &RuleInfo, updates: bool, now_ns: u64) -> Option<Standing> {
        let before = self.level();
        let opens = self.alerts == 0;
        let known = self.rules.contains_key(&rule.name);
        let room = known || self.rules.len() < RULES;
        let name = if room { rule.name.as_str() } else { OTHER };
        self.highest = self.highest.max(rule.level);
        let new = || RuleState::new(rule.level, now_ns);
        let state = self.rules.entry(name.to_owned()).or_insert_with(new);
        state.level = state.level.max(rule.level);
        // The first alert has a full bucket, so it is never left out.
        let told = updates && state.alerts > 0;
        if told || !state.bucket.take(now_ns) {
            state.since_ns = if state.unsaid == 0 {
                now_ns
            } else {
                state.since_ns
            };
            state.unsaid += 1;
            state.folded += 1;
            self.folded += 1;
            return None;
        }
        state.alerts += 1;
        self.alerts += 1;
        let level = self.level();
        Some(Standing {
            id: self.id.clone(),
            opens,
            alerts: self.alerts,
            folded: self.folded,
            level,
            raised: !opens && level > before,
            rules: self.rules.len(),
            suppressed: self.say(),
        })
    }

    /// The highest level of its rules, raised when many different ones matched.
    fn level(&self) -> Level {
        let rules = self.rules.values();
        let telling = rules.filter(|rule| rule.level >= Level::Low).count();
        let steps = RAISE.iter().filter(|&&least| telling >= least).count();
        let index = Level::ALL.iter().position(|&level| level == self.highest);
        let raised = index.unwrap_or_default() + steps;
        Level::ALL.get(raised).copied().unwrap_or(Level::Critical)
    }

    /// What was left out and not said so far; from now on it is said.
    fn say(&mut self) -> Vec<Suppressed> {
        let unsaid = self.rules.iter_mut().filter(|(_, state)| state.unsaid > 0);
        let mut said: Vec<Suppressed> = Vec::new();
        for (rule, state) in unsaid {
            let (count, since_ns) = (std::mem::take(&mut state.unsaid), state.since_ns);
            if said.len() < NAMED {
                let rule = rule.clone();
                said.push(Suppressed {
                    rule,
                    count,
                    since_ns,
                });
            } else if let Some(last) = said.last_mut() {
                OTHER.clone_into(&mut last.rule);
                last.count += count;
                last.since_ns = last.since_ns.min(since_ns);
            }
        }
        said
    }

    fn end(mut self, key: Key, reason: Reason, now_ns: u64) -> Closed {
        let suppressed = self.say();
        let level = self.level();
        let rules = self.rules.into_iter().map(|(rule, state)| RuleTotal {
            rule,
            level: state.level,
            alerts: state.alerts,
            folded: state.folded,
        });
        Closed {
            rules: rules.collect(),
            id: self.id,
            service: self.service,
            spawn_root: key.1,
            reason,
            level,
            alerts: self.alerts,
            folded: self.folded,
            suppressed,
            opened_ns: self.opened_ns,
            last_ns: self.last_ns,
            closed_ns: now_ns,
            what: self.what,
        }
    }
}

impl RuleState {
    fn new(level: Level, now_ns: u64) -> Self {
        Self {
            level,
            bucket: Bucket::full(now_ns),
            alerts: 0,
            folded: 0,
            unsaid: 0,
            since_ns: 0,
        }
    }
}
