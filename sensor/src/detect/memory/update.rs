//! Scripts that an application has unpacked to update itself, and where each of them
//! belongs: what then replaces the one there is part of the update.
//!
//! Excuses nothing by itself: grave alerts are told, and the first of each other rule; the others of the same
//! update are counted, like every repetition.

use super::{Key, aged::Aged, key};
use crate::{
    detect::{
        filetype::{self, kind},
        place,
        program::basename,
    },
    event::{File, FileAction, ProcessId},
};

/// Scripts kept: a whole `WordPress` has 1,800.
const BOUND: usize = 8_192;
/// How long an update may take from its unpacking on, ns.
const LASTS_NS: u64 = 600_000_000_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Updates {
    /// Where a script belongs, with the service that unpacked it.
    due: Aged<Key, ProcessId>,
}

impl Default for Updates {
    fn default() -> Self {
        Self {
            due: Aged::new(BOUND),
        }
    }
}

impl Updates {
    /// Notes a change to a file; `true` when it puts a script where one unpacked by the same
    /// service a moment ago belongs.
    pub(super) fn note(&mut self, file: &File, service: ProcessId, now: u64) -> bool {
        if file.action != FileAction::Write
            || filetype::kinds(basename(&file.path)) & kind::SCRIPT == 0
        {
            return false;
        }
        if file.created
            && let Some(places) = belongs(&file.path)
        {
            for path in places {
                self.due.insert(key(file.mount_ns, &path), service, now);
            }
            return false;
        }
        if self.due.is_empty() {
            return false;
        }
        let key = key(file.mount_ns, &file.path);
        let due = self.due.get(&key, now);
        let expected = due.is_some_and(|(by, age)| by == service && age <= LASTS_NS);
        if expected {
            // Once: who writes it again does something else.
            self.due.remove(&key);
        }
        expected
    }
}

/// Where what lies at `path` in a directory of updates of `WordPress` belongs: the site itself
/// for its core, else a plugin's or theme's directory.
///
/// `SITE/wp-content/upgrade/JOB/PACKAGE/...`
fn belongs(path: &[u8]) -> Option<Vec<Vec<u8>>> {
    const STAGING: &[u8] = b"/wp-content/upgrade/";
    let at = path.windows(STAGING.len()).position(|it| it == STAGING)?;
    let (site, rest) = (path.get(..at)?, path.get(at + STAGING.len()..)?);
    if place::folded(path) != path {
        return None;
    }
    let mut parts = rest.splitn(3, |&byte| byte == b'/');
    let (_job, package, inner) = (parts.next()?, parts.next()?, parts.next()?);
    let below = |directory: &[u8]| [site, directory, package, b"/", inner].concat();
    Some(match package {
        b"wordpress" => vec![[site, b"/", inner].concat()],
        _ => vec![
            below(b"/wp-content/plugins/"),
            below(b"/wp-content/themes/"),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "/var/www/html";

    fn write(path: &str, created: bool) -> File {
        File {
            created,
            ..File::bare(
                ProcessId::new(9, 9),
                FileAction::Write,
                format!("{SITE}{path}").into(),
            )
        }
    }

    #[test]
    fn what_was_unpacked_is_expected_where_it_belongs_and_for_a_while() {
        let (own, other) = (ProcessId::new(1, 1), ProcessId::new(2, 2));
        let second = 1_000_000_000;
        for (unpacked, target, expected) in [
            (
                "core/wordpress/wp-includes/post.php",
                "/wp-includes/post.php",
                true,
            ),
            ("core/wordpress/index.php", "/index.php", true),
            (
                "core/wordpress/index.php",
                "/wp-content/plugins/wordpress/index.php",
                false,
            ),
            (
                "a.5.3/akismet/akismet.php",
                "/wp-content/plugins/akismet/akismet.php",
                true,
            ),
            (
                "a.5.3/akismet/akismet.php",
                "/wp-content/themes/akismet/akismet.php",
                true,
            ),
            ("a.5.3/akismet/akismet.php", "/akismet.php", false),
            ("core/wordpress/../index.php", "/index.php", false),
            ("index.php", "/index.php", false),
        ] {
            let mut updates = Updates::default();
            let staged = write(&format!("/wp-content/upgrade/{unpacked}"), true);
            let target = write(target, false);
            assert!(
                !updates.note(&target, own, 0),
                "{unpacked}: not unpacked yet"
            );
            assert!(!updates.note(&staged, own, second), "{unpacked}");
            assert!(
                !updates.note(&target, other, 2 * second),
                "{unpacked}: by another"
            );
            assert_eq!(
                updates.note(&target, own, 2 * second),
                expected,
                "{unpacked}"
            );
            assert!(
                !updates.note(&target, own, 3 * second),
                "{unpacked}: a second time"
            );
            updates.note(&staged, own, 4 * second);
            assert!(
                !updates.note(&target, own, 605 * second),
                "{unpacked}: long after"
            );
        }
    }

    #[test]
    fn a_name_alone_or_a_file_that_is_no_script_proves_nothing() {
        let mut updates = Updates::default();
        let own = ProcessId::new(1, 1);
        for staged in [
            "core/wordpress/wp-includes/post.php",
            "core/wordpress/logo.png",
        ] {
            updates.note(
                &write(&format!("/wp-content/upgrade/{staged}"), true),
                own,
                0,
            );
        }
        for target in [
            "/wp-admin/post.php",
            "/post.php",
            "/wp-includes/post.php.php",
            "/logo.png",
        ] {
            assert!(!updates.note(&write(target, false), own, 1), "{target}");
        }
        let elsewhere = File {
            mount_ns: 7,
            ..write("/wp-includes/post.php", false)
        };
        assert!(!updates.note(&elsewhere, own, 1));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut updates = Updates::default();
        for number in 0..3 * BOUND {
            let path = format!("/wp-content/upgrade/x/wordpress/{number}.php");
            updates.note(&write(&path, true), ProcessId::new(1, 1), 0);
        }
        assert!(updates.due.len() <= BOUND);
    }
}
