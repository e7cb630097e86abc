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

/// Length of `name` without its NUL padding and without trailing digits, dots and
/// dashes. A name of nothing else has stem length 0.
#[must_use]
#[inline(always)]
pub fn stem_len(name: &[u8; NAME_READ]) -> usize {
    let mut len = 0;
    let mut i = 0;
    while i < NAME_READ {
        // A bounded index, so no slice panic can reach the BPF object.
        let byte = name[i];
        if byte == 0 {
            break;
        }
        i += 1;
        if !is_suffix(byte) {
            len = i;
        }
    }
    len
}

/// Key under which the executable file name `name` is looked up; `None` when it is
/// empty or too long to be one we know.
#[must_use]
#[inline(always)]
pub fn stem(name: &[u8; NAME_READ]) -> Option<NameKey> {
    let len = stem_len(name);
    if len == 0 || len >= NAME {
        return None;
    }
    let mut key = [0; NAME];
    let mut i = 0;
    while i < NAME {
        if i < len {
            key[i] = name[i];
        }
        i += 1;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Option<NameKey> {
        let mut buffer = [0; NAME_READ];
        buffer[..name.len()].copy_from_slice(name.as_bytes());
        stem(&buffer)
    }

    fn padded(name: &str) -> NameKey {
        let mut key = [0; NAME];
        key[..name.len()].copy_from_slice(name.as_bytes());
        key
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
        assert_eq!(key("a-name-of-16-char"), None);
    }
}
