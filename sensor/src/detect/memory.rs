//! What services did a while ago, as far as later acts are judged by it: files they wrote,
//! scripts they dropped and directories that hold some, directory servers and ports they connected to, directories
//! they run scripts from, tools they started, tables of cron they touched.
//!
//! Bounded tables; the oldest entries go first. Time is that of the records. The two
//! rings have no common order, so an exec may be judged before a write that happened just
//! before it is known: the kernel's own memory of inodes covers that.

mod aged;
mod dropped;
mod held;
mod recon;
mod update;

use std::hash::{DefaultHasher, Hash, Hasher as _};

#[cfg(test)]
pub(super) use self::recon::TOOLS;
use self::{aged::Aged, dropped::Dropped, held::Held, recon::Recon, update::Updates};
use super::{interpreter, place, preload, reading::Reading, root::Roots};
use crate::{
    event::{File, FileAction, ProcessId, Program, Socket, Written},
    lineage::{Act, Part, ServiceKind, Subject},
};

/// Paths remembered: as many as the kernel remembers inodes, halved.
pub(super) const PATHS: usize = 32_768;

/// Services whose connects are remembered.
const CONNECTS: usize = 1_024;

/// Ports remembered, of all services.
const PORTS: usize = 8_192;

/// Users remembered whose tables of cron a service has touched.
const SPOOLS: usize = 1_024;

/// Beginnings of the tables of cron and at.
const SPOOL: &[&[u8]] = &[b"/var/spool/cron", b"/var/spool/at", b"/etc/cron"];

/// Ports of LDAP, of LDAP tools that attackers run, of RMI registries.
const JNDI: &[u16] = &[389, 636, 1_389, 1_099];

/// A path in a mount namespace, hashed: its length must cost nothing.
type Key = (u64, u64);

/// What is known of an act from those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Noted {
    /// Different reconnaissance tools of the last minute, when this one is new among them.
    pub(super) recon: Option<u32>,
    /// The service has not connected to this port before.
    pub(super) new_port: bool,
    /// A directory is moved below which a service has made a script, outside of every web root.
    pub(super) moves_scripts: bool,
    /// It is part of an update that the service has unpacked.
    pub(super) updates: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Memory {
    written: Aged<Key, ProcessId>,
    held: Held,
    connected: Aged<ProcessId>,
    ports: Aged<(ProcessId, u16)>,
    /// By uid.
    spools: Aged<u32>,
    recon: Recon,
    dropped: Dropped,
    updates: Updates,
    pub(super) roots: Roots,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            written: Aged::new(PATHS),
            held: Held::default(),
            connected: Aged::new(CONNECTS),
            ports: Aged::new(PORTS),
            spools: Aged::new(SPOOLS),
            recon: Recon::default(),
            dropped: Dropped::default(),
            updates: Updates::default(),
            roots: Roots::default(),
        }
    }
}

impl Memory {
    /// Remembers an act, and tells what it is in the light of those before.
    pub(super) fn note(&mut self, subject: &Subject) -> Noted {
        let mut noted = Noted::default();
        let Some(service) = &subject.service else {
            return noted;
        };
        match &subject.act {
            Act::Exec => noted.recon = self.recon.note(subject),
            Act::File(file) if file.action == FileAction::Read => {
                self.roots.note(subject, file);
                self.dropped.note_read(subject, file);
            }
            Act::File(file) => {
                let root = file.membership.map_or(service.id, |member| member.root);
                // Before it is remembered: a rename changes where things are.
                noted.moves_scripts = self.held.is_moved_by(file, subject.stamp.time_ns);
                self.held.note(file, subject.stamp.time_ns);
                self.note_file(file, root, subject.stamp.time_ns);
                self.note_spool(file, subject.stamp.time_ns);
                self.dropped.note_change(subject, file, &self.roots);
                noted.updates = self.updates.note(file, root, subject.stamp.time_ns);
            }
            Act::Socket(socket) => noted.new_port = self.note_connect(subject, socket),
            Act::Outlive | Act::Lose(_) => {}
        }
        noted
    }

    fn note_file(&mut self, file: &File, root: ProcessId, now: u64) {
        if let Some(other) = &file.other {
            let other = key(file.mount_ns, other);
            match file.action {
                FileAction::Rename => self.written.remove(&other),
                FileAction::Exchange => self.written.insert(other, root, now),
                _ => {}
            }
        }
        self.written
            .insert(key(file.mount_ns, &file.path), root, now);
    }

    /// A table of cron or at: whose it is, its owner or who writes it tells.
    fn note_spool(&mut self, file: &File, now: u64) {
        if !SPOOL.iter().any(|it| file.path.starts_with(it)) {
            return;
        }
        let owner = file.inode.as_ref().map(|inode| inode.owner);
        for uid in owner.into_iter().chain([file.uid]) {
            self.spools.insert(uid, (), now);
        }
    }

    fn note_connect(&mut self, subject: &Subject, socket: &Socket) -> bool {
        let (Some(service), Some(remote)) = (&subject.service, socket.remote) else {
            return false;
        };
        let own = subject.lineage.ancestors.last();
        let now = subject.stamp.time_ns;
        if own.is_none_or(|own| own.part == Part::Descendant) {
            return false;
        }
        if service.kind == ServiceKind::Java && is_jndi(socket) {
            self.connected.insert(service.id, (), now);
        }
        let port = (service.id, remote.port());
        let new_port = self.ports.age(&port, now).is_none();
        self.ports.insert(port, (), now);
        new_port
    }

    /// Who wrote the script a program runs, by the path it was named by.
    #[inline]
    pub(super) fn script(&self, program: &Program, now: u64) -> Option<Written> {
        if self.written.is_empty() {
            return None;
        }
        let reading = Reading::new(program, false);
        let path = interpreter::script(program, reading.name().as_bytes())?;
        self.at(program.ns.mount, &path, now)
    }

    /// A library named in a variable of `program` that makes it load one was written by a
    /// service.
    #[inline]
    pub(super) fn preload(&self, program: &Program, now: u64) -> Option<Written> {
        if self.written.is_empty() {
            return None;
        }
        preload::paths(program).find_map(|path| self.at(program.ns.mount, path, now))
    }

    fn at(&self, mount_ns: u32, path: &[u8], now: u64) -> Option<Written> {
        let (root, age_ns) = self.written.get(&key(mount_ns, path), now)?;
        Some(Written { root, age_ns })
    }

    /// How long ago a Java service connected to a directory server, ns.
    #[inline]
    pub(super) fn jndi_age(&self, subject: &Subject) -> Option<u64> {
        let service = subject.service.as_ref()?.id;
        self.connected.age(&service, subject.stamp.time_ns)
    }

    /// How long ago a process of this lineage read a script that a service had dropped, ns.
    #[inline]
    pub(super) fn drop_use_age(&self, subject: &Subject) -> Option<u64> {
        self.dropped.used_age(subject)
    }

    /// The file is what a Java service compiled of a page it had dropped.
    pub(super) fn is_dropped_page(&self, subject: &Subject, name: &[u8]) -> Option<bool> {
        let service = subject.service.as_ref()?.id;
        Some(self.dropped.is_page(service, name, subject.stamp.time_ns))
    }

    /// How long ago a service touched the table of cron of this user, ns.
    pub(super) fn spool_age(&self, uid: u32, now: u64) -> Option<u64> {
        self.spools.age(&uid, now)
    }
}

fn is_jndi(socket: &Socket) -> bool {
    socket
        .remote
        .is_some_and(|remote| JNDI.contains(&remote.port()) && !remote.ip().is_loopback())
}

fn key(mount_ns: u32, path: &[u8]) -> Key {
    let path = place::folded(path);
    let salted = |salt: u8| hash((salt, mount_ns, &*path));
    (salted(0), salted(1))
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_known_by_what_they_lead_to() {
        let mut memory = Memory::default();
        let root = ProcessId::new(7, 7);
        memory.written.insert(key(1, b"/srv/new"), root, 5);
        assert_eq!(
            memory.at(1, b"/srv/x/../new", 9).map(|it| it.age_ns),
            Some(4)
        );
        assert!(memory.at(2, b"/srv/new", 9).is_none());
    }
}
