//! Walks a YAML document along the table of keys.
//!
//! Values are visited as the parser meets them, never built into a generic tree: every
//! list and text is bounded on the way, so that aliases cannot be made to expand into more
//! than the file itself holds, and every error has the line it stands on.

use std::{cell::RefCell, collections::BTreeSet, fmt, path::Path};

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};

use super::{
    Config,
    error::{ConfigError, Place},
    form::{LIST_MAX, Raw, Shape, TEXT_MAX},
    key::{Key, is_inner, is_section, nearest},
};

/// Sets in `config` what `text` says and returns the keys it set.
///
/// # Errors
/// When the text is not YAML, or has unknown, repeated or ill-formed keys.
pub(super) fn apply(
    text: &str,
    file: &Path,
    config: &mut Config,
) -> Result<BTreeSet<&'static str>, ConfigError> {
    if too_deep(text) {
        let message = format!("more than {DEPTH_MAX} brackets are open at once");
        return Err(ConfigError::Syntax {
            place: Place::File(file.into(), None),
            message,
        });
    }
    let reader = RefCell::new(Reader {
        config,
        given: BTreeSet::new(),
        problem: None,
    });
    let root = Section {
        path: String::new(),
        reader: &reader,
    };
    let result = root.deserialize(yaml_serde::Deserializer::from_str(text));
    let reader = reader.into_inner();
    result
        .map(|()| reader.given)
        .map_err(|error| refusal(&error, reader.problem, file))
}

/// The problem met, at the line the parser knows; without one the parser's own words.
fn refusal(error: &yaml_serde::Error, problem: Option<Problem>, file: &Path) -> ConfigError {
    let line = error.location().map(|location| location.line());
    let place = Place::File(file.into(), line);
    match problem {
        Some(Problem::Unknown(key)) => {
            let near = nearest(&key);
            ConfigError::Unknown { place, key, near }
        }
        Some(Problem::Duplicate(key)) => ConfigError::Duplicate { place, key },
        Some(Problem::Within(key, what)) => ConfigError::Within {
            place,
            key: key.path.into(),
            what,
        },
        Some(Problem::Wrong(key, found)) => ConfigError::Wrong {
            place,
            key: key.path.into(),
            expected: (key.expected)(),
            found,
        },
        None => ConfigError::Syntax {
            place: Place::File(file.into(), None),
            message: error.to_string(),
        },
    }
}

/// Brackets open at once. The parser's time grows with their number for each token: a
/// file full of `[` would keep it busy for half a minute.
const DEPTH_MAX: usize = 256;

/// Counts brackets wherever they stand, comments and quotes included: no honest file
/// comes near.
fn too_deep(text: &str) -> bool {
    let mut open = 0_usize;
    text.bytes().any(|byte| {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        open > DEPTH_MAX
    })
}

/// What the walk has done so far. The problem travels beside the parser's own error,
/// which knows the line.
struct Reader<'a> {
    config: &'a mut Config,
    given: BTreeSet<&'static str>,
    problem: Option<Problem>,
}

enum Problem {
    Unknown(String),
    Duplicate(String),
    Wrong(&'static Key, String),
    /// Key, and which part of its value is wrong.
    Within(&'static Key, String),
}

type Shared<'r, 'a> = &'r RefCell<Reader<'a>>;

fn fail<E: Error>(reader: Shared<'_, '_>, problem: Problem) -> E {
    reader.borrow_mut().problem = Some(problem);
    E::custom("refused")
}

/// A mapping of keys below `path`.
struct Section<'r, 'a> {
    path: String,
    reader: Shared<'r, 'a>,
}

impl<'de> DeserializeSeed<'de> for Section<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Section<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping of keys to values")
    }

    /// All keys commented out.
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    /// An empty file.
    fn visit_none<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(path) = map.next_key_seed(Name {
            section: &self,
            seen: &mut seen,
        })? {
            match Key::find(&path) {
                Some(key) => map.next_value_seed(Leaf {
                    key,
                    reader: self.reader,
                })?,
                None => map.next_value_seed(Section {
                    path,
                    reader: self.reader,
                })?,
            }
        }
        Ok(())
    }
}

/// One name in a section; yields the known path.
struct Name<'n, 'r, 'a> {
    section: &'n Section<'r, 'a>,
    seen: &'n mut BTreeSet<String>,
}

impl<'de> DeserializeSeed<'de> for Name<'_, '_, '_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_, '_, '_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a key")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<String, E> {
        let Section { path, reader } = self.section;
        let name: String = name.chars().take(120).collect();
        let path = if path.is_empty() {
            name
        } else {
            format!("{path}.{name}")
        };
        if Key::find(&path).is_none() && !is_section(&path) {
            return Err(fail(reader, Problem::Unknown(path)));
        }
        if !self.seen.insert(path.clone()) {
            return Err(fail(reader, Problem::Duplicate(path)));
        }
        Ok(path)
    }
}

/// The value of a key.
struct Leaf<'r, 'a> {
    key: &'static Key,
    reader: Shared<'r, 'a>,
}

impl Leaf<'_, '_> {
    fn take<E: Error>(self, raw: &Raw) -> Result<(), E> {
        let short = !matches!(raw, Raw::Text(text) if text.len() > TEXT_MAX);
        let mut reader = self.reader.borrow_mut();
        if short && (self.key.set)(reader.config, raw) {
            reader.given.insert(self.key.path);
            return Ok(());
        }
        drop(reader);
        let problem = match (self.key.wrong)(raw) {
            Some(what) => Problem::Within(self.key, what),
            None => Problem::Wrong(self.key, raw.describe()),
        };
        Err(fail(self.reader, problem))
    }
}

impl<'de> DeserializeSeed<'de> for Leaf<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Leaf<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&(self.key.expected)())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.take(&Raw::Flag(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.take(&Raw::Whole(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.take(&Raw::Number(value.to_string()))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<(), E> {
        self.take(&Raw::Number(value.to_string()))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<(), E> {
        self.take(&Raw::Number(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.take(&Raw::Number(value.to_string()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.take(&Raw::Text(text.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.take(&Raw::Nothing)
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.take(&Raw::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, _map: A) -> Result<(), A::Error> {
        self.take(&Raw::Section)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _data: A) -> Result<(), A::Error> {
        self.take(&Raw::Tagged)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if self.key.shape == Shape::Table {
            let mut rows = Vec::new();
            let row = || Row {
                path: self.key.path,
                reader: Some(self.reader),
            };
            while let Some(row) = seq.next_element_seed(row())? {
                bounded(rows.len())?;
                rows.push(row);
            }
            return self.take(&Raw::Table(rows));
        }
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Element)? {
            bounded(items.len())?;
            items.push(item);
        }
        self.take(&Raw::List(items))
    }
}

/// Refuses one element more than a list may have.
fn bounded<E: Error>(len: usize) -> Result<(), E> {
    if len < LIST_MAX {
        return Ok(());
    }
    Err(E::custom(format_args!("more than {LIST_MAX} elements")))
}

/// A list of sections on its own, for a variable; `None` when it is none.
pub(super) fn table(text: &str) -> Option<Raw> {
    if too_deep(text) {
        return None;
    }
    yaml_serde::Deserializer::from_str(text)
        .deserialize_seq(Table)
        .ok()
}

struct Table;

impl<'de> Visitor<'de> for Table {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of sections")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut rows = Vec::new();
        let row = || Row {
            path: "",
            reader: None,
        };
        while let Some(row) = seq.next_element_seed(row())? {
            bounded(rows.len())?;
            rows.push(row);
        }
        Ok(Raw::Table(rows))
    }
}

/// One section of a list: names, each with a text or a list of texts. In a file the names
/// are checked, so that the error has the line.
struct Row<'r, 'a> {
    path: &'static str,
    reader: Option<Shared<'r, 'a>>,
}

impl<'de> DeserializeSeed<'de> for Row<'_, '_> {
    type Value = Vec<(String, Raw)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Row<'_, '_> {
    type Value = Vec<(String, Raw)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a section of names and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields: Vec<(String, Raw)> = Vec::new();
        while let Some(name) = map.next_key_seed(Element)? {
            let path = format!("{}.{name}", self.path);
            if let Some(reader) = self.reader.filter(|_| !is_inner(&path)) {
                return Err(fail(reader, Problem::Unknown(path)));
            }
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(match self.reader {
                    Some(reader) => fail(reader, Problem::Duplicate(path)),
                    None => A::Error::custom("given twice"),
                });
            }
            fields.push((name, map.next_value_seed(Cell)?));
        }
        Ok(fields)
    }
}

/// A text, a whole number, a list of texts, `true` or `false`.
struct Cell;

impl<'de> DeserializeSeed<'de> for Cell {
    type Value = Raw;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Cell {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a whole number, a list of texts, true or false")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Flag(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Whole(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Raw, E> {
        Element.visit_str(text).map(Raw::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Element)? {
            bounded(items.len())?;
            items.push(item);
        }
        Ok(Raw::List(items))
    }
}

/// One text of a list.
struct Element;

impl<'de> DeserializeSeed<'de> for Element {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Element {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        if text.len() > TEXT_MAX {
            return Err(E::custom(format_args!("longer than {TEXT_MAX} bytes")));
        }
        Ok(text.to_owned())
    }
}
