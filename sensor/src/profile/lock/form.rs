//! The YAML of a lock: reading it, and the one way of writing it.

use std::fmt::Write as _;

use serde::Deserialize;

use super::{CHAINS_MAX, Lock, Seen, VERSION};
use crate::profile::{
    chain::Chain,
    key::{Key, Place},
    step::Step,
};

/// First lines of a file that is written.
const HEAD: &str = "\
# What services may spawn. Written by `lineage-sensor profile learn`; to be read by people,
# kept under version control and merged like code. See docs/profiles.md.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    #[serde(default)]
    services: Vec<Service>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    kind: String,
    name: Option<String>,
    unit: Option<String>,
    exe: Option<String>,
    uid: u32,
    chains: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    steps: Vec<StepForm>,
    count: Option<u64>,
    days: Option<u32>,
    first: Option<String>,
    last: Option<String>,
}

/// A step in any file of chains.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::profile) struct StepForm {
    exe: String,
    args: Vec<String>,
}

impl StepForm {
    pub(in crate::profile) fn new(exe: &str, args: Vec<String>) -> Self {
        let exe = exe.to_owned();
        Self { exe, args }
    }
}

/// A chain of these steps.
pub(in crate::profile) fn chain(steps: &[StepForm]) -> Result<Chain, String> {
    let read = steps.iter().enumerate().map(|(index, step)| {
        let number = index + 1;
        Step::parse(&step.exe, &step.args).map_err(|error| format!("step {number}: {error}"))
    });
    let steps: Result<_, _> = read.collect();
    Chain::new(steps?)
}

/// The parser's error, an unknown key with the nearest known one.
#[must_use]
pub fn nearest(message: &str) -> String {
    let Some(rest) = message.split_once("unknown field `").map(|(_, rest)| rest) else {
        return message.to_owned();
    };
    let mut quoted = rest.split('`').step_by(2);
    let key = quoted.next().unwrap_or_default();
    let known = rest.split('`').skip(2).step_by(2);
    let near = known.min_by_key(|known| strsim::osa_distance(key, known));
    let line = message
        .rsplit_once(" at line ")
        .map(|(_, at)| format!(" at line {at}"));
    let near = near.map(|near| format!(": did you mean `{near}`?"));
    format!(
        "unknown key `{key}`{}{}",
        near.unwrap_or_default(),
        line.unwrap_or_default()
    )
}

impl Lock {
    /// Reads what [`Lock::to_yaml`] writes, and what people make of it.
    ///
    /// # Errors
    /// When it is not YAML of this form and version.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = yaml_serde::from_str(text).map_err(|error| nearest(&error.to_string()))?;
        if file.version != VERSION {
            return Err(format!(
                "version {}: this sensor reads version {VERSION}",
                file.version
            ));
        }
        let mut lock = Self::default();
        for (index, service) in file.services.iter().enumerate() {
            let number = index + 1;
            lock.take(service)
                .map_err(|error| format!("service {number}: {error}"))?;
        }
        if lock.len() > CHAINS_MAX {
            return Err(format!("more than {CHAINS_MAX} chains"));
        }
        Ok(lock)
    }

    fn take(&mut self, service: &Service) -> Result<(), String> {
        let kind = Key::kind(&service.kind)
            .ok_or_else(|| format!("`{}` is no kind of server", service.kind))?;
        let place = match (&service.name, &service.unit, &service.exe) {
            (Some(name), None, None) => Place::Name(name.clone()),
            (None, Some(unit), None) => Place::Unit(unit.clone()),
            (None, None, Some(exe)) => Place::Exe(exe.clone()),
            _ => return Err("expected one of name, unit and exe".to_owned()),
        };
        let uid = service.uid;
        let key = Key { kind, place, uid };
        for (index, entry) in service.chains.iter().enumerate() {
            let number = index + 1;
            let error = |error| format!("chain {number}: {error}");
            let chain = chain(&entry.steps).map_err(error)?;
            self.add(&key, &chain, seen(entry).map_err(error)?);
        }
        Ok(())
    }

    /// Its text: one order and form for the same chains.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut text = format!("{HEAD}version: {VERSION}\n");
        if self.is_empty() {
            text.push_str("services: []\n");
            return text;
        }
        text.push_str("services:\n");
        for (key, chains) in &self.services {
            let (name, value) = key.place.pair();
            let (kind, uid) = (key.kind, key.uid);
            let value = scalar(value);
            put(
                &mut text,
                format_args!(
                    "  - kind: {kind}\n    {name}: {value}\n    uid: {uid}\n    chains:\n"
                ),
            );
            for (chain, seen) in chains {
                put_chain(&mut text, chain, *seen);
            }
        }
        text
    }
}

fn seen(entry: &Entry) -> Result<Option<Seen>, String> {
    let seen = match (entry.count, entry.days, &entry.first, &entry.last) {
        (None, None, None, None) => return Ok(None),
        (Some(count), Some(days), Some(first), Some(last)) => Seen {
            count,
            days,
            first: first.parse()?,
            last: last.parse()?,
        },
        _ => return Err("expected all of count, days, first and last, or none".to_owned()),
    };
    if seen.last < seen.first {
        return Err("last seen before it was first seen".to_owned());
    }
    Ok(Some(seen))
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("a String takes all");
}

fn put_chain(text: &mut String, chain: &Chain, seen: Option<Seen>) {
    text.push_str("      - steps:\n");
    for step in chain.steps() {
        let args: Vec<_> = step.args().map(|arg| scalar(&arg)).collect();
        let (exe, args) = (scalar(step.exe()), args.join(", "));
        put(
            text,
            format_args!("          - exe: {exe}\n            args: [{args}]\n"),
        );
    }
    if let Some(seen) = seen {
        let Seen {
            count,
            days,
            first,
            last,
        } = seen;
        put(
            text,
            format_args!(
                "        count: {count}\n        days: {days}\n        first: {first}\n        last: {last}\n"
            ),
        );
    }
}

/// A text as it stands where YAML reads it back as the same text, else in JSON's quotes.
fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c == '/' || c.is_ascii_alphabetic() || c == '-')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"/._-@".contains(&b))
        && text.bytes().any(|b| b.is_ascii_alphabetic())
        && matches!(yaml_serde::from_str(text), Ok(yaml_serde::Value::String(_)));
    if plain {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}
