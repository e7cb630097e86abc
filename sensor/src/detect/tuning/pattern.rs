//! Values of exceptions: text compared whole, with a `*` that cannot be abused.

use std::fmt;

use serde::Serialize;

/// Longest pattern, bytes.
pub(super) const LENGTH: usize = 512;
/// Most `*` in one: comparing takes at most this many passes over the value.
pub(super) const STARS: usize = 8;

/// Text with `*` for part of a word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern, or what is wrong with it in words that stand behind "must be".
    ///
    /// # Errors
    /// When the text is empty, too long, has control characters or too many `*`, or when
    /// nothing but `*` is in it: that would be no condition.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() || text.len() > LENGTH || text.chars().any(char::is_control) {
            return Err("text of 1 to 512 bytes without control characters");
        }
        if text.bytes().filter(|&byte| byte == b'*').count() > STARS {
            return Err("text with at most eight `*`");
        }
        if text.bytes().all(|byte| byte == b'*') {
            return Err("more than `*`");
        }
        Ok(Self(text.to_owned()))
    }

    /// `true` when `value` is this text, each `*` standing for any number of letters,
    /// digits and `_ . , : @ % + = / -`, of which `..` is never two.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = value.strip_prefix(first) else {
            return false;
        };
        let parts: Vec<&str> = parts.collect();
        let Some((last, middle)) = parts.split_last() else {
            return rest.is_empty();
        };
        // The first place where a part fits is the best: what is left over for the later
        // ones is longest, and what a `*` swallows is shortest.
        for part in middle {
            let Some(at) = rest.find(part) else {
                return false;
            };
            let (swallowed, found) = rest.split_at(at);
            if !harmless(swallowed) {
                return false;
            }
            rest = found.get(part.len()..).unwrap_or_default();
        }
        rest.strip_suffix(last).is_some_and(harmless) && !self.climbs(value)
    }

    /// `value` climbs a directory where the pattern itself does not say so.
    fn climbs(&self, value: &str) -> bool {
        value.matches("..").count() > self.0.matches("..").count()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Nothing that ends a word or that a shell acts on.
fn harmless(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_.,:@%+=/-".contains(&byte))
}
