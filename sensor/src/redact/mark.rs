//! What stands for a secret.
//!
//! With a key: `[REDACTED#` and eight hex digits of HMAC-SHA256 over the secret. The same
//! secret has the same mark wherever the key is the same, so that alerts can be held
//! against each other; without the key nobody can try secrets against it.

use std::ops::Range;

use bstr::ByteSlice as _;

use super::Key;

/// Stands for a secret where there is no key.
pub const REDACTED: &str = "[REDACTED]";
/// Begins every mark.
const OPEN: &[u8] = b"[REDACTED";
/// Bytes of the hash that are shown: enough to tell the secrets of a fleet apart, and
/// nothing to search for.
const SHOWN: usize = 4;

/// The mark of a secret.
pub(super) fn of(secret: &[u8], key: Option<&Key>) -> Vec<u8> {
    let Some(key) = key else {
        return REDACTED.as_bytes().to_vec();
    };
    let mut mark = [OPEN, b"#"].concat();
    for byte in key.hash::<SHOWN>(secret) {
        mark.extend_from_slice(format!("{byte:02x}").as_bytes());
    }
    mark.push(b']');
    mark
}

/// There is a mark in it.
pub(super) fn is_within(text: &[u8]) -> bool {
    !all(text).is_empty()
}

/// Where the marks stand, in order.
pub(super) fn all(text: &[u8]) -> Vec<Range<usize>> {
    let begins = text.find_iter(OPEN);
    let marks = begins.filter_map(|begin| {
        let rest = text.get(begin + OPEN.len()..)?;
        let length = match rest {
            [b']', ..] => 1,
            [b'#', digits @ ..] => {
                let (digits, rest) = digits.split_at_checked(2 * SHOWN)?;
                let ends = rest.first() == Some(&b']');
                (ends && digits.iter().all(u8::is_ascii_hexdigit)).then_some(2 * SHOWN + 2)?
            }
            _ => return None,
        };
        Some(begin..begin + OPEN.len() + length)
    });
    marks.collect()
}
