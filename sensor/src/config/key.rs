//! The table of keys: path, form and place in [`Config`], one row each.

use std::{net::SocketAddr, path::PathBuf};

use serde_json::Value;

use super::{
    Adjustment, Bounded, Color, Config, Exception, Format, KernelLog, Level, LogFormat, LogLevel,
    OutletUser, Scope,
    form::{Form, Raw, Shape},
    kubernetes::{Api, Labels, Node},
    profiles::{Mode, Products, ServiceMode},
    redact::Patterns,
    sinks::Sink,
};
use crate::{detect, service::Declaration};

/// Begins the name of every variable that sets a key.
pub const PREFIX: &str = "LINEAGE_SENSOR__";

/// One setting.
pub struct Key {
    /// Path with dots: `output.format`.
    pub path: &'static str,
    /// How a variable's text is read.
    pub shape: Shape,
    /// What is expected, to stand behind "must be".
    pub expected: fn() -> String,
    /// The same as a JSON Schema.
    pub schema: fn() -> Value,
    /// What exactly is wrong with a value; see [`Form::wrong`].
    pub wrong: fn(&Raw) -> Option<String>,
    /// Sets the value; `false` when it has another form.
    pub set: fn(&mut Config, &Raw) -> bool,
    /// The value.
    pub get: fn(&Config) -> Raw,
}

macro_rules! key {
    ($path:literal, $form:ty, $($field:ident).+) => {
        Key {
            path: $path,
            shape: <$form as Form>::SHAPE,
            expected: <$form as Form>::expected,
            schema: <$form as Form>::schema,
            wrong: <$form as Form>::wrong,
            set: |config, raw| {
                <$form as Form>::read(raw).map(|value| config.$($field).+ = value).is_some()
            },
            get: |config| Form::write(&config.$($field).+),
        }
    };
}

/// Every key, in the order in which they are documented.
pub static KEYS: &[Key] = &[
    key!("scope", Scope, scope),
    key!("output.format", Format, output.format),
    key!("output.level", Level, output.level),
    key!("output.color", Color, output.color),
    key!("sinks", Vec<Sink>, sinks),
    key!("rules.directories", Vec<PathBuf>, rules.directories),
    key!("rules.adjust", Vec<Adjustment>, rules.adjust),
    key!("rules.exceptions", Vec<Exception>, rules.exceptions),
    key!("profiles.mode", Mode, profiles.mode),
    key!("profiles.file", PathBuf, profiles.file),
    key!("profiles.products", Products, profiles.products),
    key!("profiles.expire_days", Bounded<0, 3_650>, profiles.expire_days),
    key!("profiles.services", Vec<ServiceMode>, profiles.services),
    key!("http.enabled", bool, http.enabled),
    key!("http.listen", SocketAddr, http.listen),
    key!("control.socket", PathBuf, control.socket),
    key!("outlet.user", OutletUser, outlet.user),
    key!("history.enabled", bool, history.enabled),
    key!("history.path", PathBuf, history.path),
    key!(
        "history.max_bytes",
        Bounded<1_048_576, 17_179_869_184>,
        history.max_bytes
    ),
    key!("history.max_age_days", Bounded<1, 3_650>, history.max_age_days),
    key!("redact.enabled", bool, redact.enabled),
    key!("redact.patterns", Patterns, redact.patterns),
    key!("redact.key_file", PathBuf, redact.key_file),
    key!("services.declare", Vec<Declaration>, services.declare),
    key!(
        "services.java.main_classes",
        Vec<String>,
        services.java.main_classes
    ),
    key!("kubernetes.pod_logs", PathBuf, kubernetes.pod_logs),
    key!("kubernetes.watch", bool, kubernetes.watch),
    key!("kubernetes.node", Node, kubernetes.node),
    key!("kubernetes.labels", Labels, kubernetes.labels),
    key!("kubernetes.api", Api, kubernetes.api),
    key!("kubernetes.token_file", PathBuf, kubernetes.token_file),
    key!("kubernetes.ca_file", PathBuf, kubernetes.ca_file),
    key!("capture.files", bool, capture.files),
    key!("watch.directories", Vec<PathBuf>, watch.directories),
    key!("log.level", LogLevel, log.level),
    key!("log.format", LogFormat, log.format),
    key!("log.kernel", KernelLog, log.kernel),
    key!("limits.processes", Bounded<1_024, 4_194_304>, limits.processes),
    key!("limits.exited_grace_seconds", Bounded<0, 86_400>, limits.exited_grace_seconds),
];

/// Names inside the elements of a list.
pub(super) static INNER: &[&str] = &[
    "services.declare.name",
    "services.declare.exe",
    "services.declare.argv",
    "services.declare.unit",
    "services.declare.image",
    "services.declare.role",
    "services.declare.kind",
    "sinks.name",
    "sinks.type",
    "sinks.encoding",
    "sinks.level",
    "sinks.rules",
    "sinks.services",
    "sinks.path",
    "sinks.max_bytes",
    "sinks.max_age_hours",
    "sinks.keep",
    "sinks.compress",
    "sinks.address",
    "sinks.url",
    "sinks.headers",
    "sinks.token_file",
    "sinks.ca_file",
    "sinks.batch",
    "sinks.timeout_seconds",
    "sinks.spool",
    "sinks.spool_max_bytes",
    "rules.adjust.rule",
    "rules.adjust.enabled",
    "rules.adjust.level",
    "rules.exceptions.rule",
    "rules.exceptions.owner",
    "rules.exceptions.reason",
    "rules.exceptions.expires",
    "profiles.services.kind",
    "profiles.services.unit",
    "profiles.services.name",
    "profiles.services.uid",
    "profiles.services.mode",
];

/// Begins the path of a name in an exception; besides those in [`INNER`] it may have the
/// fields of rules.
const EXCEPTIONS: &str = "rules.exceptions.";

/// `true` for a name that an element of the list `path` may have.
#[must_use]
pub fn is_inner(path: &str) -> bool {
    INNER.contains(&path)
        || path
            .strip_prefix(EXCEPTIONS)
            .is_some_and(detect::is_exception_field)
}

impl Key {
    /// The key with this path.
    #[must_use]
    pub fn find(path: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.path == path)
    }

    /// The variable that sets it.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.path.replace('.', "__").to_uppercase())
    }
}

/// `true` when keys stand below this path.
#[must_use]
pub fn is_section(path: &str) -> bool {
    sections().any(|section| section == path)
}

/// Paths of all sections; some more than once.
fn sections() -> impl Iterator<Item = &'static str> {
    KEYS.iter().flat_map(|key| {
        key.path
            .match_indices('.')
            .filter_map(|(dot, _)| key.path.get(..dot))
    })
}

/// The path most likely meant by an unknown one: the same name elsewhere, a near path,
/// or a near name. `None` when nothing is near.
#[must_use]
pub fn nearest(path: &str) -> Option<String> {
    if let Some(field) = path.strip_prefix(EXCEPTIONS) {
        let inner = INNER
            .iter()
            .filter_map(|inner| inner.strip_prefix(EXCEPTIONS));
        let near = inner.min_by_key(|inner| strsim::osa_distance(field, inner));
        let near = near.filter(|inner| strsim::osa_distance(field, inner) <= 2);
        let near = near.or_else(|| detect::nearest_exception_field(field));
        return near.map(|name| format!("{EXCEPTIONS}{name}"));
    }
    let known = || {
        let keys = KEYS.iter().map(|key| key.path);
        keys.chain(sections()).chain(INNER.iter().copied())
    };
    let leaf = last(path);
    let near = |a: &str, b: &str| {
        let distance = strsim::osa_distance(a, b);
        let begins = a.len() >= 3 && b.starts_with(a);
        (begins || distance <= 1 + b.len() / 4 && distance < b.len()).then_some(distance)
    };
    let find = |distance: &dyn Fn(&str) -> Option<usize>| {
        let near = known().filter_map(|candidate| Some((distance(candidate)?, candidate)));
        near.min_by_key(|&(distance, _)| distance)
            .map(|(_, candidate)| candidate)
    };
    find(&|candidate| near(path, candidate))
        .or_else(|| find(&|candidate| near(leaf, last(candidate))))
        .map(str::to_owned)
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn leaves(prefix: &str, value: &Value, out: &mut BTreeSet<String>) {
        let Value::Object(fields) = value else {
            out.insert(prefix.to_owned());
            return;
        };
        for (name, value) in fields {
            let path = if prefix.is_empty() {
                name.clone()
            } else {
                format!("{prefix}.{name}")
            };
            leaves(&path, value, out);
        }
    }

    #[test]
    fn the_table_has_every_field_of_the_typed_config() {
        let mut typed = BTreeSet::new();
        leaves(
            "",
            &serde_json::to_value(Config::default()).unwrap(),
            &mut typed,
        );
        let table: BTreeSet<_> = KEYS.iter().map(|key| key.path.to_owned()).collect();
        assert_eq!(typed, table);
        assert_eq!(table.len(), KEYS.len());
    }

    #[test]
    fn every_key_reads_back_what_it_writes() {
        for key in KEYS {
            let default = Config::default();
            let mut config = default.clone();
            assert!((key.set)(&mut config, &(key.get)(&default)), "{}", key.path);
            assert_eq!(config, default, "{}", key.path);
            assert!(!(key.set)(&mut config, &Raw::Section), "{}", key.path);
            assert!(!(key.set)(&mut config, &Raw::Nothing), "{}", key.path);
        }
    }

    #[test]
    fn the_nearest_name_is_found() {
        for (unknown, meant) in [
            ("output.fromat", "output.format"),
            ("outptu", "output"),
            ("format", "output.format"),
            ("main_classes", "services.java.main_classes"),
            ("listen", "http.listen"),
            ("log.listen", "http.listen"),
            ("services.jav", "services.java"),
            ("limits.exited_grace", "limits.exited_grace_seconds"),
        ] {
            assert_eq!(nearest(unknown).as_deref(), Some(meant), "{unknown}");
        }
        assert_eq!(nearest("zzz"), None);
        assert_eq!(nearest(""), None);
    }
}
