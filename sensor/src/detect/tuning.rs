//! What the configuration makes of the rules: some off, some at another level, and
//! exceptions that somebody owns and that end.
//!
//! An exception says exactly what it excuses. It names fields that are as the kernel has
//! them, none that is made of them; values are compared whole, and what was cut in capture
//! is excused by nothing. `*` stands for part of one word between slashes and never for a
//! blank, a newline, an option or anything a shell acts on, so that `report *` does not
//! excuse `report x; curl ...`.

mod pattern;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, fmt, sync::Arc};

use jiff::{civil::Date, tz::TimeZone};
use rsigma_eval::{Event as _, EventValue};
use sensor_common::record::fault;
use serde::{Serialize, Serializer, ser::SerializeStruct as _};

pub use self::pattern::Pattern;
use super::{
    field::{self, Kind},
    rule::{Level, Rule},
    view::View,
};
use crate::event::Program;

/// What makes a path or an argument other than it was.
const CUT: u32 = fault::ARGS | fault::ARGS_CUT | fault::EXE_CUT | fault::CWD_CUT | fault::PATH;

/// Fields that an exception may name. Not those that are made of others for rules to
/// match (`Shell.Command` has no newlines and no quotes any more), nor the environment.
const FIELDS: [&str; 18] = [
    "Image",
    "CommandLine",
    "CurrentDirectory",
    "User",
    "ParentImage",
    "ParentCommandLine",
    "Service.Kind",
    "Service.Role",
    "Service.Unit",
    "Service.Worker",
    "TargetFilename",
    "Target.Action",
    "Target.Kind",
    "Initiated",
    "Protocol",
    "DestinationHostname",
    "DestinationIp",
    "DestinationPort",
];

/// Fields that whoever starts a program writes as he likes: they say nothing without the
/// executable.
const TYPED: [&str; 2] = ["CommandLine", "ParentCommandLine"];

/// `true` for a field that an exception may name.
#[must_use]
pub fn is_exception_field(name: &str) -> bool {
    FIELDS.contains(&name)
}

/// Every field that an exception may name.
pub fn exception_fields() -> impl Iterator<Item = &'static str> {
    FIELDS.into_iter()
}

/// The field most like `name` that an exception may name.
#[must_use]
pub fn nearest_exception_field(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let like = |field: &&str| strsim::normalized_damerau_levenshtein(&name, &field.to_lowercase());
    let best = FIELDS
        .into_iter()
        .max_by(|a, b| like(a).total_cmp(&like(b)))?;
    (like(&best) >= 0.6).then_some(best)
}

/// A rule that is switched off or has another level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjustment {
    /// Name of the rule.
    pub rule: String,
    /// Whether it is evaluated.
    pub enabled: bool,
    /// Its level, when it is not to be the rule's own.
    pub level: Option<Level>,
}

/// Rows of a configuration, with words for what has no form of its own.
impl Serialize for Adjustment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Adjustment", 3)?;
        row.serialize_field("rule", &self.rule)?;
        row.serialize_field("enabled", &self.enabled)?;
        row.serialize_field("level", &self.level.map(|level| level.as_str()))?;
        row.end()
    }
}

/// What a rule shall not alert on, for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exception {
    /// Name of the rule.
    pub rule: String,
    /// Who answers for it.
    pub owner: String,
    /// Why it is there.
    pub reason: String,
    /// The day from whose beginning, in UTC, it no longer holds.
    pub expires: Date,
    /// Fields and what each must be; all of them must hold.
    pub fields: Vec<(String, Pattern)>,
}

impl Exception {
    /// When it ends: `CLOCK_REALTIME`, ns.
    fn end_ns(&self) -> i128 {
        let midnight = self.expires.to_zoned(TimeZone::UTC);
        midnight.map_or(i128::MIN, |time| time.timestamp().as_nanosecond())
    }

    /// The fields say something: what a caller writes is bound to the file that runs.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        let names = |field: &str| self.fields.iter().any(|(name, _)| name == field);
        !self.fields.is_empty() && (names("Image") || !TYPED.into_iter().any(names))
    }

    fn holds(&self, view: &View<'_>) -> bool {
        let holds = |(name, pattern): &(String, Pattern)| value(view, name, pattern);
        self.is_bound() && is_whole(view) && is_at_home(view) && self.fields.iter().all(holds)
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            owner,
            reason,
            expires,
            ..
        } = self;
        write!(
            f,
            "exception of {owner} for {rule} until {expires} ({reason})"
        )
    }
}

/// Nothing that an exception may name was cut in capture: what is missing may be anything.
fn is_whole(view: &View<'_>) -> bool {
    let whole = |program: &Program| !program.args.truncated && !program.faults.has(CUT);
    whole(view.program()) && view.parent().is_none_or(whole)
}

/// The process sees the files of its service: in a mount namespace of one's own any file
/// has any path.
fn is_at_home(view: &View<'_>) -> bool {
    let root = view.subject.lineage.ancestors.first();
    let root = root.and_then(|root| root.program.as_deref());
    view.service().is_none() || root.is_none_or(|root| root.ns.mount == view.program().ns.mount)
}

/// Compares one field. Of a list one member is enough; of a text that is offered in
/// several forms (see [`super::view`]) all must fit.
fn value(view: &View<'_>, name: &str, pattern: &Pattern) -> bool {
    let list = field::find(name).is_some_and(|field| field.kind == Kind::List);
    match view.get_field(name) {
        Some(EventValue::Array(members)) if list => members.iter().any(|it| one(it, pattern)),
        Some(EventValue::Array(forms)) => forms.iter().all(|it| one(it, pattern)),
        Some(value) => one(&value, pattern),
        None => false,
    }
}

fn one(value: &EventValue<'_>, pattern: &Pattern) -> bool {
    match value {
        EventValue::Str(text) => pattern.matches(text),
        EventValue::Int(number) => pattern.matches(&number.to_string()),
        EventValue::Bool(flag) => pattern.matches(if *flag { "true" } else { "false" }),
        _ => false,
    }
}

/// The exceptions in force, by rule.
#[derive(Debug, Default)]
pub struct Tuning {
    exceptions: HashMap<String, Vec<Arc<Exception>>>,
    /// Those that have not been said to have ended, the next to end last.
    running: Vec<(i128, Arc<Exception>)>,
    /// `CLOCK_REALTIME` - `CLOCK_BOOTTIME`, ns.
    offset_ns: i64,
}

impl Tuning {
    /// Exceptions whose ends are told by event time plus `offset_ns`, the difference
    /// between `CLOCK_REALTIME` and `CLOCK_BOOTTIME`.
    #[must_use]
    pub fn new(exceptions: &[Exception], offset_ns: i64) -> Self {
        let mut tuning = Self {
            offset_ns,
            ..Self::default()
        };
        for exception in exceptions {
            let exception = Arc::new(exception.clone());
            let of_rule = tuning.exceptions.entry(exception.rule.clone()).or_default();
            of_rule.push(Arc::clone(&exception));
            tuning.running.push((exception.end_ns(), exception));
        }
        tuning.running.sort_by(|(a, _), (b, _)| b.cmp(a));
        tuning
    }

    /// Some exception is for `rule`.
    pub(super) fn may_except(&self, rule: &Rule) -> bool {
        !self.exceptions.is_empty() && self.exceptions.contains_key(&rule.name)
    }

    /// The exception that keeps `rule` from alerting on this act, if any does.
    pub(super) fn excepts(&self, rule: &Rule, view: &View<'_>) -> Option<&Arc<Exception>> {
        let now = self.realtime(view.subject.stamp.time_ns);
        let mut of_rule = self.exceptions.get(&rule.name)?.iter();
        of_rule.find(|exception| now < exception.end_ns() && exception.holds(view))
    }

    /// Exceptions that have ended by `now_ns`, each once.
    pub(super) fn ended(&mut self, now_ns: u64) -> Vec<Arc<Exception>> {
        let now = self.realtime(now_ns);
        let mut ended = Vec::new();
        while let Some((_, exception)) = self.running.pop_if(|(end, _)| *end <= now) {
            ended.push(exception);
        }
        ended
    }

    fn realtime(&self, boottime_ns: u64) -> i128 {
        i128::from(boottime_ns) + i128::from(self.offset_ns)
    }
}
