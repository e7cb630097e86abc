//! What can be wrong with a configuration, each in one sentence that names the place.

use std::{fmt, io, path::PathBuf};

use crate::exit::{Exit, Failure};

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file, with the line where known.
    File(PathBuf, Option<usize>),
    /// In an environment variable.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, Some(line)) => write!(f, "{}:{line}", path.display()),
            Self::File(path, None) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// A configuration that is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No key has this name.
    #[error("{place}: unknown key `{key}`{}", meant(near.as_deref()))]
    Unknown {
        /// Where.
        place: Place,
        /// Path as given.
        key: String,
        /// Known name next to it, as one would write it at that place.
        near: Option<String>,
    },
    /// The value has another form.
    #[error("{place}: `{key}` must be {expected}, not {found}")]
    Wrong {
        /// Where.
        place: Place,
        /// Path of the key.
        key: String,
        /// Expected form.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// Something in the value has another form.
    #[error("{place}: `{key}`: {what}")]
    Within {
        /// Where.
        place: Place,
        /// Path of the key.
        key: String,
        /// Which part, and what it must be.
        what: String,
    },
    /// The key was given before.
    #[error("{place}: `{key}` is given twice")]
    Duplicate {
        /// Where.
        place: Place,
        /// Path of the key.
        key: String,
    },
    /// Not YAML, or not of the shape of a configuration.
    #[error("{place}: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// Parser's words.
        message: String,
    },
    /// Not UTF-8.
    #[error("{place}: not valid UTF-8")]
    Encoding {
        /// Where.
        place: Place,
    },
    /// Cannot be read.
    #[error("cannot read configuration file {}: {source}", path.display())]
    Read {
        /// File.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Can be read but must not be believed.
    #[error("configuration file {} is refused: {reason}", path.display())]
    Untrusted {
        /// File.
        path: PathBuf,
        /// Why, with the remedy.
        reason: String,
    },
    /// A key is not set that others need.
    #[error("`{key}` is empty: {why}")]
    Lacking {
        /// Path of the key.
        key: &'static str,
        /// Who needs it.
        why: &'static str,
    },
    /// A path given in the configuration that cannot work.
    #[error("`{key}`: {} {reason}", path.display())]
    Path {
        /// Path of the key.
        key: &'static str,
        /// Value.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

fn meant(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!(", did you mean `{near}`?"))
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, error)
    }
}
