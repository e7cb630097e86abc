//! Recognition of server programs by the file name of the executable.
//!
//! A name matches exactly, or when only digits, dots and dashes follow
//! (`php-fpm8.2` is `php-fpm`; `mysqld_exporter` is not `mysqld`). Both sides use
//! this one function: the kernel to look a name up, the agent to fill the map.

use crate::limit::{NAME, NAME_READ};

/// Key of the name map: the stem of a file name, NUL padded.
pub type NameKey = [u8; NAME];

/// `true` for the bytes a version suffix is made of.
const fn is_suffix(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'.' | b'-')
}

/// Calls `keep` with each length at which `name` may end without its suffix; the last
/// call tells the stem's length, no call a name of nothing but suffix.
///
/// A callback, because the kernel side must keep the length in map memory: in a
/// register, every length is a state of its own to the verifier.
pub fn stem_lengths(byte_at: impl Fn(usize) -> u8, mut keep: impl FnMut(usize)) {
    for index in 0..NAME_READ {
        let byte = byte_at(index);
        if byte == 0 {
            return;
        }
        if !is_suffix(byte) {
            keep(index + 1);
        }
    }
}

/// Length of the stem of `name`, 0 when it is nothing but suffix.
#[must_use]
pub fn stem_len(name: &[u8]) -> usize {
    let name = name.get(..NAME_READ).unwrap_or(name);
    let end = name.iter().position(|&byte| byte == 0);
    let name = name.get(..end.unwrap_or(name.len())).unwrap_or(name);
    let last = name.iter().rposition(|&byte| !is_suffix(byte));
    last.map_or(0, |last| last + 1)
}

/// Key under which the executable file name `name` is looked up; `None` when it is
/// empty, nothing but suffix, or too long to be one we know.
#[must_use]
pub fn stem(name: &[u8]) -> Option<NameKey> {
    if name.len() >= NAME_READ {
        return None;
    }
    let mut len = 0;
    stem_lengths(
        |index| name.get(index).copied().unwrap_or(0),
        |found| len = found,
    );
    let stem = name
        .get(..len)
        .filter(|stem| !stem.is_empty() && stem.len() < NAME)?;
    let mut key = [0; NAME];
    key.iter_mut().zip(stem).for_each(|(to, from)| *to = *from);
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Option<NameKey> {
        stem(name.as_bytes())
    }

    fn padded(name: &str) -> NameKey {
        let mut key = [0; NAME];
        key[..name.len()].copy_from_slice(name.as_bytes());
        key
    }

    /// The kernel side goes forwards, this one backwards.
    #[test]
    fn both_ways_to_a_stem_lead_to_the_same() {
        for name in [
            "nginx",
            "php-fpm8.2",
            "8.2",
            "",
            "a1b2-",
            "a\0b",
            "\0x1",
            "9\0x",
            &"x1".repeat(40),
        ] {
            let mut forwards = 0;
            let at = |index: usize| name.as_bytes().get(index).copied().unwrap_or(0);
            stem_lengths(at, |found| forwards = found);
            assert_eq!(stem_len(name.as_bytes()), forwards, "{name:?}");
        }
    }

    #[test]
    fn version_suffixes_are_dropped_and_other_names_kept_apart() {
        for (name, expected) in [
            ("nginx", "nginx"),
            ("php-fpm8.2", "php-fpm"),
            ("php-fpm", "php-fpm"),
            ("apache2", "apache"),
            ("apache-2.4", "apache"),
            ("mysqld_exporter", "mysqld_exporter"),
            ("nginx-debug", "nginx-debug"),
        ] {
            assert_eq!(key(name), Some(padded(expected)), "{name}");
        }
        assert_eq!(key(""), None);
        assert_eq!(key("8.2"), None);
        assert_eq!(key("a-name-of-16-chr"), None);
        assert_eq!(key(&"9".repeat(40)), None);
    }
}
