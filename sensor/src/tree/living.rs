//! The live processes of each branch that has left its service.
//!
//! An index over the nodes, kept by `table` alone: whoever asks for a branch pays for
//! that branch, not for the table. It holds a live node once for each service it has
//! left, so the bounds of the nodes and of the services of one are its own.

use std::collections::BTreeSet;

use super::node::{Branch, Node};
use crate::event::ProcessId;
use crate::lineage::Part;

/// Youngest process there can be.
const YOUNGEST: ProcessId = ProcessId {
    start_ns: u64::MAX,
    tgid: u32::MAX,
    pad: u32::MAX,
};

/// A service, and the first process that left it.
pub(super) type BranchId = (ProcessId, ProcessId);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Living {
    /// Service, first process that left it, process.
    members: BTreeSet<(ProcessId, ProcessId, ProcessId)>,
}

impl Living {
    /// `id` lives and stands in its branches from now on.
    pub(super) fn enter(&mut self, id: ProcessId, node: &Node) {
        for branch in left(node) {
            self.members.insert((branch.service, branch.spawn_root, id));
        }
    }

    /// `id`, which lived until now, leaves its branches.
    pub(super) fn leave(&mut self, id: ProcessId, node: &Node) {
        for branch in left(node) {
            self.members
                .remove(&(branch.service, branch.spawn_root, id));
        }
    }

    /// The oldest live process of a branch.
    pub(super) fn oldest(&self, (service, spawn_root): BranchId) -> Option<ProcessId> {
        let oldest = (service, spawn_root, ProcessId::default());
        let found = self.members.range(oldest..).next();
        found
            .filter(|member| (member.0, member.1) == (service, spawn_root))
            .map(|member| member.2)
    }

    /// The branches of a service that have live processes and whose first process began
    /// until `until_ns`, by its age. A branch costs one step, whatever its size.
    pub(super) fn left_until(
        &self,
        service: ProcessId,
        until_ns: u64,
    ) -> impl Iterator<Item = BranchId> {
        let next = move |last: ProcessId| {
            let mut younger = self.members.range((service, last, YOUNGEST)..);
            let found = younger.next().filter(|member| member.0 == service);
            found.map(|member| member.1)
        };
        let first = next(ProcessId::default());
        let roots = std::iter::successors(first, move |&root| next(root));
        roots
            .take_while(move |root| root.start_ns <= until_ns)
            .map(move |root| (service, root))
    }

    #[cfg(test)]
    pub(super) fn members(&self) -> &BTreeSet<(ProcessId, ProcessId, ProcessId)> {
        &self.members
    }
}

fn left(node: &Node) -> impl Iterator<Item = &Branch> {
    node.branches()
        .filter(|branch| branch.part == Part::Descendant)
}
