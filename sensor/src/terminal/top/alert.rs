//! An alert or a notice: one row of the list, and a page.

use std::fmt::Write as _;

use serde_json::Value;

use super::sample::{number, short};
use crate::{
    control::render::{list, text},
    printable::word,
};

/// Lines of a page.
const LINES: usize = 200;
/// Characters of a line of a page.
const LINE: usize = 1_000;

/// See the module. All of it is escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Alert {
    pub(super) id: String,
    /// Time of day, UTC.
    pub(super) time: String,
    pub(super) level: String,
    pub(super) service: String,
    pub(super) rule: String,
    pub(super) message: String,
    pub(super) page: Vec<String>,
}

impl Alert {
    pub(super) fn read(document: &Value) -> Self {
        let nothing = Value::Null;
        let of = |name: &str| document.get(name).unwrap_or(&nothing);
        let (rule, incident) = (of("rule"), of("incident"));
        let level = [rule, incident].map(|it| short(it, "level"));
        let level = level.into_iter().find(|it| !it.is_empty());
        let timestamp = short(document, "@timestamp");
        let mut alert = Self {
            id: short(of("event"), "id"),
            time: timestamp.get(11..19).unwrap_or_default().to_owned(),
            level: level.unwrap_or_default(),
            service: short(of("service"), "kind"),
            rule: short(rule, "id"),
            message: cut(&text(document, "message")),
            page: Vec::new(),
        };
        alert.page = page(document, &alert, &timestamp);
        alert
    }
}

fn page(document: &Value, alert: &Alert, timestamp: &str) -> Vec<String> {
    let nothing = Value::Null;
    let of = |name: &str| document.get(name).unwrap_or(&nothing);
    let level = alert.level.to_uppercase();
    let title = short(of("rule"), "name");
    let mut lines = vec![
        format!("{timestamp}  {level}  {title}  {}", alert.rule),
        alert.message.clone(),
        String::new(),
    ];
    let lineage = list(document, "lineage");
    for (depth, process) in lineage.iter().enumerate().take(LINES) {
        let before = depth.checked_sub(1).and_then(|at| lineage.get(at));
        lines.push(cut(&relative(process, before, depth)));
    }
    lines.push(String::new());
    let file = of("file");
    let unit = short(of("service"), "unit");
    let remarks = [
        ("file", text(file, "path")),
        ("unit", unit),
        ("triage", text(of("rule"), "triage")),
        ("incident", short(of("incident"), "id")),
        ("id", alert.id.clone()),
    ];
    for (name, said) in remarks.into_iter().filter(|(_, said)| !said.is_empty()) {
        lines.push(cut(&format!("{name:<9}{said}")));
    }
    lines
}

/// `└─ 28929 dash → /usr/bin/id  [www-data]  sh -c id`.
fn relative(process: &Value, before: Option<&Value>, depth: usize) -> String {
    let mut line = String::new();
    if depth > 0 {
        line.extend([" ".repeat(3 * (depth.min(12) - 1)).as_str(), "└─ "]);
    }
    let part = short(process, "part");
    write!(line, "{}", number(process, "pid")).unwrap_or_default();
    if part != "descendant" && !part.is_empty() {
        line.extend([" ", &part]);
    }
    line.extend(["  ", &word(&text(process, "executable"))]);
    let user = |it: &Value| {
        let user = it.get("user").cloned().unwrap_or_default();
        let [name, id] = ["name", "id"].map(|key| short(&user, key));
        if name.is_empty() { id } else { name }
    };
    let own = user(process);
    if before.is_none_or(|before| user(before) != own) && !own.is_empty() {
        line.extend(["  [", &own, "]"]);
    }
    let provenance = short(process, "provenance");
    if provenance != "observed" && !provenance.is_empty() {
        line.extend(["  (", &provenance, ")"]);
    }
    // A process that only forked has its creator's words.
    let only_forked = list(process, "chain").is_empty() && before.is_some();
    for arg in list(process, "args").iter().filter(|_| !only_forked) {
        line.extend([" ", &word(arg.as_str().unwrap_or_default())]);
    }
    line
}

fn cut(line: &str) -> String {
    line.chars().take(LINE).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{
        alert::sample::{closed, sample},
        printable::hides,
    };

    #[test]
    fn an_alert_and_a_notice_are_read() {
        let json = |text: String| serde_json::from_str::<Value>(&text).unwrap();
        let alert = Alert::read(&json(sample().alert().to_json()));
        assert_eq!(alert.service, "php-fpm");
        assert_eq!(alert.time.len(), 8);
        assert!(
            alert
                .page
                .iter()
                .any(|line| line.starts_with("   └─ ") || line.starts_with("└─ "))
        );
        assert!(alert.page.last().unwrap().ends_with(&alert.id));
        let notice = Alert::read(&json(closed().to_json()));
        assert!(
            !notice.level.is_empty() && !notice.message.is_empty(),
            "{notice:?}"
        );
    }

    proptest! {
        #[test]
        fn nothing_hostile_is_left(text in any::<String>()) {
            let process = json!({"pid": text, "part": text, "executable": text, "args": [text, 7],
                "user": {"name": text}, "provenance": text, "chain": [1]});
            let alert = Alert::read(&json!({"@timestamp": text, "message": text, "event": {"id": text},
                "rule": {"id": text, "name": text, "level": text, "triage": text},
                "service": {"kind": text, "unit": text}, "file": {"path": text}, "lineage": vec![process; 40]}));
            let all = [&alert.id, &alert.time, &alert.level, &alert.service, &alert.rule, &alert.message];
            for text in all.into_iter().chain(&alert.page) {
                prop_assert!(!text.chars().any(hides), "{text:?}");
            }
        }
    }
}
