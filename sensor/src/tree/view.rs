//! The tree as people ask for it: live services with their processes, and numbers.
//!
//! Order is by age everywhere. What comes out is bounded in depth, since the reader's
//! serialiser recurses; text is as the processes set it and not escaped.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Tree, node::Branch, table::Entry};
use crate::event::{ProcessId, Program};
use crate::lineage::{Role, ServiceKind};
use crate::redact::Redactor;
use crate::service::container_id;

/// Levels shown; deeper descendants are counted. A level takes two of JSON, and common
/// readers (`serde_json`) stop at 128.
const DEPTH: usize = 48;

/// A live service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceView {
    /// pid of the root.
    pub pid: u32,
    /// Start of the root, ns since boot; with `pid` the identity of the service.
    pub start_ns: u64,
    /// Kind of server.
    pub kind: &'static str,
    /// Role.
    pub role: &'static str,
    /// systemd unit; empty when in none.
    pub unit: String,
    /// Id of the container the root is in; empty when in none. The four fields after it are
    /// not the tree's knowledge: they are filled in by who has it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub container: String,
    /// Name of that container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_name: Option<String>,
    /// Its image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Namespace of its pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name of its pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// Records lost since the service is known.
    pub lost_events: u64,
    /// The root, with its descendants.
    pub processes: Vec<ProcessView>,
}

/// A live process, or an exited one with live descendants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProcessView {
    /// pid.
    pub pid: u32,
    /// Start, ns since boot.
    pub start_ns: u64,
    /// Path of the executable; empty when unknown.
    pub executable: String,
    /// Command line as captured.
    pub args: Vec<String>,
    /// Part in the service.
    pub part: &'static str,
    /// Role of what it runs, where that is not the service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    /// How it became known.
    pub provenance: &'static str,
    /// Real uid last known.
    pub uid: u32,
    /// Has exited; shown for the sake of its descendants.
    pub exited: bool,
    /// Kind of the nested service that begins here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nested: Option<&'static str>,
    /// Ancestors missing between the process above and this one.
    #[serde(skip_serializing_if = "is_zero")]
    pub elided: u32,
    /// Processes it created.
    pub children: Vec<ProcessView>,
    /// Descendants too deep to be shown.
    #[serde(skip_serializing_if = "is_zero")]
    pub deeper: u32,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A process that the tree knows, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KnownView {
    /// pid.
    pub pid: u32,
    /// Start, ns since boot.
    pub start_ns: u64,
    /// Path of the executable; empty when unknown.
    pub executable: String,
    /// Has exited.
    pub exited: bool,
    /// Its part in each service it stands in.
    pub services: Vec<PartView>,
}

/// A part in a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartView {
    /// Kind of the service.
    pub kind: &'static str,
    /// Its role.
    pub role: &'static str,
    /// systemd unit; empty when in none.
    pub unit: String,
    /// pid of its root.
    pub root: u32,
    /// The part.
    pub part: &'static str,
}

/// Numbers for the metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Live processes.
    pub live: usize,
    /// Exited processes still kept.
    pub exited: usize,
    /// Live services of each kind, nested ones included.
    pub services: BTreeMap<ServiceKind, usize>,
    /// Processes removed before their time, exited and live together.
    pub evicted: u64,
    /// Records lost since the start.
    pub lost: u64,
    /// Bytes of captured programs.
    pub program_bytes: usize,
}

/// Children of each process, by age; only branches with something alive.
type Children = BTreeMap<ProcessId, BTreeSet<ProcessId>>;

impl Tree {
    /// The live services, by age of their roots. A nested service is shown where it
    /// stands in its root service.
    #[must_use]
    pub fn view(&self, redactor: &Redactor) -> Vec<ServiceView> {
        let children = self.live_children();
        self.table
            .services()
            .filter(|(_, entry)| entry.live > 0 && entry.within.is_none())
            .map(|(id, entry)| self.service_view(id, entry, &children, redactor))
            .collect()
    }

    /// The live service, a nested one too, whose root has this pid: the latest.
    #[must_use]
    pub fn view_of(&self, pid: u32, redactor: &Redactor) -> Vec<ServiceView> {
        let of_pid = self.table.services().filter(|(id, _)| id.tgid == pid);
        let found = of_pid.filter(|(_, entry)| entry.live > 0).last();
        let children = found.map(|_| self.live_children()).unwrap_or_default();
        found
            .map(|(id, entry)| self.service_view(id, entry, &children, redactor))
            .into_iter()
            .collect()
    }

    /// What the master of a service runs.
    #[must_use]
    pub fn program_of(&self, service: ProcessId) -> Option<&Program> {
        self.table.service(service)?.image.as_deref()
    }

    fn service_view(
        &self,
        id: ProcessId,
        entry: &Entry,
        children: &Children,
        redactor: &Redactor,
    ) -> ServiceView {
        ServiceView {
            pid: id.tgid,
            start_ns: id.start_ns,
            kind: entry.service.kind.name(),
            role: entry.service.role.name(),
            unit: entry.service.unit.clone(),
            container: container(entry.image.as_deref()),
            container_name: None,
            image: None,
            namespace: None,
            pod: None,
            lost_events: self.lost.saturating_sub(entry.lost_before),
            processes: self
                .process_view((id, id), children, DEPTH, redactor)
                .into_iter()
                .collect(),
        }
    }

    /// Numbers.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut services: BTreeMap<_, usize> =
            ServiceKind::ALL.iter().map(|&kind| (kind, 0)).collect();
        for (_, entry) in self.table.services().filter(|(_, entry)| entry.live > 0) {
            *services.entry(entry.service.kind).or_default() += 1;
        }
        Stats {
            live: self.table.live(),
            exited: self.table.len().saturating_sub(self.table.live()),
            services,
            evicted: self.shed.exited.saturating_add(self.shed.live),
            lost: self.lost,
            program_bytes: self.table.program_bytes(),
        }
    }

    /// Processes that have or had this pid, as far as the tree remembers them, by age.
    #[must_use]
    pub fn known(&self, tgid: u32) -> Vec<KnownView> {
        let all = self.table.nodes().filter(|(id, _)| id.tgid == tgid);
        let mut known: Vec<_> = all
            .map(|(id, node)| KnownView {
                pid: tgid,
                start_ns: id.start_ns,
                executable: node
                    .program
                    .as_ref()
                    .map(|it| it.image.path.to_string())
                    .unwrap_or_default(),
                exited: node.end.is_some(),
                services: node
                    .branches()
                    .map(|branch| self.part_view(branch))
                    .collect(),
            })
            .collect();
        known.sort_by_key(|view| view.start_ns);
        known
    }

    fn part_view(&self, branch: &Branch) -> PartView {
        let service = self.table.service(branch.service);
        PartView {
            kind: service.map_or("unknown", |entry| entry.service.kind.name()),
            role: service.map_or("", |entry| entry.service.role.name()),
            unit: service.map_or_else(String::new, |entry| entry.service.unit.clone()),
            root: branch.service.tgid,
            part: branch.part.name(),
        }
    }

    /// Edges that lead to live processes. Each node is climbed once.
    fn live_children(&self) -> Children {
        let mut children = Children::new();
        for (id, _) in self.table.nodes().filter(|(_, node)| node.is_live()) {
            let mut child = id;
            while let Some(creator) = self.table.get(child).and_then(|node| node.creator) {
                if !children.entry(creator).or_default().insert(child) {
                    break;
                }
                child = creator;
            }
        }
        children
    }

    fn process_view(
        &self,
        (id, service): (ProcessId, ProcessId),
        children: &Children,
        depth: usize,
        redactor: &Redactor,
    ) -> Option<ProcessView> {
        let node = self.table.get(id)?;
        let branch = node.branch(service)?;
        let below = children.get(&id).into_iter().flatten().copied();
        let (shown, deeper) = if depth > 1 {
            (
                below
                    .filter_map(|id| {
                        self.process_view((id, service), children, depth - 1, redactor)
                    })
                    .collect(),
                0,
            )
        } else {
            (Vec::new(), count(below.collect(), children))
        };
        let program = node.program.as_deref();
        let nested = self
            .table
            .service(id)
            .filter(|entry| entry.within.is_some());
        Some(ProcessView {
            pid: id.tgid,
            start_ns: id.start_ns,
            executable: program
                .map(|it| it.image.path.to_string())
                .unwrap_or_default(),
            args: program
                .map(|program| redactor.words(&program.args))
                .unwrap_or_default(),
            part: branch.part.name(),
            role: self.is_cgid(id, service).then(|| Role::Cgi.name()),
            provenance: node.provenance.name(),
            uid: node.uid,
            exited: node.end.is_some(),
            nested: nested.map(|entry| entry.service.kind.name()),
            elided: node.elided,
            children: shown,
            deeper,
        })
    }
}

pub(super) fn container(program: Option<&Program>) -> String {
    let id = program.and_then(|program| container_id(&program.cgroup.path));
    id.unwrap_or_default().to_owned()
}

/// Processes in and below `todo`.
fn count(mut todo: Vec<ProcessId>, children: &Children) -> u32 {
    let mut count: u32 = 0;
    while let Some(id) = todo.pop() {
        count = count.saturating_add(1);
        todo.extend(children.get(&id).into_iter().flatten());
    }
    count
}
