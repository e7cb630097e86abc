//! A small kernel for the tree's tests: it keeps membership as the programs do and
//! makes the events a real one would.

mod apache;
mod bounds;
mod candidate;
mod follow;
mod load;
mod loss;
mod master;
mod orphan;
mod property;
mod scan;

use std::collections::HashMap;
use std::sync::Arc;

use super::*;
use crate::event::{
    Args, Cgroup, Credentials, Event, Exec, Exit, ExitStatus, FileId, Fork, Image, Lost,
    Namespaces, Program, Rung, Scanned, Socket, SocketAction, Source, Stamp,
};
use crate::lineage::{Part, Provenance, ServiceKind, Subject};
use crate::service::{interpreter, kind_of};

const SECOND: u64 = 1_000_000_000;

/// Host, tree, clock.
struct World {
    tree: Tree,
    now: u64,
    marked: HashMap<ProcessId, Membership>,
    uid: HashMap<ProcessId, u32>,
    started: Vec<(ProcessId, ServiceKind)>,
    retired: Vec<ProcessId>,
    demoted: Vec<ProcessId>,
    promoted: Vec<ProcessId>,
    surveys: usize,
    adopted: Vec<(ProcessId, Membership)>,
    /// Records made do not reach the tree.
    deaf: bool,
}

impl World {
    fn new() -> Self {
        Self::with(Limits::default(), Scope::Services)
    }

    fn with(limits: Limits, scope: Scope) -> Self {
        Self {
            tree: Tree::new(limits, scope, Catalogue::default()),
            now: SECOND,
            marked: HashMap::new(),
            uid: HashMap::new(),
            started: Vec::new(),
            retired: Vec::new(),
            demoted: Vec::new(),
            promoted: Vec::new(),
            surveys: 0,
            adopted: Vec::new(),
            deaf: false,
        }
    }

    fn tick(&mut self) -> Stamp {
        self.now += 1_000;
        Stamp {
            time_ns: self.now,
            ..Stamp::default()
        }
    }

    fn apply(&mut self, event: &Event) -> Vec<Subject> {
        if self.deaf {
            return Vec::new();
        }
        let effects = self.tree.apply(event);
        self.note(effects)
    }

    fn note(&mut self, effects: Effects) -> Vec<Subject> {
        self.started.extend(
            effects
                .started
                .iter()
                .map(|service| (service.id, service.kind)),
        );
        self.retired.extend(&effects.retired);
        self.demoted.extend(&effects.demoted);
        self.promoted.extend(&effects.promoted);
        self.surveys += usize::from(effects.survey);
        self.adopted.extend(&effects.adopted);
        effects.subjects
    }

    /// A process of which no birth is recorded.
    fn stranger(&mut self, pid: u32) -> ProcessId {
        let stamp = self.tick();
        ProcessId::new(pid, stamp.time_ns)
    }

    fn fork_event(&mut self, creator: ProcessId, pid: u32) -> Fork {
        let stamp = self.tick();
        let child = ProcessId::new(pid, stamp.time_ns);
        let membership = self.marked.get(&creator).map(|member| Membership {
            root: member.root,
            depth: member.depth + 1,
        });
        if let Some(membership) = membership {
            self.marked.insert(child, membership);
        }
        let uid = self.uid.get(&creator).copied().unwrap_or(0);
        self.uid.insert(child, uid);
        Fork {
            stamp,
            child,
            membership,
            creator,
            creator_tid: creator.tgid,
            parent: creator,
            uid,
        }
    }

    fn fork(&mut self, creator: ProcessId, pid: u32) -> ProcessId {
        let fork = self.fork_event(creator, pid);
        self.apply(&Event::Fork(fork));
        fork.child
    }

    fn exec_event(&mut self, process: ProcessId, path: &str, args: &str) -> Exec {
        let stamp = self.tick();
        let mut program = program(path, args);
        program.time_ns = stamp.time_ns;
        program.cred.uid = self.uid.get(&process).copied().unwrap_or(0);
        let recognised = kind_of(&program.image).is_some();
        if recognised && !self.marked.contains_key(&process) {
            self.marked.insert(
                process,
                Membership {
                    root: process,
                    depth: 0,
                },
            );
        }
        let membership = self.marked.get(&process).copied();
        let candidate = membership.is_none() && interpreter(&program.image).is_some();
        let parent = ProcessId::new(1, 1);
        Exec {
            stamp,
            process,
            membership,
            recognised,
            candidate,
            parent,
            program: Arc::new(program),
        }
    }

    /// A process listens; `promoted` is what the kernel made of it.
    fn listen(&mut self, process: ProcessId, promoted: Option<ProcessId>) {
        let stamp = self.tick();
        if let Some(root) = promoted {
            self.mark(process, root, u32::from(process != root));
        }
        let membership = self.marked.get(&process).copied();
        let socket = Socket {
            promoted: promoted.is_some(),
            ..listening(stamp, process, membership)
        };
        self.apply(&Event::Socket(Arc::new(socket)));
    }

    fn exec(&mut self, process: ProcessId, path: &str, args: &str) -> Vec<Subject> {
        let exec = self.exec_event(process, path, args);
        self.apply(&Event::Exec(exec))
    }

    /// The one subject of an exec.
    fn exec1(&mut self, process: ProcessId, path: &str, args: &str) -> Subject {
        let mut subjects = self.exec(process, path, args);
        assert_eq!(subjects.len(), 1, "{path}");
        subjects.remove(0)
    }

    fn exit(&mut self, process: ProcessId, status: ExitStatus) {
        let stamp = self.tick();
        let membership = self.marked.remove(&process);
        self.apply(&Event::Exit(Exit {
            stamp,
            process,
            membership,
            status,
        }));
    }

    fn setuid(&mut self, process: ProcessId, uid: u32) {
        self.uid.insert(process, uid);
    }

    /// A server started by a process outside every service.
    fn server(&mut self, pid: u32, path: &str) -> ProcessId {
        let id = self.stranger(pid);
        let subjects = self.exec(id, path, path);
        assert!(subjects.is_empty(), "a service's own exec is no subject");
        id
    }

    fn fpm(&mut self) -> (ProcessId, ProcessId) {
        let master = self.server(100, "/usr/sbin/php-fpm8.2");
        let worker = self.fork(master, 101);
        self.setuid(worker, 33);
        (master, worker)
    }

    fn part(&self, id: ProcessId) -> Part {
        self.tree.lineage(id).ancestors.last().expect("known").part
    }

    fn row(&mut self, process: ProcessId, parent: ProcessId, path: &str, uid: u32) -> Scanned {
        let mut program = program(path, path);
        program.source = Source::Scan;
        program.time_ns = self.now;
        program.cred.uid = uid;
        Scanned {
            process,
            parent,
            membership: self.marked.get(&process).copied(),
            recognised: kind_of(&program.image).is_some(),
            program: Some(Arc::new(program)),
        }
    }

    fn mark(&mut self, process: ProcessId, root: ProcessId, depth: u32) {
        self.marked.insert(process, Membership { root, depth });
    }

    fn seed(&mut self, processes: Vec<Scanned>) {
        let effects = self.tree.seed(&Snapshot {
            time_ns: self.now,
            processes,
        });
        self.note(effects);
    }
}

/// A socket that begins to listen.
fn listening(stamp: Stamp, process: ProcessId, membership: Option<Membership>) -> Socket {
    let local = ([127, 0, 0, 1], 8_000).into();
    Socket {
        stamp,
        membership,
        rung: Rung::TpBtf,
        ..Socket::bare(process, SocketAction::Listen, local)
    }
}

/// A root-owned program; the inode follows from the path.
fn program(path: &str, args: &str) -> Program {
    let ino = path
        .bytes()
        .fold(7, |hash: u64, byte| hash.wrapping_mul(31) + u64::from(byte));
    Program {
        image: Image {
            path: path.into(),
            file: FileId { dev: 1, ino },
            size: 10,
            nlink: 1,
            mode: 0o100_755,
            ctime_ns: Some(5),
            ..Image::default()
        },
        args: Args {
            head: args.split(' ').map(Into::into).collect(),
            ..Args::default()
        },
        cred: Credentials::default(),
        ns: Namespaces {
            mount: 4,
            ..Namespaces::default()
        },
        cgroup: Cgroup {
            id: 1,
            path: "/system.slice/web.service".into(),
        },
        ..Program::default()
    }
}

fn pids(subject: &Subject) -> Vec<u32> {
    subject
        .lineage
        .ancestors
        .iter()
        .map(|ancestor| ancestor.id.tgid)
        .collect()
}

fn lineage_pids(tree: &Tree, id: ProcessId) -> Vec<u32> {
    tree.lineage(id)
        .ancestors
        .iter()
        .map(|ancestor| ancestor.id.tgid)
        .collect()
}

fn chain(subject: &Subject) -> Vec<String> {
    let last = subject
        .lineage
        .ancestors
        .last()
        .expect("the subject itself");
    last.chain
        .iter()
        .map(|program| program.image.name().to_string())
        .collect()
}
