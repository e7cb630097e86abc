//! A finding to test with: php-fpm master, worker, and a shell that became `id`.

use std::{collections::HashMap, sync::Arc};

use super::{
    Alert, Closed, Finding, Host, Level, Notice, Reason, RuleInfo, RuleTotal, Script, ScriptSource,
    Standing, Suppressed,
};
use crate::{
    detect::{Placed, PodFacts},
    event::{
        Args, Cgroup, Credentials, ExitStatus, Fd, File, FileAction, FileId, Image, Inode,
        Namespaces, PathSource, ProcessId, Program, Rung, Socket, SocketAction, Source, Stamp,
        Written,
    },
    lineage::{Act, Ancestor, Lineage, Part, Provenance, Role, Service, ServiceKind, Subject},
    service::container::Runtime,
};

/// What a [`Finding`] borrows.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) subject: Subject,
    pub(crate) rule: RuleInfo,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) degraded: Vec<String>,
    pub(crate) host: Host,
    pub(crate) standing: Option<Standing>,
    pub(crate) script: Option<Script>,
    pub(crate) placed: Option<Placed>,
}

impl Sample {
    pub(crate) fn finding(&self) -> Finding<'_> {
        let Self {
            subject,
            rule,
            fields,
            degraded,
            ..
        } = self;
        Finding {
            redacted: 0,
            subject,
            rule,
            fields,
            would_silence: false,
            incomplete: &[],
            degraded,
            standing: self.standing.as_ref(),
            script: self.script.as_ref(),
            placed: self.placed.as_ref(),
        }
    }

    pub(crate) fn alert(&self) -> Alert {
        Alert::new(&self.finding(), &self.host, 7)
    }
}

pub(crate) fn program(path: &str, args: &[&str]) -> Program {
    Program {
        time_ns: 90_000_000_000,
        source: Source::Exec,
        image: Image {
            path: path.into(),
            file: FileId {
                dev: 0x0fe0_0001,
                ino: 1234,
            },
            size: 125_688,
            nlink: 1,
            mode: 0o100_755,
            ..Image::default()
        },
        filename: path.into(),
        interp: path.into(),
        args: Args {
            head: args.iter().map(|&arg| arg.into()).collect(),
            argc: u32::try_from(args.len()).unwrap(),
            total: 64,
            ..Args::default()
        },
        cwd: "/var/www/html".into(),
        cred: Credentials {
            uid: 33,
            gid: 33,
            euid: 33,
            egid: 33,
            ..Credentials::default()
        },
        ns: Namespaces {
            mount: 4_026_531_841,
            pid: 4_026_531_836,
            inner_pid: 900,
        },
        cgroup: Cgroup {
            id: 77,
            path: "/system.slice/php8.2-fpm.service".into(),
        },
        stdio: [Fd::Null, Fd::Pipe, Fd::Pipe],
        ..Program::default()
    }
}

pub(crate) fn ancestor(tgid: u32, program: &Arc<Program>, part: Part) -> Ancestor {
    Ancestor {
        id: ProcessId::new(tgid, u64::from(tgid) * 99_000_000),
        provenance: Provenance::Observed,
        program: Some(Arc::clone(program)),
        chain: Vec::new(),
        chain_elided: 0,
        part,
        uid: 33,
        exit: None,
    }
}

pub(crate) fn sample() -> Sample {
    let fpm = Arc::new(program(
        "/usr/sbin/php-fpm8.2",
        &["php-fpm: master process (/etc/php)"],
    ));
    let shell = Arc::new(program("/usr/bin/dash", &["sh", "-c", "id"]));
    let id = Arc::new(program("/usr/bin/id", &["id"]));
    let master = Ancestor {
        provenance: Provenance::Scanned,
        chain: vec![Arc::clone(&fpm)],
        uid: 0,
        ..ancestor(800, &fpm, Part::Master)
    };
    let worker = Ancestor {
        exit: Some((89_500_000_000, ExitStatus::Signal(15))),
        ..ancestor(812, &fpm, Part::Worker)
    };
    let child = Ancestor {
        chain: vec![Arc::clone(&shell), Arc::clone(&id)],
        ..ancestor(900, &id, Part::Descendant)
    };
    let (root, process) = (master.id, child.id);
    let service = Service {
        id: root,
        kind: ServiceKind::PhpFpm,
        role: Role::App,
        name: None,
        unit: "php8.2-fpm.service".to_owned(),
    };
    let subject = Subject {
        stamp: Stamp {
            cpu: 1,
            seq: 42,
            time_ns: 90_000_000_000,
        },
        process,
        parent: Some(ProcessId::new(1, 0)),
        program: id,
        act: Act::Exec,
        script_written: None,
        service: Some(Arc::new(service)),
        creator: Some(worker.clone()),
        previous: Some(shell),
        lineage: Lineage {
            ancestors: vec![master, worker, child],
            elided: 0,
        },
        origin: Part::Worker,
        depth: 2,
        own_image: false,
        spawn_root: process,
        lost_events: 0,
        profile: None,
    };
    Sample {
        subject,
        rule: rule(),
        fields: fields(),
        degraded: Vec::new(),
        host: host(),
        standing: Some(standing()),
        script: Some(Script {
            path: "/var/www/html/x.php".into(),
            source: ScriptSource::Read,
            age_ns: Some(1_200_000_000),
            written: Some(Written {
                root,
                age_ns: 61_000_000_000,
            }),
        }),
        placed: None,
    }
}

fn standing() -> Standing {
    Standing {
        id: "5f0b9d1c2a3e4f5061728394a5b6c7d8".to_owned(),
        opens: false,
        alerts: 3,
        folded: 12,
        level: Level::Critical,
        raised: true,
        rules: 3,
        suppressed: vec![Suppressed {
            rule: "web_server_discovery".to_owned(),
            count: 12,
            since_ns: 30_000_000_000,
        }],
    }
}

/// The incident of [`sample`] is over.
pub(crate) fn closed() -> Arc<Notice> {
    let sample = sample();
    let standing = standing();
    let closed = Closed {
        id: standing.id,
        service: sample.subject.service.clone(),
        spawn_root: sample.subject.spawn_root,
        reason: Reason::Ended,
        level: standing.level,
        alerts: 4,
        folded: 19,
        suppressed: vec![Suppressed {
            rule: sample.rule.name.clone(),
            count: 7,
            since_ns: 95_000_000_000,
        }],
        rules: vec![RuleTotal {
            rule: sample.rule.name.clone(),
            level: Level::High,
            alerts: 4,
            folded: 19,
        }],
        opened_ns: 90_000_000_000,
        last_ns: 96_000_000_000,
        closed_ns: 156_000_000_000,
        what: sample.alert().message,
    };
    Arc::new(Notice::closed(&closed, &host(), 8))
}

/// The worker of [`sample`] renames an upload.
pub(crate) fn file_sample() -> Sample {
    let mut sample = sample();
    let worker = sample.subject.lineage.ancestors[1].clone();
    sample.subject.lineage.ancestors.truncate(2);
    sample.subject.creator = sample.subject.lineage.ancestors.first().cloned();
    sample.subject.previous = None;
    sample.subject.parent = None;
    sample.subject.process = worker.id;
    sample.subject.program = worker.program.clone().unwrap();
    let path = "/var/www/html/uploads/x.PHP".into();
    sample.subject.act = Act::File(Arc::new(File {
        stamp: sample.subject.stamp,
        source: PathSource::Joined,
        other: Some("/tmp/phpAbCdEf".into()),
        inode: Some(Inode {
            size: 31,
            nlink: 1,
            mode: 0o100_600,
            owner: 33,
            ctime_ns: Some(1),
            ..Inode::default()
        }),
        class: 1,
        written: Some(Written {
            root: sample.subject.lineage.ancestors[0].id,
            age_ns: 2_500_000_000,
        }),
        uid: 33,
        euid: 33,
        mount_ns: 4_026_531_841,
        rung: Rung::Syscall,
        ..File::bare(worker.id, FileAction::Rename, path)
    }));
    sample
}

/// Id of the container of [`pod_sample`], and UID of its pod.
pub(crate) const CONTAINER: &str =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
pub(crate) const POD: &str = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";

/// [`sample`] in a pod; what is known of it stands in `placed`.
pub(crate) fn pod_sample() -> Sample {
    let mut sample = sample();
    let mut program = (*sample.subject.program).clone();
    program.cgroup.path = format!("/kubepods/burstable/pod{POD}/crio-{CONTAINER}").into();
    sample.subject.program = Arc::new(program);
    sample.placed = Some(placed());
    sample
}

pub(crate) fn placed() -> Placed {
    let text = str::to_owned;
    Placed {
        id: text(CONTAINER),
        runtime: Some(Runtime::CriO),
        image: Some(text("registry.example/shop/php:8.2")),
        name: Some(text("php")),
        pod: Some(PodFacts {
            uid: text(POD),
            name: Some((text("shop"), text("web-5d9c7b8f6-x2x7q"))),
            labels: vec![(text("app"), text("shop"))],
        }),
    }
}

/// The shell below the worker of [`sample`] connects.
pub(crate) fn socket_sample() -> Sample {
    let mut sample = sample();
    let local = "10.0.0.2:0".parse().unwrap();
    sample.subject.act = Act::Socket(Arc::new(Socket {
        stamp: sample.subject.stamp,
        remote: Some("203.0.113.7:4444".parse().unwrap()),
        fd: Some(3),
        uid: 33,
        attempt: true,
        rung: Rung::Lsm,
        ..Socket::bare(sample.subject.process, SocketAction::Connect, local)
    }));
    sample
}

fn rule() -> RuleInfo {
    RuleInfo {
        name: "web_server_discovery".to_owned(),
        uuid: "6f1c2a34-0000-4000-8000-000000000001".to_owned(),
        title: "Web server ran a discovery command".to_owned(),
        level: Level::High,
        techniques: vec!["T1505.003".to_owned(), "T1033".to_owned()],
        description: "A worker of a web server ran a command intruders look around with."
            .to_owned(),
        triage: "Look at the access log of this second.\nThen at the directory it ran in."
            .to_owned(),
        falsepositives: vec!["Status pages".to_owned()],
    }
}

fn fields() -> Vec<(String, String)> {
    vec![("Image".to_owned(), "/usr/bin/id".to_owned())]
}

fn host() -> Host {
    Host {
        name: "web1".to_owned(),
        boot_id: "0b5c0f7e-1d6c-4a44-9d5b-1f5f3c8f5a11".to_owned(),
        // 2026-02-03T04:05:06.789012345Z at boot.
        realtime_minus_boottime_ns: 1_770_091_506_789_012_345,
        users: HashMap::from([(0, "root".to_owned()), (33, "www-data".to_owned())]),
    }
}
