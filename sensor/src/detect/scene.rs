//! From an example to the subject it describes: a service, a lineage, one act.
//!
//! Ids are made up from positions, so that the same example is always the same subject.

use std::sync::Arc;

use bstr::BString;
use sensor_common::record::fault;

use super::example::{Example, File, Link, Profile, known};
use crate::{
    event::{
        Args, Credentials, ExitStatus, Faults, Fd, FileId, Image, Namespaces, ProcessId, Program,
        Stamp,
    },
    lineage::{Act, Ancestor, Lineage, Part, Provenance, Role, Service, ServiceKind, Subject},
    service,
};

mod act;

const NS: u64 = 1_000_000_000;

/// When examples happen, seconds after boot: late enough for what happened before.
const NOW_S: u64 = 1_000_000;

impl Example {
    /// The subject this describes.
    pub(super) fn subject(&self) -> Result<Subject, String> {
        let service = self.service()?;
        let kind = service.as_ref().map(|service| service.kind);
        let root = root(kind);
        let (mut ancestors, origin) = (self.ancestors(root, kind), self.origin(service.as_ref())?);
        let now = (NOW_S - self.ago.min(NOW_S)) * NS;
        let act = act::act(self, now)?;
        if act != Act::Exec && self.image.is_empty() {
            let own = ancestors.pop().ok_or("a lineage with a process")?;
            let subject = self.acting(act, own, ancestors, service, origin);
            return Ok(at(now, subject));
        }
        let program = Arc::new(self.program()?);
        let own_image = self.own_image.unwrap_or(self.image == root);
        let mut chain: Vec<_> = self.before.iter().map(|image| link(image, &[])).collect();
        let last = chain.last().cloned();
        chain.push(program.clone());
        let alive = self.alive.max(1) * (NS / 1_000);
        let process = ProcessId {
            start_ns: now - alive.min(now),
            ..process(ancestors.len())
        };
        let part = [Part::Descendant, Part::Master][usize::from(own_image)];
        let own = ancestor(process, program, chain, part);
        let exec = act == Act::Exec;
        let mut subject = self.acting(act, own, ancestors, service, origin);
        if exec {
            self.exec(&mut subject, last, own_image);
            let profile = self.profile.as_ref();
            subject.profile = profile.map(Profile::standing).transpose()?.map(Arc::new);
        }
        Ok(at(now, subject))
    }

    /// What is the same for every act of the process `own`.
    fn acting(
        &self,
        act: Act,
        mut own: Ancestor,
        mut ancestors: Vec<Ancestor>,
        service: Option<Service>,
        origin: Part,
    ) -> Subject {
        own.uid = self.uid;
        let left = ancestors.iter().filter(|a| a.part == Part::Descendant);
        let spawn_root = left.clone().next().map_or(own.id, |ancestor| ancestor.id);
        let depth = u32::try_from(left.count()).unwrap_or(u32::MAX);
        if let Some(creator) = ancestors.last_mut().filter(|_| self.orphan) {
            creator.exit = Some((1, ExitStatus::Code(0)));
        }
        let creator = ancestors.last().cloned();
        let (process, program) = (own.id, own.program.clone().unwrap_or_default());
        ancestors.push(own);
        Subject {
            stamp: Stamp::default(),
            process,
            parent: None,
            program,
            act,
            script_written: act::written(self.script_written, self.file.age),
            service: service.map(Arc::new),
            lineage: Lineage {
                ancestors,
                elided: 0,
            },
            creator,
            previous: None,
            origin,
            depth,
            own_image: false,
            spawn_root,
            lost_events: 0,
            profile: None,
        }
    }

    fn exec(&self, subject: &mut Subject, last: Option<Arc<Program>>, own_image: bool) {
        let creator = subject.creator.as_ref();
        subject.previous = last.or_else(|| creator?.program.clone());
        subject.own_image = own_image;
        let steps = self.before.len() + usize::from(!own_image);
        subject.depth += u32::try_from(steps).unwrap_or(u32::MAX);
        subject.parent = Some(match creator {
            Some(creator) if !self.orphan => creator.id,
            Some(_) => ProcessId::new(1, 0),
            None => subject.process,
        });
    }

    fn service(&self) -> Result<Option<Service>, String> {
        let word = self.service.as_deref().unwrap_or("php-fpm");
        if word == "none" {
            return Ok(None);
        }
        let kind = *ServiceKind::ALL
            .iter()
            .find(|kind| kind.name() == word)
            .ok_or_else(|| format!("service `{word}`"))?;
        let role = match self.role.as_deref() {
            None => service::role(kind),
            Some(word) => {
                named(&Role::ALL, Role::name, word).ok_or_else(|| format!("role `{word}`"))?
            }
        };
        Ok(Some(Service {
            id: process(0),
            kind,
            role,
            name: None,
            unit: self.unit.clone(),
        }))
    }

    fn origin(&self, service: Option<&Service>) -> Result<Part, String> {
        let usual = match service {
            Some(service) if !service::has_workers(service.kind) => "both",
            Some(_) => "worker",
            None => "descendant",
        };
        let word = self.origin.as_deref().unwrap_or(usual);
        let parts = [Part::Master, Part::Worker, Part::Both, Part::Descendant];
        named(&parts, Part::name, word).ok_or_else(|| format!("origin `{word}`"))
    }

    fn ancestors(&self, root: &str, kind: Option<ServiceKind>) -> Vec<Ancestor> {
        let usual = [Link::Image(root.to_owned()), Link::Image(root.to_owned())];
        let single = kind.is_some_and(|kind| !service::has_workers(kind));
        let master = self.origin.as_deref() == Some("master") || single;
        let usual = usual.get(usize::from(master)..).unwrap_or_default();
        let links = if self.lineage.is_empty() {
            usual
        } else {
            &self.lineage
        };
        let mut ancestors: Vec<Ancestor> = Vec::new();
        for each in links {
            let (image, argv, before, forked, uid) = match each {
                Link::Image(image) => (image, &[][..], &[][..], false, 0),
                Link::Full {
                    image,
                    argv,
                    before,
                    forked,
                    uid,
                } => (image, argv.as_slice(), before.as_slice(), *forked, *uid),
            };
            let program = link(image, argv);
            let mut chain: Vec<_> = before.iter().map(|image| link(image, &[])).collect();
            let part = match (image == root, ancestors.is_empty()) {
                (true, true) if single => Part::Both,
                (true, true) => Part::Master,
                (true, false) => Part::Worker,
                (false, _) => Part::Descendant,
            };
            if part != Part::Worker && !forked {
                chain.push(program.clone());
            }
            let id = process(ancestors.len());
            ancestors.push(Ancestor {
                uid,
                ..ancestor(id, program, chain, part)
            });
        }
        ancestors
    }

    fn program(&self) -> Result<Program, String> {
        let argv = if self.argv.is_empty() {
            std::slice::from_ref(&self.image)
        } else {
            &self.argv
        };
        let filename = self.script.as_ref().unwrap_or(&self.image);
        let mut stdio = [Fd::Null, Fd::Pipe, Fd::Pipe];
        for (slot, word) in stdio.iter_mut().zip(&self.stdio) {
            *slot = named(FDS, Fd::name, word).ok_or_else(|| format!("stdio `{word}`"))?;
        }
        Ok(Program {
            image: self.file.image(&self.image)?,
            filename: filename.as_str().into(),
            interp: self.image.as_str().into(),
            args: Args {
                truncated: self.truncated,
                ..args(argv)
            },
            cwd: self.cwd.as_deref().unwrap_or("/").into(),
            cred: Credentials {
                uid: self.uid,
                euid: self.euid.unwrap_or(self.uid),
                ..Credentials::default()
            },
            env: self
                .env
                .iter()
                .map(|(k, v)| (k.as_str().into(), v.as_str().into()))
                .collect(),
            stdio,
            written: act::written(self.file.written, self.file.age),
            ns: Namespaces {
                mount: act::MOUNT_NS,
                ..Namespaces::default()
            },
            faults: self.faults(),
            ..Program::default()
        })
    }
}

impl Example {
    fn faults(&self) -> Faults {
        let exe = if self.file.cut { fault::EXE_CUT } else { 0 };
        let cwd = if self.cwd_cut { fault::CWD_CUT } else { 0 };
        Faults(exe | cwd)
    }
}

impl File {
    fn image(&self, path: &str) -> Result<Image, String> {
        let gone = self.unlinked || self.memfd;
        let mut image = Image {
            path: path.into(),
            file: FileId { dev: 2, ino: 1_000 },
            size: self.size.unwrap_or(40_960),
            nlink: self.links.unwrap_or(u32::from(!gone)),
            mode: self.mode.unwrap_or(0o755) | 0o100_000,
            owner: self.owner,
            upper: self.upper,
            unlinked: gone,
            ..Image::default()
        };
        if let Some(path) = self.same_file.as_ref().or(self.same_content.as_ref()) {
            image.size = known(path)?.size;
        }
        if let Some(path) = &self.same_file {
            image.file = known(path)?.file;
        }
        Ok(image)
    }
}

/// The subject at a time.
fn at(time_ns: u64, subject: Subject) -> Subject {
    let stamp = Stamp {
        time_ns,
        ..Stamp::default()
    };
    Subject { stamp, ..subject }
}

const FDS: &[Fd] = &[
    Fd::Unknown,
    Fd::Closed,
    Fd::Pipe,
    Fd::Socket,
    Fd::Tty,
    Fd::Null,
    Fd::File,
    Fd::Directory,
    Fd::Device,
    Fd::Anonymous,
];

fn named<T: Copy>(all: &[T], name: fn(T) -> &'static str, word: &str) -> Option<T> {
    all.iter().copied().find(|&one| name(one) == word)
}

/// Executable of a service's root.
const fn root(kind: Option<ServiceKind>) -> &'static str {
    match kind {
        Some(ServiceKind::Nginx) => "/usr/sbin/nginx",
        Some(ServiceKind::Apache) => "/usr/sbin/apache2",
        Some(ServiceKind::Lighttpd) => "/usr/sbin/lighttpd",
        Some(ServiceKind::Haproxy) => "/usr/sbin/haproxy",
        Some(ServiceKind::PhpFpm) => "/usr/sbin/php-fpm8.2",
        Some(ServiceKind::PhpCgi) => "/usr/bin/php-cgi8.2",
        Some(ServiceKind::Php) => "/usr/bin/php8.2",
        Some(ServiceKind::Fcgiwrap) => "/usr/sbin/fcgiwrap",
        Some(ServiceKind::Java) => "/usr/lib/jvm/java-17-openjdk-amd64/bin/java",
        Some(ServiceKind::Uwsgi) => "/usr/bin/uwsgi-core",
        Some(
            ServiceKind::Gunicorn
            | ServiceKind::Uvicorn
            | ServiceKind::Hypercorn
            | ServiceKind::Daphne
            | ServiceKind::Waitress
            | ServiceKind::Python,
        ) => "/usr/bin/python3.11",
        Some(ServiceKind::Node) => "/usr/bin/node",
        Some(ServiceKind::Puma | ServiceKind::Unicorn | ServiceKind::Ruby) => "/usr/bin/ruby3.1",
        Some(ServiceKind::Perl) => "/usr/bin/perl",
        Some(ServiceKind::Postgres) => "/usr/lib/postgresql/15/bin/postgres",
        Some(ServiceKind::Mysql) => "/usr/sbin/mariadbd",
        Some(ServiceKind::Redis) => "/usr/bin/redis-server",
        Some(ServiceKind::Mongodb) => "/usr/bin/mongod",
        Some(ServiceKind::Gitea) => "/usr/local/bin/gitea",
        Some(_) => "/usr/sbin/server",
        None => "/usr/lib/systemd/systemd",
    }
}

/// The `index`th process of a lineage.
fn process(index: usize) -> ProcessId {
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    ProcessId::new(1_000 + index, u64::from(index) * 1_000_000)
}

fn args(argv: &[String]) -> Args {
    let head: Vec<BString> = argv.iter().map(|arg| arg.as_str().into()).collect();
    let total = head.iter().map(|arg| arg.len() as u64 + 1).sum();
    Args {
        head,
        argc: u32::try_from(argv.len()).unwrap_or(u32::MAX),
        total,
        ..Args::default()
    }
}

fn link(image: &str, argv: &[String]) -> Arc<Program> {
    let own = [image.to_owned()];
    let image = Image {
        path: image.into(),
        nlink: 1,
        mode: 0o100_755,
        ..Image::default()
    };
    let argv = if argv.is_empty() { &own } else { argv };
    Arc::new(Program {
        image,
        args: args(argv),
        ns: Namespaces {
            mount: act::MOUNT_NS,
            ..Namespaces::default()
        },
        ..Program::default()
    })
}

fn ancestor(
    id: ProcessId,
    program: Arc<Program>,
    chain: Vec<Arc<Program>>,
    part: Part,
) -> Ancestor {
    let uid = program.cred.uid;
    let program = Some(program);
    Ancestor {
        id,
        provenance: Provenance::Observed,
        program,
        chain,
        chain_elided: 0,
        part,
        uid,
        exit: None,
    }
}
