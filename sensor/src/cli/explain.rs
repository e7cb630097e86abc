//! Documents of the history for people: one line each, or all there is to one.
//!
//! Text is escaped again: whoever can write the history shall not reach a terminal.

use std::fmt::Write as _;

use serde_json::Value;

use crate::printable::{escape, word};

/// Text at a JSON pointer, made safe; empty when there is none.
pub(super) fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        Some(Value::String(text)) => escape(text).into_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(flag)) => flag.to_string(),
        _ => String::new(),
    }
}

fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

/// Texts of a list, joined.
fn joined(value: &Value, pointer: &str, between: &str) -> String {
    let texts = list(value, pointer).iter().map(|it| text(it, ""));
    texts.collect::<Vec<_>>().join(between)
}

/// `2026-02-03 04:06:36Z  high  rule  883ef1ab  sentence`
pub(super) fn line(document: &Value) -> String {
    let time = text(document, "/@timestamp");
    let time = time.get(..19).unwrap_or(&time).replacen('T', " ", 1);
    let is_alert = text(document, "/event/kind") == "alert";
    let (level, what) = if is_alert {
        (text(document, "/rule/level"), text(document, "/rule/id"))
    } else {
        (
            text(document, "/incident/level"),
            text(document, "/event/action"),
        )
    };
    let id = text(document, "/event/id");
    let id = id.get(..8).unwrap_or(&id);
    let message = text(document, "/message");
    format!("{time}Z  {level:<8} {id}  {what}  {message}\n")
}

/// Everything about one document, or about those of one incident.
pub(super) fn explain(subjects: &[Value], related: &[Value]) -> String {
    let mut out = String::new();
    let of_incident = subjects.len() > 1;
    let notices = subjects
        .iter()
        .filter(|it| text(it, "/event/kind") != "alert");
    if of_incident || notices.count() > 0 {
        incident(&mut out, related);
        return out;
    }
    for alert in subjects {
        one(&mut out, alert);
    }
    if related.len() > 1 {
        out.push('\n');
        incident(&mut out, related);
    }
    out
}

fn row(out: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        writeln!(out, "  {name:<10} {value}").unwrap_or_default();
    }
}

fn one(out: &mut String, alert: &Value) {
    out.push_str(&line(alert));
    row(out, "id", &text(alert, "/event/id"));
    out.push_str("\nThe rule\n");
    rule(out, alert);
    out.push_str("\nWhat it saw\n");
    row(out, "service", &service(alert));
    for relative in list(alert, "/lineage") {
        row(out, "lineage", &process(relative));
    }
    seen(out, alert);
    out.push_str("\nWhat is missing\n");
    missing(out, alert);
    out.push_str("\nWhat to do\n");
    for line in raw(alert, "/rule/triage").lines() {
        writeln!(out, "  {}", escape(line)).unwrap_or_default();
    }
    for cause in list(alert, "/rule/false_positives") {
        row(out, "benign", &text(cause, ""));
    }
}

fn raw<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn rule(out: &mut String, alert: &Value) {
    let name = text(alert, "/rule/name");
    let (id, level) = (text(alert, "/rule/id"), text(alert, "/rule/level"));
    row(out, "rule", &format!("{name} ({id}, {level})"));
    row(out, "about", &text(alert, "/rule/description"));
    row(out, "ATT&CK", &joined(alert, "/threat/technique/id", " "));
    for matched in list(alert, "/rule/matched") {
        let (field, value) = (text(matched, "/field"), text(matched, "/value"));
        row(out, "matched", &format!("{field} = {}", word(&value)));
    }
}

fn service(alert: &Value) -> String {
    let parts = ["/service/kind", "/service/role", "/service/unit"];
    let parts = parts.map(|pointer| text(alert, pointer));
    let parts: Vec<_> = parts.into_iter().filter(|it| !it.is_empty()).collect();
    if parts.is_empty() {
        "none".to_owned()
    } else {
        parts.join(" ")
    }
}

fn process(relative: &Value) -> String {
    let args = list(relative, "/args")
        .iter()
        .map(|arg| word(&text(arg, "")));
    let args = args.collect::<Vec<_>>().join(" ");
    let parts = [
        text(relative, "/pid"),
        text(relative, "/part"),
        word(&text(relative, "/executable")),
        args,
    ];
    parts.join(" ")
}

/// Fields worth a line of their own, where they are there.
const SEEN: &[(&str, &str)] = &[
    ("directory", "/process/working_directory"),
    ("user", "/process/user/name"),
    ("stdin", "/process/stdio/stdin"),
    ("stdout", "/process/stdio/stdout"),
    ("file", "/file/path"),
    ("was", "/file/old_path"),
    ("to", "/destination/ip"),
    ("port", "/destination/port"),
    ("container", "/container/id"),
    ("name", "/container/name"),
    ("image", "/container/image/name"),
    ("namespace", "/orchestrator/namespace"),
    ("pod", "/orchestrator/resource/name"),
];

/// The request behind it.
const REQUEST: &[(&str, &str)] = &[
    ("client", "/request/client"),
    ("method", "/request/method"),
    ("host", "/request/host"),
    ("uri", "/request/uri"),
];

fn seen(out: &mut String, alert: &Value) {
    for (name, pointer) in SEEN {
        row(out, name, &text(alert, pointer));
    }
    let source = text(alert, "/script/source");
    if !source.is_empty() {
        let path = text(alert, "/script/path");
        row(out, "script", &format!("{} ({source})", word(&path)));
    }
    for (name, pointer) in REQUEST {
        row(out, name, &text(alert, pointer));
    }
    let written = [
        ("/script/written_by/seconds", "the page"),
        ("/file/written_by/seconds", "the file"),
        ("/process/script_written_by/seconds", "the script"),
        ("/process/file/written_by/seconds", "the program"),
    ];
    for (pointer, what) in written {
        let seconds = text(alert, pointer);
        if !seconds.is_empty() {
            row(
                out,
                "written",
                &format!("{what} by a service, {seconds} s before"),
            );
        }
    }
}

fn missing(out: &mut String, alert: &Value) {
    let lost = text(alert, "/evidence/lost_events");
    let lost = if lost == "0" { String::new() } else { lost };
    let rows = [
        ("cut", joined(alert, "/evidence/truncated", ", ")),
        ("unknown", joined(alert, "/evidence/incomplete", ", ")),
        ("degraded", joined(alert, "/evidence/degraded", "; ")),
        ("lost", lost),
    ];
    if rows.iter().all(|(_, value)| value.is_empty()) {
        out.push_str("  nothing\n");
    }
    for (name, value) in rows {
        row(out, name, &value);
    }
}

fn incident(out: &mut String, documents: &[Value]) {
    // Notices about files do not speak of the whole.
    let whole = documents.iter().rev();
    let whole = whole.filter(|it| it.pointer("/incident/alerts").is_some());
    let Some(last) = whole.chain(documents.last()).next() else {
        return;
    };
    let id = text(last, "/incident/id");
    let level = text(last, "/incident/level");
    writeln!(out, "Incident {id}, {level}").unwrap_or_default();
    for document in documents {
        write!(out, "  {}", line(document)).unwrap_or_default();
        for left_out in list(document, "/incident/suppressed") {
            let (count, since) = (text(left_out, "/count"), text(left_out, "/since"));
            let rule = text(left_out, "/rule");
            row(
                out,
                "",
                &format!("suppressed {count} since {since} of {rule}"),
            );
        }
    }
    let folded = text(last, "/incident/folded");
    if !folded.is_empty() && folded != "0" {
        row(out, "left out", &folded);
    }
    if text(last, "/incident/state") != "closed" {
        row(out, "state", "open, or the sensor ended without a word");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::alert::sample::{closed, sample};

    fn value(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn an_alert_is_explained_with_its_incident() {
        let mut sample = sample();
        sample.degraded.push("files: syscall rung".to_owned());
        let alert = value(&sample.alert().to_json());
        let closed = value(&closed().to_json());
        let text = explain(std::slice::from_ref(&alert), &[alert.clone(), closed]);
        for part in [
            "2026-02-03 04:06:36Z  high     883ef1ab  web_server_discovery  php-fpm worker",
            "  rule       Web server ran a discovery command (web_server_discovery, high)\n",
            "  matched    Image = /usr/bin/id\n",
            "  lineage    800 master /usr/sbin/php-fpm8.2 'php-fpm: master process (/etc/php)'\n",
            "  degraded   files: syscall rung\n",
            "  Look at the access log of this second.\n",
            "  benign     Status pages\n",
            "Incident 5f0b9d1c2a3e4f5061728394a5b6c7d8, critical\n",
            "suppressed 12 since 2026-02-03T04:05:36.789012345Z of web_server_discovery",
            "  left out   19\n",
        ] {
            assert!(text.contains(part), "no {part:?} in\n{text}");
        }
    }

    #[test]
    fn nothing_of_a_document_reaches_the_terminal() {
        let hostile = "a\u{1b}[2J\u{202e}\nb";
        let evil = json!({"@timestamp": hostile, "message": hostile, "event": {"id": hostile, "kind": "alert"},
            "rule": {"id": hostile, "triage": hostile, "matched": [{"field": hostile, "value": hostile}]},
            "lineage": [{"pid": hostile, "args": [hostile, 5, null]}], "file": {"path": hostile},
            "evidence": {"degraded": [hostile]}, "incident": {"id": hostile, "suppressed": [{"rule": hostile}]}});
        let text = explain(std::slice::from_ref(&evil), &[evil.clone(), evil.clone()]);
        let bad = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!text.contains(bad), "{text:?}");
        let odd = json!({"event": {"kind": "alert"}, "lineage": {}, "rule": 5});
        assert!(explain(&[odd], &[]).contains("  nothing\n"));
        assert_eq!(explain(&[json!(null)], &[]), "");
    }
}
