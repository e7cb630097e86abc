//! Directories in which services made scripts where browsers do not reach them: they will
//! when such a directory is moved.

use super::{aged::Aged, key};
use crate::{
    detect::{
        filetype::{self, kind},
        place::{self, bit, folded},
        program,
    },
    event::{File, FileAction},
};

/// Directories remembered that hold a script, those above it included.
pub(super) const DIRECTORIES: usize = 8_192;

/// Directories above a script that are remembered.
const ABOVE: usize = 8;

/// See the module.
#[derive(Debug)]
pub(super) struct Held(Aged<super::Key>);

impl Default for Held {
    fn default() -> Self {
        Self(Aged::new(DIRECTORIES))
    }
}

impl Held {
    /// Remembers where a script lies that was judged by no rule.
    pub(super) fn note(&mut self, file: &File, now: u64) {
        let made = match file.action {
            FileAction::Write => file.creates(),
            FileAction::Rename | FileAction::Exchange | FileAction::Link | FileAction::Symlink => {
                true
            }
            FileAction::Read | FileAction::Chmod => false,
        };
        if !made {
            return;
        }
        let path = folded(&file.path);
        let name = program::basename(&path);
        let is_script = filetype::kinds(name) & (kind::SCRIPT | kind::PAGE) != 0;
        let holds = is_script || self.is_moved_by(file, now);
        if holds && place::places(&path) & bit::WEB_ROOT == 0 {
            // A directory that was moved holds what it held.
            let whole = (!is_script).then_some(&*path);
            for directory in whole.into_iter().chain(above(&path)) {
                self.0.insert(key(file.mount_ns, directory), (), now);
            }
        }
    }

    /// The act moves a directory below which a service has made a script outside of every
    /// web root.
    pub(super) fn is_moved_by(&self, file: &File, now: u64) -> bool {
        let held = |path: &[u8]| self.0.age(&key(file.mount_ns, path), now).is_some();
        let Some(other) = &file.other else {
            return false;
        };
        match file.action {
            FileAction::Rename => held(other),
            FileAction::Exchange => held(other) || held(&file.path),
            _ => false,
        }
    }
}

/// The directories a path lies in, the nearest first; the root directory is none.
fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = path.iter().enumerate().skip(1).rev();
    let ends = ends.filter(|(_, byte)| **byte == b'/').take(ABOVE);
    ends.filter_map(|(end, _)| path.get(..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_above_a_script_are_bounded() {
        let above = |path: &'static str| -> Vec<&[u8]> { above(path.as_bytes()).collect() };
        assert_eq!(above("/tmp/x/a.php"), [&b"/tmp/x"[..], b"/tmp"]);
        assert_eq!(above("/a.php"), [b""; 0]);
        assert_eq!(above("/1/2/3/4/5/6/7/8/9/a.php").len(), ABOVE);
        assert_eq!(above("[...]/a.php"), [b"[...]"]);
    }
}
