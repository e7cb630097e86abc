//! `docs/alerts.md`: the fields of an alert from its schema, and the fields for rules.

use std::fmt::Write as _;

use sensor::{alert, decode::ENVIRONMENT, detect, incident};
use serde_json::Value;

use crate::page::{code, head, page, table};

#[test]
fn alerts() {
    let schema: Value = serde_json::from_str(alert::SCHEMA).unwrap();
    let mut text = head(
        "Alerts",
        "Fields of the JSON form of an alert, from \
         [sensor/schema/alert.schema.json](../sensor/schema/alert.schema.json) (JSON Schema, draft \
         2020-12), with an [example](../sensor/schema/alert.example.json); after that, the fields \
         that rules can use.\n\n## Fields of an alert\n",
    );
    put!(text, "{}\n", schema["description"].as_str().unwrap());
    let mut rows = Vec::new();
    properties(&schema, &schema, "", &mut rows);
    text += "\n`[]` marks a list. A field that is not always there is marked *optional*, within \
             the object it belongs to.\n";
    text += &table(["Field", "Form", "What it says"], rows);
    text += &incidents();
    text += &own();
    text += "\n## Fields for rules\n\nWhat a Sigma rule of category `process_creation`, `file_event`, \
             `network_connection`, or of our own `process_survival` (what outlives the request \
             that started it) and `sensor_status` (records lost), can name. Fields of one category only say which; all others \
             speak of the process that acts, and `File` in their names is its executable, `Target` \
             the file acted on. A field without a value is absent: only `null` and `exists: false` \
             match it. Values of `rule.matched` in alerts are these.\n";
    text += &table(
        ["Field", "Form", "Category", "What it says"],
        detect::fields().map(|field| {
            let fact = field
                .fact
                .map_or_else(String::new, |fact| format!(" (needs `{}`)", fact.name()));
            [
                code(field.name),
                field.kind.name().to_owned(),
                field.only.map_or("", detect::Category::name).to_owned(),
                format!("{}{fact}", field.about),
            ]
        }),
    );
    let variables: Vec<_> = ENVIRONMENT.iter().map(|name| format!("`{name}`")).collect();
    put!(
        text,
        "\n`{}NAME`: {}. These are kept, of the services' processes only: {}.\n",
        detect::ENV,
        detect::ENV_ABOUT.to_lowercase(),
        variables.join(" ")
    );
    page("alerts.md", &text);
}

/// What the sensor says of itself.
fn own() -> String {
    let mut text =
        "\n## Alerts about the sensor itself\n\nOf level high, in the form of any other \
                    alert and numbered with the others (`event.sequence`), of no service and no \
                    incident. Records that were lost are told by a rule, \
                    [`events_lost`](rules.md#events_lost).\n\n"
            .to_owned();
    text += &table(
        ["`rule.id`", "Said when", "What to do"],
        alert::OWN.map(|it| [code(it.rule), it.when.to_owned(), it.triage.to_owned()]),
    );
    text
}

/// What incidents are, with the fields of a notice.
fn incidents() -> String {
    let schema: Value = serde_json::from_str(alert::NOTICE_SCHEMA).expect("JSON");
    let mut text = "\n## Incidents\n\n".to_owned();
    put!(
        text,
        "All alerts below one spawn root, the first process that left the service's own image, are \
         one incident; what a process does in the service's own image is an incident of its own. \
         The first alert goes out at once and is never left out. Later ones are updates: {} alerts \
         of one rule may follow each other, then one in {} s; what is left out is counted in \
         `incident.folded` and named in `incident.suppressed` of the next alert or the close event. Of an update that a \
         WordPress has unpacked itself and copies over its own scripts each rule of medium or below tells one file. \
         The level of an incident is the highest of its rules, one higher with three different \
         rules of low or above, two with six; the alert that raises it passes sinks by that level. \
         A notice closes it when the spawn root and all below it have ended (as long as the tree \
         remembers them: `limits.exited_grace_seconds`), when nothing has matched for {} minutes, \
         when more than {} are open, and when the sensor stops. Files that an alert names are looked \
         at a moment later, each once for an incident; what is found is a notice of its own, which \
         sinks take by the level of the alert, but for files that are what a package has put there, or \
         files of an update: those go to the history only, as does the end of an incident of one alert. \
         Names of a container and its pod are asked for when a service begins; an alert never waits for them. One that went out \
         before they were known is followed by one notice for its incident, when they come within {} s.\n\n## Fields of a notice\n\n{}\n",
        incident::BURST,
        incident::EVERY_NS / 1_000_000_000,
        incident::QUIET_NS / 60_000_000_000,
        incident::OPEN,
        sensor::workload::PATIENCE_NS / 1_000_000_000,
        schema["description"].as_str().unwrap_or_default()
    );
    let mut rows = Vec::new();
    properties(&schema, &schema, "", &mut rows);
    text + &table(["Field", "Form", "What it says"], rows)
}

/// Rows of the properties of an object, depth first.
fn properties(schema: &Value, object: &Value, prefix: &str, rows: &mut Vec<[String; 3]>) {
    let required = object["required"].as_array().cloned().unwrap_or_default();
    for (name, property) in object["properties"]
        .as_object()
        .expect("only objects are walked")
    {
        let resolved = resolve(schema, property);
        let description = property["description"].as_str();
        let description = description.or(resolved["description"].as_str());
        let optional = if required.contains(&name.as_str().into()) {
            ""
        } else {
            "*optional* "
        };
        let path = format!("{prefix}{name}");
        let items = resolve(schema, &resolved["items"]);
        let brackets = if resolved["items"].is_null() {
            ""
        } else {
            "[]"
        };
        rows.push([
            code(&format!("{path}{brackets}")),
            format!("{optional}{}", form(schema, resolved)),
            description.unwrap_or_default().to_owned(),
        ]);
        for inner in [resolved, items] {
            if inner["properties"].is_object() {
                properties(schema, inner, &format!("{path}{brackets}."), rows);
            }
        }
    }
}

/// What a `$ref` leads to; anything else itself.
fn resolve<'s>(schema: &'s Value, value: &'s Value) -> &'s Value {
    let target = value["$ref"].as_str().and_then(|to| to.strip_prefix('#'));
    target.map_or(value, |pointer| {
        schema
            .pointer(pointer)
            .expect("a reference leads somewhere")
    })
}

/// Type, or the values there are.
fn form(schema: &Value, property: &Value) -> String {
    if let Some(values) = property["enum"].as_array() {
        let values: Vec<_> = values.iter().map(|value| code(&plain(value))).collect();
        return values.join(" ");
    }
    if !property["const"].is_null() {
        return format!("always {}", code(&plain(&property["const"])));
    }
    match property["type"].as_str() {
        Some("array") => {
            let items = resolve(schema, &property["items"]);
            format!("list of {}", form(schema, items))
        }
        Some(other) => other.to_owned(),
        None => String::new(),
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
