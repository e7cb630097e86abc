//! The nodes and services of the tree, and every count that ties them together.
//!
//! Invariants kept here and nowhere else: a birth edge leads to an older process, so
//! the tree has no cycle; `children` is the number of nodes with that creator, and
//! `live_children` that of the live ones; a
//! service's `members` and `live` are the numbers of its nodes; the dead leaves are
//! exactly the nodes that may be removed. A service root outlives its members.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::image::bytes_of;
use super::living::Living;
use super::load::Acts;
use super::node::{Branch, End, Node, inherited};
use crate::event::{ExitStatus, Kinds, ProcessId, Program};
use crate::lineage::{Part, Service};

/// A service and what the tree knows about it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) service: Arc<Service>,
    /// What its master runs now; `None` when lost.
    pub(super) image: Option<Arc<Program>>,
    /// Losses counted before it was known.
    pub(super) lost_before: u64,
    /// Root service it is nested in.
    pub(super) within: Option<ProcessId>,
    /// Nested services below it.
    pub(super) nested: u32,
    /// Nodes that belong to it.
    pub(super) members: u32,
    /// Of these, the live ones.
    pub(super) live: u32,
    /// It listens: whatever its command line says, it is a service.
    pub(super) listens: bool,
    /// A live member was dropped to keep a bound: what the table says of it is not all.
    pub(super) shed: bool,
    /// What its members did.
    pub(super) acts: Acts,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Boxed, so that a growing table moves pointers, not nodes.
    // Looked up several times for each record. The hash is seeded anew in each run, and
    // nobody can choose a start time to the nanosecond.
    nodes: HashMap<ProcessId, Box<Node>, foldhash::fast::RandomState>,
    services: BTreeMap<ProcessId, Entry>,
    /// By the time since when nothing needs them.
    dead: BTreeSet<(u64, ProcessId)>,
    living: Living,
    live: usize,
    /// Bytes of the programs in all chains.
    program_bytes: usize,
    /// Which of them are alike.
    kinds: Kinds,
    /// Root services whose last member is gone, not yet told to the kernel side.
    ended: Vec<ProcessId>,
    /// Root services that may have lost their last live member since they were asked for.
    idle: BTreeSet<ProcessId>,
}

impl Table {
    /// Root services whose last member has gone since the last call.
    pub(super) fn take_ended(&mut self) -> Vec<ProcessId> {
        std::mem::take(&mut self.ended)
    }

    /// Root services that may have lost their last live member since the last call.
    pub(super) fn take_idle(&mut self) -> BTreeSet<ProcessId> {
        std::mem::take(&mut self.idle)
    }

    /// To be given by the next [`Self::take_idle`].
    pub(super) fn put_idle(&mut self, service: ProcessId) {
        self.idle.insert(service);
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn live(&self) -> usize {
        self.live
    }

    pub(super) fn program_bytes(&self) -> usize {
        self.program_bytes
    }

    /// Live processes of the branches that have left their service.
    pub(super) const fn living(&self) -> &Living {
        &self.living
    }

    pub(super) fn get(&self, id: ProcessId) -> Option<&Node> {
        self.nodes.get(&id).map(Box::as_ref)
    }

    /// For what no count depends on: not creator, end, phantom, branches or chain.
    pub(super) fn get_mut(&mut self, id: ProcessId) -> Option<&mut Node> {
        self.nodes.get_mut(&id).map(Box::as_mut)
    }

    pub(super) fn contains(&self, id: ProcessId) -> bool {
        self.nodes.contains_key(&id)
    }

    /// In no order.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (ProcessId, &Node)> {
        self.nodes.iter().map(|(&id, node)| (id, &**node))
    }

    pub(super) fn service(&self, id: ProcessId) -> Option<&Entry> {
        self.services.get(&id)
    }

    pub(super) fn service_mut(&mut self, id: ProcessId) -> Option<&mut Entry> {
        self.services.get_mut(&id)
    }

    /// By age of the root.
    pub(super) fn services(&self) -> impl Iterator<Item = (ProcessId, &Entry)> {
        self.services.iter().map(|(&id, entry)| (id, entry))
    }

    /// Adds a node without creator or branches; a known id is left as it is.
    pub(super) fn insert(&mut self, id: ProcessId, node: Node) {
        if self.nodes.contains_key(&id) {
            return;
        }
        debug_assert!(node.creator.is_none() && node.branches().next().is_none());
        self.live += usize::from(node.is_live());
        self.nodes.insert(id, Box::new(node));
        self.refresh(id);
    }

    /// Adds the child of a known, older creator, with all it has from it. This is the
    /// path every fork takes: few look-ups, one insertion.
    pub(super) fn birth(&mut self, id: ProcessId, creator: ProcessId, mut node: Node) {
        if creator >= id || self.nodes.contains_key(&id) {
            return;
        }
        let Some(parent) = self.nodes.get_mut(&creator) else {
            return;
        };
        parent.children += 1;
        parent.live_children += 1;
        node.claim = Some(parent.heirs.add(id));
        node.creator = Some(creator);
        node.depth = parent.depth.saturating_add(1);
        node.program.clone_from(&parent.program);
        (node.home, node.nested) = inherited(parent);
        if parent.leaf_since.is_some() {
            self.refresh(creator);
        }
        for branch in node.branches() {
            if let Some(entry) = self.services.get_mut(&branch.service) {
                entry.members += 1;
                entry.live += 1;
            }
        }
        self.live += 1;
        self.living.enter(id, &node);
        // No root has become needed by it: its ancestors keep theirs.
        self.nodes.insert(id, Box::new(node));
    }

    /// Sets the birth edge. Refused (`false`) unless the creator is known and older:
    /// garbage in a record cannot make a cycle.
    pub(super) fn set_creator(&mut self, id: ProcessId, creator: ProcessId, elided: u32) -> bool {
        if creator >= id || !self.nodes.contains_key(&id) {
            return false;
        }
        let Some(parent) = self.nodes.get_mut(&creator) else {
            return false;
        };
        parent.children += 1;
        self.drop_heir(id);
        let live = self.nodes.get(&id).is_some_and(|node| node.is_live());
        let Some(parent) = self.nodes.get_mut(&creator) else {
            return false;
        };
        parent.live_children += u32::from(live);
        let depth = parent.depth.saturating_add(elided).saturating_add(1);
        self.refresh(creator);
        let old = self.nodes.get_mut(&id).and_then(|node| {
            node.elided = elided;
            node.depth = depth;
            node.creator.replace(creator)
        });
        self.release(old, 0, live);
        true
    }

    /// Counts a process that has not exec'ed among the heirs of its creator.
    pub(super) fn add_heir(&mut self, id: ProcessId) {
        let creator = self
            .nodes
            .get(&id)
            .filter(|node| node.claim.is_none())
            .and_then(|node| node.creator);
        let Some(parent) = creator.and_then(|creator| self.nodes.get_mut(&creator)) else {
            return;
        };
        let claim = parent.heirs.add(id);
        if let Some(node) = self.nodes.get_mut(&id) {
            node.claim = Some(claim);
        }
    }

    /// A process has exec'ed or exited, or has another creator: it is no heir. Gives the
    /// creator if it was one.
    pub(super) fn drop_heir(&mut self, id: ProcessId) -> Option<ProcessId> {
        let node = self.nodes.get_mut(&id)?;
        let claim = node.claim.take()?;
        let creator = node.creator?;
        self.nodes.get_mut(&creator)?.heirs.remove(id, claim);
        Some(creator)
    }

    /// `creator` has one child less in the table, a live one or not.
    fn release(&mut self, creator: Option<ProcessId>, time_ns: u64, live: bool) {
        let Some(creator) = creator else { return };
        if let Some(node) = self.nodes.get_mut(&creator) {
            node.children = node.children.saturating_sub(1);
            node.live_children = node.live_children.saturating_sub(u32::from(live));
            node.quiet_since = node.quiet_since.max(time_ns);
            self.refresh(creator);
        }
    }

    /// Sets the standing of a node in its services. The root of a service that has
    /// other members stays in it.
    pub(super) fn set_branches(
        &mut self,
        id: ProcessId,
        home: Option<Branch>,
        nested: Vec<Branch>,
    ) {
        let needed = self.is_needed_root(id);
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        let live = u32::from(node.is_live());
        if node.is_live() {
            self.living.leave(id, node);
        }
        let before: Vec<_> = node.branches().map(|branch| branch.service).collect();
        let own = node.branch(id).copied().filter(|_| needed);
        node.home = home;
        node.nested = nested;
        if let Some(own) = own.filter(|_| node.branch(id).is_none()) {
            match node.home {
                Some(_) => node.nested.push(own),
                None => node.home = Some(own),
            }
        }
        if node.is_live() {
            self.living.enter(id, node);
        }
        let after: Vec<_> = node.branches().map(|branch| branch.service).collect();
        for service in after {
            if let Some(entry) = self.services.get_mut(&service) {
                entry.members += 1;
                entry.live += live;
                // An exited root is needed again.
                self.refresh(service);
            }
        }
        for service in before {
            self.leave(service, live);
        }
        self.refresh(id);
    }

    /// Changes where a node stands in the services it is in; these stay the same.
    pub(super) fn change_branches(&mut self, id: ProcessId, change: impl FnMut(&mut Branch)) {
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        if node.is_live() {
            self.living.leave(id, node);
        }
        node.branches_mut().for_each(change);
        if node.is_live() {
            self.living.enter(id, node);
        }
    }

    /// A member of `service` is gone; the last one takes the service along.
    fn leave(&mut self, service: ProcessId, live: u32) {
        let Some(entry) = self.services.get_mut(&service) else {
            return;
        };
        entry.members = entry.members.saturating_sub(1);
        entry.live = entry.live.saturating_sub(live);
        entry.shed |= live > 0;
        let over = entry.within.is_none() && !entry.shed;
        let (members, within, nested) = (entry.members, entry.within, entry.nested);
        if members == 0 {
            self.services.remove(&service);
            self.idle.remove(&service);
            if over {
                self.ended.push(service);
            }
            for inner in self.services.values_mut().filter(|_| nested > 0) {
                inner.within = inner.within.filter(|&outer| outer != service);
            }
            if let Some(outer) = within.and_then(|root| self.services.get_mut(&root)) {
                outer.nested = outer.nested.saturating_sub(1);
            }
        } else if members == 1 {
            // Its root may be free to go now.
            self.refresh(service);
        }
    }

    /// Registers a service; its root must join next, or it is gone with the first
    /// member that leaves.
    pub(super) fn add_service(&mut self, id: ProcessId, entry: Entry) {
        if let Some(outer) = entry.within.and_then(|root| self.services.get_mut(&root)) {
            outer.nested += 1;
        }
        self.services.insert(id, entry);
    }

    pub(super) fn service_count(&self) -> usize {
        self.services.len()
    }

    /// The process has ended. The first word stands.
    pub(super) fn end(&mut self, id: ProcessId, time_ns: u64, status: Option<ExitStatus>) -> bool {
        let Some(node) = self.nodes.get_mut(&id) else {
            return false;
        };
        if node.end.is_some() {
            return false;
        }
        let was_live = node.is_live();
        node.end = Some(End { time_ns, status });
        self.count_live(id, was_live);
        self.refresh(id);
        true
    }

    /// A record shows that a process lives of which that was not known, or which a
    /// scan had missed.
    pub(super) fn confirm(&mut self, id: ProcessId) {
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        if !node.phantom && node.end.is_none() {
            return;
        }
        let was_live = node.is_live();
        node.phantom = false;
        node.end = node.end.filter(|end| end.status.is_some());
        self.count_live(id, was_live);
        self.refresh(id);
    }

    fn count_live(&mut self, id: ProcessId, was_live: bool) {
        let Some(node) = self.nodes.get(&id) else {
            return;
        };
        let is_live = node.is_live();
        if was_live == is_live {
            return;
        }
        self.live = if is_live {
            self.live + 1
        } else {
            self.live.saturating_sub(1)
        };
        if is_live {
            self.living.enter(id, node);
        } else {
            self.living.leave(id, node);
        }
        let creator = node.creator;
        for branch in node.branches() {
            if let Some(entry) = self.services.get_mut(&branch.service) {
                entry.live = if is_live {
                    entry.live + 1
                } else {
                    entry.live.saturating_sub(1)
                };
                if entry.live == 0 && entry.within.is_none() {
                    self.idle.insert(branch.service);
                }
            }
        }
        if let Some(parent) = creator.and_then(|creator| self.nodes.get_mut(&creator)) {
            parent.live_children = if is_live {
                parent.live_children + 1
            } else {
                parent.live_children.saturating_sub(1)
            };
        }
    }

    /// Appends what a process has exec'ed.
    pub(super) fn push_program(&mut self, id: ProcessId, program: Arc<Program>) {
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        self.kinds.enter(&program);
        self.program_bytes += bytes_of(&program);
        node.program = Some(Arc::clone(&program));
        if let Some(dropped) = node.chain.push(program) {
            self.program_bytes = self.program_bytes.saturating_sub(bytes_of(&dropped));
        }
    }

    /// Takes the newest program off again: the scan saw the result of an exec whose
    /// record comes now.
    pub(super) fn pop_program(&mut self, id: ProcessId) {
        let popped = self.nodes.get_mut(&id).and_then(|node| node.chain.pop());
        if let Some(program) = popped {
            self.program_bytes = self.program_bytes.saturating_sub(bytes_of(&program));
        }
    }

    /// `true` for the root of a service that has other members.
    pub(super) fn is_needed_root(&self, id: ProcessId) -> bool {
        self.services
            .get(&id)
            .is_some_and(|entry| entry.members > 1)
    }

    /// Puts a node where it belongs: among the dead leaves or not.
    fn refresh(&mut self, id: ProcessId) {
        let Some(node) = self.nodes.get(&id) else {
            return;
        };
        let idle = !node.is_live() && node.children == 0;
        if !idle && node.leaf_since.is_none() {
            return;
        }
        let needed = self.is_needed_root(id);
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        let removable = idle && !needed;
        let since = removable.then(|| node.end.map_or(0, |end| end.time_ns).max(node.quiet_since));
        if node.leaf_since == since {
            return;
        }
        if let Some(old) = node.leaf_since {
            self.dead.remove(&(old, id));
        }
        if let Some(new) = since {
            self.dead.insert((new, id));
        }
        node.leaf_since = since;
    }

    /// The dead leaf nothing has needed for longest.
    pub(super) fn oldest_dead(&self) -> Option<(u64, ProcessId)> {
        self.dead.first().copied()
    }

    /// Dead leaves, longest unneeded first.
    pub(super) fn dead(&self) -> impl Iterator<Item = ProcessId> {
        self.dead.iter().map(|&(_, id)| id)
    }

    /// Takes a leaf out, with its edge and its memberships; what has children stays.
    pub(super) fn remove(&mut self, id: ProcessId) {
        if self.nodes.get(&id).is_none_or(|node| node.children > 0) {
            return;
        }
        let Some(node) = self.nodes.remove(&id) else {
            return;
        };
        if let Some(since) = node.leaf_since {
            self.dead.remove(&(since, id));
        }
        let live = node.is_live();
        self.live = self.live.saturating_sub(usize::from(live));
        if live {
            self.living.leave(id, &node);
        }
        for program in node.chain.programs() {
            self.program_bytes = self.program_bytes.saturating_sub(bytes_of(program));
        }
        let services: Vec<_> = node.branches().map(|branch| branch.service).collect();
        for service in services {
            self.leave(service, u32::from(live));
        }
        let time_ns = node.end.map_or(0, |end| end.time_ns).max(node.quiet_since);
        self.release(node.creator, time_ns, live);
    }

    /// Part of a process in a service.
    pub(super) fn part(&self, id: ProcessId, service: ProcessId) -> Option<Part> {
        self.get(id)?.branch(service).map(|branch| branch.part)
    }
}
