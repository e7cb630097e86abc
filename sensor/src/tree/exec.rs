//! What an exec means: a server begins, a service re-executes itself, or a process
//! leaves the service's own image, which is what rules are for.

use std::sync::Arc;

use super::image::is_own;
use super::node::{Branch, Node, inherited};
use super::{Effects, Scope, Tree};
use crate::event::{Exec, ProcessId, Program, Source};
use crate::lineage::{Part, Provenance, ServiceKind};
use crate::service::{self, Identity, Verdict};

/// Services of whose own image an exec is.
type Own = Vec<ProcessId>;

impl Tree {
    pub(super) fn exec(&mut self, exec: &Exec, effects: &mut Effects) {
        let outside = exec.membership.is_none()
            && self
                .table
                .get(exec.process)
                .is_none_or(|node| node.home.is_none());
        if exec.candidate && outside {
            self.exec_candidate(exec, effects);
        } else if self.begins_service(exec) {
            self.exec_root(exec, effects);
        } else {
            self.exec_member(exec, effects);
        }
    }

    /// A recognised program in no service yet, or the root's own exec, of which only
    /// the result or nothing was known.
    fn begins_service(&self, exec: &Exec) -> bool {
        let id = exec.process;
        if !exec.recognised {
            return false;
        }
        match self.table.get(id).and_then(|node| node.home) {
            None => exec
                .membership
                .is_none_or(|membership| membership.root == id),
            Some(home) => {
                home.service == id
                    && (self.scan_saw(exec)
                        || self.kind_of_service(id) == Some(ServiceKind::Unknown))
            }
        }
    }

    pub(super) fn kind_of_service(&self, id: ProcessId) -> Option<ServiceKind> {
        self.table.service(id).map(|entry| entry.service.kind)
    }

    /// The scan read what this exec, whose record comes after it, had already done.
    fn scan_saw(&self, exec: &Exec) -> bool {
        self.table
            .get(exec.process)
            .and_then(|node| node.program.as_ref())
            .is_some_and(|program| {
                program.source == Source::Scan && exec.stamp.time_ns <= program.time_ns
            })
    }

    fn exec_root(&mut self, exec: &Exec, effects: &mut Effects) {
        let id = exec.process;
        match self.catalogue.decide(&exec.program) {
            Verdict::Server(identity) => return self.begin(exec, identity, effects),
            Verdict::Candidate(_) => {
                self.candidates.insert(exec, self.limits.candidates);
                self.demote(id, effects);
            }
            Verdict::NotServer => self.retire(id, effects),
        }
        if self.scope == Scope::Host {
            self.exec_stranger(exec, effects);
        }
    }

    /// The exec makes its process the root of a service.
    pub(super) fn begin(&mut self, exec: &Exec, identity: Identity, effects: &mut Effects) {
        let id = exec.process;
        self.unretire(id);
        let previous = self.enter(exec);
        if let Some(node) = self.table.get_mut(id) {
            node.provenance = Provenance::Observed;
        }
        self.record(id, &exec.program);
        let known = self.kind_of_service(id);
        let service = match known {
            Some(_) => self.identify(id, identity, &exec.program),
            None => self.start(id, identity, Some(&exec.program), None),
        };
        if let Some(service) = service {
            if !exec.candidate {
                self.report_adopted(id, exec.membership, effects);
            }
            if known.is_none_or(|known| known == ServiceKind::Unknown) {
                effects.started.push(service);
            }
        }
        if self.scope == Scope::Host {
            effects
                .subjects
                .push(self.subject(exec, None, false, previous));
        } else if self.table.get(id).is_some_and(|node| node.home.is_none()) {
            self.table.remove(id);
        }
    }

    /// Makes sure the process stands in the tree; gives what it ran before.
    fn enter(&mut self, exec: &Exec) -> Option<Arc<Program>> {
        let id = exec.process;
        if !self.table.contains(id) {
            self.table.insert(id, Node::new(Provenance::Lost));
            if self.scope == Scope::Host {
                self.table.set_creator(id, exec.parent, 0);
            }
        }
        self.table.confirm(id);
        if self.scan_saw(exec) {
            self.undo_scan(id);
        } else if let Some(node) = self.table.get_mut(id) {
            node.heirs.restart();
        }
        self.table.get(id).and_then(|node| node.program.clone())
    }

    /// Puts a scanned process back to where its exec records begin.
    fn undo_scan(&mut self, id: ProcessId) {
        let Some(node) = self.table.get(id) else {
            return;
        };
        let creator = node.creator;
        let is_root = node.home.is_some_and(|home| home.service == id);
        let from = creator.and_then(|creator| self.table.get(creator));
        let program = from.and_then(|parent| parent.program.clone());
        let branches = from
            .filter(|parent| parent.home.is_some() && !is_root)
            .map(inherited);
        let counted = node.provenance != Provenance::Lost
            && node
                .chain
                .programs()
                .last()
                .is_some_and(|last| last.source == Source::Scan);
        if node
            .chain
            .programs()
            .last()
            .is_some_and(|last| last.source == Source::Scan)
        {
            self.table.pop_program(id);
        }
        if counted {
            self.table.add_heir(id);
        }
        if let Some(node) = self.table.get_mut(id) {
            node.program = node.chain.programs().last().cloned().or(program);
        }
        if let Some((home, nested)) = branches {
            self.table.set_branches(id, home, nested);
        }
    }

    /// Notes what a process now runs.
    pub(super) fn record(&mut self, id: ProcessId, program: &Arc<Program>) {
        let Some(node) = self.table.get_mut(id) else {
            return;
        };
        node.uid = program.cred.uid;
        self.table.push_program(id, Arc::clone(program));
        self.lose_heir(id, program.time_ns);
    }

    fn exec_member(&mut self, exec: &Exec, effects: &mut Effects) {
        let id = exec.process;
        let is_member = self.table.get(id).is_some_and(|node| node.home.is_some());
        if !is_member {
            match self.admit(exec.membership, id) {
                Some(membership) => {
                    if !self.place(id, membership) {
                        return;
                    }
                }
                None if self.scope == Scope::Host => return self.exec_stranger(exec, effects),
                None => return,
            }
        }
        let previous = self.enter(exec);
        let launcher = self.is_launcher(id, previous.as_deref(), &exec.program);
        let own = self.transition(id, &exec.program);
        if exec.recognised {
            self.nest(id, &exec.program, effects);
        }
        self.report_adopted(id, exec.membership, effects);
        if launcher {
            return;
        }
        let Some(node) = self.table.get(id) else {
            return;
        };
        for branch in node.branches() {
            // A nested service is its root's own business.
            let own = own.contains(&branch.service)
                || branch.service == id && branch.part != Part::Descendant;
            effects
                .subjects
                .push(self.subject(exec, Some(branch), own, previous.clone()));
        }
    }

    /// Host scope: an exec outside every service.
    pub(super) fn exec_stranger(&mut self, exec: &Exec, effects: &mut Effects) {
        let previous = self.enter(exec);
        self.record(exec.process, &exec.program);
        effects
            .subjects
            .push(self.subject(exec, None, false, previous));
    }

    /// Moves a process on in each of its services; gives those whose own image this is.
    pub(super) fn transition(&mut self, id: ProcessId, program: &Arc<Program>) -> Own {
        let mut own = Own::new();
        let Some(node) = self.table.get(id) else {
            return own;
        };
        let mut next: Vec<Branch> = Vec::new();
        for branch in node.branches() {
            let (branch, is_own) = self.step(id, node, branch, program);
            if is_own {
                own.push(branch.service);
            }
            next.push(branch);
        }
        let has_left = node.branches().zip(&next).any(|(before, after)| {
            before.part != Part::Descendant && after.part == Part::Descendant
        });
        self.record(id, program);
        for branch in &next {
            if branch.part == Part::Master
                && own.contains(&branch.service)
                && let Some(entry) = self.table.service_mut(branch.service)
            {
                entry.image = Some(Arc::clone(program));
            }
        }
        let mut next = next.into_iter();
        self.table.change_branches(id, |branch| {
            *branch = next.next().unwrap_or(*branch);
        });
        if has_left {
            self.orphaned_before(id);
        }
        own
    }

    /// A member that execs another server gains a nested service, and keeps its place.
    pub(super) fn nest(&mut self, id: ProcessId, program: &Arc<Program>, effects: &mut Effects) {
        let Some(node) = self.table.get(id) else {
            return;
        };
        let Some(home) = node.home else { return };
        let contexts = node.branches().count();
        let repeats = node.branches().any(|branch| {
            self.table.service(branch.service).is_some_and(|entry| {
                service::has_workers(entry.service.kind)
                    && entry
                        .image
                        .as_ref()
                        .is_some_and(|image| is_own(image, program))
            })
        });
        let room = contexts < self.limits.contexts
            && self
                .table
                .service(home.service)
                .is_some_and(|entry| entry.nested < self.limits.nested);
        let is_own_java = matches!(home.part, Part::Both | Part::Master);
        if repeats || is_own_java || !room || self.table.service(id).is_some() {
            return;
        }
        if let Verdict::Server(identity) = self.catalogue.decide(program) {
            effects
                .started
                .extend(self.start(id, identity, Some(program), Some(home.service)));
        }
    }
}
