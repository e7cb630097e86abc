//! What outlives the request that started it: branches that left a service and still run
//! a while after what they were spawned by has ended.
//!
//! A branch is orphaned when its first process (the shell a page started) ends, or when
//! one of the service's processes that forked it does, whichever is first; if that was
//! before the branch left the service, then when it left. One such moment exists for each
//! branch, so each is reported once, however many processes it has by then and however
//! often they fork away. Who waits for its child is no orphan, however long it takes.

use std::collections::{BTreeMap, BTreeSet};

use super::node::Branch;
use super::{Effects, Tree};
use crate::event::{ProcessId, Stamp};
use crate::lineage::{Act, Part, Subject};

/// How long after it was orphaned a branch is looked at, ns.
pub(super) const OUTLIVES_NS: u64 = 60_000_000_000;

/// Moments kept until then; each takes a process that ends with a live child.
pub(super) const MOMENTS: usize = 4_096;

/// Forks above a branch that are looked at, up to the service's leading process: a page
/// can fork before it forks the process that leaves.
const FORKS: usize = 8;

/// A service, and the first process that left it.
type BranchId = (ProcessId, ProcessId);

impl Tree {
    /// `id` has ended. Its branch, or those it forked, may be orphaned.
    pub(super) fn orphan(&mut self, id: ProcessId, time_ns: u64) {
        let orphans = self
            .table
            .get(id)
            .is_some_and(|node| node.home.is_some() && node.live_children > 0);
        if orphans {
            self.schedule(id, time_ns);
        }
    }

    /// `id` has left its service; what forked it may have ended before.
    pub(super) fn orphaned_before(&mut self, id: ProcessId, time_ns: u64) {
        let Some(node) = self.table.get(id) else {
            return;
        };
        let left = node.branches().filter(|branch| branch.spawn_root == id);
        let mut left = left.filter_map(|branch| self.orphaned_ns(branch));
        let orphaned = left.next().is_some();
        drop(left);
        if orphaned {
            self.schedule(id, time_ns);
        }
    }

    fn schedule(&mut self, id: ProcessId, time_ns: u64) {
        if self.orphans.len() >= MOMENTS {
            self.shed.orphans += 1;
            return;
        }
        let due = time_ns.saturating_add(OUTLIVES_NS);
        self.orphans.insert((due, id));
    }

    /// Reports the branches that have outlived what spawned them by [`OUTLIVES_NS`].
    pub(super) fn report_outliving(&mut self, now_ns: u64, effects: &mut Effects) {
        let mut moments = BTreeSet::new();
        while let Some(&(due, _)) = self.orphans.first().filter(|(due, _)| *due <= now_ns) {
            self.orphans.pop_first();
            moments.insert(due);
        }
        if moments.is_empty() {
            return;
        }
        for (due, id, branch) in self.outliving(&moments) {
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

    /// The oldest live process of each branch that is to be looked at at one of `moments`,
    /// in order of time, then of age.
    fn outliving(&self, moments: &BTreeSet<u64>) -> Vec<(u64, ProcessId, Branch)> {
        let mut oldest: BTreeMap<BranchId, (u64, ProcessId, Branch)> = BTreeMap::new();
        for (id, node) in self.table.nodes().filter(|(_, node)| node.is_live()) {
            for branch in node.branches() {
                let orphaned = self.orphaned_ns(branch);
                let due = orphaned.map(|time_ns| time_ns.saturating_add(OUTLIVES_NS));
                let Some(due) = due.filter(|due| moments.contains(due)) else {
                    continue;
                };
                let known = oldest
                    .entry((branch.service, branch.spawn_root))
                    .or_insert((due, id, *branch));
                if id < known.1 {
                    *known = (due, id, *branch);
                }
            }
        }
        let mut found: Vec<_> = oldest.into_values().collect();
        found.sort_by_key(|&(due, id, branch)| (due, id, branch.service));
        found
    }

    /// When a branch that has left its service was orphaned, ns.
    fn orphaned_ns(&self, branch: &Branch) -> Option<u64> {
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
            if node.branch(branch.service)?.part != Part::Worker {
                break;
            }
            above = node.creator;
        }
        earliest
    }
}
