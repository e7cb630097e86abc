//! Acts other than execs: who did something to a file or a socket, and in which service.
//!
//! An act changes nothing in the tree, but that a member whose records were lost gets
//! its place.

use std::sync::Arc;

use super::node::Branch;
use super::{Effects, Scope, Tree};
use crate::event::{
    Actor, File, Image, Membership, ProcessId, Program, Socket, SocketAction, Stamp,
};
use crate::lineage::{Act, Ancestor, Lineage, Part, Provenance, Subject};

/// What acts have in common.
struct Deed {
    stamp: Stamp,
    process: ProcessId,
    membership: Option<Membership>,
    act: Act,
}

impl Deed {
    /// Root of the service that the kernel side names; nobody's without one.
    fn root(&self) -> ProcessId {
        self.membership.map(|it| it.root).unwrap_or_default()
    }
}

impl Tree {
    pub(super) fn file(&mut self, file: &Arc<File>, effects: &mut Effects) {
        let deed = Deed {
            stamp: file.stamp,
            process: file.process,
            membership: file.membership,
            act: Act::File(Arc::clone(file)),
        };
        if !self.deed(&deed, effects) && (file.in_watched_directory || self.scope == Scope::Host) {
            effects.subjects.push(stranger(&deed, file));
        }
    }

    pub(super) fn socket(&mut self, socket: &Arc<Socket>, effects: &mut Effects) {
        if socket.action == SocketAction::Connect {
            let deed = Deed {
                stamp: socket.stamp,
                process: socket.process,
                membership: socket.membership,
                act: Act::Socket(Arc::clone(socket)),
            };
            self.deed(&deed, effects);
        } else {
            self.apache_listens(socket, effects);
            self.listen(socket, effects);
        }
    }

    /// One subject for each service the process stands in; `false` for a stranger.
    fn deed(&mut self, deed: &Deed, effects: &mut Effects) -> bool {
        let id = deed.process;
        if self.table.get(id).is_none_or(|node| node.home.is_none()) {
            let is_new = !self.table.contains(id);
            let placed = self
                .admit(deed.membership, id)
                .is_some_and(|membership| self.place(id, membership));
            if !placed {
                return false;
            }
            // Whoever did something before the last scan and is in none was born and has
            // ended while the sensor started: nobody would tell of its end again.
            if is_new && id != deed.root() && deed.stamp.time_ns < self.scanned_ns {
                self.table.end(id, self.scanned_ns, None);
            }
        }
        let Some(node) = self.table.get(id) else {
            return false;
        };
        for branch in node.branches() {
            effects.subjects.push(self.acting(deed, branch));
        }
        true
    }

    fn acting(&self, deed: &Deed, branch: &Branch) -> Subject {
        let program = self
            .table
            .get(deed.process)
            .and_then(|node| node.program.clone())
            .unwrap_or_default();
        Subject {
            stamp: deed.stamp,
            process: deed.process,
            parent: None,
            act: deed.act.clone(),
            ..self.standing(deed.process, Some(branch), program)
        }
    }
}

/// A process outside every service, as far as its record describes it.
fn stranger(deed: &Deed, file: &File) -> Subject {
    let Actor { exe, parents } = file.actor.clone().unwrap_or_default();
    let named = |path| {
        Arc::new(Program {
            image: Image {
                path,
                ..Image::default()
            },
            ..Program::default()
        })
    };
    let ancestor = |id, program: Arc<Program>| Ancestor {
        id,
        provenance: Provenance::Scanned,
        chain: vec![Arc::clone(&program)],
        program: Some(program),
        chain_elided: 0,
        part: Part::Descendant,
        uid: file.uid,
        exit: None,
    };
    let program = named(exe);
    let parents = parents.into_iter().rev();
    let mut ancestors: Vec<_> = parents
        .map(|name| ancestor(ProcessId::default(), named(name)))
        .collect();
    let creator = ancestors.last().cloned();
    ancestors.push(ancestor(deed.process, Arc::clone(&program)));
    Subject {
        stamp: deed.stamp,
        process: deed.process,
        parent: None,
        program,
        act: deed.act.clone(),
        script_written: None,
        service: None,
        lineage: Lineage {
            ancestors,
            elided: 0,
        },
        creator,
        previous: None,
        origin: Part::Descendant,
        depth: 0,
        own_image: false,
        spawn_root: deed.process,
        lost_events: 0,
        profile: None,
    }
}
