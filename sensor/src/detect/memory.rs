//! What services did a while ago, as far as later acts are judged by it: files they wrote,
//! directory servers they connected to, directories they run scripts from.
//!
//! Bounded tables; the oldest entries go first. Time is that of the records. The two
//! rings have no common order, so an exec may be judged before a write that happened just
//! before it is known: the kernel's own memory of inodes covers that.

use std::{
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use super::{interpreter, place::folded, preload, program, root::Roots};
use crate::{
    event::{File, FileAction, ProcessId, Program, Socket, Written},
    lineage::{Act, Part, ServiceKind, Subject},
};

/// Paths remembered: as many as the kernel remembers inodes, halved.
pub(super) const PATHS: usize = 32_768;

/// Services whose connects are remembered.
const CONNECTS: usize = 1_024;

/// Ports of LDAP, of LDAP tools that attackers run, of RMI registries.
const JNDI: &[u16] = &[389, 636, 1_389, 1_099];

/// A path in a mount namespace, hashed: its length must cost nothing.
type Key = (u64, u64);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Memory {
    written: HashMap<Key, (ProcessId, u64)>,
    order: VecDeque<(Key, u64)>,
    connected: HashMap<ProcessId, u64>,
    pub(super) roots: Roots,
}

impl Memory {
    /// Remembers an act.
    pub(super) fn note(&mut self, subject: &Subject) {
        let Some(service) = &subject.service else {
            return;
        };
        match &subject.act {
            Act::File(file) if file.action == FileAction::Read => {
                self.roots.note(subject, file);
            }
            Act::File(file) => {
                let root = file.membership.map_or(service.id, |member| member.root);
                self.note_file(file, root, subject.stamp.time_ns);
            }
            Act::Socket(socket) if service.kind == ServiceKind::Java => {
                let own = subject.lineage.ancestors.last();
                if own.is_some_and(|own| own.part != Part::Descendant) && is_jndi(socket) {
                    self.note_connect(service.id, subject.stamp.time_ns);
                }
            }
            Act::Exec | Act::Socket(_) | Act::Outlive => {}
        }
    }

    fn note_file(&mut self, file: &File, root: ProcessId, now: u64) {
        if let Some(other) = &file.other {
            match file.action {
                FileAction::Rename => {
                    self.written.remove(&key(file.mount_ns, other));
                }
                FileAction::Exchange => self.insert(key(file.mount_ns, other), root, now),
                _ => {}
            }
        }
        self.insert(key(file.mount_ns, &file.path), root, now);
    }

    fn insert(&mut self, key: Key, root: ProcessId, now: u64) {
        self.written.insert(key, (root, now));
        self.order.push_back((key, now));
        while self.written.len() > PATHS || self.order.len() > 2 * PATHS {
            let Some((key, then)) = self.order.pop_front() else {
                break;
            };
            // Written again since: its later entry counts.
            if self
                .written
                .get(&key)
                .is_some_and(|(_, last)| *last == then)
            {
                self.written.remove(&key);
            }
        }
    }

    fn note_connect(&mut self, service: ProcessId, now: u64) {
        self.connected.insert(service, now);
        if self.connected.len() > CONNECTS {
            let oldest = self
                .connected
                .iter()
                .min_by_key(|(id, time)| (**time, **id));
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                self.connected.remove(&oldest);
            }
        }
    }

    /// Who wrote the script `program` runs, by the path it was named by.
    pub(super) fn script(&self, program: &Program, now: u64) -> Option<Written> {
        let path = interpreter::script(program, program::name(program))?;
        self.at(program.ns.mount, &path, now)
    }

    /// A library named in a variable of `program` that makes it load one was written by a
    /// service.
    pub(super) fn preload(&self, program: &Program, now: u64) -> Option<Written> {
        preload::paths(program).find_map(|path| self.at(program.ns.mount, path, now))
    }

    fn at(&self, mount_ns: u32, path: &[u8], now: u64) -> Option<Written> {
        let &(root, then) = self.written.get(&key(mount_ns, path))?;
        let age_ns = now.saturating_sub(then);
        Some(Written { root, age_ns })
    }

    /// How long ago a Java service connected to a directory server, ns.
    pub(super) fn jndi_age(&self, subject: &Subject) -> Option<u64> {
        let then = self.connected.get(&subject.service.as_ref()?.id)?;
        Some(subject.stamp.time_ns.saturating_sub(*then))
    }
}

fn is_jndi(socket: &Socket) -> bool {
    socket
        .remote
        .is_some_and(|remote| JNDI.contains(&remote.port()) && !remote.ip().is_loopback())
}

fn key(mount_ns: u32, path: &[u8]) -> Key {
    let path = folded(path);
    let hash = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, mount_ns, &*path).hash(&mut hasher);
        hasher.finish()
    };
    (hash(0), hash(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_paths_go_and_what_is_written_again_stays() {
        let mut memory = Memory::default();
        let root = ProcessId::new(7, 7);
        let path = |index: usize| format!("/srv/{index}");
        for index in 0..PATHS {
            memory.insert(key(1, path(index).as_bytes()), root, index as u64);
        }
        memory.insert(key(1, b"/srv/0"), root, PATHS as u64);
        memory.insert(key(1, b"/srv/new"), root, PATHS as u64 + 1);
        let age = |path: &[u8]| memory.at(1, path, PATHS as u64 + 1).map(|it| it.age_ns);
        assert_eq!(age(b"/srv/0"), Some(1));
        assert_eq!(age(b"/srv/x/../new"), Some(0));
        assert_eq!(age(b"/srv/1"), None);
        assert!(memory.at(2, b"/srv/new", 0).is_none());
    }

    #[test]
    fn connects_are_bounded() {
        let mut memory = Memory::default();
        for index in 0..2_000 {
            memory.note_connect(ProcessId::new(index, 1), index.into());
        }
        assert_eq!(memory.connected.len(), CONNECTS);
        assert!(memory.connected.contains_key(&ProcessId::new(1_999, 1)));
    }
}
