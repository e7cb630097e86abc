//! `redact`: what is taken for a secret, and what stands in its place.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use super::form::{Form, Raw, Shape};
use crate::redact::{self, PATTERN_MAX, PATTERNS_MAX};

/// Secrets in alerts, in the history and in answers to `tree` and `why-not`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Redact {
    /// Replace them.
    pub enabled: bool,
    /// What is one besides what is known for one.
    pub patterns: Patterns,
    /// The key of the hashes that stand in their place.
    pub key_file: PathBuf,
}

impl Default for Redact {
    fn default() -> Self {
        Self {
            enabled: true,
            patterns: Patterns::default(),
            key_file: "/var/lib/lineage-sensor/redact.key".into(),
        }
    }
}

/// Regular expressions that [`redact::check`] has found good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Patterns(Vec<String>);

impl Patterns {
    /// The patterns, for [`redact::Redactor::new`].
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

impl Form for Patterns {
    const SHAPE: Shape = Shape::List;

    fn expected() -> String {
        format!("a list of up to {PATTERNS_MAX} regular expressions of at most {PATTERN_MAX} bytes")
    }

    fn schema() -> Value {
        json!({
            "type": "array",
            "items": { "type": "string", "minLength": 1, "maxLength": PATTERN_MAX },
            "maxItems": PATTERNS_MAX,
        })
    }

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::List(items) if redact::check(items).is_ok() => Some(Self(items.clone())),
            _ => None,
        }
    }

    fn wrong(raw: &Raw) -> Option<String> {
        match raw {
            Raw::List(items) => redact::check(items).err().map(|error| error.to_string()),
            _ => None,
        }
    }

    fn write(&self) -> Raw {
        Raw::List(self.0.clone())
    }
}
