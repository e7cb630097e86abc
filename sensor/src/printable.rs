//! Text from outside, made safe for a terminal or a log line.
//!
//! Paths, argv and file contents are chosen by whoever is being watched. Escaping here
//! is for eyes; the alert's JSON keeps its own lossless form.

use std::{borrow::Cow, cmp::Ordering};

/// `text` with control characters, line separators and characters that reorder or hide
/// their neighbours written as `\n`, `\x1b` or `\u{202e}`. Backslashes stay single: what
/// was escaped before is not escaped twice.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(hides) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if !hides(character) => out.push(character),
            _ if character.is_ascii() => {
                out.extend(["\\x", &format!("{:02x}", u32::from(character))]);
            }
            _ => out.push_str(&character.escape_unicode().to_string()),
        }
    }
    Cow::Owned(out)
}

/// `text` as one word of a line: escaped, and quoted when it could be taken for several
/// words, for none, or for what a drawing puts between words.
pub(crate) fn word(text: &str) -> String {
    let shown = escape(text);
    let parts = |character: char| {
        character.is_whitespace() || matches!(character, '\'' | '"' | '→' | '└' | '├' | '│')
    };
    if shown.is_empty() || shown.contains(parts) {
        format!("'{}'", shown.replace('\'', "'\\''"))
    } else {
        shown.into_owned()
    }
}

/// Characters that do something else than being read: controls (C0, DEL, C1), line and
/// paragraph separators, all of Unicode's category Cf (bidirectional controls, zero
/// width, tags), and what is drawn as nothing or as a blank without being one.
pub(crate) fn hides(character: char) -> bool {
    character.is_control()
        || HIDING
            .binary_search_by(|&(first, last)| {
                if last < character {
                    Ordering::Less
                } else if first > character {
                    Ordering::Greater
                } else {
                    Ordering::Equal
                }
            })
            .is_ok()
}

/// First and last of each range, in order.
const HIDING: &[(char, char)] = &[
    ('\u{a0}', '\u{a0}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_what_it_hides() {
        assert_eq!(escape("plain \\ ü 漢"), "plain \\ ü 漢");
        assert_eq!(
            escape("\x1b[31m\n\t\x7f\u{9b}"),
            "\\x1b[31m\\n\\t\\x7f\\u{9b}"
        );
        assert_eq!(escape("txt.\u{202e}php"), "txt.\\u{202e}php");
    }

    #[test]
    fn a_word_stays_one() {
        for (text, shown) in [
            ("/usr/bin/id", "/usr/bin/id"),
            ("", "''"),
            ("a b", "'a b'"),
            ("a\u{3000}b", "'a\u{3000}b'"),
            ("it's", "'it'\\''s'"),
            (
                "/srv/p  [root]  exited 0 → /nginx",
                "'/srv/p  [root]  exited 0 → /nginx'",
            ),
            ("a→b", "'a→b'"),
            ("a\nb", "a\\nb"),
        ] {
            assert_eq!(word(text), shown);
        }
    }

    #[test]
    fn the_table_is_in_order() {
        assert!(HIDING.iter().all(|(first, last)| first <= last));
        assert!(HIDING.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }

    #[test]
    fn what_is_drawn_as_nothing_hides() {
        for character in
            "\u{a0}\u{34f}\u{600}\u{1160}\u{17b5}\u{202e}\u{2800}\u{3164}\u{fe0f}\u{ffa0}\
                          \u{fffb}\u{13430}\u{1d173}\u{e0041}\u{e0100}\u{e01ef}"
                .chars()
        {
            assert!(hides(character), "{character:?}");
        }
        for character in "aÿ\u{301}한가ไ–…€漢🙂 ".chars() {
            assert!(!hides(character), "{character:?}");
        }
    }

    proptest! {
        #[test]
        fn leaves_nothing_that_hides(text in any::<String>()) {
            let once = escape(&text).into_owned();
            prop_assert!(!once.chars().any(hides));
            prop_assert_eq!(escape(&once), once.as_str());
        }
    }
}
