//! What services did a while ago, as far as later acts are judged by it: files they wrote,
//! directories they filled with scripts, directory servers they connected to.
//!
//! Bounded tables; the oldest entries go first. Time is that of the records. The two
//! rings have no common order, so an exec may be judged before a write that happened just
//! before it is known: the kernel's own memory of inodes covers that.

use std::{
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use super::{
    filetype::{self, kind},
    interpreter,
    place::{self, bit, folded},
    preload, program,
};
use crate::{
    event::{File, FileAction, ProcessId, Program, Socket, Written},
    lineage::{Act, Part, ServiceKind, Subject},
};

/// Paths remembered: as many as the kernel remembers inodes, halved.
pub(super) const PATHS: usize = 32_768;

/// Directories remembered that hold a script, those above it included.
pub(super) const DIRECTORIES: usize = 8_192;

/// Directories above a script that are remembered.
const ABOVE: usize = 8;

/// Services whose connects are remembered.
const CONNECTS: usize = 1_024;

/// Ports of LDAP, of LDAP tools that attackers run, of RMI registries.
const JNDI: &[u16] = &[389, 636, 1_389, 1_099];

/// A path in a mount namespace, hashed: its length must cost nothing.
type Key = (u64, u64);

/// See the module.
#[derive(Debug)]
pub(super) struct Memory {
    written: Recent,
    directories: Recent,
    connected: HashMap<ProcessId, u64>,
}

/// Who wrote something last, and when.
#[derive(Debug)]
struct Recent {
    limit: usize,
    entries: HashMap<Key, (ProcessId, u64)>,
    order: VecDeque<(Key, u64)>,
}

impl Recent {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            entries: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    fn insert(&mut self, key: Key, root: ProcessId, now: u64) {
        self.entries.insert(key, (root, now));
        self.order.push_back((key, now));
        while self.entries.len() > self.limit || self.order.len() > 2 * self.limit {
            let Some((key, then)) = self.order.pop_front() else {
                break;
            };
            // Written again since: its later entry counts.
            if self.get(key).is_some_and(|(_, last)| last == then) {
                self.entries.remove(&key);
            }
        }
    }

    fn get(&self, key: Key) -> Option<(ProcessId, u64)> {
        self.entries.get(&key).copied()
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            written: Recent::new(PATHS),
            directories: Recent::new(DIRECTORIES),
            connected: HashMap::new(),
        }
    }
}

impl Memory {
    /// Remembers an act.
    pub(super) fn note(&mut self, subject: &Subject) {
        let Some(service) = &subject.service else {
            return;
        };
        match &subject.act {
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
            Act::Exec | Act::Socket(_) => {}
        }
    }

    fn note_file(&mut self, file: &File, root: ProcessId, now: u64) {
        if file.action == FileAction::Read {
            return;
        }
        self.note_directories(file, root, now);
        if let Some(other) = &file.other {
            match file.action {
                FileAction::Rename => {
                    self.written.entries.remove(&key(file.mount_ns, other));
                }
                FileAction::Exchange => {
                    self.written.insert(key(file.mount_ns, other), root, now);
                }
                _ => {}
            }
        }
        self.written
            .insert(key(file.mount_ns, &file.path), root, now);
    }

    /// Remembers where a script lies that was judged by no rule because browsers did not
    /// reach it: they will when its directory is moved.
    fn note_directories(&mut self, file: &File, root: ProcessId, now: u64) {
        let made = match file.action {
            FileAction::Write => file.creates(),
            FileAction::Rename | FileAction::Exchange | FileAction::Link | FileAction::Symlink => {
                true
            }
            FileAction::Read | FileAction::Chmod => false,
        };
        if !made {
            return;
        }
        let path = folded(&file.path);
        let is_script =
            filetype::kinds(program::basename(&path)) & (kind::SCRIPT | kind::PAGE) != 0;
        if (is_script || self.moves_scripts(file)) && place::places(&path) & bit::WEB_ROOT == 0 {
            // A directory that was moved holds what it held.
            let whole = (!is_script).then_some(&*path);
            for directory in whole.into_iter().chain(above(&path)) {
                self.directories
                    .insert(key(file.mount_ns, directory), root, now);
            }
        }
    }

    /// The act moves a directory below which a service has made a script outside of every
    /// web root.
    pub(super) fn moves_scripts(&self, file: &File) -> bool {
        let held = |path: &[u8]| self.directories.get(key(file.mount_ns, path)).is_some();
        let Some(other) = &file.other else {
            return false;
        };
        match file.action {
            FileAction::Rename => held(other),
            FileAction::Exchange => held(other) || held(&file.path),
            _ => false,
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
        let (root, then) = self.written.get(key(mount_ns, path))?;
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

/// The directories a path lies in, the nearest first; the root directory is none.
fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = path.iter().enumerate().skip(1).rev();
    let ends = ends.filter(|(_, byte)| **byte == b'/').take(ABOVE);
    ends.filter_map(|(end, _)| path.get(..end))
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
            memory
                .written
                .insert(key(1, path(index).as_bytes()), root, index as u64);
        }
        memory.written.insert(key(1, b"/srv/0"), root, PATHS as u64);
        memory
            .written
            .insert(key(1, b"/srv/new"), root, PATHS as u64 + 1);
        let age = |path: &[u8]| memory.at(1, path, PATHS as u64 + 1).map(|it| it.age_ns);
        assert_eq!(age(b"/srv/0"), Some(1));
        assert_eq!(age(b"/srv/x/../new"), Some(0));
        assert_eq!(age(b"/srv/1"), None);
        assert!(memory.at(2, b"/srv/new", 0).is_none());
    }

    #[test]
    fn directories_above_a_script_are_bounded() {
        let above = |path: &'static str| -> Vec<&[u8]> { above(path.as_bytes()).collect() };
        assert_eq!(above("/tmp/x/a.php"), [&b"/tmp/x"[..], b"/tmp"]);
        assert_eq!(above("/a.php"), [b""; 0]);
        assert_eq!(above("/1/2/3/4/5/6/7/8/9/a.php").len(), ABOVE);
        assert_eq!(above("[...]/a.php"), [b"[...]"]);
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
