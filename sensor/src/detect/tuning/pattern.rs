//! Values of exceptions: text compared whole, with a `*` that cannot be abused.

use std::fmt;

use serde::{Serialize, Serializer};

/// Longest pattern, bytes.
pub(super) const LENGTH: usize = 512;
/// Most wildcards in one: comparing takes at most this many passes over the value.
pub(super) const STARS: usize = 8;

/// Text with `*` for part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    first: String,
    /// What each wildcard may stand for, and the text behind it.
    rest: Vec<(Star, String)>,
}

/// What a wildcard may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Star {
    /// `*`: no slash.
    Part,
    /// `**`: slashes too.
    Path,
}

impl Pattern {
    /// A pattern, or what is wrong with it in words that stand behind "must be".
    ///
    /// # Errors
    /// When the text is empty, too long, has control characters, replaced bytes or too
    /// many wildcards, or when nothing but wildcards is in it: that would be no condition.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        let strange = |c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER;
        if text.is_empty() || text.len() > LENGTH || text.chars().any(strange) {
            return Err("text of 1 to 512 bytes without control characters");
        }
        let mut pattern = Self {
            text: text.to_owned(),
            first: String::new(),
            rest: Vec::new(),
        };
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '*' if chars.next_if_eq(&'*').is_some() => pattern.star(Star::Path),
                '*' => pattern.star(Star::Part),
                '\\' if matches!(chars.peek(), Some('*' | '\\')) => {
                    pattern.literal(chars.next().unwrap_or(c));
                }
                c => pattern.literal(c),
            }
        }
        if pattern.rest.len() > STARS {
            return Err("text with at most eight `*`");
        }
        if pattern.first.is_empty() && pattern.rest.iter().all(|(_, text)| text.is_empty()) {
            return Err("more than `*`");
        }
        Ok(pattern)
    }

    /// Text that fits this value alone.
    #[must_use]
    pub fn escape(value: &str) -> String {
        value.replace('\\', "\\\\").replace('*', "\\*")
    }

    fn star(&mut self, star: Star) {
        self.rest.push((star, String::new()));
    }

    fn literal(&mut self, c: char) {
        let part = self.rest.last_mut();
        part.map_or(&mut self.first, |(_, text)| text).push(c);
    }

    /// `true` when `value` is this text, each wildcard standing for any number of letters,
    /// digits and `_ . , : @ % + = -` (`**` for `/` too), none of which begins an option
    /// or is a second `.` in a row.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        let Some(mut rest) = value.strip_prefix(self.first.as_str()) else {
            return false;
        };
        let Some(((star, last), middle)) = self.rest.split_last() else {
            return rest.is_empty();
        };
        let mut before = self.first.as_str();
        // The first place where a part fits is the best: what is left over for the later
        // ones is longest, and what a wildcard swallows is shortest.
        for (star, part) in middle {
            let Some((swallowed, found)) = rest.find(part.as_str()).map(|at| rest.split_at(at))
            else {
                return false;
            };
            if !star.fits(before, swallowed) {
                return false;
            }
            before = if part.is_empty() { before } else { part };
            rest = found.get(part.len()..).unwrap_or_default();
        }
        rest.strip_suffix(last.as_str())
            .is_some_and(|swallowed| star.fits(before, swallowed))
            && value.matches("..").count() <= self.text.matches("..").count()
    }
}

impl Star {
    /// Nothing that ends a word, begins an option or that a shell acts on.
    fn fits(self, before: &str, swallowed: &str) -> bool {
        let begins = before.is_empty() || before.ends_with([' ', '=']);
        !(begins && swallowed.starts_with('-'))
            && swallowed.bytes().all(|byte| {
                byte.is_ascii_alphanumeric()
                    || b"_.,:@%+=-".contains(&byte)
                    || byte == b'/' && self == Self::Path
            })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}
