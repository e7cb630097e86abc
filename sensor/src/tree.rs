//! The process trees of the services: who made whom, what each has run, and in which
//! service it stands.
//!
//! `Tree` takes decoded events and scans, in the order they are consumed, and answers
//! with the execs that rules must see. A birth edge, once observed, never changes; a
//! lineage always ends at a root; every table has a bound (`Limits`). The same inputs
//! give the same answers: no clock, no I/O, no map order leaves this module.

mod act;
mod apache;
mod candidate;
mod evict;
mod exec;
mod grow;
mod image;
mod living;
mod load;
mod loss;
mod node;
mod orphan;
mod part;
mod seed;
mod table;
#[cfg(test)]
mod tests;
mod view;
mod walk;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use sensor_common::limit::{LINEAGE_ENTRIES, SERVICE_ENTRIES};

use self::candidate::Candidates;
pub use self::load::{Acts, LEVELS, ServiceLoad};
use self::table::Table;
pub use self::view::{ProcessView, ServiceView, Stats};
use crate::event::{Event, Membership, ProcessId, Program, Snapshot};
use crate::lineage::{Service, Subject};
use crate::service::Catalogue;

/// Which processes are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Members of services.
    #[default]
    Services,
    /// Every process.
    Host,
}

/// Bounds of every table.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Processes, exited ancestors included. As many as the kernel's lineage map holds.
    pub processes: usize,
    /// Services, nested ones included. As many as the kernel's service map holds.
    pub services: usize,
    /// Nested services below one root service: beyond, a member that poses as another
    /// server is judged in its root service alone.
    pub nested: u32,
    /// Services one process may stand in at once, the root service included.
    pub contexts: usize,
    /// Remembered roots that turned out to be no servers.
    pub retired: usize,
    /// Candidates whose programs are remembered until they listen.
    pub candidates: usize,
    /// How long what has exited is kept after its last descendant, ns.
    pub grace_ns: u64,
    /// Processes removed by one call of [`Tree::expire`].
    pub expire_batch: usize,
    /// Bytes of programs above which exited processes go before their time.
    pub program_bytes_exited: usize,
    /// Bytes of programs above which live ones go too.
    pub program_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            processes: LINEAGE_ENTRIES as usize,
            services: SERVICE_ENTRIES as usize,
            nested: 64,
            contexts: 4,
            retired: SERVICE_ENTRIES as usize,
            candidates: 1_024,
            grace_ns: 60_000_000_000,
            expire_batch: 4_096,
            program_bytes_exited: 16 << 20,
            program_bytes: 256 << 20,
        }
    }
}

/// What follows from one input.
#[derive(Debug, Default)]
#[must_use]
pub struct Effects {
    /// Execs to be judged: one for each service the process stands in, the root
    /// service first.
    pub subjects: Vec<Subject>,
    /// Services that began, or whose kind became known.
    pub started: Vec<Arc<Service>>,
    /// Roots that are no servers: to be marked so in the kernel's service map.
    pub retired: Vec<ProcessId>,
    /// Roots that are no servers as far as is known: to be made candidates in the kernel.
    pub demoted: Vec<ProcessId>,
    /// Candidates that are services: to be made such in the kernel.
    pub promoted: Vec<ProcessId>,
    /// Processes that may be services the configuration declares: to be looked at.
    pub inspect: Vec<ProcessId>,
    /// Masters of Apaches whose modules are to be looked at.
    pub examine: Vec<ProcessId>,
    /// Processes may have been forked by what is a service only now: they are to be
    /// looked for.
    pub survey: bool,
    /// Members the kernel did not mark (born while the scan ran): to be entered into
    /// its lineage map.
    pub adopted: Vec<(ProcessId, Membership)>,
}

/// What could not be kept, in processes and services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shed {
    /// Exited processes removed before their time.
    pub exited: u64,
    /// Live processes removed: a later record of theirs begins at the service root.
    pub live: u64,
    /// Services not followed because the table was full.
    pub services: u64,
    /// Ends that left live children and are not looked at again.
    pub orphans: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Tree {
    limits: Limits,
    scope: Scope,
    catalogue: Catalogue,
    table: Table,
    /// Roots that are no servers, whose members' records may still be on their way.
    retired: BTreeSet<ProcessId>,
    retired_order: VecDeque<ProcessId>,
    /// Interpreters that may turn out servers.
    candidates: Candidates,
    /// Apaches, whose modules are to be known.
    apaches: BTreeMap<ProcessId, apache::State>,
    /// Roots of the next scan that are known to listen.
    listening: BTreeSet<ProcessId>,
    /// Next processes to go when the table is full and nothing has exited; newest first.
    victims: Vec<ProcessId>,
    /// When to look at what ends have left behind, ns, and in which service.
    orphans: BTreeSet<(u64, ProcessId)>,
    shed: Shed,
    /// Records lost since the start.
    lost: u64,
    unsaid: loss::Unsaid,
    /// When the last scan was made, ns since boot.
    scanned_ns: u64,
}

impl Tree {
    /// An empty tree.
    #[must_use]
    pub fn new(limits: Limits, scope: Scope, catalogue: Catalogue) -> Self {
        Self {
            limits,
            scope,
            catalogue,
            table: Table::default(),
            retired: BTreeSet::new(),
            retired_order: VecDeque::new(),
            candidates: Candidates::default(),
            apaches: BTreeMap::new(),
            listening: BTreeSet::new(),
            victims: Vec::new(),
            orphans: BTreeSet::new(),
            shed: Shed::default(),
            lost: 0,
            unsaid: loss::Unsaid::default(),
            scanned_ns: 0,
        }
    }

    /// Takes one event.
    pub fn apply(&mut self, event: &Event) -> Effects {
        let mut effects = Effects::default();
        match event {
            Event::Fork(fork) => self.fork(fork, &mut effects),
            Event::Exec(exec) => self.exec(exec, &mut effects),
            Event::Exit(exit) => self.exit(exit),
            Event::File(file) => self.file(file, &mut effects),
            Event::Socket(socket) => self.socket(socket, &mut effects),
            Event::Lost(lost) => self.lose(lost, &mut effects),
        }
        self.table.count(&effects.subjects);
        self.enforce();
        effects
    }

    /// Takes the processes a scan found. Events that happened while it ran are applied
    /// afterwards and complete it.
    pub fn seed(&mut self, snapshot: &Snapshot) -> Effects {
        let mut effects = Effects::default();
        self.scan(snapshot, &mut effects);
        self.listening.clear();
        self.enforce();
        effects
    }

    /// Takes the roots of the next scan that are services because they listen.
    pub fn listening(&mut self, roots: Vec<ProcessId>) {
        self.listening.extend(roots);
    }

    /// Takes what a look at a listening process has found.
    pub fn inspected(
        &mut self,
        id: ProcessId,
        program: &Arc<Program>,
        image: Option<&str>,
    ) -> Effects {
        let mut effects = Effects::default();
        self.inspect(id, program, image, &mut effects);
        self.enforce();
        effects
    }

    /// A process that was said to be a service had ended before the kernel knew it for
    /// one, and will say nothing of its end.
    pub fn gone(&mut self, id: ProcessId, time_ns: u64) {
        if self.table.end(id, time_ns, None) {
            self.orphan(id, time_ns);
        }
    }

    /// `id` and all it begot have ended, or are not known: nothing of it will act any more,
    /// as far as can be told. Descendants count for as long as they are remembered.
    #[must_use]
    pub fn has_ended(&self, id: ProcessId) -> bool {
        self.table
            .get(id)
            .is_none_or(|node| !node.is_live() && node.children == 0)
    }

    /// Takes a new list of servers; it counts from the next exec on.
    pub fn set_catalogue(&mut self, catalogue: Catalogue) {
        self.catalogue = catalogue;
    }

    /// What could not be kept.
    #[must_use]
    pub fn shed(&self) -> Shed {
        self.shed
    }

    /// The membership a record states, unless its root is no server or the record
    /// contradicts itself: a member begins after its root.
    fn admit(&self, stated: Option<Membership>, process: ProcessId) -> Option<Membership> {
        stated.filter(|membership| {
            membership.root <= process && !self.retired.contains(&membership.root)
        })
    }

    /// Remembers that `root` is no server.
    fn retire(&mut self, root: ProcessId, effects: &mut Effects) {
        effects.retired.push(root);
        self.disown(root);
    }

    /// `root` is no server until it listens.
    fn demote(&mut self, root: ProcessId, effects: &mut Effects) {
        effects.demoted.push(root);
        self.disown(root);
    }

    fn disown(&mut self, root: ProcessId) {
        if self.retired.insert(root) {
            self.retired_order.push_back(root);
        }
        if self.retired_order.len() > self.limits.retired
            && let Some(oldest) = self.retired_order.pop_front()
        {
            self.retired.remove(&oldest);
        }
        self.forget(root);
    }

    /// `root` has become a server after all.
    fn unretire(&mut self, root: ProcessId) {
        if self.retired.remove(&root) {
            self.retired_order.retain(|&other| other != root);
        }
    }
}
