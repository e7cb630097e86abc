//! What goes, and when: expiry by age, eviction when a bound is reached.
//!
//! Exited leaves go first, oldest first; then exited ancestors no lineage would show;
//! then the oldest live leaf that is no service root. Everything that goes before its
//! time is counted.

use std::collections::HashSet;

use super::node::Node;
use super::{Effects, Scope, Tree};
use crate::event::ProcessId;
use crate::lineage::Lineage;

/// Live leaves picked by one pass over the table, as a share of its bound: a pass costs
/// the whole table, so it must pay for many removals.
const VICTIM_SHARE: usize = 16;

/// Ancestors beyond those a lineage shows that a fork may take out of its own chain:
/// more than one, to catch up with those that exited late.
const TRIM: usize = 8;

/// Dead leaves looked at for a service that can go.
const SERVICE_LOOK: usize = 4_096;

impl Tree {
    /// Removes what exited longer ago than the grace period and has no descendant
    /// left, and services of which nothing lives, at most `Limits::expire_batch` of both.
    /// Services that ended with it or since the last call come back as retired: the
    /// kernel side can forget them. What has outlived what spawned it is reported first.
    pub fn expire(&mut self, now_ns: u64) -> Effects {
        let mut effects = Effects::default();
        self.report_outliving(now_ns, &mut effects);
        self.say_losses(now_ns, &mut effects);
        let left = self.end_services(self.limits.expire_batch);
        for _ in 0..left {
            match self.table.oldest_dead() {
                Some((since, id)) if since.saturating_add(self.limits.grace_ns) <= now_ns => {
                    self.table.remove(id);
                }
                _ => break,
            }
        }
        effects.retired = self.table.take_ended();
        self.tick_apaches(now_ns, &mut effects);
        effects
    }

    /// Removes services whose root has exited and that have no live member, at most `budget`
    /// processes; gives what is left of it. Anyone can start programs named like a server:
    /// they must not stay for the grace period.
    fn end_services(&mut self, budget: usize) -> usize {
        let mut over = self.table.take_idle();
        over.retain(|&root| self.is_over(root));
        if over.is_empty() {
            return budget;
        }
        let mut members: Vec<(ProcessId, ProcessId)> = self
            .table
            .nodes()
            .filter_map(|(id, node)| Some((id, node.home?.service)))
            .filter(|(_, service)| over.contains(service))
            .collect();
        // Younger first: children before their creators.
        members.sort_unstable_by(|a, b| b.cmp(a));
        for &(id, _) in members.iter().take(budget) {
            // A member with children outside the service stays, and its root with it.
            if !self.table.is_needed_root(id) {
                self.table.remove(id);
            }
        }
        for &(_, service) in members.iter().skip(budget) {
            self.table.put_idle(service);
        }
        budget.saturating_sub(members.len())
    }

    /// Nothing of the service lives. After a loss that is not certain, nor is it of a root
    /// that a scan did not find.
    fn is_over(&self, root: ProcessId) -> bool {
        let exited = self
            .table
            .get(root)
            .and_then(|node| node.end)
            .is_some_and(|end| end.status.is_some());
        exited
            && self.table.service(root).is_some_and(|entry| {
                entry.live == 0
                    && entry.within.is_none()
                    && !entry.shed
                    && entry.lost_before == self.lost
            })
    }

    /// Brings the tables back within their bounds.
    pub(super) fn enforce(&mut self) {
        while self.table.program_bytes() > self.limits.program_bytes_exited {
            let Some((_, id)) = self.table.oldest_dead() else {
                break;
            };
            self.table.remove(id);
            self.shed.exited += 1;
        }
        while self.table.len() > self.limits.processes
            || self.table.program_bytes() > self.limits.program_bytes
        {
            if !self.evict() {
                break;
            }
        }
    }

    fn evict(&mut self) -> bool {
        if let Some((_, id)) = self.table.oldest_dead() {
            self.table.remove(id);
            self.shed.exited += 1;
            return true;
        }
        loop {
            match self.victims.pop() {
                Some(id) if self.is_victim(id) => {
                    self.table.remove(id);
                    self.shed.live += 1;
                    return true;
                }
                Some(_) => {}
                None => break,
            }
        }
        if self.compact() {
            return true;
        }
        self.pick_victims();
        !self.victims.is_empty()
    }

    fn is_victim(&self, id: ProcessId) -> bool {
        self.table.service(id).is_none()
            && self.table.get(id).is_some_and(|node| node.children == 0)
    }

    fn pick_victims(&mut self) {
        let mut leaves: Vec<_> = self
            .table
            .nodes()
            .map(|(id, _)| id)
            .filter(|&id| self.is_victim(id))
            .collect();
        leaves.sort_unstable();
        leaves.truncate((self.limits.processes / VICTIM_SHARE).max(1));
        leaves.reverse();
        self.victims = leaves;
    }

    /// Takes exited ancestors out of the chain above a new process, as it grows: one
    /// that walks away by forking and exiting must not fill the table with its dead
    /// selves. Nothing is done for chains of usual length.
    pub(super) fn trim_above(&mut self, id: ProcessId) {
        let deep = |node: &Node| node.depth as usize > Lineage::HEAD + Lineage::TAIL;
        if !self.table.get(id).is_some_and(deep) {
            return;
        }
        let mut below = id;
        for step in 0..Lineage::TAIL + TRIM {
            let Some(above) = self.table.get(below).and_then(|node| node.creator) else {
                return;
            };
            if step >= Lineage::TAIL && self.is_spare(above) {
                self.splice(above, below);
            } else {
                below = above;
            }
        }
    }

    /// An exited process of which only its place in a long chain is left to tell.
    fn is_spare(&self, id: ProcessId) -> bool {
        self.table.service(id).is_none()
            && self.table.get(id).is_some_and(|node| {
                node.end.is_some()
                    && node.children == 1
                    && node.depth as usize > Lineage::HEAD
                    && node.creator.is_some()
            })
    }

    /// Takes `spare` out from between its creator and its only child, which states how
    /// many are missing there.
    fn splice(&mut self, spare: ProcessId, child: ProcessId) {
        let Some((creator, missing)) = self
            .table
            .get(spare)
            .and_then(|node| Some((node.creator?, node.elided)))
        else {
            return;
        };
        let elided = self.table.get(child).map_or(0, |node| node.elided);
        let elided = elided.saturating_add(missing).saturating_add(1);
        if self.table.set_creator(child, creator, elided) {
            self.table.remove(spare);
            self.shed.exited += 1;
        }
    }

    /// Takes exited ancestors with a single child out of all long chains, where a
    /// lineage would leave them out anyway.
    fn compact(&mut self) -> bool {
        let mut edges: Vec<(ProcessId, ProcessId)> = self
            .table
            .nodes()
            .filter_map(|(id, node)| Some((node.creator?, id)))
            .filter(|&(above, _)| self.is_spare(above))
            .collect();
        if !edges.is_empty() {
            let shown = self.near_leaves();
            edges.retain(|(above, _)| !shown.contains(above));
        }
        // Younger first, so that each edge still leads to the node it was taken from.
        edges.sort_unstable_by(|a, b| b.cmp(a));
        for &(spare, child) in &edges {
            self.splice(spare, child);
        }
        !edges.is_empty()
    }

    /// The ancestors that the lineage of a leaf shows before its end.
    fn near_leaves(&self) -> HashSet<ProcessId> {
        let mut near = HashSet::new();
        for (id, node) in self.table.nodes() {
            if node.children > 0 {
                continue;
            }
            let mut next = Some(id);
            for _ in 0..Lineage::TAIL {
                let Some(id) = next else { break };
                near.insert(id);
                next = self.table.get(id).and_then(|node| node.creator);
            }
        }
        near
    }

    /// Makes room for one more service by letting an exited one go that has no other
    /// members. A full table keeps the services it has: they were there first.
    pub(super) fn room_for_service(&mut self) -> bool {
        if self.table.service_count() < self.limits.services {
            return true;
        }
        let over = self.table.dead().take(SERVICE_LOOK).find(|&id| {
            self.table
                .service(id)
                .is_some_and(|entry| entry.members <= 1)
        });
        let Some(over) = over else { return false };
        self.table.remove(over);
        self.shed.exited += 1;
        self.table.service_count() < self.limits.services
    }

    /// Takes every member of `root` out of the service, and in service scope out of the
    /// tree.
    pub(super) fn forget(&mut self, root: ProcessId) {
        if self.table.service(root).is_none() {
            return;
        }
        let mut members: Vec<_> = self
            .table
            .nodes()
            .filter(|(_, node)| node.branch(root).is_some())
            .map(|(id, _)| id)
            .collect();
        members.sort_unstable_by(|a, b| b.cmp(a));
        for id in members {
            let Some(node) = self.table.get(id) else {
                continue;
            };
            let mut rest = node
                .branches()
                .filter(|branch| branch.service != root)
                .copied();
            let home = rest.next();
            let nested: Vec<_> = rest.collect();
            let drop = home.is_none() && node.children == 0 && self.scope == Scope::Services;
            self.table.set_branches(id, home, nested);
            if drop {
                self.table.remove(id);
            }
        }
    }
}
