//! Which programs are servers, of which kind, and what that kind may do.
//!
//! The kernel recognises a server by the stem of its executable's file name; this
//! module holds the list of those stems and looks closer where a name is not enough:
//! interpreters are servers when their command line names one, else candidates until they
//! listen. It decides on a program alone and must never look at a process, a file or the
//! clock.

mod apache;
pub mod container;
mod declared;
mod java;
pub mod kube_name;
mod script;
mod server;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use sensor_common::limit::{NAME, NAME_ENTRIES};
use sensor_common::map;
use sensor_common::name::{NameKey, stem};

pub use self::apache::{Apache, Child, Modules, SCRIPTING};
pub use self::container::id as container_id;
pub use self::declared::Declaration;
pub use self::script::programs;
pub use self::server::{Evidence, SERVERS, Server, server};
use crate::event::{Image, Program};
use crate::lineage::{Part, Role, ServiceKind};

/// What `/proc/<pid>/exe` appends to the path of a file that was unlinked, for a
/// scanned program whose binary has been upgraded since.
const DELETED: &[u8] = b" (deleted)";

/// Every stem that is a server at once, with its kind.
fn stems() -> impl Iterator<Item = (&'static str, ServiceKind)> {
    let names = |server: &'static Server| server.names.iter().map(|name| (*name, server.kind));
    SERVERS.iter().flat_map(names)
}

/// Every stem of an interpreter, with the kind of what it runs.
fn interpreters() -> impl Iterator<Item = (&'static str, ServiceKind)> {
    let names = |server: &'static Server| server.candidates.iter().map(|name| (*name, server.kind));
    SERVERS.iter().flat_map(names)
}

/// Keys and values for the kernel's name map: those of interpreters carry
/// [`map::service::CANDIDATE`].
pub fn names() -> impl Iterator<Item = (NameKey, u32)> {
    let servers = stems().map(|(name, _)| (name, 0));
    let interpreters = interpreters().map(|(name, _)| (name, map::service::CANDIDATE));
    let all = servers.chain(interpreters).zip(0..);
    all.map(|((name, bit), index)| (key(name), index | bit))
}

/// Index that the kernel's name map has for the file name of `image`.
#[must_use]
pub fn name_index(image: &Image) -> Option<u32> {
    let wanted = wanted(image)?;
    names()
        .find(|(key, _)| *key == wanted)
        .map(|(_, value)| value & !map::service::CANDIDATE)
}

/// Kind of server the file name of `image` stands for, by the same rule as the kernel's.
#[must_use]
pub fn kind_of(image: &Image) -> Option<ServiceKind> {
    let wanted = wanted(image)?;
    stems()
        .find(|(name, _)| key(name) == wanted)
        .map(|(_, kind)| kind)
}

/// Kind of what `image` runs, when it is an interpreter by name.
#[must_use]
pub fn interpreter(image: &Image) -> Option<ServiceKind> {
    let wanted = wanted(image)?;
    interpreters()
        .find(|(name, _)| key(name) == wanted)
        .map(|(_, kind)| kind)
}

/// Key of the file name of `image`.
fn wanted(image: &Image) -> Option<NameKey> {
    let name: &[u8] = image.name().as_ref();
    let name = if image.unlinked {
        name.strip_suffix(DELETED).unwrap_or(name)
    } else {
        name
    };
    stem(name)
}

/// `name` NUL padded; a name that were too long would be cut, which the tests exclude.
fn key(name: &str) -> NameKey {
    let mut key = [0; NAME];
    for (to, from) in key.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    key
}

/// What a service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Kind of program.
    pub kind: ServiceKind,
    /// Role, as long as nothing better is known of the service.
    pub role: Role,
    /// Its name, for a service that the configuration declares.
    pub name: Option<Arc<str>>,
}

impl From<ServiceKind> for Identity {
    fn from(kind: ServiceKind) -> Self {
        Self {
            kind,
            role: role(kind),
            name: None,
        }
    }
}

/// What a closer look at a program says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A server.
    Server(Identity),
    /// None that is known; should it listen, it is one.
    Candidate(Identity),
    /// Neither.
    NotServer,
}

/// The list of servers, with what the configuration adds.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    extra_java: Vec<String>,
    declared: Vec<Declaration>,
}

impl Catalogue {
    /// `extra_java`: main classes or jar file names that are servers here, exact or
    /// with a trailing `*`.
    #[must_use]
    pub fn new(extra_java: &[String]) -> Self {
        Self {
            extra_java: extra_java.to_vec(),
            declared: Vec::new(),
        }
    }

    /// With services the configuration declares; the first that matches counts.
    #[must_use]
    pub fn declare(mut self, declared: Vec<Declaration>) -> Self {
        self.declared = declared;
        self
    }

    /// Keys and values for the kernel's name map, declared services included.
    #[must_use]
    pub fn names(&self) -> Vec<(NameKey, u32)> {
        let mut all: Vec<_> = names().collect();
        for key in self.declared.iter().filter_map(Declaration::stem) {
            // The last place is for the name of the sensor itself.
            if all.len() + 1 < NAME_ENTRIES as usize && !all.iter().any(|(known, _)| *known == key)
            {
                let index = u32::try_from(all.len()).unwrap_or_default();
                all.push((key, index));
            }
        }
        all
    }

    /// The declared service that a program is, in a container of `image` where known.
    #[must_use]
    pub fn declared(&self, program: &Program, image: Option<&str>) -> Option<Identity> {
        let mut declared = self.declared.iter();
        let found = declared.find(|declared| declared.matches(program, image))?;
        Some(found.identity())
    }

    /// Some declared service shows by nothing the kernel recognises: whoever listens, and
    /// at start-up every process, is to be looked at.
    #[must_use]
    pub fn looks_closer(&self) -> bool {
        let mut declared = self.declared.iter();
        declared.any(|declared| declared.stem().is_none() || declared.image.is_some())
    }

    /// Looks at a program whose name the kernel has recognised, or that of an interpreter.
    #[must_use]
    pub fn decide(&self, program: &Program) -> Verdict {
        if let Some(identity) = self.declared(program, None) {
            return Verdict::Server(identity);
        }
        match kind_of(&program.image) {
            Some(ServiceKind::Java) => self.decide_java(program),
            Some(kind) => Verdict::Server(kind.into()),
            None => match interpreter(&program.image) {
                Some(kind) => decide_script(kind, program),
                // The path could not be read, and the kernel says it is a server.
                None if program.image.path.is_empty() => {
                    Verdict::Server(ServiceKind::Unknown.into())
                }
                None => Verdict::NotServer,
            },
        }
    }

    /// What a program is that is known to serve.
    #[must_use]
    pub fn serving(&self, program: &Program) -> Identity {
        match self.decide(program) {
            Verdict::Server(identity) | Verdict::Candidate(identity) => identity,
            Verdict::NotServer => ServiceKind::Unknown.into(),
        }
    }

    fn decide_java(&self, program: &Program) -> Verdict {
        let kind = ServiceKind::Java;
        match java::server(&program.args, program.faults, &self.extra_java) {
            Some(role) => Verdict::Server(Identity {
                role,
                ..kind.into()
            }),
            None => Verdict::Candidate(kind.into()),
        }
    }
}

fn decide_script(kind: ServiceKind, program: &Program) -> Verdict {
    let language = script::Language::of(kind);
    let named = script::server(language, &program.args);
    let named = named.or_else(|| script::titled(language, program));
    let mut identity = Identity::from(named.unwrap_or(kind));
    // GitLab ships its own Ruby; its services run git and builds.
    let protected = program.image.owner == 0 && !program.image.unlinked;
    if protected && program.image.path.starts_with(b"/opt/gitlab/") {
        identity.role = Role::Ci;
    }
    match named {
        Some(_) => Verdict::Server(identity),
        None => Verdict::Candidate(identity),
    }
}

/// An interpreter is the same program only when it runs the same script; anything else
/// is decided by its file.
#[must_use]
pub fn runs_the_same(old: &Program, new: &Program) -> bool {
    match interpreter(&old.image) {
        Some(kind) => script::same(script::Language::of(kind), old, new),
        None => true,
    }
}

/// An interpreter was exec'ed to be a worker of the process that forked it, by the
/// library that does so.
#[must_use]
pub fn is_spawned_worker(program: &Program) -> bool {
    interpreter(&program.image) == Some(ServiceKind::Python) && script::is_spawned(&program.args)
}

/// Role a service of this kind has until something better is known.
#[must_use]
pub fn role(kind: ServiceKind) -> Role {
    server(kind).role
}

/// `true` when the recognised process forks workers that serve the requests.
#[must_use]
pub fn has_workers(kind: ServiceKind) -> bool {
    server(kind).lead == Part::Master
}

/// systemd unit a cgroup path belongs to: its last `*.service` component, else empty.
#[must_use]
pub fn unit(cgroup: &[u8]) -> String {
    cgroup
        .rsplit(|&byte| byte == b'/')
        .find(|component| component.len() > 8 && component.ends_with(b".service"))
        .map(|component| String::from_utf8_lossy(component).into_owned())
        .unwrap_or_default()
}
