//! The configuration in force, and where each value came from.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use super::{
    Color, Config, ConfigError, DEFAULT_FILE, DEFAULT_RULES,
    environment::{self, Variables},
    file,
    key::{KEYS, Key},
    sinks::Sink,
    yaml,
};
use crate::printable::escape;

/// Where a value came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    #[default]
    Default,
    /// The configuration file.
    File(PathBuf),
    /// This environment variable.
    Environment(String),
    /// This option.
    CommandLine(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::CommandLine(option) => write!(f, "command line {option}"),
        }
    }
}

/// A rule directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleDirectory {
    /// Path.
    pub path: PathBuf,
    /// Its absence is an error; false only for [`DEFAULT_RULES`].
    pub required: bool,
}

/// The configuration in force.
#[derive(Clone, Debug, Default)]
pub struct Effective {
    /// Values.
    pub config: Config,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    origins: BTreeMap<&'static str, Origin>,
}

impl Effective {
    /// Defaults, overlaid by the file (`explicit`, or [`DEFAULT_FILE`] where there is one)
    /// and the variables.
    ///
    /// # Errors
    /// When an explicit file is missing, or file or environment are refused.
    pub fn load(explicit: Option<&Path>, variables: &Variables) -> Result<Self, ConfigError> {
        let mut effective = Self::default();
        let path = explicit.unwrap_or_else(|| Path::new(DEFAULT_FILE));
        match file::read(path)? {
            Some(text) => effective.apply_file(&text, path)?,
            None if explicit.is_some() => {
                let source = std::io::ErrorKind::NotFound.into();
                return Err(ConfigError::Read {
                    path: path.into(),
                    source,
                });
            }
            None => {}
        }
        effective.apply_environment(variables)?;
        Ok(effective)
    }

    fn apply_file(&mut self, text: &str, path: &Path) -> Result<(), ConfigError> {
        for key in yaml::apply(text, path, &mut self.config)? {
            self.origins.insert(key, Origin::File(path.into()));
        }
        self.file = Some(path.into());
        Ok(())
    }

    fn apply_environment(&mut self, variables: &Variables) -> Result<(), ConfigError> {
        for (key, variable) in environment::apply(variables, &mut self.config)? {
            self.origins.insert(key, Origin::Environment(variable));
        }
        if self.origin("output.color") == Origin::Default && environment::no_color(variables) {
            self.config.output.color = Color::Never;
            self.origins
                .insert("output.color", Origin::Environment("NO_COLOR".into()));
        }
        Ok(())
    }

    /// Overrides the value of `key` from the command line.
    pub fn override_by(
        &mut self,
        option: &'static str,
        key: &'static str,
        set: impl FnOnce(&mut Config),
    ) {
        debug_assert!(Key::find(key).is_some(), "unknown key {key}");
        set(&mut self.config);
        self.origins.insert(key, Origin::CommandLine(option));
    }

    /// Takes over from `other` where the value of `key` came from.
    pub(super) fn take_origin(&mut self, key: &'static str, other: &Self) {
        self.origins.insert(key, other.origin(key));
    }

    /// Where the value of `key` came from.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or_default()
    }

    /// Directories to read rules from, each once.
    #[must_use]
    pub fn rule_directories(&self) -> Vec<RuleDirectory> {
        let mut directories: Vec<RuleDirectory> = Vec::new();
        for path in &self.config.rules.directories {
            if !directories.iter().any(|known| known.path == *path) {
                let required = path != Path::new(DEFAULT_RULES);
                directories.push(RuleDirectory {
                    path: path.clone(),
                    required,
                });
            }
        }
        directories
    }

    /// Looks at the paths the configuration names.
    ///
    /// # Errors
    /// When a rule directory is missing or none, a unix socket cannot have that path, or a
    /// key that others need is not set.
    pub fn check_paths(&self) -> Result<(), ConfigError> {
        for RuleDirectory { path, required } in self.rule_directories() {
            let reason = match path.metadata() {
                Ok(meta) if meta.is_dir() => continue,
                Ok(_) => "is not a directory".into(),
                Err(error) if !required && error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => format!("cannot be read: {error}"),
            };
            return Err(ConfigError::Path {
                key: "rules.directories",
                path,
                reason,
            });
        }
        let kubernetes = &self.config.kubernetes;
        if kubernetes.watch && kubernetes.node.0.is_empty() {
            return Err(ConfigError::Lacking {
                key: "kubernetes.node",
                why: "with `kubernetes.watch` it must name this node",
            });
        }
        let socket = &self.config.control.socket;
        if std::os::unix::net::SocketAddr::from_pathname(socket).is_err() {
            let reason = "is longer than the 107 bytes a unix socket may have".into();
            return Err(ConfigError::Path {
                key: "control.socket",
                path: socket.clone(),
                reason,
            });
        }
        Ok(())
    }

    /// The configuration as YAML, each value with its origin in a comment; what opens doors
    /// elsewhere is masked, since this is what people paste.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut config = self.config.clone();
        config.sinks.iter_mut().for_each(Sink::mask);
        render(&config, KEYS, |key| Some(self.origin(key.path).to_string()))
    }
}

/// The values of these keys as YAML, each with a comment where there is one.
pub(super) fn render<'a>(
    config: &Config,
    keys: impl IntoIterator<Item = &'a Key>,
    comment: impl Fn(&Key) -> Option<String>,
) -> String {
    let mut out = String::new();
    let mut open: Vec<&str> = Vec::new();
    for key in keys {
        let parts: Vec<&str> = key.path.split('.').collect();
        let (name, sections) = parts.split_last().unwrap_or((&"", &[]));
        let shared = open
            .iter()
            .zip(sections)
            .take_while(|(a, b)| a == b)
            .count();
        for (depth, section) in sections.iter().enumerate().skip(shared) {
            push_line(&mut out, depth, format_args!("{section}:"));
        }
        let value = (key.get)(config).yaml();
        let line = match comment(key) {
            Some(comment) => format!("{name}: {value}  # {}", escape(&comment)),
            None => format!("{name}: {value}"),
        };
        push_line(&mut out, sections.len(), format_args!("{line}"));
        open = sections.to_vec();
    }
    out
}

fn push_line(out: &mut String, depth: usize, line: fmt::Arguments<'_>) {
    let indent = depth * 2;
    out.extend([&" ".repeat(indent), &line.to_string(), "\n"]);
}

#[cfg(test)]
mod tests;
