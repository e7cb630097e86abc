//! `services.declare`: a list of services, each with names of its own.

use serde_json::{Value, json};

use super::form::{Form, Raw, Shape, TEXT_MAX, list_of, table_of, text_schema};
use crate::{
    lineage::{Role, ServiceKind},
    service::Declaration,
};

/// Names a declared service may have.
pub const FIELDS: &[&str] = &["name", "exe", "argv", "unit", "image", "role", "kind"];

/// What a section declares; `None` when a field is unknown or has no such value.
fn declaration(fields: &[(String, Raw)]) -> Option<Declaration> {
    let mut declared = Declaration::default();
    for (name, raw) in fields {
        match (name.as_str(), raw) {
            ("argv", Raw::List(words)) => {
                declared.argv = words.iter().map(|word| text(word)).collect::<Option<_>>()?;
            }
            ("role", Raw::Text(word)) => declared.role = role(word)?,
            ("name", Raw::Text(value)) => declared.name = text(value)?,
            ("exe", Raw::Text(value)) => declared.exe = Some(text(value)?),
            ("unit", Raw::Text(value)) => declared.unit = Some(text(value)?),
            ("image", Raw::Text(value)) => declared.image = Some(text(value)?),
            ("kind", Raw::Text(value)) => declared.kind = kind(value)?,
            _ => return None,
        }
    }
    let named = declared.exe.is_some()
        || !declared.argv.is_empty()
        || declared.unit.is_some()
        || declared.image.is_some();
    (named && !declared.name.is_empty()).then_some(declared)
}

fn fields(declared: &Declaration) -> Vec<(String, Raw)> {
    let argv = (!declared.argv.is_empty()).then(|| Raw::List(declared.argv.clone()));
    let kind = (declared.kind != ServiceKind::Declared).then(|| declared.kind.name().to_owned());
    let text = |value: &Option<String>| value.clone().map(Raw::Text);
    [
        ("name", Some(Raw::Text(declared.name.clone()))),
        ("exe", text(&declared.exe)),
        ("argv", argv),
        ("unit", text(&declared.unit)),
        ("image", text(&declared.image)),
        ("role", Some(Raw::Text(declared.role.name().to_owned()))),
        ("kind", kind.map(Raw::Text)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

/// Text that can stand in an alert.
fn text(value: &str) -> Option<String> {
    let fits = !value.is_empty() && value.len() <= TEXT_MAX && !value.chars().any(char::is_control);
    fits.then(|| value.to_owned())
}

/// A kind the sensor knows.
fn kind(value: &str) -> Option<ServiceKind> {
    let mut kinds = ServiceKind::ALL.iter().copied();
    kinds.find(|kind| kind.name() == value)
}

fn role(value: &str) -> Option<Role> {
    Role::ALL.into_iter().find(|role| role.name() == value)
}

impl Form for Vec<Declaration> {
    const SHAPE: Shape = Shape::Table;

    fn expected() -> String {
        "a list of services, each with a name, at least one of exe, argv (a list), unit and image, \
         and if need be a role (edge, app, cgi, db, ci) and a kind of server"
            .into()
    }

    fn schema() -> Value {
        let kinds: Vec<_> = ServiceKind::ALL.iter().map(|kind| kind.name()).collect();
        table_of(
            &["name"],
            [
                ("name", text_schema()),
                ("exe", text_schema()),
                ("argv", list_of(&text_schema())),
                ("unit", text_schema()),
                ("image", text_schema()),
                ("role", json!({ "enum": Role::ALL.map(Role::name) })),
                ("kind", json!({ "enum": kinds })),
            ],
        )
    }

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Table(rows) => rows.iter().map(|row| declaration(row)).collect(),
            Raw::List(items) if items.is_empty() => Some(Vec::new()),
            _ => None,
        }
    }

    fn write(&self) -> Raw {
        Raw::Table(self.iter().map(fields).collect())
    }
}
