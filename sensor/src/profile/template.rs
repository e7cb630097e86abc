//! A text with placeholders: one argument, or one word of a command.
//!
//! Matching is one pass: a placeholder takes all it can and gives nothing back, so that
//! a text an attacker chose costs no more than its length.

use std::fmt;

use super::class::Class;

/// Longest template, bytes of its text.
pub(super) const TEXT_MAX: usize = 4_096;
/// Most parts of a template.
const SEGMENTS_MAX: usize = 16;

/// How far the arguments of a program may be generalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Freedom {
    /// Not at all: whom a network tool talks to is what matters.
    None,
    /// Numbers and digests: what an interpreter or a shell runs is what matters.
    Numbers,
    /// By every class.
    All,
}

impl Freedom {
    /// `class` may stand for an argument.
    #[must_use]
    pub(super) const fn allows(self, class: &Class) -> bool {
        match self {
            Self::None => false,
            Self::Numbers => matches!(class, Class::Number | Class::Hex),
            Self::All => true,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    Slot(Class),
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Template(Vec<Segment>);

impl Template {
    /// A template that is only `text`.
    #[must_use]
    pub(super) fn literal(text: &str) -> Self {
        if text.is_empty() {
            return Self::default();
        }
        Self(vec![Segment::Literal(text.to_owned())])
    }

    /// Reads a template: text with `{class}`; `{{` and `}}` are braces.
    ///
    /// # Errors
    /// When a brace stands alone, a placeholder is unknown or follows another directly.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > TEXT_MAX {
            return Err(format!("longer than {TEXT_MAX} bytes"));
        }
        let (mut segments, mut literal) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            literal += before;
            if let Some(after) = from.strip_prefix("{{").or(from.strip_prefix("}}")) {
                literal.extend(from.chars().next());
                rest = after;
                continue;
            }
            let inner = from
                .strip_prefix('{')
                .and_then(|inner| inner.split_once('}'));
            let Some((name, after)) = inner else {
                return Err("a brace stands alone: a brace itself is written twice".to_owned());
            };
            let follows = literal.is_empty() && matches!(segments.last(), Some(Segment::Slot(_)));
            if follows {
                return Err("a placeholder directly behind another".to_owned());
            }
            if !literal.is_empty() {
                segments.push(Segment::Literal(std::mem::take(&mut literal)));
            }
            segments.push(Segment::Slot(Class::parse(name)?));
            rest = after;
        }
        literal += rest;
        if !literal.is_empty() {
            segments.push(Segment::Literal(literal));
        }
        if segments.len() > SEGMENTS_MAX {
            return Err(format!("more than {SEGMENTS_MAX} parts"));
        }
        Ok(Self(segments))
    }

    /// The template of a text seen once: literal, but for what is plainly made up for
    /// each run (numbers, sizes like `640x480`, digests, temporary files).
    #[must_use]
    pub(super) fn of(text: &str, freedom: Freedom) -> Self {
        let made_up = Class::made_up(text).filter(|class| freedom.allows(class));
        if let Some(class) = made_up {
            return Self(vec![Segment::Slot(class)]);
        }
        let size = text
            .split_once('x')
            .filter(|(a, b)| [a, b].iter().all(|it| Class::Number.accepts(it.as_bytes())));
        if size.is_some() && freedom.allows(&Class::Number) {
            let slot = || Segment::Slot(Class::Number);
            return Self(vec![slot(), Segment::Literal("x".to_owned()), slot()]);
        }
        Self::literal(text)
    }

    /// The text when it has no placeholder.
    #[must_use]
    pub(super) fn as_literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Segment::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Its literal parts.
    pub(super) fn literals(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|segment| match segment {
            Segment::Literal(text) => Some(text.as_str()),
            Segment::Slot(_) => None,
        })
    }

    /// Its placeholders.
    pub(super) fn classes(&self) -> impl Iterator<Item = &Class> {
        self.0.iter().filter_map(|segment| match segment {
            Segment::Slot(class) => Some(class),
            Segment::Literal(_) => None,
        })
    }

    /// It stands for an option, which is never generalised.
    #[must_use]
    pub(super) fn is_option(&self) -> bool {
        matches!(self.0.first(), Some(Segment::Literal(text)) if text.starts_with(['-', '+']))
    }

    /// `text`, whole, is what this stands for.
    #[must_use]
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        let mut rest = text;
        for segment in &self.0 {
            let after = match segment {
                Segment::Literal(literal) => rest.strip_prefix(literal.as_bytes()),
                Segment::Slot(class) => class.prefix(rest).and_then(|length| rest.get(length..)),
            };
            let Some(after) = after else { return false };
            rest = after;
        }
        rest.is_empty()
    }

    /// A template of which both are part; `None` when there is none within `freedom`.
    #[must_use]
    pub(super) fn join(&self, other: &Self, freedom: Freedom) -> Option<Self> {
        if self == other {
            return Some(self.clone());
        }
        if self.is_option() || other.is_option() {
            return None;
        }
        let class = match (self.0.as_slice(), other.0.as_slice()) {
            ([Segment::Literal(a)], [Segment::Literal(b)]) => Class::common(a, b),
            ([Segment::Slot(a)], [Segment::Slot(b)]) => a.merge(b),
            ([Segment::Slot(class)], [Segment::Literal(text)])
            | ([Segment::Literal(text)], [Segment::Slot(class)]) => class.widen(text),
            _ => None,
        }?;
        freedom
            .allows(&class)
            .then(|| Self(vec![Segment::Slot(class)]))
    }

    /// Some text that this stands for.
    #[must_use]
    pub(super) fn sample(&self) -> String {
        let parts = self.0.iter().map(|segment| match segment {
            Segment::Literal(text) => text.clone(),
            Segment::Slot(class) => class.sample(),
        });
        parts.collect()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.0 {
            match segment {
                Segment::Literal(text) => {
                    f.write_str(&text.replace('{', "{{").replace('}', "}}"))?;
                }
                Segment::Slot(class) => class.fmt(f)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text).unwrap()
    }

    #[test]
    fn templates_are_read_back() {
        for text in [
            "",
            "id",
            "{number}x{number}",
            "-f{address}",
            "{{a}}",
            "a{{{number}}}b",
            "png:{path:/tmp}",
        ] {
            assert_eq!(template(text).to_string(), text);
        }
        assert_eq!(template("{{a}}").as_literal(), Some("{a}"));
        for text in ["{", "}", "a}b", "{nope}", "{number}{hex}", "{number"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn matching_is_whole_and_greedy() {
        for (text, yes, no) in [
            (
                "{number}x{number}",
                &["1x2", "640x480"][..],
                &["1x", "x", "1x2x", "1x2;id", "-1x2"][..],
            ),
            (
                "-f{address}",
                &["-fwww@web-1"],
                &["-f", "-fx", "-f-x@y", "-f x@y"],
            ),
            (
                "{path:/tmp:.png}",
                &["/tmp/a.png"],
                &["/tmp/a.php", "/tmp/a.png;id"],
            ),
            ("{word}c", &[], &["abc"]),
            ("", &[""], &["a"]),
        ] {
            for value in yes {
                assert!(template(text).matches(value.as_bytes()), "{text} {value}");
            }
            for value in no {
                assert!(!template(text).matches(value.as_bytes()), "{text} {value}");
            }
        }
    }

    #[test]
    fn what_joins() {
        let all = Freedom::All;
        for (a, b, freedom, expected) in [
            ("1", "2", all, Some("{number}")),
            ("{number}", "3", all, Some("{number}")),
            ("{number}", "x1", all, Some("{word}")),
            ("/srv/www/a", "/srv/www/b", all, Some("{path:/srv/www}")),
            (
                "{path:/srv/www:.jpg}",
                "/srv/www/c/d.png",
                all,
                Some("{path:/srv/www}"),
            ),
            (
                "{path:/srv/www/a}",
                "/srv/www/b/c",
                all,
                Some("{path:/srv/www}"),
            ),
            (
                "{path:/srv/www/a}",
                "{path:/srv/www/b}",
                all,
                Some("{path:/srv/www}"),
            ),
            ("-a", "-b", all, None),
            ("-a", "b", all, None),
            ("en", "de", Freedom::Numbers, None),
            ("1", "2", Freedom::Numbers, Some("{number}")),
            ("1", "2", Freedom::None, None),
            ("http://a/", "http://b/", all, None),
        ] {
            let joined = template(a).join(&template(b), freedom);
            assert_eq!(
                joined.map(|it| it.to_string()).as_deref(),
                expected,
                "{a} {b}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// Any text is its own literal and survives being written down.
        #[test]
        fn literals_round_trip(text in ".{0,64}", freedom in 0..3_u8) {
            let freedom = [Freedom::None, Freedom::Numbers, Freedom::All][usize::from(freedom)];
            let seen = Template::of(&text, freedom);
            prop_assert!(seen.matches(text.as_bytes()));
            prop_assert_eq!(template(&seen.to_string()), seen);
        }

        /// What two templates are joined to matches what each matched.
        #[test]
        fn a_join_matches_both(a in "[a-z0-9/.-]{1,24}", b in "[a-z0-9/.-]{1,24}") {
            let (first, second) = (Template::of(&a, Freedom::All), Template::of(&b, Freedom::All));
            if let Some(joined) = first.join(&second, Freedom::All) {
                prop_assert!(joined.matches(a.as_bytes()) && joined.matches(b.as_bytes()));
                prop_assert_eq!(second.join(&first, Freedom::All), Some(joined));
            }
        }

        /// A placeholder never stands for anything with a metacharacter, nor for an option.
        #[test]
        fn no_placeholder_takes_a_metacharacter(
            before in "[ -~]{0,12}", sign in "[;|&$()<>`\n\r\\\\'\"*?#~!{}\\[\\]]", after in "[ -~]{0,12}",
        ) {
            let value = format!("{before}{sign}{after}");
            for class in ["{number}", "{hex}", "{word}", "{address}", "{path:/tmp}", "{path:/srv/a:.jpg}"] {
                prop_assert!(!template(class).matches(value.as_bytes()));
                for text in [value.clone(), format!("/tmp/{value}"), format!("-{after}")] {
                    let matches = template(class).matches(text.as_bytes());
                    prop_assert!(!matches, "{} {}", class, text);
                }
            }
        }
    }
}
