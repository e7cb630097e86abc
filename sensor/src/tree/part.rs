//! The part a process has in a service after an exec: still the service's own, or left.

use super::Tree;
use super::image::{is_jspawnhelper, is_own, is_transparent};
use super::node::{Branch, Node};
use crate::event::{ProcessId, Program};
use crate::lineage::{Part, Provenance, ServiceKind};
use crate::service;

impl Tree {
    /// A Java service, as which `id` stands before this exec, starts a child through its
    /// launcher. In a mount namespace of its own a path says nothing: it must be that of
    /// every service the process stands in.
    pub(super) fn is_launcher(
        &self,
        id: ProcessId,
        previous: Option<&Program>,
        new: &Program,
    ) -> bool {
        let Some(node) = self.table.get(id) else {
            return false;
        };
        let of_java = node.branches().any(|branch| {
            branch.part != Part::Descendant
                && self.kind_of_service(branch.service) == Some(ServiceKind::Java)
        });
        let at_home = node.branches().all(|branch| {
            self.table
                .service(branch.service)
                .and_then(|entry| entry.image.as_ref())
                .is_some_and(|image| image.ns.mount == new.ns.mount)
        });
        of_java && at_home && is_jspawnhelper(previous, new)
    }

    /// Standing in one service after an exec, and whether the service's own image was
    /// exec'ed by a process that may: a master, or a master's forked child.
    pub(super) fn step(
        &self,
        id: ProcessId,
        node: &Node,
        branch: &Branch,
        program: &Program,
    ) -> (Branch, bool) {
        if let Some(part) = self.part_after_own(node, branch, program) {
            let kept = if part == branch.part {
                *branch
            } else {
                Branch::new(branch.service, part)
            };
            return (kept, true);
        }
        let count = u32::from(!is_transparent(&program.image));
        let next = match branch.part {
            Part::Descendant => Branch {
                depth: branch.depth.saturating_add(count),
                ..*branch
            },
            _ => Branch {
                part: Part::Descendant,
                origin: self.origin(node, branch, program),
                spawn_root: id,
                left_ns: program.time_ns,
                depth: count,
                cgi: self.is_cgi_program(node, branch),
                ..*branch
            },
        };
        (next, false)
    }

    /// Part after an exec of the service's own image; `None` when it is another image,
    /// or the process has no business to exec this one.
    fn part_after_own(&self, node: &Node, branch: &Branch, program: &Program) -> Option<Part> {
        let image = self.table.service(branch.service)?.image.as_ref()?;
        if !is_own(image, program) {
            return None;
        }
        if service::is_spawned_worker(program) {
            return Self::spawned(node, branch);
        }
        if !service::runs_the_same(image, program) {
            return None;
        }
        match branch.part {
            Part::Master | Part::Both => Some(branch.part),
            Part::Worker if node.provenance != Provenance::Lost => {
                let master = self.table.get(node.creator?)?;
                if master.branch(branch.service)?.part != Part::Master {
                    return None;
                }
                // A binary upgrade keeps the master's uid, root; workers have dropped it.
                // Where the master is not root, nothing tells them apart. Node's workers
                // are exec'ed, and it has no upgrade.
                let upgrade = master.uid == 0
                    && program.cred.uid == 0
                    && self.kind_of_service(branch.service) != Some(ServiceKind::Node);
                Some(if upgrade { Part::Master } else { Part::Worker })
            }
            Part::Worker | Part::Descendant => None,
        }
    }

    /// Part of a forked child that a library exec'ed to be a worker: what it runs comes
    /// from its creator, which therefore must be the root itself.
    fn spawned(node: &Node, branch: &Branch) -> Option<Part> {
        let root = node.creator? == branch.service && node.provenance != Provenance::Lost;
        (branch.part == Part::Worker && root).then_some(Part::Worker)
    }

    /// Part of the process from which a branch leaves the service's own image.
    ///
    /// A helper forked by a master and a worker that replaces itself look alike. Only
    /// Apache's master starts helpers (piped logs), as root, which its workers are not;
    /// in every other case the branch counts as a worker's, lest one hides as a helper.
    /// Helpers are forked: a master that replaces itself, be it by a new file under its
    /// own path which others can write, excuses nothing that comes after.
    fn origin(&self, node: &Node, branch: &Branch, program: &Program) -> Part {
        match branch.part {
            Part::Both => return Part::Both,
            Part::Master => return Part::Worker,
            Part::Worker | Part::Descendant => {}
        }
        let Some(creator) = node.creator else {
            return Part::Worker;
        };
        match self.table.part(creator, branch.service) {
            Some(Part::Both) => Part::Both,
            Some(Part::Master | Part::Worker)
                if self.starts_helper(creator, branch.service, program) =>
            {
                Part::Master
            }
            _ => Part::Worker,
        }
    }

    fn starts_helper(&self, creator: ProcessId, service: ProcessId, program: &Program) -> bool {
        let Some(node) = self.table.get(creator) else {
            return false;
        };
        if self.kind_of_service(service) != Some(ServiceKind::Apache)
            || node.uid != 0
            || program.cred.uid != 0
        {
            return false;
        }
        // The child of a daemonising master may start helpers before its exit is seen.
        self.table.part(creator, service) == Some(Part::Master)
            || node.creator.is_some_and(|master| {
                self.table.part(master, service) == Some(Part::Master)
                    && self.may_succeed(master, creator, program.time_ns)
            })
    }
}
