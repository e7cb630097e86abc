//! Scripts that services put where servers run them, and their use: read by a service,
//! compiled by a Java server.

use super::{Key, aged::Aged, key};
use crate::{
    detect::{
        filetype::{self, kind},
        place::{self, bit},
        program::basename,
        root::Roots,
    },
    event::{File, FileAction, ProcessId},
    lineage::{Part, Role, ServiceKind, Subject},
};

/// Scripts kept.
const BOUND: usize = 4_096;

/// Processes kept that have read one.
const READERS: usize = 4_096;

/// How long a script counts as dropped, ns.
const DAY_NS: u64 = 86_400_000_000_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Dropped {
    scripts: Aged<Key>,
    /// Pages of Java servers, by the hash of what their class will be called.
    pages: Aged<(ProcessId, u64)>,
    /// When a process of a service last read one.
    used: Aged<ProcessId>,
}

impl Default for Dropped {
    fn default() -> Self {
        Self {
            scripts: Aged::new(BOUND),
            pages: Aged::new(BOUND),
            used: Aged::new(READERS),
        }
    }
}

impl Dropped {
    /// Notes a change to a file.
    pub(super) fn note_change(&mut self, subject: &Subject, file: &File, roots: &Roots) {
        let named = match file.action {
            FileAction::Write => file.created,
            FileAction::Rename | FileAction::Exchange | FileAction::Link | FileAction::Symlink => {
                true
            }
            FileAction::Read | FileAction::Chmod => false,
        };
        let other = file.other.as_ref();
        let other = other.filter(|_| file.action == FileAction::Exchange);
        let now = subject.stamp.time_ns;
        for path in other.into_iter().chain([&file.path]).filter(|_| named) {
            if !is_dropped(subject, file.mount_ns, path, roots) {
                continue;
            }
            self.scripts.insert(key(file.mount_ns, path), (), now);
            if let Some(service) = &subject.service
                && filetype::kinds(basename(path)) & kind::PAGE != 0
            {
                let class = super::hash(class_of(basename(path)));
                self.pages.insert((service.id, class), (), now);
            }
        }
    }

    /// Notes a read by a service.
    pub(super) fn note_read(&mut self, subject: &Subject, file: &File) {
        let Some(service) = subject
            .service
            .as_ref()
            .filter(|_| !self.scripts.is_empty())
        else {
            return;
        };
        let own = subject.lineage.ancestors.last();
        let itself = own.is_some_and(|own| own.part != Part::Descendant);
        let now = subject.stamp.time_ns;
        let dropped = self.scripts.age(&key(file.mount_ns, &file.path), now);
        if (itself || service.role == Role::Cgi) && dropped.is_some_and(|age| age <= DAY_NS) {
            self.used.insert(subject.process, (), now);
        }
    }

    /// How long ago the process, or one above it, has read such a script, ns.
    #[inline]
    pub(super) fn used_age(&self, subject: &Subject) -> Option<u64> {
        if self.used.is_empty() {
            return None;
        }
        let now = subject.stamp.time_ns;
        let ancestors = subject.lineage.ancestors.iter();
        let ages = ancestors.filter_map(|it| self.used.age(&it.id, now));
        ages.min()
    }

    /// The class or source of this name is that of a page the service has dropped.
    pub(super) fn is_page(&self, service: ProcessId, name: &[u8], now: u64) -> bool {
        let end = name
            .iter()
            .position(|byte| matches!(byte, b'.' | b'$'))
            .unwrap_or(name.len());
        let class = super::hash(name.get(..end).unwrap_or_default());
        self.pages
            .age(&(service, class), now)
            .is_some_and(|age| age <= DAY_NS)
    }
}

/// A script where servers run scripts, and no framework compiles them to.
fn is_dropped(subject: &Subject, mount_ns: u32, path: &[u8], roots: &Roots) -> bool {
    let java_script = subject
        .service
        .as_ref()
        .is_some_and(|service| service.kind == ServiceKind::Node);
    let wanted = kind::SCRIPT | if java_script { kind::JAVASCRIPT } else { 0 };
    if filetype::kinds(basename(path)) & wanted == 0 {
        return false;
    }
    let places = place::places(path) | roots.places(mount_ns, path);
    places & (bit::WEB_ROOT | bit::UPLOAD | bit::DEPLOY) != 0
        && places & (bit::CACHE | bit::WORK) == 0
}

/// What Jasper calls the class of a page: dots become underscores, what no identifier may
/// hold becomes four hexadecimal digits.
fn class_of(page: &[u8]) -> Vec<u8> {
    let mut class = Vec::with_capacity(page.len());
    if page.first().is_some_and(u8::is_ascii_digit) {
        class.push(b'_');
    }
    for &byte in page {
        match byte {
            b'.' => class.push(b'_'),
            byte if byte.is_ascii_alphanumeric() || byte == b'$' => class.push(byte),
            byte => class.extend_from_slice(format!("_{byte:04x}").as_bytes()),
        }
    }
    class
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_called_as_jasper_calls_them() {
        for (page, class) in [
            ("x.jsp", "x_jsp"),
            ("my-page.jsp", "my_002dpage_jsp"),
            ("a_b.jspx", "a_005fb_jspx"),
            ("1.jsp", "_1_jsp"),
        ] {
            assert_eq!(class_of(page.as_bytes()), class.as_bytes(), "{page}");
        }
    }
}
