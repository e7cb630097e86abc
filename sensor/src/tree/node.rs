//! One process of the tree, and its standing in each service it belongs to.
//!
//! Plain data: the counts that tie nodes to each other and to services are kept by
//! `table`, which is why only it may insert, end or remove a node.

use std::sync::Arc;

use crate::event::{ExitStatus, ProcessId, Program};
use crate::lineage::{Part, Provenance};

/// Programs kept of one process: the first and the last seven it exec'ed. An exec bomb
/// in one pid stays visible by its start, its end and a number.
pub(super) const CHAIN: usize = 8;

/// Standing of a process in one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Branch {
    /// Root of the service.
    pub(super) service: ProcessId,
    /// Part in it.
    pub(super) part: Part,
    /// Once [`Part::Descendant`]: part of the process from which the branch left.
    pub(super) origin: Part,
    /// Once [`Part::Descendant`]: the first process that left; else default.
    pub(super) spawn_root: ProcessId,
    /// Once [`Part::Descendant`]: when that one left, ns.
    pub(super) left_ns: u64,
    /// Programs exec'ed since the branch left, transparent helpers left out.
    pub(super) depth: u32,
    /// Once [`Part::Descendant`]: forked by the daemon that runs CGI programs.
    pub(super) cgi: bool,
}

impl Branch {
    /// A process in the service's own image.
    pub(super) fn new(service: ProcessId, part: Part) -> Self {
        Self {
            service,
            part,
            origin: part,
            spawn_root: ProcessId::default(),
            left_ns: 0,
            depth: 0,
            cgi: false,
        }
    }

    /// What a forked child inherits.
    pub(super) fn inherit(&self) -> Self {
        match self.part {
            Part::Descendant => *self,
            Part::Master | Part::Worker | Part::Both => Self::new(self.service, Part::Worker),
        }
    }
}

/// The standing a forked child of `parent` has.
pub(super) fn inherited(parent: &Node) -> (Option<Branch>, Vec<Branch>) {
    let nested = parent.nested.iter().map(Branch::inherit).collect();
    (parent.home.as_ref().map(Branch::inherit), nested)
}

/// The programs a process has exec'ed itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    programs: Vec<Arc<Program>>,
    elided: u32,
}

impl Chain {
    /// Appends; returns the program dropped to stay within [`CHAIN`].
    pub(super) fn push(&mut self, program: Arc<Program>) -> Option<Arc<Program>> {
        self.programs.push(program);
        (self.programs.len() > CHAIN).then(|| {
            self.elided = self.elided.saturating_add(1);
            self.programs.remove(1)
        })
    }

    /// Takes the newest program off.
    pub(super) fn pop(&mut self) -> Option<Arc<Program>> {
        self.programs.pop()
    }

    /// Oldest first.
    pub(super) fn programs(&self) -> &[Arc<Program>] {
        &self.programs
    }

    /// Programs dropped from the middle.
    pub(super) fn elided(&self) -> u32 {
        self.elided
    }
}

/// Live children that were forked since the last exec and have not exec'ed: how many, and
/// which when it is one.
///
/// The exclusive or of their ids is the id itself when one is left, so that the heir of
/// a daemonising master is known without a list of children.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Heirs {
    count: u32,
    /// Execs of the parent: children of an earlier image do not count.
    image: u32,
    start_ns: u64,
    tgid: u32,
    /// Start of the youngest ever added.
    youngest_ns: u64,
}

/// That a child counts among the heirs of its creator: under which image it was forked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim(u32);

impl Heirs {
    /// A child was forked.
    pub(super) fn add(&mut self, child: ProcessId) -> Claim {
        self.count = self.count.saturating_add(1);
        self.toggle(child);
        self.youngest_ns = self.youngest_ns.max(child.start_ns);
        Claim(self.image)
    }

    /// A child has exec'ed or exited: it is no heir.
    pub(super) fn remove(&mut self, child: ProcessId, claim: Claim) {
        if claim == Claim(self.image) {
            self.count = self.count.saturating_sub(1);
            self.toggle(child);
        }
    }

    /// The parent itself has exec'ed: only children to come can take over from it.
    pub(super) fn restart(&mut self) {
        *self = Self {
            image: self.image.wrapping_add(1),
            ..Self::default()
        };
    }

    fn toggle(&mut self, child: ProcessId) {
        self.start_ns ^= child.start_ns;
        self.tgid ^= child.tgid;
    }

    /// `child`, one of them, was forked last.
    pub(super) fn is_youngest(&self, child: ProcessId) -> bool {
        self.count > 0 && child.start_ns == self.youngest_ns
    }

    /// The one child left that never exec'ed.
    pub(super) fn only(&self) -> Option<ProcessId> {
        (self.count == 1).then(|| ProcessId::new(self.tgid, self.start_ns))
    }
}

/// How a process ended; the status is unknown when a scan found it gone.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) time_ns: u64,
    pub(super) status: Option<ExitStatus>,
}

/// One process.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Birth edge.
    pub(super) creator: Option<ProcessId>,
    /// Ancestors missing between `creator` and this process: lost, or compacted away.
    pub(super) elided: u32,
    pub(super) provenance: Provenance,
    /// What it runs: its own exec, or its creator's program at the fork.
    pub(super) program: Option<Arc<Program>>,
    pub(super) chain: Chain,
    pub(super) uid: u32,
    pub(super) end: Option<End>,
    /// Known only because a record names it as a service root: nothing shows that it
    /// still lives.
    pub(super) phantom: bool,
    /// Nodes of the table created by this one.
    pub(super) children: u32,
    /// Of these, the live ones.
    pub(super) live_children: u32,
    pub(super) heirs: Heirs,
    /// While it counts among the heirs of its creator.
    pub(super) claim: Option<Claim>,
    /// Standing in the root service.
    pub(super) home: Option<Branch>,
    /// Standing in nested services, outermost first.
    pub(super) nested: Vec<Branch>,
    /// Forks from the oldest known ancestor.
    pub(super) depth: u32,
    /// Time under which the node stands among the dead leaves.
    pub(super) leaf_since: Option<u64>,
    /// When its last descendant was removed.
    pub(super) quiet_since: u64,
}

/// uid of a process of which no record was seen.
pub(super) const UID_UNKNOWN: u32 = u32::MAX;

impl Node {
    /// A process nothing is known about yet.
    pub(super) fn new(provenance: Provenance) -> Self {
        Self {
            creator: None,
            elided: 0,
            provenance,
            program: None,
            chain: Chain::default(),
            uid: UID_UNKNOWN,
            end: None,
            phantom: false,
            children: 0,
            live_children: 0,
            heirs: Heirs::default(),
            claim: None,
            home: None,
            nested: Vec::new(),
            depth: 0,
            leaf_since: None,
            quiet_since: 0,
        }
    }

    /// Standing in every service, the root service first.
    pub(super) fn branches(&self) -> impl Iterator<Item = &Branch> {
        self.home.iter().chain(&self.nested)
    }

    pub(super) fn branches_mut(&mut self) -> impl Iterator<Item = &mut Branch> {
        self.home.iter_mut().chain(&mut self.nested)
    }

    pub(super) fn branch(&self, service: ProcessId) -> Option<&Branch> {
        self.branches().find(|branch| branch.service == service)
    }

    /// Lives, as far as is known.
    pub(super) fn is_live(&self) -> bool {
        self.end.is_none() && !self.phantom
    }
}
