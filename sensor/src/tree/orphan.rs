//! What outlives the request that started it: branches that left a service and still run
//! a while after what they were spawned by has ended.
//!
//! A branch is orphaned when its first process (the shell a page started) ends, or when
//! one of the service's processes that forked it does, whichever is first; if that was
//! before the branch left the service, then when it left. One such moment exists for each
//! branch, so each is reported once, however many processes it has by then and however
//! often they fork away. Who waits for its child is no orphan, however long it takes.

use std::collections::{BTreeMap, BTreeSet};

use super::living::BranchId;
use super::node::Branch;
use super::{Effects, Tree};
use crate::event::{ProcessId, Stamp};
use crate::lineage::{Act, Part, Subject};

/// How long after it was orphaned a branch is looked at, ns.
pub(super) const OUTLIVES_NS: u64 = 60_000_000_000;

/// Moments kept until then, each a time and a service; each takes a process that ends
/// with a live child.
pub(super) const MOMENTS: usize = 4_096;

/// Forks above a branch that are looked at, up to the service's leading process: a page
/// can fork before it forks the process that leaves.
pub(super) const FORKS: usize = 8;

/// When a branch is due, ns; its oldest live process; where that stands.
type Outliving = (u64, ProcessId, Branch);

impl Tree {
    /// `id` has ended. What it begot that still lives may be orphaned: the rest of the
    /// branch it was the first of, or what those it forked have begun.
    pub(super) fn orphan(&mut self, id: ProcessId, time_ns: u64) {
        let Some(node) = self.table.get(id) else {
            return;
        };
        let living = self.table.living();
        let leaves = node.branches().filter(|branch| match branch.part {
            // Its children may have ended before what they forked.
            Part::Descendant if branch.spawn_root == id => {
                node.live_children > 0 || living.oldest((branch.service, id)).is_some()
            }
            Part::Descendant => false,
            Part::Master | Part::Worker | Part::Both => node.live_children > 0,
        });
        let services: Vec<_> = leaves.map(|branch| branch.service).collect();
        for service in services {
            self.schedule(service, time_ns.max(id.start_ns));
        }
    }

    /// `id` has left its service; what forked it may have ended before.
    pub(super) fn orphaned_before(&mut self, id: ProcessId) {
        let Some(node) = self.table.get(id) else {
            return;
        };
        let left = node.branches().filter(|branch| branch.spawn_root == id);
        let moments: Vec<_> = left
            .filter_map(|branch| Some((branch.service, self.orphaned_ns(branch)?)))
            .collect();
        for (service, time_ns) in moments {
            self.schedule(service, time_ns);
        }
    }

    fn schedule(&mut self, service: ProcessId, orphaned_ns: u64) {
        if self.orphans.len() >= MOMENTS {
            self.shed.orphans += 1;
            return;
        }
        self.orphans.insert((due_ns(orphaned_ns), service));
    }

    /// Reports the branches that have outlived what spawned them by [`OUTLIVES_NS`].
    pub(super) fn report_outliving(&mut self, now_ns: u64, effects: &mut Effects) {
        let mut moments: BTreeMap<ProcessId, BTreeSet<u64>> = BTreeMap::new();
        while let Some(&moment) = self.orphans.first().filter(|(due, _)| *due <= now_ns) {
            self.orphans.pop_first();
            moments.entry(moment.1).or_default().insert(moment.0);
        }
        let mut found: Vec<_> = moments
            .iter()
            .flat_map(|(service, dues)| self.outliving(*service, dues))
            .collect();
        found.sort_by_key(|&(due, id, branch)| (due, id, branch.service));
        for (due, id, branch) in found {
            let Some(node) = self.table.get(id) else {
                continue;
            };
            let program = node.program.clone().unwrap_or_default();
            effects.subjects.push(Subject {
                stamp: Stamp {
                    time_ns: due,
                    ..Stamp::default()
                },
                act: Act::Outlive,
                ..self.standing(id, Some(&branch), program)
            });
        }
    }

    /// The branches of a service that live and are due at one of `dues`, each with its
    /// oldest live process. One walk, however many are due.
    fn outliving(&self, service: ProcessId, dues: &BTreeSet<u64>) -> Vec<Outliving> {
        // What began later is due later: no branch is orphaned before it begins.
        let last = dues.last().copied().unwrap_or(0);
        let until_ns = last.saturating_sub(OUTLIVES_NS);
        let left = self.table.living().left_until(service, until_ns);
        left.filter_map(|of| {
            let (oldest, branch) = self.oldest(of)?;
            let due = due_ns(self.orphaned_ns(&branch)?);
            dues.contains(&due).then_some((due, oldest, branch))
        })
        .collect()
    }

    /// The oldest live process of a branch, and where it stands.
    fn oldest(&self, of: BranchId) -> Option<(ProcessId, Branch)> {
        let id = self.table.living().oldest(of)?;
        let mut branches = self.table.get(id)?.branches();
        let branch = branches.find(|branch| (branch.service, branch.spawn_root) == of)?;
        Some((id, *branch))
    }

    /// When a branch that has left its service was orphaned, ns; not before it began,
    /// whatever the records say.
    pub(super) fn orphaned_ns(&self, branch: &Branch) -> Option<u64> {
        if branch.part != Part::Descendant {
            return None;
        }
        let first = self.table.get(branch.spawn_root)?;
        let mut earliest = first.end.map(|end| end.time_ns);
        let mut above = first.creator;
        for _ in 0..FORKS {
            let Some(node) = above.and_then(|above| self.table.get(above)) else {
                break;
            };
            if let Some(end) = node.end {
                let since = end.time_ns.max(branch.left_ns);
                earliest = Some(earliest.map_or(since, |earliest| earliest.min(since)));
            }
            if !is_worker(node.branch(branch.service)?) {
                break;
            }
            above = node.creator;
        }
        earliest.map(|time_ns| time_ns.max(branch.spawn_root.start_ns))
    }
}

/// It is a worker, or was one until it left: what it forked before stays where it was.
fn is_worker(branch: &Branch) -> bool {
    match branch.part {
        Part::Worker => true,
        Part::Descendant => branch.origin == Part::Worker,
        Part::Master | Part::Both => false,
    }
}

/// When a branch that was orphaned at `orphaned_ns` is looked at, ns.
pub(super) fn due_ns(orphaned_ns: u64) -> u64 {
    orphaned_ns.saturating_add(OUTLIVES_NS)
}
