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
mod tests;
