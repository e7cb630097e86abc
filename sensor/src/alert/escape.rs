//! Bytes made fit for a terminal, a log line and a page, without losing any.
//!
//! Every byte string of an alert goes through [`escape`]. Text that is valid UTF-8
//! stays as it is; what could move a cursor, break a line, hide or reorder what is
//! read becomes visible:
//!
//! | in | out |
//! |---|---|
//! | newline, carriage return, tab | `\n` `\r` `\t` |
//! | other C0 controls, DEL, bytes that are no UTF-8 | `\xHH` |
//! | C1 controls, bidi controls, line separators, invisible characters | `\u{H}` |
//! | a backslash that would read as the start of one of these, or of `\\` | `\\` |
//!
//! Any other backslash stays single, so `grep '\.php'` reads as it was typed. The
//! scheme can be reversed without looking at the `_b64` twin.

use std::{borrow::Cow, fmt::Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::printable::hides;

/// The mark of what was left out.
pub(super) const ELISION: &str = "[...]";

/// A string as shown, and its bytes in base64 when escaping changed something.
pub(super) struct Text {
    pub(super) shown: String,
    pub(super) b64: Option<String>,
}

/// Escapes one byte string.
pub(super) fn text(bytes: &[u8]) -> Text {
    match escape(bytes) {
        Cow::Borrowed(shown) => Text {
            shown: shown.to_owned(),
            b64: None,
        },
        Cow::Owned(shown) => Text {
            shown,
            b64: Some(STANDARD.encode(bytes)),
        },
    }
}

/// Escapes a list; when one item had to change, the twin holds all of them.
pub(super) fn texts<'a>(
    items: impl Iterator<Item = &'a [u8]> + Clone,
) -> (Vec<String>, Option<Vec<String>>) {
    let mut changed = false;
    let shown = items.clone().map(|item| {
        let shown = escape(item);
        changed |= matches!(shown, Cow::Owned(_));
        shown.into_owned()
    });
    let shown = shown.collect();
    (
        shown,
        changed.then(|| items.map(|item| STANDARD.encode(item)).collect()),
    )
}

/// See the module. Borrowed when nothing had to change.
pub(super) fn escape(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(bytes)
        && !text.chars().any(hides)
        && !misleading_backslash(text)
    {
        return Cow::Borrowed(text);
    }
    let mut out = Escaped::default();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            out.push(character);
        }
        for byte in chunk.invalid() {
            out.code(format_args!("\\x{byte:02x}"));
        }
    }
    Cow::Owned(out.text)
}

/// Escapes text written by a rule's author, which may have several lines.
pub(super) fn prose(text: &str) -> String {
    let lines = text
        .trim_end()
        .split('\n')
        .map(|line| escape(line.as_bytes()));
    lines.collect::<Vec<_>>().join("\n")
}

/// Text under construction, and whether it ends in a literal, single backslash.
#[derive(Default)]
struct Escaped {
    text: String,
    backslash: bool,
}

impl Escaped {
    fn push(&mut self, character: char) {
        match character {
            '\n' => self.code(format_args!("\\n")),
            '\r' => self.code(format_args!("\\r")),
            '\t' => self.code(format_args!("\\t")),
            '\0'..='\x1f' | '\x7f' => self.code(format_args!("\\x{:02x}", u32::from(character))),
            _ if hides(character) => self.code(format_args!("\\u{{{:x}}}", u32::from(character))),
            _ => {
                self.settle(follows(character));
                self.text.push(character);
                self.backslash = character == '\\';
            }
        }
    }

    fn code(&mut self, code: std::fmt::Arguments<'_>) {
        self.settle(true);
        self.text
            .write_fmt(code)
            .expect("a String takes everything");
    }

    /// Doubles the backslash just written when what follows would make it a code.
    fn settle(&mut self, special: bool) {
        if self.backslash && special {
            self.text.push('\\');
        }
        self.backslash = false;
    }
}

/// `true` for what makes a code of the backslash before it.
const fn follows(character: char) -> bool {
    matches!(character, '\\' | 'n' | 'r' | 't' | 'x' | 'u')
}

fn misleading_backslash(text: &str) -> bool {
    text.as_bytes()
        .windows(2)
        .any(|pair| pair[0] == b'\\' && follows(char::from(pair[1])))
}

/// Bytes that `text` takes in the JSON line, quotes apart.
pub(super) fn json_len(text: &str) -> usize {
    text.chars().map(json_cost).sum()
}

fn json_cost(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\t' => 2,
        '<' | '>' | '&' => "\\u003c".len(),
        other => other.len_utf8(),
    }
}

/// Cuts escaped text to `max` bytes of JSON, [`ELISION`] included, keeping the start.
/// `true` when something went.
pub(super) fn clip(text: &mut String, max: usize) -> bool {
    json_len(text) > max && clip_middle(text, max.saturating_sub(ELISION.len()), 0)
}

/// Keeps `front` and `back` bytes of JSON from the ends, with [`ELISION`] between. A code
/// is never cut in two. `true` when something went.
pub(super) fn clip_middle(text: &mut String, front: usize, back: usize) -> bool {
    let total = json_len(text);
    if total <= front.saturating_add(back) {
        return false;
    }
    let (mut cost, mut end, mut start) = (0, 0, 0);
    while let Some(token) = first_token(&text[start..])
        && total - cost > back
    {
        cost += json_len(token);
        start += token.len();
        if cost <= front {
            end = start;
        }
    }
    text.replace_range(end..start, ELISION);
    true
}

/// A code or one character.
fn first_token(text: &str) -> Option<&str> {
    let mut characters = text.char_indices();
    let (_, first) = characters.next()?;
    let second = characters.next().map(|(_, character)| character);
    let length = match (first, second) {
        ('\\', Some('x')) => 4,
        ('\\', Some('u')) => text.find('}').map_or(text.len(), |end| end + 1),
        ('\\', Some(code)) if follows(code) => 2,
        _ => first.len_utf8(),
    };
    text.get(..length).or(Some(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The inverse of [`escape`].
    fn unescape(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = text;
        while let Some(token) = first_token(rest) {
            rest = &rest[token.len()..];
            match token.as_bytes() {
                b"\\n" => out.push(b'\n'),
                b"\\r" => out.push(b'\r'),
                b"\\t" => out.push(b'\t'),
                b"\\\\" => out.push(b'\\'),
                [b'\\', b'x', ..] => out.push(u8::from_str_radix(&token[2..], 16).unwrap()),
                [b'\\', b'u', ..] => {
                    let code = u32::from_str_radix(&token[3..token.len() - 1], 16).unwrap();
                    out.extend(char::from_u32(code).unwrap().to_string().bytes());
                }
                plain => out.extend(plain),
            }
        }
        out
    }

    #[test]
    fn known_forms() {
        for (bytes, shown) in [
            (&b"plain"[..], "plain"),
            ("Grüße 日本".as_bytes(), "Grüße 日本"),
            (b"grep '\\.php'", "grep '\\.php'"),
            (b"a\nb\tc\rd", "a\\nb\\tc\\rd"),
            (b"\x1b[31m\x7f", "\\x1b[31m\\x7f"),
            (b"printf '\\n'", "printf '\\\\n'"),
            (b"\\\x1b", "\\\\\\x1b"),
            (b"\\\\server", "\\\\\\server"),
            (b"caf\xe9", "caf\\xe9"),
            ("gpj.\u{202e}exe".as_bytes(), "gpj.\\u{202e}exe"),
            ("\u{9b}2J\u{200b}".as_bytes(), "\\u{9b}2J\\u{200b}"),
            (b"<b>&", "<b>&"),
            ("a\u{a0}b\u{2800}".as_bytes(), "a\\u{a0}b\\u{2800}"),
        ] {
            assert_eq!(escape(bytes), shown);
            assert_eq!(unescape(shown), bytes);
        }
    }

    #[test]
    fn lines_of_prose_stay_lines() {
        assert_eq!(prose("one\n\ttwo\x1b\n"), "one\n\\ttwo\\x1b");
    }

    #[test]
    fn a_clip_leaves_codes_whole() {
        let mut text = escape(b"abc\x1b\x1b\x1b\x1b").into_owned();
        assert!(clip(&mut text, 15));
        assert_eq!(text, "abc\\x1b[...]");
        assert!(!clip(&mut text, 15));
        let mut text = escape(b"abc\x1bdefghi\x1bjk").into_owned();
        assert!(clip_middle(&mut text, 4, 7));
        assert_eq!(text, "abc[...]\\x1bjk");
    }

    proptest! {
        #[test]
        fn escaping_is_reversible_and_clean(
            bytes in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..80),
                "[\\\\nxu{}0-9a-f\\x00\u{202e}é\u{85}]{0,40}".prop_map(String::into_bytes),
            ],
            max in 8_usize..60,
        ) {
            let Text { shown, b64 } = text(&bytes);
            prop_assert_eq!(&unescape(&shown), &bytes);
            prop_assert!(!shown.chars().any(hides));
            prop_assert_eq!(b64.is_some(), shown.as_bytes() != bytes);
            if let Some(twin) = b64 {
                prop_assert_eq!(STANDARD.decode(twin).unwrap(), bytes);
            }
            let mut short = shown.clone();
            clip(&mut short, max);
            prop_assert!(json_len(&short) <= max);
        }
    }
}
