//! How often each chain and line was kept silent, and by what, for the history: an
//! exception, a profile, or the limit of alerts of one spawn root.
//!
//! Counted in memory in event time and handed on every [`EVERY_NS`]. Bounded: what there is
//! no room for is counted without its line, by rule alone.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use bstr::ByteSlice as _;
use serde::{Deserialize, Serialize};

use crate::{
    alert::word::{self, Word},
    decision,
    lineage::{Part, Subject},
    redact::Redactor,
};

/// Different chains and lines counted between two times of handing on; further ones
/// count by rule.
pub const KINDS: usize = 1_024;
/// How often counts are handed on, ns.
pub const EVERY_NS: u64 = 10_000_000_000;
/// Programs named of a chain: the last ones.
const STEPS: usize = 8;

/// What kept a rule silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Cause {
    /// An exception of the configuration.
    Exception,
    /// A profile knows the chain.
    Profile,
    /// The spawn root had alerted by this rule too often.
    Folded,
}

impl Cause {
    /// Word in the history.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exception => "exception",
            Self::Profile => "profile",
            Self::Folded => "folded",
        }
    }
}

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Kind {
    /// What kept it silent.
    pub cause: Cause,
    /// The rule.
    pub rule: String,
    /// Kind of the service; empty outside every service.
    #[serde(deserialize_with = "word::one")]
    pub service: Word,
    /// Programs from the service down, joined by ` > `; empty where there was no room.
    pub chain: String,
    /// The act: a command line, a path, an address; likewise.
    pub line: String,
}

/// A count to be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// What.
    pub kind: Kind,
    /// How often.
    pub count: u64,
    /// First and last time, ns since the epoch.
    pub first_ns: i64,
    /// See `first_ns`.
    pub last_ns: i64,
    /// The process of the last time; 0 where there was no room.
    pub pid: u32,
    /// What silenced it the last time, in words: an exception, an entry, an incident.
    pub reason: String,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Tally {
    counts: BTreeMap<Kind, Count>,
    handed_ns: u64,
}

impl Tally {
    /// Counts one match that did not alert; `offset_ns` leads from boot to the epoch.
    pub fn note(
        &mut self,
        subject: &Subject,
        (rule, cause): (&str, Cause),
        reason: &str,
        offset_ns: i64,
    ) {
        let mut kind = Kind {
            cause,
            rule: rule.to_owned(),
            service: subject.service.as_ref().map_or("", |it| it.kind.name()),
            chain: chain(subject),
            line: decision::text(subject).1.to_str_lossy().into_owned(),
        };
        let mut pid = subject.process.tgid;
        if self.counts.len() >= KINDS && !self.counts.contains_key(&kind) {
            kind.chain.clear();
            kind.line.clear();
            pid = 0;
        }
        let time = i64::try_from(subject.stamp.time_ns).unwrap_or(i64::MAX);
        let time = time.saturating_add(offset_ns);
        let count = self.counts.entry(kind.clone()).or_insert_with(|| Count {
            kind,
            count: 0,
            first_ns: time,
            last_ns: time,
            pid,
            reason: String::new(),
        });
        count.count += 1;
        count.last_ns = count.last_ns.max(time);
        count.pid = pid;
        reason.clone_into(&mut count.reason);
    }

    /// What is to be kept by now.
    pub fn tick(&mut self, now_ns: u64, redactor: &Redactor) -> Option<Arc<[Count]>> {
        if now_ns.saturating_sub(self.handed_ns) < EVERY_NS {
            return None;
        }
        self.handed_ns = now_ns;
        self.take(redactor)
    }

    /// All that has not been handed on, without secrets.
    pub fn take(&mut self, redactor: &Redactor) -> Option<Arc<[Count]>> {
        let counts = std::mem::take(&mut self.counts);
        let shown = |mut count: Count| {
            count.kind.line = decision::line(count.kind.line.as_bytes(), redactor);
            count
        };
        (!counts.is_empty()).then(|| counts.into_values().map(shown).collect())
    }
}

/// Names of programs from the service down to the one that acts.
fn chain(subject: &Subject) -> String {
    let ancestors = &subject.lineage.ancestors;
    let serving = ancestors.iter().rposition(|it| it.part != Part::Descendant);
    let below = ancestors
        .get(serving.unwrap_or_default()..)
        .unwrap_or_default();
    let mut names = Vec::new();
    for ancestor in below {
        // What was forked and never exec'ed runs what its parent ran.
        let alone = ancestor
            .program
            .iter()
            .filter(|_| ancestor.chain.is_empty());
        names.extend(
            ancestor
                .chain
                .iter()
                .chain(alone)
                .map(|program| program.image.name()),
        );
    }
    let from = names.len().saturating_sub(STEPS);
    let told: Vec<_> = names
        .iter()
        .skip(from)
        .map(|name| name.to_str_lossy())
        .collect();
    told.join(" > ")
}
