//! The fields rules can name. One list ([`all`]) stands behind look-up, `rules check`
//! and the documentation.
//!
//! A field that has no value for an event is absent, which only `null` and
//! `exists: false` match.

use std::sync::LazyLock;

use rsigma_eval::EventValue;

use super::{
    category::Category, past::Past, reading::Reading, rule::Need, setting::Setting, table,
    view::View,
};

/// Every field except the variables under [`ENV`].
pub fn all() -> impl Iterator<Item = &'static Field> {
    table::PROCESS
        .iter()
        .chain(table::exec::FIELDS)
        .chain(table::file::FIELDS)
        .chain(table::network::FIELDS)
}

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

/// How a field is made of all that is known of the act.
pub(super) type Get = for<'v> fn(&'v View<'_>) -> Option<EventValue<'v>>;

/// Where a field's value comes from.
#[derive(Clone, Copy, Debug)]
enum Origin {
    /// From all that is known of the act.
    View(Get),
    /// From time, processes and earlier acts, as far as [`Past`] tells.
    Past(for<'v> fn(&'v Past) -> Option<EventValue<'v>>),
    /// From what the act is set in.
    Setting(for<'v> fn(&'v Setting<'_>) -> Option<EventValue<'v>>),
    /// From the program alone.
    Program(for<'v> fn(&'v Reading<'_>) -> Option<EventValue<'v>>),
}

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
    /// The only category in which it has a value; `None` when in every.
    pub only: Option<Category>,
    /// It is in Sigma's taxonomy and never has a value here.
    pub never: bool,
    /// Hardly two acts have the same value: a verdict for which it was read is not
    /// remembered.
    pub(super) changing: bool,
    origin: Origin,
}

impl Field {
    pub(super) const fn new(name: &'static str, kind: Kind, about: &'static str, get: Get) -> Self {
        Self::made(name, kind, about, Origin::View(get))
    }

    /// A field that depends on what [`Past`] tells.
    pub(super) const fn of_past(
        name: &'static str,
        kind: Kind,
        about: &'static str,
        get: for<'v> fn(&'v Past) -> Option<EventValue<'v>>,
    ) -> Self {
        Self::made(name, kind, about, Origin::Past(get))
    }

    /// A field that depends on what the act is set in: on no time, no process id and no
    /// earlier act.
    pub(super) const fn of_setting(
        name: &'static str,
        kind: Kind,
        about: &'static str,
        get: for<'v> fn(&'v Setting<'_>) -> Option<EventValue<'v>>,
    ) -> Self {
        Self::made(name, kind, about, Origin::Setting(get))
    }

    /// A field that depends on the acting process's program alone.
    pub(super) const fn of_program(
        name: &'static str,
        kind: Kind,
        about: &'static str,
        get: for<'v> fn(&'v Reading<'_>) -> Option<EventValue<'v>>,
    ) -> Self {
        Self::made(name, kind, about, Origin::Program(get))
    }

    const fn made(name: &'static str, kind: Kind, about: &'static str, origin: Origin) -> Self {
        Self {
            name,
            kind,
            about,
            fact: None,
            only: None,
            never: false,
            changing: false,
            origin,
        }
    }

    /// A field that has another value for nearly every act.
    pub(super) const fn changing(mut self) -> Self {
        self.changing = true;
        self
    }

    /// A field that only acts of one category have.
    pub(super) const fn only(mut self, category: Category) -> Self {
        self.only = Some(category);
        self
    }

    /// A field that Sigma knows and the sensor cannot fill.
    pub(super) const fn never(mut self) -> Self {
        self.never = true;
        self
    }

    pub(super) const fn with_fact(mut self, fact: Need) -> Self {
        self.fact = Some(fact);
        self
    }

    pub(super) fn get<'v>(&self, view: &'v View<'_>) -> Option<EventValue<'v>> {
        match self.origin {
            Origin::View(get) => get(view),
            Origin::Past(get) => get(view.past()),
            Origin::Setting(get) => get(&view.setting),
            Origin::Program(get) => get(&view.setting.reading),
        }
    }

    /// Its value depends on what the act is set in and on what [`Past`] tells, and on
    /// nothing else.
    pub(super) const fn is_compared(&self) -> bool {
        !matches!(self.origin, Origin::View(_))
    }

    /// Its value depends on what the act is set in, and on nothing else.
    #[cfg(test)]
    pub(super) const fn is_of_setting(&self) -> bool {
        matches!(self.origin, Origin::Setting(_) | Origin::Program(_))
    }

    /// Its value depends on the program alone.
    pub(super) const fn is_of_program(&self) -> bool {
        matches!(self.origin, Origin::Program(_))
    }
}

/// Prefix of the fields that are environment variables: `Env.LD_PRELOAD`.
pub const ENV: &str = "Env.";

/// What [`ENV`] fields are, for documentation.
pub const ENV_ABOUT: &str = "Environment variable of the new program, if the sensor keeps it";

/// Buckets of the look-up table: enough that few fields share one.
const BUCKETS: usize = 512;

/// The field called `name`; variables are not in the table. Half the cost of an
/// evaluation was a binary search here, hence the buckets.
pub(super) fn find(name: &str) -> Option<&'static Field> {
    locate(name).map(|(_, field)| field)
}

/// The same with its place in [`all`].
pub(super) fn locate(name: &str) -> Option<(usize, &'static Field)> {
    static TABLE: LazyLock<Vec<Vec<(usize, &'static Field)>>> = LazyLock::new(|| {
        let mut table = vec![Vec::new(); BUCKETS];
        for (place, field) in all().enumerate() {
            table[bucket(field.name)].push((place, field));
        }
        table
    });
    let fields = TABLE.get(bucket(name))?;
    fields.iter().find(|(_, field)| field.name == name).copied()
}

/// Length and the bytes in which the names differ most.
fn bucket(name: &str) -> usize {
    let bytes = name.as_bytes();
    let at = |index: usize| usize::from(bytes.get(index).copied().unwrap_or_default());
    let end = bytes.len();
    (end * 31 + at(0) * 7 + at(end.wrapping_sub(1)) * 3 + at(end.wrapping_sub(4)) * 5) % BUCKETS
}

/// The field whose name is most like `name`, if any is at all.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let wanted = name.to_lowercase();
    let scored = all().map(|field| {
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
        for field in all() {
            assert_eq!(find(field.name).map(|found| found.about), Some(field.about));
            assert!(
                !field.about.is_empty() && !field.about.ends_with('.'),
                "{}",
                field.name
            );
        }
        let shared = |n: &str| all().filter(|f| bucket(f.name) == bucket(n)).count();
        assert!(all().all(|field| shared(field.name) <= 3));
        assert!(find("").is_none());
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
