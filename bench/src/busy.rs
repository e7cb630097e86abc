//! A busy host, made up: some minutes of servers, cron, health checks and a deploy, with
//! the same commands again and again and other pids each time, as it is on machines.
//!
//! Execs are about a fifth of the records. What the servers run is what the built-in
//! profiles know (a rule matches it, a profile silences it), so that the way taken is the
//! usual one and not that of alerts.

use std::sync::Arc;

use bstr::BString;
use sensor::event::{
    Args, Cgroup, Credentials, Event, Exec, Exit, ExitStatus, Fd, FileId, Fork, Image, Membership,
    Namespaces, ProcessId, Program, Stamp,
};

const SECOND: u64 = 1_000_000_000;

/// Seconds of the recording.
pub(super) const SECONDS: u64 = 300;

/// When they begin, ns since boot: servers and daemons have been there before.
pub(super) const BEGIN_NS: u64 = 2 * SECOND;

/// Who is on the host before the first second.
struct Cast {
    cron: Actor,
    monitor: Actor,
    session: Actor,
    pages: Vec<Actor>,
    cgi: Actor,
    database: Actor,
    prefork: Actor,
}

/// A process that forks.
#[derive(Clone, Copy)]
struct Actor {
    id: ProcessId,
    member: Option<Membership>,
    uid: u32,
}

/// See the module.
#[derive(Default)]
pub(super) struct Host {
    events: Vec<Event>,
    now_ns: u64,
    sequence: u64,
    pid: u32,
}

/// Everything, in order of time.
pub(super) fn events() -> Vec<Event> {
    let mut host = Host {
        now_ns: SECOND,
        pid: 1_000,
        ..Host::default()
    };
    let cast = host.begin();
    for second in 0..SECONDS {
        host.now_ns = BEGIN_NS + second * SECOND;
        host.serve(&cast, second);
        if second % 60 == 7 {
            host.cron(&cast, second);
        }
        if second % 150 == 90 {
            host.deploy(&cast);
        }
    }
    host.events
}

impl Host {
    fn begin(&mut self) -> Cast {
        let init = Actor {
            id: ProcessId::new(1, 1),
            member: None,
            uid: 0,
        };
        let nginx = self.server(init, "/usr/sbin/nginx", &["nginx: master process"], 0);
        for _ in 0..4 {
            self.fork(nginx, 33);
        }
        let fpm = self.server(init, "/usr/sbin/php-fpm8.2", &["php-fpm: master"], 0);
        let pages = (0..8).map(|_| self.fork(fpm, 33)).collect();
        let apache = self.server(init, "/usr/sbin/apache2", &["apache2", "-k", "start"], 0);
        let postgres = "/usr/lib/postgresql/15/bin/postgres";
        Cast {
            cron: self.daemon(init, "/usr/sbin/cron", &["/usr/sbin/cron", "-f"]),
            monitor: self.daemon(init, "/usr/sbin/keepalived", &["keepalived"]),
            session: self.daemon(init, "/usr/sbin/sshd", &["sshd: deploy@notty"]),
            cgi: self.server(
                init,
                "/usr/sbin/fcgiwrap",
                &["/usr/sbin/fcgiwrap", "-f"],
                33,
            ),
            database: self.server(
                init,
                postgres,
                &[postgres, "-D", "/var/lib/postgresql"],
                107,
            ),
            prefork: apache,
            pages,
        }
    }

    /// What comes in within a second.
    fn serve(&mut self, cast: &Cast, second: u64) {
        for check in 0..4 {
            let url = format!("http://127.0.0.1:808{check}/health");
            self.run(
                cast.monitor,
                "/usr/bin/curl",
                &["curl", "-fsS", "-m2", &url],
            );
        }
        for _ in 0..6 {
            let backend = self.fork(cast.database, 107);
            self.exit(backend);
        }
        for _ in 0..6 {
            let worker = self.fork(cast.prefork, 33);
            self.exit(worker);
        }
        for mail in 0..2 {
            let page = cast.pages[usize::try_from(second + mail).unwrap_or(0) % cast.pages.len()];
            self.mail(page);
        }
        let query = format!("QUERY_STRING=host=web{}", second % 20);
        self.request(cast.cgi, &query);
    }

    /// `mail()` of a page.
    fn mail(&mut self, page: Actor) {
        let shell = self.fork(page, 33);
        let command = "/usr/sbin/sendmail -t -i";
        self.exec(shell, "/usr/bin/dash", &["sh", "-c", command], &[]);
        let mta = self.fork(shell, 33);
        self.exec(
            mta,
            "/usr/sbin/exim4",
            &["/usr/sbin/sendmail", "-t", "-i"],
            &[],
        );
        self.exit(mta);
        self.exit(shell);
    }

    fn request(&mut self, cgi: Actor, query: &str) {
        let child = self.fork(cgi, 33);
        let script = "/usr/lib/cgi-bin/status.cgi";
        let env = [
            query,
            "REQUEST_METHOD=GET",
            "REMOTE_ADDR=203.0.113.7",
            "SCRIPT_FILENAME=/usr/lib/cgi-bin/status.cgi",
        ];
        self.exec(child, script, &[script], &env);
        self.exit(child);
    }

    fn cron(&mut self, cast: &Cast, second: u64) {
        for job in [
            "/srv/app/cron.php",
            "/srv/shop/bin/console",
            "/srv/wiki/jobs.php",
        ] {
            let child = self.fork(cast.cron, 0);
            let shell = self.fork(child, 0);
            let command = format!("php {job} --quiet");
            self.exec(shell, "/usr/bin/dash", &["/bin/sh", "-c", &command], &[]);
            self.run(shell, "/usr/bin/php8.2", &["php", job, "--quiet"]);
            self.exit(shell);
            self.exit(child);
        }
        let parts = self.fork(cast.cron, 0);
        self.exec(
            parts,
            "/usr/bin/run-parts",
            &["run-parts", "/etc/cron.minutely"],
            &[],
        );
        let until = second.to_string();
        self.run(
            parts,
            "/usr/bin/find",
            &["find", "/var/lib/php", "-newer", &until],
        );
        self.exit(parts);
    }

    /// A login that pulls, builds and copies.
    fn deploy(&mut self, cast: &Cast) {
        let shell = self.fork(cast.session, 1_000);
        self.exec(shell, "/usr/bin/bash", &["bash", "-s"], &[]);
        for file in 0..60 {
            let name = format!("/srv/app/releases/7/module{file}/index.php");
            self.run(shell, "/usr/bin/git", &["git", "cat-file", "-e", &name]);
            self.run(shell, "/usr/bin/sed", &["sed", "-i", "s/@REV@/7/", &name]);
            self.run(
                shell,
                "/usr/bin/cp",
                &["cp", "-a", &name, "/srv/app/current/"],
            );
            self.run(shell, "/usr/bin/date", &["date", "+%s"]);
        }
        self.exit(shell);
    }

    /// A program from beginning to end.
    fn run(&mut self, by: Actor, image: &str, argv: &[&str]) {
        let child = self.fork(by, by.uid);
        self.exec(child, image, argv, &[]);
        self.exit(child);
    }

    fn daemon(&mut self, by: Actor, image: &str, argv: &[&str]) -> Actor {
        let child = self.fork(by, 0);
        self.exec(child, image, argv, &[]);
        child
    }

    fn server(&mut self, by: Actor, image: &str, argv: &[&str], uid: u32) -> Actor {
        let child = self.fork(by, uid);
        let member = Membership {
            root: child.id,
            depth: 0,
        };
        let server = Actor {
            member: Some(member),
            ..child
        };
        self.start(server, true, program(image, argv, &[], uid));
        server
    }

    fn fork(&mut self, by: Actor, uid: u32) -> Actor {
        let stamp = self.stamp();
        self.pid = if self.pid > 60_000 {
            1_000
        } else {
            self.pid + 1
        };
        let child = Actor {
            id: ProcessId::new(self.pid, stamp.time_ns),
            member: by.member.map(|member| Membership {
                depth: member.depth + 1,
                ..member
            }),
            uid,
        };
        self.events.push(Event::Fork(Fork {
            stamp,
            child: child.id,
            membership: child.member,
            creator: by.id,
            creator_tid: by.id.tgid,
            parent: by.id,
            uid: by.uid,
        }));
        child
    }

    fn exec(&mut self, process: Actor, image: &str, argv: &[&str], env: &[&str]) {
        self.start(process, false, program(image, argv, env, process.uid));
    }

    fn start(&mut self, process: Actor, recognised: bool, mut program: Program) {
        let stamp = self.stamp();
        program.time_ns = stamp.time_ns;
        program.ns.inner_pid = process.id.tgid;
        self.events.push(Event::Exec(Exec {
            stamp,
            process: process.id,
            membership: process.member,
            recognised,
            candidate: false,
            parent: ProcessId::new(1, 1),
            program: Arc::new(program),
        }));
    }

    fn exit(&mut self, process: Actor) {
        let stamp = self.stamp();
        self.events.push(Event::Exit(Exit {
            stamp,
            process: process.id,
            membership: process.member,
            status: ExitStatus::Code(0),
        }));
    }

    fn stamp(&mut self) -> Stamp {
        self.now_ns += 100_000;
        self.sequence += 1;
        Stamp {
            time_ns: self.now_ns,
            seq: self.sequence,
            cpu: 0,
        }
    }
}

fn program(image: &str, argv: &[&str], env: &[&str], uid: u32) -> Program {
    let words: Vec<BString> = argv.iter().map(|&arg| arg.into()).collect();
    let variables = env.iter().filter_map(|each| each.split_once('='));
    Program {
        image: Image {
            path: image.into(),
            file: FileId {
                dev: 0x80_0001,
                ino: 1_000 + image.len() as u64,
            },
            size: 125_688,
            nlink: 1,
            mode: 0o100_755,
            ctime_ns: Some(1),
            ..Image::default()
        },
        filename: image.into(),
        interp: image.into(),
        args: Args {
            argc: u32::try_from(words.len()).unwrap_or(u32::MAX),
            total: words.iter().map(|word| word.len() as u64 + 1).sum(),
            head: words,
            ..Args::default()
        },
        cwd: "/srv/app".into(),
        cred: Credentials {
            uid,
            euid: uid,
            ..Credentials::default()
        },
        ns: Namespaces {
            mount: 4_026_531_841,
            pid: 4_026_531_836,
            inner_pid: 0,
        },
        cgroup: Cgroup {
            id: 2_000,
            path: "/system.slice/web.service".into(),
        },
        stdio: [Fd::Null, Fd::Pipe, Fd::Pipe],
        env: variables
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        ..Program::default()
    }
}
