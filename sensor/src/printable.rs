//! Text from outside, made safe for a terminal or a log line.
//!
//! Paths, argv and file contents are chosen by whoever is being watched. Escaping here
//! is for eyes; the alert's JSON keeps its own lossless form.

use std::borrow::Cow;

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

/// Control characters (C0, DEL, C1), line and paragraph separators, bidirectional
/// controls, zero-width characters and tag characters.
fn hides(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
        )
}

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

    proptest! {
        #[test]
        fn leaves_nothing_that_hides(text in any::<String>()) {
            let once = escape(&text).into_owned();
            prop_assert!(!once.chars().any(hides));
            prop_assert_eq!(escape(&once), once.as_str());
        }
    }
}
