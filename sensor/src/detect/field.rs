//! The fields rules can name. One table ([`FIELDS`]) stands behind look-up, `rules
//! check` and the documentation.
//!
//! A field that has no value for an event is absent, which only `null` and
//! `exists: false` match.

use std::sync::LazyLock;

use rsigma_eval::EventValue;

pub use super::table::FIELDS;
use super::{rule::Need, view::View};

/// Shape of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// Several texts; a rule matches when one does.
    List,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Bool,
}

impl Kind {
    /// Word used in documentation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::List => "list of text",
            Self::Number => "number",
            Self::Bool => "true/false",
        }
    }
}

type Get = for<'v> fn(&'v View<'_>) -> Option<EventValue<'v>>;

/// One field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name used in rules.
    pub name: &'static str,
    /// Shape of its value.
    pub kind: Kind,
    /// What it says, one line.
    pub about: &'static str,
    /// Fact without which it may be absent: rules that use it declare it under `needs`.
    pub fact: Option<Need>,
    get: Get,
}

impl Field {
    pub(super) const fn new(name: &'static str, kind: Kind, about: &'static str, get: Get) -> Self {
        Self {
            name,
            kind,
            about,
            fact: None,
            get,
        }
    }

    pub(super) const fn with_fact(mut self, fact: Need) -> Self {
        self.fact = Some(fact);
        self
    }

    pub(super) fn get<'v>(&self, view: &'v View<'_>) -> Option<EventValue<'v>> {
        (self.get)(view)
    }
}

/// Prefix of the fields that are environment variables: `Env.LD_PRELOAD`.
pub const ENV: &str = "Env.";

/// What [`ENV`] fields are, for documentation.
pub const ENV_ABOUT: &str = "Environment variable of the new program, if the sensor keeps it";

/// The field called `name`; variables are not in the table.
pub(super) fn find(name: &str) -> Option<&'static Field> {
    static SORTED: LazyLock<Vec<&'static Field>> = LazyLock::new(|| {
        let mut fields: Vec<_> = FIELDS.iter().collect();
        fields.sort_by_key(|field| field.name);
        fields
    });
    let index = SORTED.binary_search_by(|field| field.name.cmp(name)).ok()?;
    SORTED.get(index).copied()
}

/// The field whose name is most like `name`, if any is at all.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let wanted = name.to_lowercase();
    let scored = FIELDS.iter().map(|field| {
        let tail = field
            .name
            .rsplit('.')
            .next()
            .unwrap_or(field.name)
            .to_lowercase();
        let whole = strsim::normalized_damerau_levenshtein(&wanted, &field.name.to_lowercase());
        (
            whole.max(strsim::normalized_damerau_levenshtein(&wanted, &tail) * 0.9),
            field.name,
        )
    });
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= 0.6).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for field in FIELDS {
            assert_eq!(find(field.name).map(|found| found.about), Some(field.about));
            assert!(
                !field.about.is_empty() && !field.about.ends_with('.'),
                "{}",
                field.name
            );
        }
        assert!(find("image").is_none());
        assert!(find("Env.PATH").is_none());
    }

    #[test]
    fn a_misspelt_field_has_a_neighbour() {
        assert_eq!(nearest("Comandline"), Some("CommandLine"));
        assert_eq!(nearest("service.role"), Some("Service.Role"));
        assert_eq!(nearest("OwnImage"), Some("Exec.OwnImage"));
        assert_eq!(nearest("zzzzzzzz"), None);
    }
}
