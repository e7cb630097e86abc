//! Overrides from the environment: `LINEAGE_SENSOR__SECTION__KEY`.
//!
//! Two underscores, so that Kubernetes' own `LINEAGE_SENSOR_PORT` and its kind are not
//! taken for ours.

use std::ffi::{OsStr, OsString};

use super::{
    Config,
    error::{ConfigError, Place},
    key::{Key, PREFIX, nearest},
};

/// Carries the deeds of a simulated process, as JSON; see `simulate`. Only copies of the
/// sensor that a simulation made obey it.
pub const SIMULATED: &str = "LINEAGE_SENSOR_SIMULATED";

/// The value of [`SIMULATED`].
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub fn simulated() -> Option<OsString> {
    std::env::var_os(SIMULATED)
}

/// Where the service manager listens that has started this process; see `sd_notify(3)`.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub fn supervisor() -> Option<OsString> {
    std::env::var_os("NOTIFY_SOCKET")
}

/// Variables of a process, as `std::env::vars_os` gives them.
pub type Variables = Vec<(OsString, OsString)>;

/// The variables of this process.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub fn variables() -> Variables {
    std::env::vars_os().collect()
}

/// Sets in `config` what the variables say and returns each key with its variable.
///
/// # Errors
/// When a variable with our prefix names no key or has a value of another form.
pub(super) fn apply(
    variables: &[(OsString, OsString)],
    config: &mut Config,
) -> Result<Vec<(&'static str, String)>, ConfigError> {
    let mut given = Vec::new();
    for (name, value) in variables {
        if !name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        let name = name.to_string_lossy().into_owned();
        let key = find(&name)?;
        let place = || Place::Variable(name.clone());
        let text = value
            .to_str()
            .ok_or_else(|| ConfigError::Encoding { place: place() })?;
        let raw = key.shape.parse(text);
        if !(key.set)(config, &raw) {
            if let Some(what) = (key.wrong)(&raw) {
                let (place, key) = (place(), key.path.into());
                return Err(ConfigError::Within { place, key, what });
            }
            let (expected, found) = ((key.expected)(), raw.describe());
            return Err(ConfigError::Wrong {
                place: place(),
                key: key.path.into(),
                expected,
                found,
            });
        }
        given.push((key.path, name));
    }
    Ok(given)
}

fn find(name: &str) -> Result<&'static Key, ConfigError> {
    let path = name
        .get(PREFIX.len()..)
        .unwrap_or_default()
        .replace("__", ".")
        .to_lowercase();
    let known = Key::find(&path).filter(|key| key.variable() == name);
    known.ok_or_else(|| ConfigError::Unknown {
        place: Place::Variable(name.into()),
        near: nearest(&path).and_then(|near| Key::find(&near).map(Key::variable)),
        key: path,
    })
}

/// `NO_COLOR` is set and not empty: <https://no-color.org>.
pub(super) fn no_color(variables: &[(OsString, OsString)]) -> bool {
    variables
        .iter()
        .any(|(name, value)| name == OsStr::new("NO_COLOR") && !value.is_empty())
}
