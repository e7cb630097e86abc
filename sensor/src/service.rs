//! Which programs are servers, of which kind, and what that kind may do.
//!
//! The kernel recognises a server by the stem of its executable's file name; this
//! module holds the list of those stems and looks closer where a name is not enough: a
//! `java` is a server only when its command line names one. It decides on a program
//! alone and must never look at a process, a file or the clock.

mod java;
mod server;
#[cfg(test)]
mod tests;

use sensor_common::limit::NAME;
use sensor_common::name::{NameKey, stem};

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

/// Keys and values for the kernel's name map.
pub fn names() -> impl Iterator<Item = (NameKey, u32)> {
    stems()
        .zip(0..)
        .map(|((name, _), index)| (key(name), index))
}

/// Value the kernel's name map has for the file name of `image`.
#[must_use]
pub fn name_index(image: &Image) -> Option<u32> {
    let wanted = wanted(image)?;
    names()
        .find(|(key, _)| *key == wanted)
        .map(|(_, index)| index)
}

/// Kind of server the file name of `image` stands for, by the same rule as the kernel's.
#[must_use]
pub fn kind_of(image: &Image) -> Option<ServiceKind> {
    let wanted = wanted(image)?;
    stems()
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

/// What a closer look at a recognised program says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A server.
    Server(ServiceKind),
    /// It only has the name of one.
    NotServer,
}

/// The list of servers, with the main classes and jars the configuration adds.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    extra_java: Vec<String>,
}

impl Catalogue {
    /// `extra_java`: main classes or jar file names that are servers here, exact or
    /// with a trailing `*`.
    #[must_use]
    pub fn new(extra_java: &[String]) -> Self {
        Self {
            extra_java: extra_java.to_vec(),
        }
    }

    /// Looks at a program whose name the kernel has recognised.
    #[must_use]
    pub fn decide(&self, program: &Program) -> Verdict {
        match kind_of(&program.image) {
            Some(ServiceKind::Java)
                if !java::is_server(&program.args, program.faults, &self.extra_java) =>
            {
                Verdict::NotServer
            }
            Some(kind) => Verdict::Server(kind),
            // The path could not be read, and the kernel says it is a server.
            None if program.image.path.is_empty() => Verdict::Server(ServiceKind::Unknown),
            None => Verdict::NotServer,
        }
    }
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
