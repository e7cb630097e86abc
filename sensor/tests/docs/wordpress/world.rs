//! A machine that serves pages, as the kernel side tells of it: records made by hand, as
//! those of a live one are, and what the core says to them by default.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use sensor::{
    alert::{Document, Host, Level},
    app,
    config::Config,
    detect::{Examine, Examined, Fact, RuleSet},
    engine::{Engine, Input, Output},
    event::{
        Args, Credentials, Event, Exec, Exit, ExitStatus, Fd, File, FileAction, Fork, Image, Inode,
        Membership, ProcessId, Program, Scanned, Snapshot, Socket, SocketAction, Source, Stamp,
    },
    profile::Lock,
};

const SECOND_NS: u64 = 1_000_000_000;
/// When the hour begins, since boot.
const BEGIN_NS: u64 = 3_600 * SECOND_NS;
/// From boot to the epoch, ns.
const BOOT_NS: i64 = 1_790_000_000_000_000_000;
/// User of the pages.
pub(super) const WWW_DATA: u32 = 33;

/// What sinks print by default.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Since the hour began, s.
    pub(super) second: u64,
    pub(super) document: Document,
}

/// See the module.
pub(super) struct World {
    engine: Engine,
    now_ns: u64,
    last_pid: u32,
    inode: u64,
    pub(super) printed: Vec<Line>,
    /// Alerts of lower levels, which the history keeps.
    pub(super) below: usize,
    /// What did not alert, by cause.
    pub(super) quiet: BTreeMap<&'static str, u64>,
}

/// A process of a service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) id: ProcessId,
    root: Option<ProcessId>,
    depth: u32,
    uid: u32,
}

impl Member {
    fn membership(self) -> Option<Membership> {
        let depth = self.depth;
        self.root.map(|root| Membership { root, depth })
    }
}

impl World {
    pub(super) fn new() -> Self {
        let rules = RuleSet::load(&[]).expect("the built-in rules load");
        let names = [(0, "root"), (WWW_DATA, "www-data"), (105, "mysql")];
        let host = Host {
            name: "web".to_owned(),
            boot_id: "5b1e6f0e-0000-4000-8000-000000000000".to_owned(),
            realtime_minus_boottime_ns: BOOT_NS,
            users: names.map(|(uid, name)| (uid, name.to_owned())).into(),
        };
        Self {
            engine: app::engine(&Config::default(), rules, &Lock::default(), host),
            now_ns: BEGIN_NS,
            last_pid: 1_000,
            inode: 100_000,
            printed: Vec::new(),
            below: 0,
            quiet: BTreeMap::new(),
        }
    }

    /// Starts with a master that has a worker: the pair, root and worker.
    pub(super) fn service(&mut self, exe: &str, titles: [&str; 2], uid: u32) -> [Member; 2] {
        let (master, worker) = (self.pid(), self.pid());
        let of = |id, depth, uid| Member {
            id,
            root: Some(master),
            depth,
            uid,
        };
        let members = [of(master, 0, 0), of(worker, 1, uid)];
        let rows = members.iter().zip(titles).map(|(member, title)| Scanned {
            process: member.id,
            parent: if member.depth == 0 {
                ProcessId::new(1, 1)
            } else {
                master
            },
            membership: member.membership(),
            recognised: member.depth == 0,
            program: Some(Arc::new(Program {
                source: Source::Scan,
                ..program(exe, &[title], member.uid)
            })),
        });
        let snapshot = Snapshot {
            time_ns: self.now_ns,
            processes: rows.collect(),
        };
        self.step(Input::Snapshot(snapshot));
        members
    }

    fn pid(&mut self) -> ProcessId {
        self.last_pid += 1;
        self.now_ns += 1_000;
        ProcessId::new(self.last_pid, self.now_ns)
    }

    fn stamp(&mut self) -> Stamp {
        self.now_ns += 1_000;
        Stamp {
            time_ns: self.now_ns,
            ..Stamp::default()
        }
    }

    /// Lets time go by; ticks come as they do from the loop.
    pub(super) fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now_ns += SECOND_NS;
            self.step(Input::Tick(self.now_ns));
        }
    }

    /// Up to this many seconds after the beginning.
    pub(super) fn until(&mut self, second: u64) {
        let now = (self.now_ns - BEGIN_NS) / SECOND_NS;
        self.wait(second.saturating_sub(now));
    }

    /// A process is forked.
    pub(super) fn fork(&mut self, creator: Member) -> Member {
        let child = Member {
            id: self.pid(),
            depth: creator.depth + 1,
            ..creator
        };
        let fork = Fork {
            stamp: self.stamp(),
            child: child.id,
            membership: child.membership(),
            creator: creator.id,
            creator_tid: creator.id.tgid,
            parent: creator.id,
            uid: creator.uid,
        };
        self.step(Input::Event(Event::Fork(fork)));
        child
    }

    /// A process becomes another program. `recognised`: of a server's name.
    pub(super) fn exec(&mut self, who: Member, recognised: bool, exe: &str, argv: &[&str]) {
        let exec = Exec {
            stamp: self.stamp(),
            process: who.id,
            membership: who.membership(),
            recognised,
            candidate: who.root.is_none() && !recognised,
            parent: ProcessId::new(1, 1),
            program: Arc::new(program(exe, argv, who.uid)),
        };
        self.step(Input::Event(Event::Exec(exec)));
    }

    /// What `system()` does: a shell that forks for the program it runs.
    pub(super) fn shell(&mut self, worker: Member, command: &str, exe: &str, argv: &[&str]) {
        let shell = self.fork(worker);
        self.exec(shell, false, "/usr/bin/dash", &["sh", "-c", command]);
        let tool = self.fork(shell);
        self.exec(tool, false, exe, argv);
        self.exit(tool);
        self.exit(shell);
    }

    pub(super) fn exit(&mut self, who: Member) {
        let exit = Exit {
            stamp: self.stamp(),
            process: who.id,
            membership: who.membership(),
            status: ExitStatus::Code(0),
        };
        self.step(Input::Event(Event::Exit(exit)));
    }

    /// A process in no service, whose exec is told because of its name.
    pub(super) fn stranger(&mut self, uid: u32) -> Member {
        Member {
            id: self.pid(),
            root: None,
            depth: 0,
            uid,
        }
    }

    pub(super) fn read(&mut self, who: Member, path: &str) {
        self.file(who, FileAction::Read, path, None, false);
    }

    pub(super) fn create(&mut self, who: Member, path: &str) {
        self.file(who, FileAction::Write, path, None, true);
    }

    pub(super) fn overwrite(&mut self, who: Member, path: &str) {
        self.file(who, FileAction::Write, path, None, false);
    }

    pub(super) fn rename(&mut self, who: Member, old: &str, path: &str) {
        self.file(who, FileAction::Rename, path, Some(old), false);
    }

    fn file(
        &mut self,
        who: Member,
        action: FileAction,
        path: &str,
        old: Option<&str>,
        created: bool,
    ) {
        self.inode += 1;
        let file = File {
            stamp: self.stamp(),
            membership: who.membership(),
            other: old.map(Into::into),
            inode: Some(Inode {
                file: sensor::event::FileId {
                    dev: 1,
                    ino: self.inode,
                },
                nlink: 1,
                mode: 0o100_644,
                owner: who.uid,
                ..Inode::default()
            }),
            created,
            // O_WRONLY, O_CREAT, O_TRUNC, as copy() and fopen("w") ask.
            argument: if action == FileAction::Write {
                0o1_101
            } else {
                0
            },
            uid: who.uid,
            euid: who.uid,
            mount_ns: 1,
            ..File::bare(who.id, action, path.into())
        };
        self.step(Input::Event(Event::File(Arc::new(file))));
    }

    pub(super) fn connect(&mut self, who: Member, to: &str) {
        let unbound = SocketAddr::from(([0, 0, 0, 0], 0));
        let socket = Socket {
            stamp: self.stamp(),
            membership: who.membership(),
            remote: Some(to.parse().expect("an address")),
            fd: Some(9),
            net_ns: 1,
            uid: who.uid,
            ..Socket::bare(who.id, SocketAction::Connect, unbound)
        };
        self.step(Input::Event(Event::Socket(Arc::new(socket))));
    }

    fn step(&mut self, input: Input) {
        let mut out = Vec::new();
        self.engine.step(input, &mut out);
        for output in out {
            match output {
                Output::Alert(alert) => self.print(Document::Alert(alert)),
                Output::Notice(notice) => self.print(Document::Notice(notice)),
                Output::Inquire(examine) => {
                    let found = examined(&examine);
                    self.step(Input::Fact(Fact::Examined(Box::new(found))));
                }
                Output::Quiet(counts) => {
                    for count in &*counts {
                        *self.quiet.entry(count.kind.cause.name()).or_default() += count.count;
                    }
                }
                _ => {}
            }
        }
    }

    fn print(&mut self, document: Document) {
        if document.weight() < Level::Medium {
            self.below += 1;
            return;
        }
        let second = (self.now_ns - BEGIN_NS) / SECOND_NS;
        self.printed.push(Line { second, document });
    }
}

/// Debian owns what is below /usr, and nothing of a site.
fn examined(examine: &Examine) -> Examined {
    let packaged = examine.path.starts_with(b"/usr/");
    Examined {
        number: examine.number,
        role: examine.role,
        path: examine.path.clone(),
        sha256: Some([7; 32]),
        size: Some(4_096),
        kind: Some(if packaged { "elf" } else { "php" }.to_owned()),
        packages_known: true,
        package: packaged.then(|| "a package of Debian".to_owned()),
        ..Examined::default()
    }
}

fn program(exe: &str, argv: &[&str], uid: u32) -> Program {
    Program {
        image: Image {
            path: exe.into(),
            nlink: 1,
            mode: 0o100_755,
            size: 125_688,
            ..Image::default()
        },
        filename: exe.into(),
        interp: exe.into(),
        args: Args {
            head: argv.iter().map(|arg| (*arg).into()).collect(),
            argc: u32::try_from(argv.len()).expect("few arguments"),
            ..Args::default()
        },
        cwd: "/var/www/html".into(),
        cred: Credentials {
            uid,
            gid: uid,
            euid: uid,
            egid: uid,
            ..Credentials::default()
        },
        stdio: [Fd::Null, Fd::Pipe, Fd::Null],
        ..Program::default()
    }
}
