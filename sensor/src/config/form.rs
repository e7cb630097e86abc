//! The forms a value may have: reading it from YAML or a variable, and writing it back.
//!
//! A form says in words what it expects; errors, help and documentation use those words.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Color, Format, KernelLog, Level, LogFormat, LogLevel, Scope,
    profiles::Mode,
    sinks::{Compress, Encoding, Type},
};

/// Most elements of a list.
pub const LIST_MAX: usize = 1_024;
/// Most bytes of one text.
pub const TEXT_MAX: usize = 4_096;

/// A value as the file or the environment gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Raw {
    /// `null`, or nothing behind the colon.
    Nothing,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number from 0.
    Whole(u64),
    /// Any other number, as text.
    Number(String),
    /// Text.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
    /// A list of sections: names and values of each.
    Table(Vec<Vec<(String, Raw)>>),
    /// Keys of its own.
    Section,
    /// A YAML `!tag`.
    Tagged,
}

impl Raw {
    /// The value in words, short enough for a sentence.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Nothing => "nothing".into(),
            Self::Flag(value) => format!("`{value}`"),
            Self::Whole(value) => format!("the number {value}"),
            Self::Number(value) => format!("the number {value}"),
            Self::Text(text) if text.is_empty() => "empty text".into(),
            Self::Text(text) => match text.char_indices().nth(60) {
                Some((cut, _)) => format!("`{}...`", text.get(..cut).unwrap_or_default()),
                None => format!("`{text}`"),
            },
            Self::List(_) | Self::Table(_) => "this list".into(),
            Self::Section => "a section".into(),
            Self::Tagged => "a tagged value".into(),
        }
    }

    /// The value as YAML on one line.
    #[must_use]
    pub fn yaml(&self) -> String {
        match self {
            Self::Flag(value) => value.to_string(),
            Self::Whole(value) => value.to_string(),
            Self::Text(text) => scalar(text),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(|item| quoted(item)).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Table(rows) => {
                let row = |row: &Vec<(String, Self)>| {
                    let fields = row
                        .iter()
                        .map(|(name, raw)| format!("{name}: {}", raw.yaml()));
                    format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
                };
                format!("[{}]", rows.iter().map(row).collect::<Vec<_>>().join(", "))
            }
            Self::Nothing | Self::Number(_) | Self::Section | Self::Tagged => "null".into(),
        }
    }
}

/// Plain where YAML reads a plain word, path or address back as the same text.
fn scalar(text: &str) -> String {
    let plain = text.starts_with(|first: char| first == '/' || first.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/._-:".contains(c))
        && !text.ends_with(':')
        && matches!(yaml_serde::from_str(text), Ok(yaml_serde::Value::String(_)));
    if plain { text.into() } else { quoted(text) }
}

/// JSON's quoting is valid in YAML.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// What a variable's text is to be read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Whole,
    /// Text as it stands.
    Text,
    /// Texts separated by commas.
    List,
    /// A YAML list of sections, on one line.
    Table,
}

impl Shape {
    /// The value that `text` stands for.
    #[must_use]
    pub fn parse(self, text: &str) -> Raw {
        match self {
            Self::Flag => text
                .parse()
                .map_or_else(|_| Raw::Text(text.into()), Raw::Flag),
            Self::Whole => text
                .parse()
                .map_or_else(|_| Raw::Text(text.into()), Raw::Whole),
            Self::Text => Raw::Text(text.into()),
            Self::Table => super::yaml::table(text).unwrap_or_else(|| Raw::Text(text.into())),
            Self::List => Raw::List(
                text.split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .map(Into::into)
                    .collect(),
            ),
        }
    }
}

/// A type that can be a value of the configuration.
pub trait Form: Sized {
    /// How a variable's text is read.
    const SHAPE: Shape;
    /// What is expected, to stand behind "must be".
    fn expected() -> String;
    /// The same as a JSON Schema, for editors: whatever [`Form::read`] takes is valid.
    fn schema() -> Value;
    /// The value, when it has this form.
    fn read(raw: &Raw) -> Option<Self>;
    /// What exactly is wrong with a value that is not read, and where in it, when more can
    /// be said than what is expected.
    #[must_use]
    fn wrong(_raw: &Raw) -> Option<String> {
        None
    }
    /// The value as [`Form::read`] takes it.
    fn write(&self) -> Raw;
}

impl Form for bool {
    const SHAPE: Shape = Shape::Flag;

    fn expected() -> String {
        "true or false".into()
    }

    fn schema() -> Value {
        json!({ "type": "boolean" })
    }

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Flag(value) => Some(*value),
            _ => None,
        }
    }

    fn write(&self) -> Raw {
        Raw::Flag(*self)
    }
}

/// A whole number between `MIN` and `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Bounded<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Bounded<MIN, MAX> {
    /// # Panics
    /// When `value` is out of bounds; for defaults, where the compiler sees it.
    pub(super) const fn new(value: u64) -> Self {
        assert!(MIN <= value && value <= MAX, "default within its bounds");
        Self(value)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl<const MIN: u64, const MAX: u64> Form for Bounded<MIN, MAX> {
    const SHAPE: Shape = Shape::Whole;

    fn expected() -> String {
        format!("a whole number from {MIN} to {MAX}")
    }

    fn schema() -> Value {
        json!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Whole(value) if (MIN..=MAX).contains(value) => Some(Self(*value)),
            _ => None,
        }
    }

    fn write(&self) -> Raw {
        Raw::Whole(self.0)
    }
}

impl Form for SocketAddr {
    const SHAPE: Shape = Shape::Text;

    fn expected() -> String {
        "an IP address and port like 127.0.0.1:9753 or \"[::1]:9753\"".into()
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": ":[0-9]{1,5}$" })
    }

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    fn write(&self) -> Raw {
        Raw::Text(self.to_string())
    }
}

/// An absolute path: a daemon's working directory is nobody's idea of a place.
fn path(text: &str) -> Option<PathBuf> {
    let fits = text.len() <= TEXT_MAX && !text.contains('\0');
    (fits && Path::new(text).is_absolute()).then(|| text.into())
}

impl Form for PathBuf {
    const SHAPE: Shape = Shape::Text;

    fn expected() -> String {
        "an absolute path".into()
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^/", "maxLength": TEXT_MAX })
    }

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Text(text) => path(text),
            _ => None,
        }
    }

    fn write(&self) -> Raw {
        Raw::Text(self.to_string_lossy().into_owned())
    }
}

impl Form for Vec<PathBuf> {
    const SHAPE: Shape = Shape::List;

    fn expected() -> String {
        "a list of absolute paths".into()
    }

    fn schema() -> Value {
        list_of(&PathBuf::schema())
    }

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::List(items) => items.iter().map(|item| path(item)).collect(),
            _ => None,
        }
    }

    fn write(&self) -> Raw {
        Raw::List(
            self.iter()
                .map(|item| item.to_string_lossy().into_owned())
                .collect(),
        )
    }
}

impl Form for Vec<String> {
    const SHAPE: Shape = Shape::List;

    fn expected() -> String {
        "a list of names (text without control characters)".into()
    }

    fn schema() -> Value {
        list_of(&text_schema())
    }

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::List(items) => {
                let named = |item: &String| !item.is_empty() && !item.chars().any(char::is_control);
                items.iter().all(named).then(|| items.clone())
            }
            _ => None,
        }
    }

    fn write(&self) -> Raw {
        Raw::List(self.clone())
    }
}

/// A list whose elements are each of this form.
pub(super) fn list_of(element: &Value) -> Value {
    json!({ "type": "array", "items": element, "maxItems": LIST_MAX })
}

/// A list of sections that have these names and no others.
pub(super) fn table_of<const N: usize>(required: &[&str], names: [(&str, Value); N]) -> Value {
    let names: Map<_, _> = names
        .map(|(name, form)| (name.to_owned(), form))
        .into_iter()
        .collect();
    list_of(&json!({
        "type": "object",
        "properties": names,
        "required": required,
        "additionalProperties": false,
    }))
}

/// Text that says something.
pub(super) fn text_schema() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": TEXT_MAX })
}

/// Names of a choice, in order of declaration.
pub(super) fn names<T: ValueEnum>() -> Vec<String> {
    let values = T::value_variants().iter().filter_map(T::to_possible_value);
    values.map(|value| value.get_name().to_owned()).collect()
}

macro_rules! choice {
    ($($choice:ty),+) => {$(
        impl Form for $choice {
            const SHAPE: Shape = Shape::Text;

            fn expected() -> String {
                format!("one of {}", names::<Self>().join(", "))
            }

            fn schema() -> Value {
                json!({ "enum": names::<Self>() })
            }

            fn read(raw: &Raw) -> Option<Self> {
                match raw {
                    Raw::Text(text) => <Self as ValueEnum>::from_str(text, false).ok(),
                    _ => None,
                }
            }

            fn write(&self) -> Raw {
                let value = self.to_possible_value();
                Raw::Text(value.map_or_else(String::new, |value| value.get_name().into()))
            }
        }
    )+};
}

choice!(
    Type, Encoding, Compress, Mode, Scope, Format, Level, Color, LogLevel, LogFormat, KernelLog
);
