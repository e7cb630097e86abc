//! Births, deaths and placeholders: how processes come into the tree.
//!
//! A record about a process whose birth was lost still finds its service: it gets a
//! placeholder under the service root, marked `lost`, so that no lineage ends nowhere.

use std::sync::Arc;

use super::load::Acts;
use super::node::{Branch, Node, inherited};
use super::table::Entry;
use super::{Effects, Scope, Tree};
use crate::event::{Exit, ExitStatus, Fork, Membership, ProcessId, Program, Source};
use crate::lineage::{Part, Provenance, Service, ServiceKind};
use crate::service::{self, Identity};

/// A master that exits by itself this soon after its exec, ns, may have daemonised.
const DAEMONISE_NS: u64 = 30_000_000_000;

impl Tree {
    pub(super) fn fork(&mut self, fork: &Fork, effects: &mut Effects) {
        let membership = self.admit(fork.membership, fork.child);
        let creator_known = self.place_creator(fork, membership);
        if creator_known {
            self.apache_forks(fork.creator, fork.stamp.time_ns, effects);
        }
        match self.table.get(fork.child).map(|node| node.provenance) {
            Some(Provenance::Observed) => return,
            Some(_) => self.observe_birth(fork, creator_known),
            None => {
                if !creator_known && membership.is_none() && self.scope == Scope::Services {
                    return;
                }
                self.born(fork, creator_known, membership);
            }
        }
        self.report_adopted(fork.child, fork.membership, effects);
    }

    /// Makes sure that the creator stands in the tree, where it belongs there.
    fn place_creator(&mut self, fork: &Fork, membership: Option<Membership>) -> bool {
        let creator = fork.creator;
        if creator >= fork.child {
            return false;
        }
        if self
            .table
            .get(creator)
            .is_some_and(|node| node.home.is_some())
        {
            self.table.confirm(creator);
            return true;
        }
        match membership.filter(|member| member.root <= creator) {
            Some(member) => {
                let depth = member.depth.saturating_sub(1);
                if !self.place(creator, Membership { depth, ..member }) {
                    return false;
                }
            }
            None if self.scope == Scope::Host => {
                self.table.insert(creator, Node::new(Provenance::Lost));
            }
            None => {}
        }
        self.table.confirm(creator);
        self.table.contains(creator)
    }

    fn born(&mut self, fork: &Fork, creator_known: bool, membership: Option<Membership>) {
        let child = fork.child;
        if creator_known {
            let node = Node {
                uid: fork.uid,
                ..Node::new(Provenance::Observed)
            };
            self.table.birth(child, fork.creator, node);
            self.trim_above(child);
        } else if let Some(membership) = membership {
            self.place(child, membership);
        } else {
            self.table.insert(child, Node::new(Provenance::Observed));
        }
    }

    /// Gives a known process its birth edge and what it has from its creator.
    pub(super) fn inherit(&mut self, child: ProcessId, creator: ProcessId) {
        if !self.table.set_creator(child, creator, 0) {
            return;
        }
        let Some(parent) = self.table.get_mut(creator) else {
            return;
        };
        let program = parent.program.clone();
        let (home, nested) = inherited(parent);
        self.table.add_heir(child);
        if let Some(node) = self.table.get_mut(child) {
            node.program = program;
        }
        self.table.set_branches(child, home, nested);
    }

    /// The fork of a process that was known without it: now its true creator is.
    fn observe_birth(&mut self, fork: &Fork, creator_known: bool) {
        let child = fork.child;
        let Some(before) = self.table.get(child) else {
            return;
        };
        let forked_only = before.chain.programs().is_empty();
        let before_is_live = before.end.is_none();
        if !creator_known || !self.table.set_creator(child, fork.creator, 0) {
            return;
        }
        if forked_only && before_is_live {
            self.table.add_heir(child);
        }
        let Some(parent) = self.table.get(fork.creator) else {
            return;
        };
        let (home, nested) = inherited(parent);
        let program = parent.program.clone();
        let Some(node) = self.table.get_mut(child) else {
            return;
        };
        node.provenance = Provenance::Observed;
        node.program = node.program.take().or(program);
        let is_root = node.home.is_some_and(|branch| branch.service == child);
        if forked_only {
            node.uid = fork.uid;
        }
        if forked_only && !is_root && home.is_some() {
            self.table.set_branches(child, home, nested);
        } else {
            self.join_missing(child, home.iter().chain(&nested));
        }
    }

    /// A process that has exec'ed already joins the services of its creator it was not
    /// known to stand in.
    fn join_missing<'a>(&mut self, id: ProcessId, from: impl Iterator<Item = &'a Branch>) {
        let Some(node) = self.table.get(id) else {
            return;
        };
        let mut contexts: Vec<_> = node.branches().copied().collect();
        for branch in from {
            let known = contexts
                .iter()
                .any(|context| context.service == branch.service);
            if !known && contexts.len() < self.limits.contexts {
                contexts.push(left(branch, id));
            }
        }
        if !contexts.is_empty() {
            let home = contexts.remove(0);
            self.table.set_branches(id, Some(home), contexts);
        }
    }

    /// Tells the kernel side about a member its record did not mark.
    pub(super) fn report_adopted(
        &self,
        id: ProcessId,
        stated: Option<Membership>,
        effects: &mut Effects,
    ) {
        let home = self
            .table
            .get(id)
            .and_then(|node| Some((node.home?, node.depth)));
        if let Some((home, depth)) = home.filter(|_| stated.is_none()) {
            effects.adopted.push((
                id,
                Membership {
                    root: home.service,
                    depth,
                },
            ));
        }
    }

    /// Makes sure that a member stands in the tree and in its service; `false` when the
    /// service cannot be kept.
    pub(super) fn place(&mut self, id: ProcessId, membership: Membership) -> bool {
        if self.table.get(id).is_some_and(|node| node.home.is_some()) {
            return true;
        }
        if !self.place_root(membership.root) {
            return false;
        }
        if id == membership.root {
            return true;
        }
        let root = membership.root;
        if !self.table.contains(id) {
            self.table.insert(id, Node::new(Provenance::Lost));
            self.table
                .set_creator(id, root, membership.depth.saturating_sub(1));
        }
        self.table
            .set_branches(id, Some(Branch::new(root, Part::Worker)), Vec::new());
        true
    }

    /// Makes sure that a service root stands in the tree, of unknown kind if need be.
    fn place_root(&mut self, root: ProcessId) -> bool {
        if self.table.service(root).is_some() {
            return true;
        }
        if !self.table.contains(root) {
            let node = Node {
                phantom: true,
                ..Node::new(Provenance::Lost)
            };
            self.table.insert(root, node);
        }
        let unknown = ServiceKind::Unknown.into();
        self.start(root, unknown, None, None).is_some()
    }

    /// Begins a service at `root`, which stands in the tree. For a nested one `within`
    /// is the root service. `None` when the table of services is full.
    pub(super) fn start(
        &mut self,
        root: ProcessId,
        identity: Identity,
        program: Option<&Arc<Program>>,
        within: Option<ProcessId>,
    ) -> Option<Arc<Service>> {
        if !self.room_for_service() {
            self.shed.services += 1;
            // Nothing refers to a placeholder made for a service that is not kept.
            if self.table.get(root).is_some_and(|node| node.phantom) {
                self.table.remove(root);
            }
            return None;
        }
        let part = leading_part(identity.kind);
        let service = Arc::new(describe(root, identity, program));
        let entry = Entry {
            service: Arc::clone(&service),
            image: program.map(Arc::clone),
            lost_before: self.lost,
            within,
            nested: 0,
            listens: false,
            members: 0,
            live: 0,
            shed: false,
            acts: Acts::default(),
        };
        if service.kind == ServiceKind::Apache {
            self.apache_begins(root);
        }
        self.table.add_service(root, entry);
        let branch = Branch::new(root, part);
        let node = self.table.get(root);
        let home = node.and_then(|node| node.home);
        let mut nested = node.map(|node| node.nested.clone()).unwrap_or_default();
        if home.is_some() {
            nested.push(branch);
        }
        self.table.set_branches(root, home.or(Some(branch)), nested);
        Some(service)
    }

    /// The kind of a service whose root was lost has become known.
    pub(super) fn identify(
        &mut self,
        root: ProcessId,
        identity: Identity,
        program: &Arc<Program>,
    ) -> Option<Arc<Service>> {
        let entry = self.table.service_mut(root)?;
        let part = leading_part(identity.kind);
        let service = Arc::new(describe(root, identity, Some(program)));
        entry.service = Arc::clone(&service);
        entry.image = Some(Arc::clone(program));
        if service.kind == ServiceKind::Apache {
            self.apache_begins(root);
        }
        self.table.change_branches(root, |branch| {
            if branch.service == root {
                *branch = Branch::new(root, part);
            }
        });
        Some(service)
    }

    pub(super) fn exit(&mut self, exit: &Exit) {
        let id = exit.process;
        if !self.table.end(id, exit.stamp.time_ns, Some(exit.status)) {
            return;
        }
        self.orphan(id, exit.stamp.time_ns);
        if exit.status == ExitStatus::Code(0) {
            self.succeed(id, exit.stamp.time_ns);
        }
        self.lose_heir(id, exit.stamp.time_ns);
        // What only forked and left no child is nobody's ancestor and was no subject:
        // nothing can ask for it. Servers that fork for each request make many.
        let idle = self
            .table
            .get(id)
            .is_some_and(|node| node.chain.programs().is_empty());
        if idle && self.table.service(id).is_none() {
            self.table.remove(id);
        }
    }

    /// An exec or exit leaves one heir less. The program that forks a daemon does not wait
    /// for its log writers to exec: who takes over may be plain only after its exit.
    pub(super) fn lose_heir(&mut self, id: ProcessId, time_ns: u64) {
        let Some(creator) = self.table.drop_heir(id) else {
            return;
        };
        let exited = self.table.get(creator).and_then(|node| node.end);
        if exited.is_some_and(|end| end.status == Some(ExitStatus::Code(0))) {
            self.succeed(creator, time_ns);
        }
    }

    /// A daemonising master leaves its part to its only child that never exec'ed.
    ///
    /// Only when it exits by itself, with 0, soon after its exec: a worker that kills
    /// its master must not become one.
    fn succeed(&mut self, master: ProcessId, time_ns: u64) {
        let Some(heir) = self.heir_of(master, time_ns) else {
            return;
        };
        let Some(node) = self.table.get(master) else {
            return;
        };
        let services: Vec<_> = node
            .branches()
            .filter(|branch| branch.part == Part::Master)
            .map(|branch| branch.service)
            .collect();
        self.table.change_branches(heir, |branch| {
            if services.contains(&branch.service) && branch.part == Part::Worker {
                branch.part = Part::Master;
                branch.origin = Part::Master;
            }
        });
    }

    /// The process that takes over if `master` exits at `time_ns`.
    pub(super) fn heir_of(&self, master: ProcessId, time_ns: u64) -> Option<ProcessId> {
        if !self.may_daemonise(master, time_ns) {
            return None;
        }
        let heir = self.table.get(master)?.heirs.only()?;
        let child = self.table.get(heir)?;
        (child.is_live() && child.chain.programs().is_empty() && child.creator == Some(master))
            .then_some(heir)
    }

    /// `child` may turn out to be the heir of `master`: a daemon is forked last, while
    /// the log writers forked before it may still have to exec.
    pub(super) fn may_succeed(&self, master: ProcessId, child: ProcessId, time_ns: u64) -> bool {
        let (Some(above), Some(node)) = (self.table.get(master), self.table.get(child)) else {
            return false;
        };
        let by_itself = above
            .end
            .is_none_or(|end| end.status == Some(ExitStatus::Code(0)));
        by_itself
            && node.claim.is_some()
            && node.creator == Some(master)
            && above.heirs.is_youngest(child)
            && self.may_daemonise(master, time_ns)
    }

    /// It is not too long ago that `master` began.
    fn may_daemonise(&self, master: ProcessId, time_ns: u64) -> bool {
        let Some(program) = self
            .table
            .get(master)
            .and_then(|node| node.program.as_ref())
        else {
            return false;
        };
        let began = match program.source {
            Source::Exec => program.time_ns,
            // The exec was not seen; it was not before the birth.
            Source::Scan => master.start_ns,
        };
        time_ns.saturating_sub(began) <= DAEMONISE_NS
    }
}

/// Part of the recognised process itself.
fn leading_part(kind: ServiceKind) -> Part {
    if service::has_workers(kind) {
        Part::Master
    } else {
        Part::Both
    }
}

fn describe(root: ProcessId, identity: Identity, program: Option<&Arc<Program>>) -> Service {
    let unit = program
        .map(|program| service::unit(&program.cgroup.path))
        .unwrap_or_default();
    Service {
        id: root,
        kind: identity.kind,
        role: identity.role,
        name: identity.name,
        unit,
    }
}

/// The standing of a process that has exec'ed something else before its place in the
/// service was known.
fn left(from: &Branch, id: ProcessId) -> Branch {
    let branch = from.inherit();
    match branch.part {
        Part::Descendant => branch,
        _ => Branch {
            part: Part::Descendant,
            spawn_root: id,
            left_ns: id.start_ns,
            depth: 1,
            ..branch
        },
    }
}
