//! `services.declare`: a list of services, each with names of its own.

use clap::ValueEnum;
use serde::Serialize;

use super::form::{Form, Raw, Shape, TEXT_MAX};

/// Names a declared service may have.
pub const FIELDS: &[&str] = &["name", "exe", "argv", "unit", "image", "role", "kind"];

/// A service that is declared. Patterns may have `*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Declared {
    /// Its name in alerts.
    pub name: String,
    /// Path of the executable, or its file name.
    pub exe: Option<String>,
    /// Parts of arguments.
    pub argv: Vec<String>,
    /// systemd unit.
    pub unit: Option<String>,
    /// Image of the container.
    pub image: Option<String>,
    /// What it may do by its nature.
    pub role: Role,
    /// Kind of server, when it is one the sensor knows.
    pub kind: Option<String>,
}

/// What a service may do by its nature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Executes nothing but itself.
    Edge,
    /// Runs an application.
    #[default]
    App,
    /// Executes its scripts.
    Cgi,
    /// Keeps data.
    Db,
    /// Builds and deploys.
    Ci,
}

impl Declared {
    fn read(fields: &[(String, Raw)]) -> Option<Self> {
        let mut declared = Self::default();
        for (name, raw) in fields {
            match (name.as_str(), raw) {
                ("argv", Raw::List(words)) => {
                    declared.argv = words.iter().map(|word| text(word)).collect::<Option<_>>()?;
                }
                ("role", Raw::Text(word)) => {
                    declared.role = <Role as ValueEnum>::from_str(word, false).ok()?;
                }
                ("name", Raw::Text(value)) => declared.name = text(value)?,
                ("exe", Raw::Text(value)) => declared.exe = Some(text(value)?),
                ("unit", Raw::Text(value)) => declared.unit = Some(text(value)?),
                ("image", Raw::Text(value)) => declared.image = Some(text(value)?),
                ("kind", Raw::Text(value)) => declared.kind = Some(kind(value)?),
                _ => return None,
            }
        }
        let named = declared.exe.is_some()
            || !declared.argv.is_empty()
            || declared.unit.is_some()
            || declared.image.is_some();
        (named && !declared.name.is_empty()).then_some(declared)
    }

    fn write(&self) -> Vec<(String, Raw)> {
        let role = self.role.to_possible_value();
        let role = role.map_or_else(String::new, |value| value.get_name().into());
        let argv = (!self.argv.is_empty()).then(|| Raw::List(self.argv.clone()));
        let text = |value: &Option<String>| value.clone().map(Raw::Text);
        [
            ("name", Some(Raw::Text(self.name.clone()))),
            ("exe", text(&self.exe)),
            ("argv", argv),
            ("unit", text(&self.unit)),
            ("image", text(&self.image)),
            ("role", Some(Raw::Text(role))),
            ("kind", text(&self.kind)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
    }
}

/// Text that can stand in an alert.
fn text(value: &str) -> Option<String> {
    let fits = !value.is_empty() && value.len() <= TEXT_MAX && !value.chars().any(char::is_control);
    fits.then(|| value.to_owned())
}

/// A kind the sensor knows.
fn kind(value: &str) -> Option<String> {
    let mut kinds = crate::lineage::ServiceKind::ALL.iter();
    kinds
        .any(|kind| kind.name() == value)
        .then(|| value.to_owned())
}

impl Form for Vec<Declared> {
    const SHAPE: Shape = Shape::Table;

    fn expected() -> String {
        "a list of services, each with a name, at least one of exe, argv (a list), unit and image, \
         and if need be a role (edge, app, cgi, db, ci) and a kind of server"
            .into()
    }

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Table(rows) => rows.iter().map(|row| Declared::read(row)).collect(),
            Raw::List(items) if items.is_empty() => Some(Vec::new()),
            _ => None,
        }
    }

    fn write(&self) -> Raw {
        Raw::Table(self.iter().map(Declared::write).collect())
    }
}
