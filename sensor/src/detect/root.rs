//! Web roots that no name tells: the directories from which services here have read the
//! scripts they run.
//!
//! Learnt from records alone, in event time, for each mount namespace; bounded, and what
//! was not used for longest goes first. A service's roots that share a directory below the
//! usual tops become that directory. What a service has written itself teaches nothing,
//! nor do directories of packages, caches and temporary files: an intruder cannot move a
//! root by running what he brought, and a framework cannot by running what it compiled.

use std::collections::BTreeMap;

use bstr::{BStr, BString, ByteSlice};
use sensor_common::record::fault;

use super::{
    filetype::{self, kind},
    place::{self, bit},
    program::basename,
};
use crate::{
    event::{File, FileAction, PathSource, ProcessId},
    lineage::{Part, Role, ServiceKind, Subject},
};

/// Mount namespaces kept.
const NAMESPACES: usize = 256;

/// Roots kept of each.
const ROOTS: usize = 64;

/// Longest directory kept, bytes.
const LONGEST: usize = 512;

/// Directories in which many things lie that have nothing in common.
const TOPS: &[&str] = &["/var/lib", "/var/opt", "/var/www", "/srv/www", "/usr/local"];

/// Components below which frameworks keep what they compile or unpack. Beside learnt
/// roots only, of which nothing else is known.
const CACHES: &[&str] = &[
    "cache",
    "caches",
    ".cache",
    "tmp",
    "temp",
    "templates_c",
    "compiled",
    "compile",
    "generated",
    PYTHON,
];

/// Where Python keeps what it compiles: no server runs a file from there.
const PYTHON: &str = "__pycache__";

#[derive(Clone, Copy, Debug)]
struct Root {
    service: ProcessId,
    /// When it was last read from, ns.
    used_ns: u64,
}

#[derive(Debug, Default)]
struct Namespace {
    roots: BTreeMap<BString, Root>,
    used_ns: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Roots {
    namespaces: BTreeMap<u32, Namespace>,
}

impl Roots {
    /// Learns from a read of a script by a service.
    pub(super) fn note(&mut self, subject: &Subject, file: &File) {
        let Some(service) = subject.service.as_ref().filter(|_| teaches(subject, file)) else {
            return;
        };
        let (id, now) = (service.id, subject.stamp.time_ns);
        let directory = directory(&file.path);
        let namespace = self.namespaces.entry(file.mount_ns).or_default();
        namespace.used_ns = namespace.used_ns.max(now);
        namespace.learn(directory, id, now);
        if self.namespaces.len() > NAMESPACES {
            let idlest = self.namespaces.iter();
            let idlest = idlest.min_by_key(|(id, it)| (it.used_ns, **id));
            if let Some(idlest) = idlest.map(|(id, _)| *id) {
                self.namespaces.remove(&idlest);
            }
        }
    }

    /// Places of `path` that are known from what was read, beyond those of its text.
    pub(super) fn places(&self, mount_ns: u32, path: &[u8]) -> u32 {
        let Some(namespace) = self.namespaces.get(&mount_ns) else {
            return 0;
        };
        let path = place::folded(path);
        let directory = directory(&path);
        let Some(root) = namespace.above(directory) else {
            return 0;
        };
        let below = directory.get(root..).unwrap_or_default();
        if directory.ends_with(PYTHON.as_bytes()) {
            return 0;
        }
        if below.split_str("/").any(is_cache) {
            bit::WEB_ROOT | bit::CACHE
        } else {
            bit::WEB_ROOT
        }
    }
}

impl Namespace {
    /// Length of the root that is `directory` or lies above it.
    fn above(&self, directory: &[u8]) -> Option<usize> {
        let mut end = directory.len();
        loop {
            let above = directory.get(..end)?;
            if self.roots.contains_key(BStr::new(above)) {
                return Some(end);
            }
            end = above.rfind_byte(b'/').filter(|&end| end > 0)?;
        }
    }

    fn learn(&mut self, directory: &[u8], service: ProcessId, now: u64) {
        if let Some(known) = self.above(directory) {
            let known = directory.get(..known).unwrap_or_default();
            if let Some(root) = self.roots.get_mut(BStr::new(known)) {
                root.used_ns = root.used_ns.max(now);
            }
            return;
        }
        let mut root = directory;
        for (other, learnt) in &self.roots {
            if learnt.service == service
                && let Some(both) = common(root, other)
            {
                root = directory.get(..both).unwrap_or(root);
            }
        }
        let root = BString::from(root);
        self.roots.retain(|other, _| !is_within(other, &root));
        let used_ns = now;
        self.roots.insert(root, Root { service, used_ns });
        if self.roots.len() > ROOTS {
            let idlest = self.roots.iter().min_by_key(|(_, root)| root.used_ns);
            if let Some(idlest) = idlest.map(|(root, _)| root.clone()) {
                self.roots.remove(&idlest);
            }
        }
    }
}

/// The read is of a script that the service itself runs, and did not bring.
fn teaches(subject: &Subject, file: &File) -> bool {
    let Some(service) = &subject.service else {
        return false;
    };
    let wanted = match service.kind {
        ServiceKind::Node => kind::SCRIPT | kind::JAVASCRIPT,
        _ => kind::SCRIPT,
    };
    let runs = match service.role {
        Role::Cgi => true,
        Role::App => {
            let own = subject.lineage.ancestors.last();
            own.is_some_and(|own| own.part != Part::Descendant)
        }
        Role::Edge | Role::Db | Role::Ci => false,
    };
    let whole = !file.faults.has(fault::EXE_CUT | fault::TYPED | fault::PATH);
    let directory = directory(&file.path);
    runs && file.action == FileAction::Read
        && file.written.is_none()
        && file.source != PathSource::Joined
        && whole
        && filetype::kinds(basename(&file.path)) & wanted != 0
        && (1..=LONGEST).contains(&directory.len())
        && is_possible(directory)
}

/// Scripts of an application may lie here.
fn is_possible(directory: &[u8]) -> bool {
    const OTHER: u32 = bit::TEMPORARY | bit::CACHE | bit::WORK;
    let inside = [directory, b"/"].concat();
    let places = place::places(&inside);
    // Of the directories for packages, /opt holds whole applications.
    let packaged = places & bit::SYSTEM != 0 && !inside.starts_with(b"/opt/");
    places & OTHER == 0
        && !packaged
        && !inside.starts_with(b"/etc/")
        && depth(directory) > 1
        && !directory.split_str("/").any(is_cache)
}

fn is_cache(component: &[u8]) -> bool {
    let known = |it: &&str| component.eq_ignore_ascii_case(it.as_bytes());
    CACHES.iter().any(known)
}

/// Without its last component.
fn directory(path: &[u8]) -> &[u8] {
    let end = path.rfind_byte(b'/').unwrap_or(0);
    path.get(..end).unwrap_or_default()
}

fn depth(directory: &[u8]) -> usize {
    directory.split_str("/").count().saturating_sub(1)
}

fn is_within(path: &[u8], directory: &[u8]) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// Length of the directory that holds both, when it is one application's.
fn common(one: &[u8], other: &[u8]) -> Option<usize> {
    let mut ends = one.iter().enumerate();
    let ends = ends
        .by_ref()
        .filter(|(_, byte)| **byte == b'/')
        .map(|(at, _)| at)
        .chain([one.len()]);
    let shared = ends
        .filter(|&end| is_within(other, one.get(..end).unwrap_or_default()))
        .max()?;
    let both = one.get(..shared)?;
    let top = |it: &&str| it.as_bytes() == both;
    (depth(both) > 1 && !TOPS.iter().any(top)).then_some(shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ProcessId = ProcessId::new(1, 1);
    const TWO: ProcessId = ProcessId::new(2, 2);

    fn learnt(reads: &[(&str, ProcessId)]) -> Namespace {
        let mut namespace = Namespace::default();
        for (now, (directory, service)) in (0..).zip(reads) {
            namespace.learn(directory.as_bytes(), *service, now);
        }
        namespace
    }

    fn roots(reads: &[(&str, ProcessId)]) -> Vec<String> {
        let namespace = learnt(reads);
        namespace.roots.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn roots_of_one_application_become_its_directory() {
        for (reads, expected) in [
            (&[("/data/shop", ONE)][..], &["/data/shop"][..]),
            (
                &[("/data/shop/a/b", ONE), ("/data/shop", ONE)],
                &["/data/shop"],
            ),
            (
                &[("/data/shop/public", ONE), ("/data/shop/src/x", ONE)],
                &["/data/shop"],
            ),
            (
                &[("/data/shop/public", ONE), ("/data/shop/src", TWO)],
                &["/data/shop/public", "/data/shop/src"],
            ),
            (&[("/srv/a", ONE), ("/srv/b", ONE)], &["/srv/a", "/srv/b"]),
            (
                &[("/var/lib/a/x", ONE), ("/var/lib/b", ONE)],
                &["/var/lib/a/x", "/var/lib/b"],
            ),
            (
                &[("/data/shop", ONE), ("/data/shopping/x", ONE)],
                &["/data/shop", "/data/shopping/x"],
            ),
            (
                &[
                    ("/d/s/a", ONE),
                    ("/d/t", TWO),
                    ("/d/s/b", ONE),
                    ("/d/s/c", TWO),
                ],
                &["/d/s", "/d/t"],
            ),
        ] {
            assert_eq!(roots(reads), expected, "{reads:?}");
        }
    }

    #[test]
    fn what_lies_below_a_root_is_in_it() {
        let mut known = Roots::default();
        known.namespaces.insert(4, learnt(&[("/data/shop", ONE)]));
        for (path, expected) in [
            ("/data/shop/x.php", bit::WEB_ROOT),
            ("/data/shop/a/b/x.php", bit::WEB_ROOT),
            ("/data/shop/a/../x.php", bit::WEB_ROOT),
            ("/data/shop/var/Cache/x.php", bit::WEB_ROOT | bit::CACHE),
            ("/data/shop/__pycache__/x.pyc", 0),
            ("/data/shopping/x.php", 0),
            ("/data/x.php", 0),
            ("/data/shop", 0),
            ("x.php", 0),
            ("", 0),
        ] {
            assert_eq!(known.places(4, path.as_bytes()), expected, "{path}");
        }
        assert_eq!(known.places(5, b"/data/shop/x.php"), 0);
    }

    #[test]
    fn only_directories_of_applications_are_possible() {
        for directory in [
            "/data/shop",
            "/opt/shop/public",
            "/srv/www/x",
            "/home/u/site",
        ] {
            assert!(is_possible(directory.as_bytes()), "{directory}");
        }
        for directory in [
            "",
            "/data",
            "/usr/share/php",
            "/etc/phpmyadmin",
            "/tmp/x",
            "/var/lib/php/sessions",
            "/data/shop/var/cache/prod",
            "/data/shop/storage/framework/views",
            "/data/app/__pycache__",
        ] {
            assert!(!is_possible(directory.as_bytes()), "{directory}");
        }
    }

    #[test]
    fn roots_are_bounded_and_the_idlest_goes() {
        let mut namespace = Namespace::default();
        for index in 0..ROOTS + 10 {
            let directory = format!("/d{index}/a");
            namespace.learn(directory.as_bytes(), ONE, index as u64);
            namespace.learn(b"/d0/a", ONE, index as u64);
        }
        assert_eq!(namespace.roots.len(), ROOTS);
        assert!(namespace.above(b"/d0/a").is_some() && namespace.above(b"/d1/a").is_none());
    }
}
