//! What is known of an Apache beyond its name: whether it runs scripts, and which of its
//! children is the daemon that runs its CGI programs.
//!
//! Both are for `/proc` to tell, so they are asked for and come back as an input. Asked
//! for when a master listens or forks, since a reload changes its modules; at most once a
//! second, but while modules change and for a daemon that is still to come.

use std::sync::Arc;

use super::node::{Branch, Node};
use super::{Effects, Tree};
use crate::event::{ProcessId, Socket, TICK_NS};
use crate::lineage::{Part, Role, Service, ServiceKind};
use crate::service::{Apache, Child, Modules};

/// Least time between two looks at one master, ns.
const PAUSE_NS: u64 = 1_000_000_000;
/// Time until the next look while modules change or the daemon has not been found, ns.
const RETRY_NS: u64 = 200_000_000;
/// How often that is waited for.
const TRIES: u32 = 25;

/// State of one Apache.
#[derive(Debug)]
pub(super) struct State {
    master: ProcessId,
    asked_ns: Option<u64>,
    /// When it is to be looked at.
    due_ns: Option<u64>,
    tries: u32,
    /// What the latest look has found.
    seen: Option<Modules>,
    cgid: Option<Child>,
}

impl State {
    fn new(master: ProcessId) -> Self {
        Self {
            master,
            asked_ns: None,
            due_ns: None,
            tries: 0,
            seen: None,
            cgid: None,
        }
    }

    /// Asks for a look if it is time.
    fn ask(&mut self, now_ns: u64, effects: &mut Effects) {
        if self.due_ns.is_some_and(|due| due <= now_ns) {
            self.asked_ns = Some(now_ns);
            self.due_ns = None;
            effects.examine.push(self.master);
        }
    }
}

impl Tree {
    /// A service is an Apache.
    pub(super) fn apache_begins(&mut self, service: ProcessId) {
        self.apaches.entry(service).or_insert(State::new(service));
    }

    /// A master forks: a worker, or the daemon for CGI after a reload.
    pub(super) fn apache_forks(&mut self, master: ProcessId, now_ns: u64, effects: &mut Effects) {
        // Every fork comes by here, and most machines have no Apache.
        if self.apaches.is_empty() {
            return;
        }
        let Some(node) = self.table.get(master) else {
            return;
        };
        let leading = node.branches().find(|branch| branch.part == Part::Master);
        if let Some(service) = leading.map(|branch| branch.service) {
            self.apache_stirs(service, master, now_ns, effects);
        }
    }

    /// A process of a service listens: the master, or its child that is to be one. A worker
    /// that listens is none, and must not be looked at in its place.
    pub(super) fn apache_listens(&mut self, socket: &Socket, effects: &mut Effects) {
        let id = socket.process;
        let home = self.table.get(id).and_then(|node| node.home);
        let Some(home) = home.filter(|home| home.part != Part::Descendant) else {
            return;
        };
        if home.part == Part::Master || socket.uid == 0 {
            self.apache_stirs(home.service, id, socket.stamp.time_ns, effects);
        }
    }

    /// Has a master looked at, if it is one of an Apache of which nothing was declared.
    pub(super) fn apache_stirs(
        &mut self,
        service: ProcessId,
        master: ProcessId,
        now_ns: u64,
        effects: &mut Effects,
    ) {
        let entry = self.table.service(service);
        let known = entry.is_some_and(|entry| {
            entry.service.kind == ServiceKind::Apache && entry.service.name.is_none()
        });
        if !known {
            return;
        }
        let fresh = State::new(master);
        let state = self.apaches.entry(service).or_insert(fresh);
        if state.master != master {
            (state.master, state.asked_ns) = (master, None);
        }
        let due = state
            .asked_ns
            .map_or(now_ns, |asked| asked.saturating_add(PAUSE_NS));
        state.due_ns = Some(state.due_ns.map_or(due, |before| before.min(due)));
        state.tries = TRIES;
        state.ask(now_ns, effects);
    }

    /// Asks for the looks that are due.
    pub(super) fn tick_apaches(&mut self, now_ns: u64, effects: &mut Effects) {
        let Self { apaches, table, .. } = self;
        apaches.retain(|id, _| table.service(*id).is_some());
        for state in apaches.values_mut() {
            state.ask(now_ns, effects);
        }
    }

    /// Takes what a look has found.
    pub fn apache(&mut self, found: &Apache) {
        let mut states = self.apaches.iter_mut();
        let Some((&service, state)) = states.find(|(_, state)| state.master == found.master) else {
            return;
        };
        // In the middle of a reload some modules are there and others are not yet.
        let settled = state.seen == Some(found.modules);
        state.seen = Some(found.modules);
        let wanting = found.modules.cgid && found.cgid.is_none() && state.tries > 0;
        if (wanting || !settled) && state.tries > 0 {
            state.tries -= 1;
            let again = state.asked_ns.unwrap_or_default().saturating_add(RETRY_NS);
            state.due_ns = Some(state.due_ns.map_or(again, |due| due.min(again)));
        }
        if found.cgid.is_some() || settled && !wanting {
            state.cgid = found.cgid;
        }
        let Some(entry) = self.table.service_mut(service) else {
            return;
        };
        // One that maps no module may be linked with any.
        let role = if found.modules.scripting || !found.modules.any {
            Role::App
        } else if settled {
            Role::Edge
        } else {
            return;
        };
        if entry.service.role != role {
            entry.service = Arc::new(Service {
                role,
                ..(*entry.service).clone()
            });
        }
    }

    /// `id` is the daemon that runs the CGI programs of this service.
    pub(super) fn is_cgid(&self, id: ProcessId, service: ProcessId) -> bool {
        let state = self.apaches.get(&service);
        state.is_some_and(|state| state.cgid == Some((id.tgid, id.start_ns / TICK_NS)))
    }

    /// The process, which leaves its service by an exec, was forked by that daemon.
    pub(super) fn is_cgi_program(&self, node: &Node, branch: &Branch) -> bool {
        let creator = node.creator;
        creator.is_some_and(|creator| self.is_cgid(creator, branch.service))
    }
}
