//! `outlet.user`: whom the outlet runs as.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::form::{Form, Raw, Shape};

/// Longest name `useradd` takes.
const NAME_MAX: usize = 32;

/// Whom the outlet runs as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OutletUser {
    /// The user that packages make, where there is one and the sensor may change to it.
    #[default]
    Auto,
    /// The user the sensor was started as.
    Same,
    /// The user of this name.
    Named(String),
    /// The user of this uid.
    Numbered(u32),
}

impl Form for OutletUser {
    const SHAPE: Shape = Shape::Text;

    fn expected() -> String {
        "`auto`, `none`, or the name or number of a user".into()
    }

    fn schema() -> Value {
        json!({ "type": ["string", "integer"], "pattern": "^([a-z_][a-z0-9_.-]{0,31}|[0-9]{1,10})$", "minimum": 0 })
    }

    fn read(raw: &Raw) -> Option<Self> {
        let text = match raw {
            Raw::Text(text) => text.clone(),
            Raw::Whole(number) => number.to_string(),
            _ => return None,
        };
        match text.as_str() {
            "auto" => Some(Self::Auto),
            "none" => Some(Self::Same),
            number if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                // All ones stand for nobody.
                let uid = number.parse().ok().filter(|uid| *uid != u32::MAX);
                uid.map(Self::Numbered)
            }
            name => is_name(name).then_some(Self::Named(text)),
        }
    }

    fn write(&self) -> Raw {
        match self {
            Self::Auto => Raw::Text("auto".into()),
            Self::Same => Raw::Text("none".into()),
            Self::Named(name) => Raw::Text(name.clone()),
            Self::Numbered(uid) => Raw::Text(uid.to_string()),
        }
    }
}

impl Serialize for OutletUser {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.write() {
            Raw::Text(text) => serializer.serialize_str(&text),
            _ => serializer.serialize_unit(),
        }
    }
}

/// What `useradd` lets be a name.
fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= NAME_MAX
        && bytes
            .next()
            .is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
        && bytes.all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_survive_and_others_are_refused() {
        for text in ["auto", "none", "lineage-sensor", "_x", "65532"] {
            let raw = Raw::Text(text.to_owned());
            let user = OutletUser::read(&raw).unwrap();
            assert_eq!(OutletUser::read(&user.write()), Some(user), "{text}");
        }
        let number = OutletUser::read(&Raw::Whole(5)).unwrap();
        assert_eq!(number, OutletUser::Numbered(5));
        let long = "x".repeat(33);
        for wrong in [
            "",
            "4294967295",
            "4294967296",
            "-1",
            "A",
            "a b",
            "a:b",
            "a\n",
            &long,
        ] {
            assert_eq!(
                OutletUser::read(&Raw::Text(wrong.to_owned())),
                None,
                "{wrong}"
            );
        }
    }
}
