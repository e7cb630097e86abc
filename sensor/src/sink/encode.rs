//! Forms of an alert other than the drawn one: each a JSON text on one line.
//!
//! Values are those of the alert, already escaped and bounded; nothing is looked up.

mod falco;
mod ocsf;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::alert::Document;

/// Form of a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// The sensor's own.
    #[default]
    Ecs,
    /// As falcosidekick reads it. It has no words for notices about incidents.
    Falco,
    /// OCSF Detection Finding, version 1.3. Alerts only, too.
    Ocsf,
}

impl Encoding {
    /// The document in this form without a newline; `None` when the form has no room for it.
    #[must_use]
    pub fn encode(self, document: &Document) -> Option<String> {
        match (self, document) {
            (Self::Ecs, _) => Some(document.to_json()),
            (_, Document::Notice(_)) => None,
            (Self::Falco, Document::Alert(alert)) => Some(falco::encode(alert).to_string()),
            (Self::Ocsf, Document::Alert(alert)) => Some(ocsf::encode(alert).to_string()),
        }
    }
}

/// Leaves out what has no value.
fn present(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields
                .into_iter()
                .map(|(name, value)| (name, present(value)));
            Value::Object(fields.filter(|(_, value)| !value.is_null()).collect())
        }
        other => other,
    }
}
