//! `rules new --from ALERT`: a rule, or an exception, that says what an alert shows.
//!
//! The draft matches the alert's act and carries it as its example, so that `rules check`
//! proves it before anybody widens it. What an alert holds is text from outside: every
//! value is quoted for YAML and its wildcards are escaped for Sigma.

use std::fmt::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{
    detect::Pattern,
    exit::{Exit, Failure},
    printable::hides,
};

/// Longest alert line, bytes: as long as the sensor writes them.
const LINE: usize = 32 * 1024;

/// The alert in `text`: one line of JSON, or the only one.
///
/// # Errors
/// [`Exit::Usage`] when there is none, or more than one.
pub(super) fn alert(text: &str) -> Result<Value, Failure> {
    let refuse = |what: String| Failure::new(Exit::Usage, what);
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let line = lines
        .next()
        .ok_or_else(|| refuse("no alert: the text is empty".into()))?;
    if lines.next().is_some() {
        let remedy = "give one, for example with `grep ID alerts.jsonl | head -1`";
        return Err(refuse(format!("more than one alert; {remedy}")));
    }
    if line.len() > LINE {
        return Err(refuse("no alert: the line is longer than 32 KiB".into()));
    }
    let alert: Value = serde_json::from_str(line)
        .map_err(|error| refuse(format!("no alert: not one line of JSON: {error}")))?;
    match alert.pointer("/event/dataset").and_then(Value::as_str) {
        Some("lineage_sensor.alert") => Ok(alert),
        _ => Err(refuse(
            "no alert of this sensor: event.dataset is not lineage_sensor.alert".into(),
        )),
    }
}

/// What an alert shows, by the fields of rules.
pub(super) struct Shown<'a> {
    alert: &'a Value,
    category: &'static str,
    /// Field and value, most telling first.
    fields: Vec<(&'static str, String)>,
}

/// Fields of each category, and where alerts have them.
const PROCESS: &[(&str, &str)] = &[
    ("Service.Kind", "/service/kind"),
    ("Image", "/process/executable"),
    ("CommandLine", "/process/command_line"),
];
const FILE: &[(&str, &str)] = &[
    ("Service.Kind", "/service/kind"),
    ("Image", "/process/executable"),
    ("TargetFilename", "/file/path"),
];
const NETWORK: &[(&str, &str)] = &[
    ("Service.Kind", "/service/kind"),
    ("Image", "/process/executable"),
    ("DestinationIp", "/destination/ip"),
    ("DestinationPort", "/destination/port"),
];

impl<'a> Shown<'a> {
    /// # Errors
    /// [`Exit::Usage`] when the alert lacks what every alert has.
    pub(super) fn new(alert: &'a Value) -> Result<Self, Failure> {
        let (category, table) = match word(alert, "/event/category/0").as_deref() {
            Some("process") => ("process_creation", PROCESS),
            Some("file") => ("file_event", FILE),
            Some("network") => ("network_connection", NETWORK),
            _ => {
                let text = "no alert: event.category is not process, file or network";
                return Err(Failure::new(Exit::Usage, text));
            }
        };
        let fields = table
            .iter()
            .filter_map(|&(field, place)| Some((field, word(alert, place)?)));
        let mut shown = Self {
            alert,
            category,
            fields: fields.collect(),
        };
        if shown.category == "file_event" {
            shown.fields.push(("Target.Action", shown.action()));
        }
        Ok(shown)
    }

    /// A rule that matches this and nothing else.
    pub(super) fn rule(&self) -> String {
        let name = format!("new_{}", self.say("/rule/id"));
        let (title, level) = (self.say("/message"), self.say("/rule/level"));
        let mut out = format!(
            "# A draft: matches the alert it was made from and nothing else. Widen `detection`,\n\
             # give it a title and say what it is for, then run `lineage-sensor rules check DIR`.\n\
             title: {title}\nid: {id}\nname: {name}\nstatus: experimental\nlevel: {level}\n\
             description: {about}\n",
            title = quoted(&title),
            id = self.uuid(),
            name = quoted(&name),
            level = quoted(&level),
            about = quoted(&format!("Drafted from alert {}", self.say("/event/id"))),
        );
        let techniques = self.alert.pointer("/threat/technique/id");
        let techniques = techniques.and_then(Value::as_array).into_iter().flatten();
        let tags: Vec<String> = techniques
            .filter_map(Value::as_str)
            .map(|id| quoted(&format!("attack.{}", id.to_lowercase())))
            .collect();
        if !tags.is_empty() {
            // Writing to a string does not fail.
            let _ = writeln!(out, "tags: [{}]", tags.join(", "));
        }
        let _ = write!(
            out,
            "logsource: {{product: linux, category: {}}}\ndetection:\n  selection:\n",
            self.category
        );
        for (field, value) in &self.fields {
            let _ = writeln!(out, "    {field}: {}", quoted(&literal(value)));
        }
        let _ = write!(
            out,
            "  condition: selection\nfalsepositives:\n  - Not known yet\nexamples:\n  firing:\n\
             {}",
            self.example()
        );
        out
    }

    /// An exception for the rule that alerted. Owner, reason and end are left to whoever
    /// answers for it: without them it is refused.
    pub(super) fn exception(&self) -> String {
        let mut out = format!(
            "# For `rules.exceptions` of the configuration. Say who answers for it, why, and the\n\
             # day on which it ends; until then it is refused.\nrules:\n  exceptions:\n    - rule: \
             {}\n      owner: \"\"\n      reason: \"\"\n      expires: \"\"\n",
            quoted(&self.say("/rule/id"))
        );
        let unit = self.say("/service/unit");
        let unit = (!unit.is_empty()).then_some(("Service.Unit", unit));
        for (field, value) in unit.iter().chain(&self.fields) {
            let _ = writeln!(out, "      {field}: {}", quoted(&Pattern::escape(value)));
        }
        out
    }

    /// The act as `rules check` runs it.
    fn example(&self) -> String {
        let mut out = format!("    - note: {}\n", quoted(&self.say("/message")));
        let mut line = |key: &str, value: String| {
            let _ = writeln!(out, "      {key}: {value}");
        };
        let service = word(self.alert, "/service/kind");
        line("service", quoted(service.as_deref().unwrap_or("none")));
        if let Some(role) = word(self.alert, "/service/role") {
            line("role", quoted(&role));
        }
        line("image", quoted(&self.say("/process/executable")));
        match self.category {
            "process_creation" => line("argv", format!("[{}]", self.argv().join(", "))),
            "file_event" => {
                let path = escaped(&self.say("/file/path"));
                let created = self.alert.pointer("/file/created") == Some(&Value::Bool(true));
                let action = self.action();
                line(
                    "target",
                    format!(
                        "{{action: {action}, path: {}, created: {created}}}",
                        quoted(&path)
                    ),
                );
            }
            _ => {
                let (ip, port) = (self.say("/destination/ip"), self.say("/destination/port"));
                line(
                    "connect",
                    format!(
                        "{{ip: {}, port: {}}}",
                        quoted(&ip),
                        port.parse::<u16>().unwrap_or_default()
                    ),
                );
            }
        }
        out
    }

    /// Arguments, or the command line in one when some were left out.
    fn argv(&self) -> Vec<String> {
        let line = self.say("/process/command_line");
        let args = self
            .alert
            .pointer("/process/args")
            .and_then(Value::as_array);
        let args: Vec<&str> = args
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if args.join(" ") == line {
            args.into_iter().map(quoted).collect()
        } else {
            vec![quoted(&line)]
        }
    }

    /// Word of `Target.Action`.
    fn action(&self) -> String {
        let said = self.say("/event/action");
        let known = ["read", "rename", "exchange", "link", "symlink", "chmod"];
        let word = known.into_iter().find(|word| *word == said);
        word.unwrap_or("write").to_owned()
    }

    /// The same alert gives the same id: RFC 9562, version 8.
    fn uuid(&self) -> String {
        let digest = Sha256::digest(self.say("/event/id"));
        let mut id = [0; 16];
        id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        id[6] = id[6] & 0x0f | 0x80;
        id[8] = id[8] & 0x3f | 0x80;
        let number = u128::from_be_bytes(id);
        let hex = format!("{number:032x}");
        let groups = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)];
        let groups = groups.map(|(from, to)| hex.get(from..to).unwrap_or_default());
        groups.join("-")
    }

    fn say(&self, place: &str) -> String {
        word(self.alert, place).unwrap_or_default()
    }
}

/// Text at a place of the alert; where it was escaped, what it was before.
fn word(alert: &Value, place: &str) -> Option<String> {
    let twin = alert
        .pointer(&format!("{place}_b64"))
        .and_then(Value::as_str);
    if let Some(bytes) = twin.and_then(|twin| BASE64_STANDARD.decode(twin).ok()) {
        return Some(String::from_utf8_lossy(&bytes).into_owned());
    }
    match alert.pointer(place)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// JSON's quoting is valid in YAML; what a terminal would act on or hide is spelt out.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    for c in Value::from(text).to_string().chars() {
        if hides(c) {
            let _ = write!(out, "\\U{:08x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Text that stands for itself in Sigma.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Text that stands for itself in the path of an example.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
}
