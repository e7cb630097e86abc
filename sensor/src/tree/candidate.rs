//! Interpreters that may turn out servers: what they run, until they listen.
//!
//! One bounded table is all they cost: the kernel side follows their forks in silence,
//! and tells when one listens. Who is lost from the table becomes a service of unknown
//! kind, which the next scan identifies.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::image::is_own;
use super::node::Node;
use super::{Effects, Scope, Tree};
use crate::event::{Exec, Membership, ProcessId, Program, Socket};
use crate::lineage::{Provenance, ServiceKind};
use crate::service::{self, Verdict};

/// Programs of candidates, the oldest going first.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    programs: BTreeMap<ProcessId, Candidate>,
    order: VecDeque<ProcessId>,
}

/// What a candidate runs, and whose child it is.
#[derive(Debug)]
struct Candidate {
    parent: ProcessId,
    program: Arc<Program>,
}

impl Candidates {
    /// Remembers what a process runs; at most `limit` are kept.
    pub(super) fn insert(&mut self, exec: &Exec, limit: usize) {
        let root = exec.process;
        let candidate = Candidate {
            parent: exec.parent,
            program: Arc::clone(&exec.program),
        };
        if self.programs.insert(root, candidate).is_none() {
            self.order.push_back(root);
        }
        while self.programs.len() > limit {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            self.programs.remove(&oldest);
        }
    }

    fn take(&mut self, root: ProcessId) -> Option<Arc<Program>> {
        let candidate = self.programs.remove(&root)?;
        self.order.retain(|&other| other != root);
        Some(candidate.program)
    }

    /// Takes the children of `root` that run the same: Node's cluster exec's its workers.
    fn take_workers(
        &mut self,
        root: ProcessId,
        program: &Program,
    ) -> Vec<(ProcessId, Arc<Program>)> {
        let workers = self.programs.iter().filter(|(id, candidate)| {
            candidate.parent == root
                && **id > root
                && is_own(program, &candidate.program)
                && service::runs_the_same(program, &candidate.program)
        });
        let ids: Vec<_> = workers.map(|(id, _)| *id).collect();
        ids.into_iter()
            .filter_map(|id| Some((id, self.take(id)?)))
            .collect()
    }

    fn contains(&self, root: ProcessId) -> bool {
        self.programs.contains_key(&root)
    }
}

impl Tree {
    /// An interpreter outside every service: a server by what it was told to run, or
    /// nothing yet.
    pub(super) fn exec_candidate(&mut self, exec: &Exec, effects: &mut Effects) {
        let id = exec.process;
        if let Verdict::Server(identity) = self.catalogue.decide(&exec.program) {
            self.candidates.take(id);
            effects.promoted.push(id);
            effects.survey = true;
            return self.begin(exec, identity, effects);
        }
        self.candidates.insert(exec, self.limits.candidates);
        if self.scope == Scope::Host {
            self.exec_stranger(exec, effects);
        }
    }

    /// A candidate that listens has become a service: the kernel side says so, or the
    /// listening overtook the word that it was one.
    pub(super) fn listen(&mut self, socket: &Socket, effects: &mut Effects) {
        let id = socket.process;
        if self.catalogue.looks_closer() && self.table.service(id).is_none() {
            effects.inspect.push(id);
        }
        let root = match socket.membership {
            Some(membership) if socket.promoted => Some(membership.root),
            Some(membership) => {
                Some(membership.root).filter(|&root| self.candidates.contains(root))
            }
            None => Some(id).filter(|&id| socket.candidate && self.candidates.contains(id)),
        };
        if let Some(root) = root.filter(|&root| root <= id) {
            if root != id && self.catalogue.looks_closer() {
                effects.inspect.push(root);
            }
            self.promote(root, socket.promoted, effects);
        }
    }

    /// A listening process has been looked at: it may be a declared service.
    pub(super) fn inspect(
        &mut self,
        id: ProcessId,
        program: &Arc<Program>,
        image: Option<&str>,
        effects: &mut Effects,
    ) {
        let Some(identity) = self.catalogue.declared(program, image) else {
            return;
        };
        let home = self.table.get(id).and_then(|node| node.home);
        if let Some(home) = home {
            // A service already: what it is called is known better now.
            if home.service == id {
                effects.started.extend(self.identify(id, identity, program));
            }
            return;
        }
        self.unretire(id);
        self.candidates.take(id);
        let fresh = !self.table.contains(id);
        self.table.insert(id, Node::new(Provenance::Scanned));
        self.table.confirm(id);
        if fresh {
            self.record(id, program);
        }
        let service = self.start(id, identity, Some(program), None);
        if service.is_none() {
            return;
        }
        effects.started.extend(service);
        effects
            .adopted
            .push((id, Membership { root: id, depth: 0 }));
        effects.promoted.push(id);
        effects.survey = true;
    }

    /// Takes the workers that `root` exec'ed before it was a service.
    fn adopt_workers(&mut self, root: ProcessId, program: &Program, effects: &mut Effects) {
        for (id, program) in self.candidates.take_workers(root, program) {
            if !self.place(id, Membership { root, depth: 1 }) {
                continue;
            }
            if let Some(node) = self.table.get_mut(id) {
                node.provenance = Provenance::Observed;
            }
            self.record(id, &program);
            self.report_adopted(id, None, effects);
        }
    }

    /// Makes `root` a service; the kernel knows when `known`.
    fn promote(&mut self, root: ProcessId, known: bool, effects: &mut Effects) {
        self.unretire(root);
        let program = self.candidates.take(root);
        if !known {
            effects.promoted.push(root);
        }
        effects.survey = true;
        if let Some(entry) = self.table.service_mut(root) {
            entry.listens = true;
            return;
        }
        let fresh = !self.table.contains(root);
        if fresh {
            self.table.insert(root, Node::new(Provenance::Lost));
        }
        self.table.confirm(root);
        let identity = match &program {
            Some(program) => self.catalogue.serving(program),
            None => ServiceKind::Unknown.into(),
        };
        if let Some(program) = &program {
            if let Some(node) = self.table.get_mut(root) {
                node.provenance = Provenance::Observed;
            }
            if fresh {
                self.record(root, program);
            }
        }
        let service = self.start(root, identity, program.as_ref(), None);
        if service.is_none() && fresh {
            self.table.remove(root);
        }
        if let Some(entry) = self.table.service_mut(root) {
            entry.listens = true;
        }
        if service.is_some()
            && let Some(program) = &program
        {
            self.adopt_workers(root, program, effects);
        }
        effects.started.extend(service);
    }
}
