//! From an example to the subject it describes: a service, a lineage, one exec.
//!
//! Ids are made up from positions, so that the same example is always the same subject.

use std::sync::Arc;

use bstr::BString;
use sensor_common::record::fault;

use super::example::{Example, File, Link, known};
use crate::{
    event::{Args, Credentials, Faults, Fd, FileId, Image, ProcessId, Program, Stamp},
    lineage::{Act, Ancestor, Lineage, Part, Provenance, Role, Service, ServiceKind, Subject},
};

impl Example {
    /// The subject this describes.
    pub(super) fn subject(&self) -> Result<Subject, String> {
        let service = self.service()?;
        let program = Arc::new(self.program()?);
        let root = root(service.as_ref().map(|service| service.kind));
        let (mut ancestors, origin) = (self.ancestors(root), self.origin(service.as_ref())?);
        let creator = ancestors.last().cloned();
        let own_image = self.own_image.unwrap_or(self.image == root);
        let mut chain: Vec<_> = self.before.iter().map(|image| link(image, &[])).collect();
        let previous = chain
            .last()
            .cloned()
            .or_else(|| creator.as_ref()?.program.clone());
        chain.push(program.clone());
        let process = process(ancestors.len());
        let left = ancestors.iter().filter(|a| a.part == Part::Descendant);
        let depth = left.clone().count() + self.before.len() + usize::from(!own_image);
        let spawn_root = left.clone().next().map_or(process, |ancestor| ancestor.id);
        let parent = creator.as_ref().map_or(process, |creator| creator.id);
        let part = [Part::Descendant, Part::Master][usize::from(own_image)];
        ancestors.push(ancestor(process, program.clone(), chain, part));
        Ok(Subject {
            stamp: Stamp::default(),
            process,
            parent: Some(parent),
            program,
            act: Act::Exec,
            script_written: None,
            service: service.map(Arc::new),
            lineage: Lineage {
                ancestors,
                elided: 0,
            },
            creator,
            previous,
            origin,
            depth: u32::try_from(depth).unwrap_or(u32::MAX),
            own_image,
            spawn_root,
            lost_events: 0,
        })
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
        let usual = if kind == ServiceKind::Nginx {
            Role::Edge
        } else {
            Role::App
        };
        let role = match self.role.as_deref() {
            None => usual,
            Some(word) => named(&[Role::Edge, Role::App], Role::name, word)
                .ok_or_else(|| format!("role `{word}`"))?,
        };
        Ok(Some(Service {
            id: process(0),
            kind,
            role,
            unit: self.unit.clone(),
        }))
    }

    fn origin(&self, service: Option<&Service>) -> Result<Part, String> {
        let usual = match service {
            Some(service) if service.kind == ServiceKind::Java => "both",
            Some(_) => "worker",
            None => "descendant",
        };
        let word = self.origin.as_deref().unwrap_or(usual);
        let parts = [Part::Master, Part::Worker, Part::Both, Part::Descendant];
        named(&parts, Part::name, word).ok_or_else(|| format!("origin `{word}`"))
    }

    fn ancestors(&self, root: &str) -> Vec<Ancestor> {
        let usual = [Link::Image(root.to_owned()), Link::Image(root.to_owned())];
        let java = root.ends_with("/java");
        let master = self.origin.as_deref() == Some("master") || java;
        let usual = usual.get(usize::from(master)..).unwrap_or_default();
        let links = if self.lineage.is_empty() {
            usual
        } else {
            &self.lineage
        };
        let mut ancestors: Vec<Ancestor> = Vec::new();
        for each in links {
            let (image, argv, before) = match each {
                Link::Image(image) => (image, &[][..], &[][..]),
                Link::Full {
                    image,
                    argv,
                    before,
                } => (image, argv.as_slice(), before.as_slice()),
            };
            let program = link(image, argv);
            let mut chain: Vec<_> = before.iter().map(|image| link(image, &[])).collect();
            let part = match (image == root, ancestors.is_empty()) {
                (true, true) => Part::Master,
                (true, false) => Part::Worker,
                (false, _) => Part::Descendant,
            };
            if part != Part::Worker {
                chain.push(program.clone());
            }
            ancestors.push(ancestor(process(ancestors.len()), program, chain, part));
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
                euid: self.uid,
                ..Credentials::default()
            },
            env: self
                .env
                .iter()
                .map(|(k, v)| (k.as_str().into(), v.as_str().into()))
                .collect(),
            stdio,
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
        Some(ServiceKind::PhpFpm) => "/usr/sbin/php-fpm8.2",
        Some(ServiceKind::Java) => "/usr/lib/jvm/java-17-openjdk-amd64/bin/java",
        Some(ServiceKind::Unknown) | None => "/usr/lib/systemd/systemd",
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
