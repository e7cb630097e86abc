//! Lineages: from a process up to the root, and the subjects made of them.
//!
//! A walk follows birth edges, which lead to ever older processes, so it ends; it is
//! capped all the same, because an attacker decides how long it is.

use std::sync::Arc;

use super::Tree;
use super::node::{Branch, Node};
use super::table::Entry;
use crate::event::{Exec, ProcessId, Program, Stamp};
use crate::lineage::{Act, Ancestor, Lineage, Part, Role, Service, Subject};

/// Ancestors looked at. Above it only the root is known; the number between is not
/// walked but computed.
const WALK: usize = 1_024;

/// Ancestors that most processes have no more of.
const USUAL: usize = 8;

impl Tree {
    /// From the root of the service `id` stands in, or outside every service from its
    /// oldest known ancestor, down to `id`. Empty for a process that is not known.
    #[must_use]
    pub fn lineage(&self, id: ProcessId) -> Lineage {
        let service = self
            .table
            .get(id)
            .and_then(|node| node.home)
            .map(|home| home.service);
        self.lineage_in(id, service)
    }

    fn lineage_in(&self, id: ProcessId, service: Option<ProcessId>) -> Lineage {
        let (mut path, mut elided) = self.walk(id, service);
        path.reverse();
        if path.len() > Lineage::HEAD + Lineage::TAIL {
            let tail = path.split_off(path.len() - Lineage::TAIL);
            elided = elided
                .saturating_add(u32::try_from(path.len() - Lineage::HEAD).unwrap_or(u32::MAX));
            path.truncate(Lineage::HEAD);
            path.extend(tail);
        }
        let mut ancestors = Vec::with_capacity(path.len());
        ancestors.extend(path.into_iter().filter_map(|id| self.ancestor(id, service)));
        Lineage { ancestors, elided }
    }

    /// Ids from `id` to the root, and how many are missing between.
    fn walk(&self, id: ProcessId, service: Option<ProcessId>) -> (Vec<ProcessId>, u32) {
        let mut path = Vec::with_capacity(USUAL);
        let mut elided: u32 = 0;
        let mut next = Some(id);
        while let Some(id) = next {
            let Some(node) = self.table.get(id) else {
                break;
            };
            path.push(id);
            if Some(id) == service {
                return (path, elided);
            }
            if path.len() == WALK {
                elided = elided.saturating_add(node.depth.saturating_sub(1));
                break;
            }
            next = node.creator;
            if next.is_some() {
                elided = elided.saturating_add(node.elided);
            }
        }
        // The chain does not reach the root (lost, or too long): it is known all the same.
        if let Some(root) = service.filter(|&root| self.table.contains(root)) {
            path.push(root);
        }
        (path, elided)
    }

    fn ancestor(&self, id: ProcessId, service: Option<ProcessId>) -> Option<Ancestor> {
        let node = self.table.get(id)?;
        Some(Ancestor {
            id,
            provenance: node.provenance,
            program: node.program.clone(),
            chain: node.chain.programs().to_vec(),
            chain_elided: node.chain.elided(),
            part: part_in(node, service),
            uid: node.uid,
            exit: node
                .end
                .and_then(|end| end.status.map(|status| (end.time_ns, status))),
        })
    }

    /// The subject of an exec in one service (`branch`), or outside all.
    pub(super) fn subject(
        &self,
        exec: &Exec,
        branch: Option<&Branch>,
        own_image: bool,
        previous: Option<Arc<Program>>,
    ) -> Subject {
        Subject {
            stamp: exec.stamp,
            parent: Some(exec.parent),
            own_image,
            previous,
            ..self.standing(exec.process, branch, Arc::clone(&exec.program))
        }
    }

    /// What is known of a process in one service (`branch`), or outside all.
    pub(super) fn standing(
        &self,
        id: ProcessId,
        branch: Option<&Branch>,
        program: Arc<Program>,
    ) -> Subject {
        let service = branch.map(|branch| branch.service);
        let entry = service.and_then(|service| self.table.service(service));
        let creator = self.table.get(id).and_then(|node| node.creator);
        let lost_before = entry.map_or(0, |entry| entry.lost_before);
        Subject {
            stamp: Stamp::default(),
            process: id,
            parent: None,
            program,
            act: Act::Exec,
            script_written: None,
            service: entry.map(|entry| acting_for(entry, branch)),
            lineage: self.lineage_in(id, service),
            creator: creator.and_then(|creator| self.ancestor(creator, service)),
            previous: None,
            origin: branch.map_or(Part::Descendant, |branch| match branch.part {
                Part::Descendant => branch.origin,
                part => part,
            }),
            depth: branch.map_or(0, |branch| branch.depth),
            own_image: false,
            spawn_root: branch
                .filter(|branch| branch.part == Part::Descendant)
                .map_or(id, |branch| branch.spawn_root),
            lost_events: self.lost.saturating_sub(lost_before),
            profile: None,
        }
    }
}

/// The service as rules see it: what its daemon for CGI runs is not judged as what its
/// workers do.
fn acting_for(entry: &Entry, branch: Option<&Branch>) -> Arc<Service> {
    if branch.is_some_and(|branch| branch.cgi) {
        return Arc::new(Service {
            role: Role::Cgi,
            ..(*entry.service).clone()
        });
    }
    Arc::clone(&entry.service)
}

/// Part in `service`; a process outside it has none better than descendant.
fn part_in(node: &Node, service: Option<ProcessId>) -> Part {
    service
        .and_then(|service| node.branch(service))
        .or(node.home.as_ref().filter(|_| service.is_none()))
        .map_or(Part::Descendant, |branch| branch.part)
}
