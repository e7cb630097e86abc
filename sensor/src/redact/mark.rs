//! What stands for a secret.
//!
//! With a key: `[REDACTED#` and eight hex digits of HMAC-SHA256 over the secret. The same
//! secret has the same mark wherever the key is the same, so that alerts can be held
//! against each other; without the key nobody can try secrets against it.

use bstr::ByteSlice as _;

use super::Key;

/// Stands for a secret where there is no key.
pub const REDACTED: &str = "[REDACTED]";
/// Begins a mark made with a key.
const OPEN: &[u8] = b"[REDACTED#";
/// Bytes of the hash that are shown: enough to tell the secrets of a fleet apart, and
/// nothing to search for.
const SHOWN: usize = 4;

/// The mark of a secret, which `hear` is told; what is a mark already, as in a recording,
/// and what is empty stays.
pub(super) fn replace(secret: &[u8], key: Option<&Key>, hear: &mut dyn FnMut(&[u8])) -> Vec<u8> {
    if secret.is_empty() || is_mark(secret) {
        return secret.to_vec();
    }
    hear(secret);
    of(secret, key)
}

/// The mark of a secret.
pub(super) fn of(secret: &[u8], key: Option<&Key>) -> Vec<u8> {
    let Some(key) = key else {
        return REDACTED.as_bytes().to_vec();
    };
    let mut mark = OPEN.to_vec();
    for byte in key.hash::<SHOWN>(secret) {
        mark.extend_from_slice(format!("{byte:02x}").as_bytes());
    }
    mark.push(b']');
    mark
}

/// There is a mark in it.
pub(super) fn is_within(text: &[u8]) -> bool {
    text.contains_str(REDACTED) || text.contains_str(OPEN)
}

fn is_mark(text: &[u8]) -> bool {
    let keyed = || {
        let digits = text.strip_prefix(OPEN)?.strip_suffix(b"]")?;
        Some(digits.len() == 2 * SHOWN && digits.iter().all(u8::is_ascii_hexdigit))
    };
    text == REDACTED.as_bytes() || keyed().unwrap_or(false)
}
