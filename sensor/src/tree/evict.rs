//! What goes, and when: expiry by age, eviction when a bound is reached.
//!
//! Exited leaves go first, oldest first; then exited ancestors no lineage would show;
//! then the oldest live leaf that is no service root. Everything that goes before its
//! time is counted.

use std::collections::HashSet;

use super::Tree;
use crate::event::ProcessId;
use crate::lineage::Lineage;

/// Live leaves picked by one pass over the table, as a share of its bound: a pass costs
/// the whole table, so it must pay for many removals.
const VICTIM_SHARE: usize = 64;

/// Dead leaves looked at for a service that can go.
const SERVICE_LOOK: usize = 4_096;

impl Tree {
    /// Removes what exited longer ago than the grace period and has no descendant
    /// left, at most `Limits::expire_batch` of it.
    pub fn expire(&mut self, now_ns: u64) {
        for _ in 0..self.limits.expire_batch {
            match self.table.oldest_dead() {
                Some((since, id)) if since.saturating_add(self.limits.grace_ns) <= now_ns => {
                    self.table.remove(id);
                }
                _ => break,
            }
        }
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

    /// Takes exited ancestors with a single child out of long chains, where a lineage
    /// would elide them anyway: a process that walks away by forking and exiting must
    /// not fill the table with its dead selves.
    fn compact(&mut self) -> bool {
        let shown = self.near_leaves();
        let removable: HashSet<ProcessId> = self
            .table
            .nodes()
            .filter(|(id, node)| {
                node.end.is_some()
                    && node.children == 1
                    && node.depth as usize > Lineage::HEAD
                    && node
                        .creator
                        .is_some_and(|creator| self.table.contains(creator))
                    && self.table.service(*id).is_none()
                    && !shown.contains(id)
            })
            .map(|(id, _)| id)
            .collect();
        let mut moves: Vec<(ProcessId, ProcessId, u32)> = Vec::new();
        for (id, node) in self.table.nodes() {
            if removable.contains(&id) {
                continue;
            }
            let (mut creator, mut elided) = (node.creator, node.elided);
            while let Some(gone) = creator.filter(|creator| removable.contains(creator)) {
                let Some(node) = self.table.get(gone) else {
                    break;
                };
                creator = node.creator;
                elided = elided.saturating_add(node.elided).saturating_add(1);
            }
            if let Some(creator) = creator.filter(|_| creator != node.creator) {
                moves.push((id, creator, elided));
            }
        }
        for (id, creator, elided) in moves {
            self.table.set_creator(id, creator, elided);
        }
        // Younger first: each is a leaf when its turn comes.
        let mut gone: Vec<_> = removable.into_iter().collect();
        gone.sort_unstable_by(|a, b| b.cmp(a));
        self.shed.exited += gone.len() as u64;
        let any = !gone.is_empty();
        for id in gone {
            self.table.remove(id);
        }
        any
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
            let drop = home.is_none() && node.children == 0 && self.scope == super::Scope::Services;
            self.table.set_branches(id, home, nested);
            if drop {
                self.table.remove(id);
            }
        }
    }
}
