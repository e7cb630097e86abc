//! The start-up scan, and the one after a loss: what `/proc` and the task iterator
//! found is laid under, never over, what events have shown.

use std::collections::HashSet;
use std::sync::Arc;

use super::node::{Branch, Node};
use super::{Effects, Scope, Tree};
use crate::event::{Exec, FileId, Image, Membership, ProcessId, Program, Scanned, Snapshot, Stamp};
use crate::lineage::{Part, Provenance, ServiceKind};
use crate::service::{self, Identity, Verdict};

/// A live process whose last sign is this much older than a scan that does not list it,
/// ns, is gone: its exit was lost. A scan takes far less.
const STALE_NS: u64 = 30_000_000_000;

impl Tree {
    pub(super) fn scan(&mut self, snapshot: &Snapshot, effects: &mut Effects) {
        self.scanned_ns = self.scanned_ns.max(snapshot.time_ns);
        let mut rows: Vec<&Scanned> = snapshot.processes.iter().collect();
        // By age, so that parents come before their children.
        rows.sort_by_key(|row| row.process);
        rows.dedup_by_key(|row| row.process);
        let with_worker = parents_of_workers(&rows);
        for row in &rows {
            let id = row.process;
            match self.admit(row.membership, id) {
                Some(membership) if membership.root == id => {
                    self.scan_root(row, with_worker.contains(&id), effects);
                }
                Some(membership) => self.scan_member(row, membership, effects),
                None if self.scope == Scope::Host => self.scan_stranger(row),
                None => {}
            }
        }
        self.reconcile(snapshot, &rows);
    }

    fn scan_root(&mut self, row: &Scanned, has_worker: bool, effects: &mut Effects) {
        let id = row.process;
        let known = self.table.service(id).map(|entry| entry.service.kind);
        let Some(identity) = self.identity(row, effects) else {
            if self.scope == Scope::Host {
                self.scan_stranger(row);
            }
            return;
        };
        let kind = identity.kind;
        if known.is_some_and(|known| known != ServiceKind::Unknown || kind == known) {
            self.table.confirm(id);
            return self.catch_up(row, effects);
        }
        if self.catalogue.looks_closer() {
            effects.inspect.push(id);
        }
        self.lay(row);
        if let Some(program) = &row.program {
            self.record(id, program);
        }
        let service = match (known, &row.program) {
            (Some(_), Some(program)) => self.identify(id, identity, program),
            (_, program) => self.start(id, identity, program.as_ref(), None),
        };
        if service.is_none() && self.scope == Scope::Services {
            self.table.remove(id);
        }
        effects.started.extend(service);
        let now_ns = row.program.as_ref().map_or(0, |program| program.time_ns);
        self.apache_stirs(id, id, now_ns, effects);
        let orphan = !has_worker
            && row
                .program
                .as_ref()
                .is_some_and(|program| program.cred.uid != 0);
        if orphan && service::has_workers(kind) && kind != ServiceKind::Unknown {
            self.set_part(id, id, Part::Both);
        }
    }

    /// What the service at a scanned root is; `None` when it is none after all.
    fn identity(&mut self, row: &Scanned, effects: &mut Effects) -> Option<Identity> {
        let Some(program) = &row.program else {
            return Some(ServiceKind::Unknown.into());
        };
        let id = row.process;
        // A service stays one, whatever it may call itself by now.
        if let Some(entry) = self.table.service(id)
            && entry.service.kind != ServiceKind::Unknown
        {
            return Some(Identity {
                kind: entry.service.kind,
                role: entry.service.role,
                name: entry.service.name.clone(),
            });
        }
        let listens = self.table.service(id).is_some_and(|entry| entry.listens);
        if listens || self.listening.contains(&id) || !row.recognised {
            return Some(self.catalogue.serving(program));
        }
        match self.catalogue.decide(program) {
            Verdict::Server(identity) => return Some(identity),
            Verdict::Candidate(_) => self.demote(id, effects),
            Verdict::NotServer => self.retire(id, effects),
        }
        None
    }

    fn set_part(&mut self, id: ProcessId, service: ProcessId, part: Part) {
        self.table.change_branches(id, |branch| {
            if branch.service == service {
                *branch = Branch::new(service, part);
            }
        });
    }

    /// Inserts the node of a row, or improves one of which no record was seen.
    fn lay(&mut self, row: &Scanned) {
        let id = row.process;
        self.table.insert(id, Node::new(Provenance::Scanned));
        self.table.confirm(id);
        if let Some(node) = self.table.get_mut(id) {
            if node.provenance == Provenance::Lost {
                node.provenance = Provenance::Scanned;
            }
            if let Some(program) = row.program.as_ref().filter(|_| node.program.is_none()) {
                node.program = Some(Arc::clone(program));
                node.uid = program.cred.uid;
            }
        }
    }

    fn scan_member(&mut self, row: &Scanned, membership: Membership, effects: &mut Effects) {
        let id = row.process;
        let known = self.table.get(id);
        let observed = known.is_some_and(|node| node.provenance == Provenance::Observed);
        let has_exec = known.is_some_and(|node| !node.chain.programs().is_empty());
        let settled = known.is_some_and(|node| {
            node.home.is_some() && (node.provenance != Provenance::Lost || has_exec)
        });
        if settled {
            self.table.confirm(id);
            return self.catch_up(row, effects);
        }
        let parent = self.table.get(row.parent).filter(|_| row.parent < id);
        let in_service = parent.is_some_and(|parent| parent.branch(membership.root).is_some());
        if in_service && !observed {
            self.lay(row);
            self.inherit(id, row.parent);
        } else {
            let fresh = known.is_none();
            if !self.place(id, membership) {
                return;
            }
            self.lay(row);
            // Its parent is gone or a stranger: the kernel side inferred the service.
            if let Some(node) = self.table.get_mut(id).filter(|_| fresh) {
                node.provenance = Provenance::Inferred;
            }
        }
        if let Some(program) = &row.program {
            self.settle(row, program, effects);
        }
    }

    /// Part of a scanned member: it never exec'ed if it runs its creator's file.
    fn settle(&mut self, row: &Scanned, program: &Arc<Program>, effects: &mut Effects) {
        let id = row.process;
        let Some(node) = self.table.get(id) else {
            return;
        };
        let Some(home) = node.home else { return };
        let above = node.creator.and_then(|creator| self.table.get(creator));
        let forked_only = above
            .and_then(|above| above.program.as_ref())
            .is_some_and(|above| {
                above.image.file == program.image.file
                    && above.image.file != FileId::default()
                    // Workers give themselves titles: only where a judgement hangs on it
                    // must an interpreter show what it runs.
                    && (self.lost == 0 || service::runs_the_same(above, program))
            });
        let alone = self
            .table
            .service(home.service)
            .is_some_and(|entry| !service::has_workers(entry.service.kind));
        let is_service_part = home.part != Part::Descendant;
        if forked_only && !(alone && is_service_part) {
            if let Some(node) = self.table.get_mut(id) {
                node.program = Some(Arc::clone(program));
                node.uid = program.cred.uid;
            }
            return;
        }
        let previous = above.and_then(|above| above.program.clone());
        self.transition(id, program);
        if row.recognised {
            self.nest(id, program, effects);
        }
        self.judge_scanned(row, program, previous.as_ref(), effects);
    }

    /// A process known from events: the scan tells only of an exec whose record is lost.
    fn catch_up(&mut self, row: &Scanned, effects: &mut Effects) {
        let Some(program) = &row.program else { return };
        let node = self.table.get(row.process);
        let known = node.and_then(|node| node.program.as_ref());
        // A shell that execs a shell shows in its arguments only. A service's own
        // processes give themselves titles; those that have left it are not excused.
        let left = node.is_some_and(|node| {
            node.branches()
                .any(|branch| branch.part == Part::Descendant)
        });
        let missed = known.is_none_or(|known| {
            known.time_ns < program.time_ns
                && (is_another(&known.image, &program.image)
                    || left && self.lost > 0 && known.args.head != program.args.head)
        });
        if missed {
            let previous = known.cloned();
            self.transition(row.process, program);
            if row.recognised {
                self.nest(row.process, program, effects);
            }
            self.judge_scanned(row, program, previous.as_ref(), effects);
        }
    }

    /// After a loss, what runs outside the service's own image without an exec that was
    /// seen is judged as if it had been: else a flood would hide the one that matters.
    /// An exec whose record is still on its way is judged twice; that is the lesser evil.
    fn judge_scanned(
        &self,
        row: &Scanned,
        program: &Arc<Program>,
        previous: Option<&Arc<Program>>,
        effects: &mut Effects,
    ) {
        let Some(node) = self.table.get(row.process).filter(|_| self.lost > 0) else {
            return;
        };
        let exec = Exec {
            stamp: Stamp {
                time_ns: program.time_ns,
                ..Stamp::default()
            },
            process: row.process,
            membership: row.membership,
            recognised: row.recognised,
            candidate: false,
            parent: row.parent,
            program: Arc::clone(program),
        };
        // Of a service whose own image is not known, nobody can be said to have left it.
        let left = node.branches().filter(|branch| {
            branch.part == Part::Descendant
                && self
                    .table
                    .service(branch.service)
                    .is_some_and(|entry| entry.image.is_some())
        });
        effects
            .subjects
            .extend(left.map(|branch| self.subject(&exec, Some(branch), false, previous.cloned())));
    }

    fn scan_stranger(&mut self, row: &Scanned) {
        let id = row.process;
        let fresh = !self.table.contains(id);
        self.lay(row);
        if fresh {
            self.table.set_creator(id, row.parent, 0);
            if let Some(program) = &row.program {
                self.record(id, program);
            }
        }
    }

    /// Ends what a scan should have listed and did not.
    fn reconcile(&mut self, snapshot: &Snapshot, rows: &[&Scanned]) {
        let listed: HashSet<ProcessId> = rows.iter().map(|row| row.process).collect();
        let before = snapshot.time_ns.saturating_sub(STALE_NS);
        let mut gone: Vec<_> = self
            .table
            .nodes()
            .filter(|(id, node)| {
                let last = node.program.as_ref().map_or(0, |program| program.time_ns);
                node.is_live() && !listed.contains(id) && id.start_ns.max(last) < before
            })
            .map(|(id, _)| id)
            .collect();
        // Younger first: whose children are gone as well leaves no orphan.
        gone.sort_unstable_by(|a, b| b.cmp(a));
        for id in gone {
            if self.table.end(id, snapshot.time_ns, None) {
                self.orphan(id, snapshot.time_ns);
            }
        }
    }
}

/// Processes that have a child with the same executable.
fn parents_of_workers(rows: &[&Scanned]) -> HashSet<ProcessId> {
    let files: std::collections::HashMap<ProcessId, FileId> = rows
        .iter()
        .filter_map(|row| {
            row.program
                .as_ref()
                .map(|program| (row.process, program.image.file))
        })
        .collect();
    rows.iter()
        .filter(|row| {
            files
                .get(&row.parent)
                .is_some_and(|file| files.get(&row.process) == Some(file))
        })
        .map(|row| row.parent)
        .collect()
}

/// `true` for another file, even where device numbers differ by how they were read
/// (btrfs and overlayfs show the scan another one than the kernel's records).
fn is_another(known: &Image, scanned: &Image) -> bool {
    known.file != scanned.file
        && (known.path != scanned.path
            || known.size != scanned.size
            || known.owner != scanned.owner)
}
