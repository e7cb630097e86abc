//! What outlives the request that started it: branches that left a service and still run
//! a while after what they were spawned by has ended.
//!
//! A branch is orphaned when its first process (the shell a page started) ends, or when
//! one of the service's processes that forked it does, whichever is first; if that was
//! before the branch left the service, then when it left. One such moment exists for each
//! branch, so each is reported once, however many processes it has by then and however
//! often they fork away. Who waits for its child is no orphan, however long it takes.

use std::collections::BTreeMap;

use super::living::BranchId;
use super::node::{Branch, Node};
use super::{Effects, Tree};
use crate::event::{ProcessId, Stamp};
use crate::lineage::{Act, Part, Subject};

/// How long after it was orphaned a branch is looked at, ns.
pub(super) const OUTLIVES_NS: u64 = 60_000_000_000;

/// Moments kept until then; each takes a process that ends with a live child.
pub(super) const MOMENTS: usize = 4_096;

/// Forks above a branch that are looked at, up to the service's leading process: a page
/// can fork before it forks the process that leaves.
pub(super) const FORKS: usize = 8;

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
    pub(super) fn orphaned_before(&mut self, id: ProcessId) {
        let Some(node) = self.table.get(id) else {
            return;
        };
        let left = node.branches().filter(|branch| branch.spawn_root == id);
        let moments: Vec<_> = left.filter_map(|it| self.orphaned_ns(it)).collect();
        for time_ns in moments {
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
        let mut moments = Vec::new();
        while let Some(&moment) = self.orphans.first().filter(|(due, _)| *due <= now_ns) {
            self.orphans.pop_first();
            moments.push(moment);
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
    fn outliving(&self, moments: &[(u64, ProcessId)]) -> Vec<(u64, ProcessId, Branch)> {
        let mut found: BTreeMap<BranchId, (u64, ProcessId, Branch)> = BTreeMap::new();
        for &(due, id) in moments {
            for of in self.orphaned_by(id) {
                let Some((oldest, branch)) = self.oldest(of) else {
                    continue;
                };
                let orphaned = self.orphaned_ns(&branch);
                if orphaned.is_some_and(|time_ns| time_ns.saturating_add(OUTLIVES_NS) == due) {
                    found.entry(of).or_insert((due, oldest, branch));
                }
            }
        }
        let mut found: Vec<_> = found.into_values().collect();
        found.sort_by_key(|&(due, id, branch)| (due, id, branch.service));
        found
    }

    /// The branches with live processes that the end of `id` may have orphaned: its own,
    /// if it was the first of it, and what left the service through processes that it
    /// had forked while it was part of the service itself.
    fn orphaned_by(&self, id: ProcessId) -> Vec<BranchId> {
        let mut found = Vec::new();
        for branch in self.table.get(id).into_iter().flat_map(Node::branches) {
            let until_ns = match branch.part {
                Part::Descendant if branch.spawn_root != id => continue,
                Part::Descendant => {
                    found.push((branch.service, id));
                    branch.left_ns
                }
                Part::Master | Part::Worker | Part::Both => u64::MAX,
            };
            let left = self.table.living().left_after(branch.service, id, until_ns);
            found.extend(left.filter(|&(_, first)| self.is_forked_by(first, id)));
        }
        found
    }

    /// `id` is above `process`, and near.
    fn is_forked_by(&self, process: ProcessId, id: ProcessId) -> bool {
        let above = |id: &ProcessId| self.table.get(*id)?.creator;
        let mut lineage = std::iter::successors(above(&process), above).take(FORKS);
        lineage.any(|other| other == id)
    }

    /// The oldest live process of a branch, and where it stands.
    fn oldest(&self, of: BranchId) -> Option<(ProcessId, Branch)> {
        let id = self.table.living().oldest(of)?;
        let mut branches = self.table.get(id)?.branches();
        let branch = branches.find(|branch| (branch.service, branch.spawn_root) == of)?;
        Some((id, *branch))
    }

    /// When a branch that has left its service was orphaned, ns.
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
            if node.branch(branch.service)?.part != Part::Worker {
                break;
            }
            above = node.creator;
        }
        earliest
    }
}
