//! `profiles`: which modes are for which services, and which built-in profiles are on.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

use super::form::{Bounded, Form, Raw, Shape, TEXT_MAX, list_of, table_of, text_schema};
use crate::{
    lineage,
    profile::{self, Choice, Policy},
};

/// Read when nothing else is named; may be missing.
pub const DEFAULT_LOCK: &str = "/etc/lineage-sensor/lineage.lock";

/// What services may spawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Profiles {
    /// Mode of services for which nothing else is said.
    pub mode: Mode,
    /// The user's profile.
    pub file: PathBuf,
    /// Built-in profiles of products.
    pub products: Products,
    /// Days after which an entry that was not used counts no more; 0 for never.
    pub expire_days: Bounded<0, 3_650>,
    /// Modes of single services.
    pub services: Vec<ServiceMode>,
}

impl Default for Profiles {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            file: DEFAULT_LOCK.into(),
            products: Products::default(),
            expire_days: Bounded::new(90),
            services: Vec::new(),
        }
    }
}

impl Profiles {
    /// What the core is told.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let services = self.services.iter();
        Policy {
            mode: self.mode.into(),
            services: services.map(|it| (it.choice(), it.mode.into())).collect(),
            products: self.products.0.clone(),
            expire_days: u32::try_from(self.expire_days.get()).unwrap_or(u32::MAX),
        }
    }
}

/// What a profile does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nothing.
    Off,
    /// What services spawn is noted.
    #[default]
    Learn,
    /// And alerts say what the profile would silence.
    Shadow,
    /// And alerts that may be learnt are silenced for what the profile knows.
    Alert,
}

impl From<Mode> for lineage::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Off => Self::Off,
            Mode::Learn => Self::Learn,
            Mode::Shadow => Self::Shadow,
            Mode::Alert => Self::Alert,
        }
    }
}

/// Names of built-in profiles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Products(pub Vec<String>);

impl Form for Products {
    const SHAPE: Shape = Shape::List;

    fn expected() -> String {
        let known: Vec<_> = profile::products().collect();
        format!("a list of these names: {}", known.join(", "))
    }

    fn schema() -> Value {
        let known: Vec<_> = profile::products().collect();
        list_of(&json!({ "enum": known }))
    }

    fn read(raw: &Raw) -> Option<Self> {
        let Raw::List(items) = raw else { return None };
        let known = |item: &String| profile::products().any(|product| product == item);
        items.iter().all(known).then(|| Self(items.clone()))
    }

    fn write(&self) -> Raw {
        Raw::List(self.0.clone())
    }
}

/// The mode of some services.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ServiceMode {
    /// Kind of server.
    pub kind: Option<String>,
    /// systemd unit.
    pub unit: Option<String>,
    /// Name by which `services.declare` has it.
    pub name: Option<String>,
    /// uid of its workers.
    pub uid: Option<u32>,
    /// Mode.
    pub mode: Mode,
}

impl ServiceMode {
    fn choice(&self) -> Choice {
        Choice {
            kind: self.kind.clone(),
            unit: self.unit.clone(),
            name: self.name.clone(),
            uid: self.uid,
        }
    }

    fn read(fields: &[(String, Raw)]) -> Option<Self> {
        let mut row = Self::default();
        let mut mode = None;
        for (name, raw) in fields {
            match (name.as_str(), raw) {
                ("kind", Raw::Text(value)) => {
                    row.kind = Some(profile::Key::kind(value)?.to_owned());
                }
                ("unit", Raw::Text(value)) => row.unit = Some(text(value)?),
                ("name", Raw::Text(value)) => row.name = Some(text(value)?),
                ("uid", Raw::Whole(value)) => row.uid = Some(u32::try_from(*value).ok()?),
                ("mode", Raw::Text(value)) => {
                    mode = Some(<Mode as ValueEnum>::from_str(value, false).ok()?);
                }
                _ => return None,
            }
        }
        row.mode = mode?;
        let named = row.kind.is_some() || row.unit.is_some() || row.name.is_some();
        named.then_some(row)
    }

    fn write(&self) -> Vec<(String, Raw)> {
        let mode = self.mode.to_possible_value();
        let mode = mode.map_or_else(String::new, |value| value.get_name().into());
        let text = |value: &Option<String>| value.clone().map(Raw::Text);
        [
            ("kind", text(&self.kind)),
            ("unit", text(&self.unit)),
            ("name", text(&self.name)),
            ("uid", self.uid.map(|uid| Raw::Whole(uid.into()))),
            ("mode", Some(Raw::Text(mode))),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
    }
}

fn text(value: &str) -> Option<String> {
    let fits = !value.is_empty() && value.len() <= TEXT_MAX && !value.chars().any(char::is_control);
    fits.then(|| value.to_owned())
}

impl Form for Vec<ServiceMode> {
    const SHAPE: Shape = Shape::Table;

    fn expected() -> String {
        "a list of services, each with a mode (off, learn, shadow, alert), at least one of kind, \
         unit and name, and if need be a uid"
            .into()
    }

    fn schema() -> Value {
        let kinds: Vec<_> = lineage::ServiceKind::ALL
            .iter()
            .map(|kind| kind.name())
            .collect();
        table_of(
            &["mode"],
            [
                ("kind", json!({ "enum": kinds })),
                ("unit", text_schema()),
                ("name", text_schema()),
                (
                    "uid",
                    json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
                ),
                ("mode", Mode::schema()),
            ],
        )
    }

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Table(rows) => rows.iter().map(|row| ServiceMode::read(row)).collect(),
            Raw::List(items) if items.is_empty() => Some(Vec::new()),
            _ => None,
        }
    }

    fn write(&self) -> Raw {
        Raw::Table(self.iter().map(ServiceMode::write).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn modes_of_services_are_read_and_written() {
        let text = "profiles:\n  mode: shadow\n  products: []\n  services:\n    - {kind: php-fpm, uid: 33, mode: alert}\n    - {unit: a.service, mode: off}\n";
        let config = Config::from_core_yaml(text).unwrap();
        let policy = config.profiles.policy();
        assert_eq!(policy.mode, lineage::Mode::Shadow);
        assert_eq!(policy.services.len(), 2);
        assert_eq!(policy.services[0].0.uid, Some(33));
        let back = Config::from_core_yaml(&config.core_yaml()).unwrap();
        assert_eq!(back.profiles, config.profiles);
        for wrong in [
            "products: [wordpess]",
            "services: [{mode: alert}]",
            "services: [{kind: iis, mode: alert}]",
            "services: [{kind: php-fpm}]",
            "services: [{kind: php-fpm, mode: on}]",
            "services: [{kind: php-fpm, uid: -1, mode: alert}]",
            "services: [{knd: php-fpm, mode: alert}]",
            "mode: watch",
        ] {
            let text = format!("profiles:\n  {wrong}\n");
            assert!(Config::from_core_yaml(&text).is_err(), "{wrong}");
        }
    }
}
