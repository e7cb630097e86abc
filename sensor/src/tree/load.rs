//! What each service has done since it is known: numbers for who watches.

use std::cmp::Reverse;

use serde::Serialize;

use super::Tree;
use super::table::{Entry, Table};
use super::view::container;
use crate::event::ProcessId;
use crate::lineage::{Act, Subject};

/// Levels of alerts.
pub const LEVELS: usize = 5;

/// Acts of a service, and what was said about them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Acts {
    /// Programs executed.
    pub execs: u64,
    /// Acts on files that were reported.
    pub files: u64,
    /// Connects.
    pub connects: u64,
    /// Alerts, by level, least first.
    pub alerts: [u64; LEVELS],
}

/// A live service, in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceLoad {
    /// pid of the root.
    pub pid: u32,
    /// Start of the root, ns since boot; with `pid` the identity of the service.
    pub start_ns: u64,
    /// Kind of server.
    pub kind: &'static str,
    /// Role.
    pub role: &'static str,
    /// systemd unit; empty when in none.
    pub unit: String,
    /// Name by which the configuration declares it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Id of the container the root is in; empty when in none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub container: String,
    /// pid of the root of the service it is nested in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<u32>,
    /// Live processes.
    pub processes: u32,
    /// Records lost since the service is known.
    pub lost_events: u64,
    /// What it has done.
    #[serde(flatten)]
    pub acts: Acts,
}

impl Tree {
    /// The live services and how many there are; at most `most` of them, those first that
    /// have alerted most gravely, then the busiest.
    #[must_use]
    pub fn load(&self, most: usize) -> (Vec<ServiceLoad>, usize) {
        let live = self.table.services().filter(|(_, entry)| entry.live > 0);
        let mut live: Vec<_> = live.collect();
        let all = live.len();
        // By age among equals: a stable sort of what is in that order.
        live.sort_by_key(|(_, entry)| {
            let acts = &entry.acts;
            let mut gravest = acts.alerts;
            gravest.reverse();
            Reverse((gravest, acts.execs.saturating_add(acts.files)))
        });
        live.truncate(most);
        let loads = live.into_iter().map(|(id, entry)| self.of(id, entry));
        (loads.collect(), all)
    }

    fn of(&self, id: ProcessId, entry: &Entry) -> ServiceLoad {
        let service = &entry.service;
        ServiceLoad {
            pid: id.tgid,
            start_ns: id.start_ns,
            kind: service.kind.name(),
            role: service.role.name(),
            unit: service.unit.clone(),
            name: service.name.as_deref().map(str::to_owned),
            container: container(entry.image.as_deref()),
            within: entry.within.map(|outer| outer.tgid),
            processes: entry.live,
            lost_events: self.lost.saturating_sub(entry.lost_before),
            acts: entry.acts,
        }
    }

    /// Counts an alert of this level (0 is the least) about a service.
    pub fn count_alert(&mut self, service: ProcessId, level: usize) {
        let entry = self.table.service_mut(service);
        if let Some(count) = entry.and_then(|it| it.acts.alerts.get_mut(level)) {
            *count += 1;
        }
    }
}

impl Table {
    /// Counts what members of services did.
    pub(super) fn count(&mut self, subjects: &[Subject]) {
        for subject in subjects {
            let service = subject.service.as_ref().map(|service| service.id);
            let Some(entry) = service.and_then(|id| self.service_mut(id)) else {
                continue;
            };
            match subject.act {
                Act::Exec => entry.acts.execs += 1,
                Act::File(_) => entry.acts.files += 1,
                Act::Socket(_) => entry.acts.connects += 1,
                Act::Outlive | Act::Lose(_) => {}
            }
        }
    }
}
