//! Draws the answer to `why-not`.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value;

use super::explain::text;
use crate::{alert, app, config::Level, printable::word};

/// What is known of the pid and what was decided about its acts.
pub(super) fn render(pid: u32, reply: &Value, threshold: Level) -> String {
    let mut out = String::new();
    if let Some(Value::String(failure)) = reply.get("unanswered") {
        put(
            &mut out,
            &format!("{}; from the history alone:", word(failure)),
        );
        return out;
    }
    let offset_ns = reply
        .get("realtime_minus_boottime_ns")
        .and_then(Value::as_i64)
        .unwrap_or_default();
    let processes = list(reply, "processes");
    for process in processes {
        standing(&mut out, process);
    }
    let decisions = list(reply, "decisions");
    if decisions.is_empty() {
        nothing(&mut out, pid, reply, offset_ns, !processes.is_empty());
    }
    if let Some(count @ 1..) = reply.get("elided").and_then(Value::as_u64) {
        put(&mut out, &format!("{count} earlier acts left out"));
    }
    for decision in decisions {
        let (act, what) = (text(decision, "/act"), text(decision, "/what"));
        put(
            &mut out,
            &format!("{}  {act} {what}", time(decision, "time_ns", offset_ns)),
        );
        for verdict in list(decision, "verdicts") {
            put(&mut out, &format!("    {}", reason(verdict, threshold)));
        }
        if list(decision, "verdicts").is_empty() {
            put(&mut out, &format!("    {}", unmatched(decision)));
        }
    }
    out
}

/// The acts of an answer of which a rule was kept silent, as the history has them.
pub(super) fn lines(reply: &Value) -> Vec<String> {
    let silent = |decision: &&Value| {
        let mut verdicts = list(decision, "verdicts").iter();
        verdicts.any(|it| !matches!(text(it, "/outcome").as_str(), "alerted" | "waits"))
    };
    let decisions = list(reply, "decisions").iter().filter(silent);
    decisions.map(|decision| text(decision, "/what")).collect()
}

fn put(out: &mut String, line: &str) {
    writeln!(out, "{line}").unwrap_or_default();
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    let list = value.get(name).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

/// `pid 900 /usr/bin/id: descendant in php-fpm app (root 800), exited`
fn standing(out: &mut String, process: &Value) {
    let mut line = format!(
        "pid {} {}:",
        text(process, "/pid"),
        word(&text(process, "/executable"))
    );
    let services = list(process, "services");
    for service in services {
        let [part, kind, role] = ["/part", "/kind", "/role"].map(|name| text(service, name));
        let root = text(service, "/root");
        write!(line, " {part} in {kind} {role} (root {root}),").unwrap_or_default();
    }
    if services.is_empty() {
        line.push_str(" in no service, so rules about services do not see it,");
    }
    let exited = text(process, "/exited") == "true";
    line.push_str(if exited { " exited" } else { " running" });
    put(out, &line);
}

fn nothing(out: &mut String, pid: u32, reply: &Value, offset_ns: i64, known: bool) {
    if !known {
        put(
            out,
            &format!(
                "pid {pid} is in no service that the sensor follows, or has ended some time ago"
            ),
        );
    }
    let remembered = text(reply, "/remembered");
    let since = match reply.get("since_ns") {
        Some(Value::Number(_)) => format!(", the oldest of {}", time(reply, "since_ns", offset_ns)),
        _ => String::new(),
    };
    put(
        out,
        &format!("no exec of it among the {remembered} acts remembered{since}"),
    );
}

/// What silenced a rule, in words.
fn reason(verdict: &Value, threshold: Level) -> String {
    let [rule, level, words] = ["/rule", "/level", "/text"].map(|name| text(verdict, name));
    match text(verdict, "/outcome").as_str() {
        "alerted" => {
            let id = text(verdict, "/alert");
            let least = level.parse::<alert::Level>().ok();
            let below = least.is_some_and(|it| it < app::level(threshold));
            let below = if below {
                format!(
                    ", below output.level ({}): in the history only",
                    app::level(threshold)
                )
            } else {
                String::new()
            };
            format!("{rule} ({level}): alert {id}{below}")
        }
        "folded" => format!(
            "{rule} ({level}): left out, it had alerted too often in incident {}",
            text(verdict, "/incident")
        ),
        "waits" => "rules that need a fact wait for it, up to 2 s; see below".to_owned(),
        silence if rule.is_empty() => format!("silenced by {silence}: {words}"),
        silence => format!("{rule}: silenced by {silence}: {words}"),
    }
}

/// No rule had anything to say.
fn unmatched(decision: &Value) -> &'static str {
    if text(decision, "/service").is_empty() {
        "no rule matched; it is in no service"
    } else {
        "no rule matched"
    }
}

/// A time of the sensor as a time of day.
fn time(value: &Value, name: &str, offset_ns: i64) -> String {
    let boottime = value.get(name).and_then(Value::as_i64).unwrap_or_default();
    let epoch_ns = i128::from(boottime) + i128::from(offset_ns);
    let time = Timestamp::from_nanosecond(epoch_ns).unwrap_or_default();
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_reason_is_said() {
        let verdict = |outcome: &str| {
            json!({"rule": "r", "level": "low", "outcome": outcome,
            "text": "owner, reason", "alert": "abcd", "incident": "ef01"})
        };
        let all = json!({"rule": "", "outcome": "profile", "text": "entry 3"});
        let decision = |verdicts: Value| {
            json!({"time_ns": 1_000_000_000, "act": "exec",
            "what": "/usr/bin/id\u{1b} id", "service": "php-fpm", "verdicts": verdicts})
        };
        let reply = json!({
            "realtime_minus_boottime_ns": 0,
            "elided": 2,
            "processes": [{"pid": 9, "executable": "/usr/bin/id", "exited": true, "services":
                [{"kind": "php-fpm", "role": "app", "part": "descendant", "root": 8}]}],
            "decisions": [decision(json!([])), decision(json!([verdict("alerted"),
                verdict("folded"), verdict("exception"), verdict("waits"), all]))],
        });
        let expected = "\
pid 9 /usr/bin/id: descendant in php-fpm app (root 8), exited
2 earlier acts left out
1970-01-01T00:00:01.000Z  exec /usr/bin/id\\x1b id
    no rule matched
1970-01-01T00:00:01.000Z  exec /usr/bin/id\\x1b id
    r (low): alert abcd, below output.level (medium): in the history only
    r (low): left out, it had alerted too often in incident ef01
    r: silenced by exception: owner, reason
    rules that need a fact wait for it, up to 2 s; see below
    silenced by profile: entry 3
";
        assert_eq!(render(9, &reply, Level::Medium), expected);
        assert!(!render(9, &reply, Level::Low).contains("below output.level"));
    }

    #[test]
    fn a_pid_nobody_knows_is_said() {
        let reply = json!({"decisions": [], "processes": [], "remembered": 3, "since_ns": 5});
        let text = render(7, &reply, Level::Medium);
        assert!(text.starts_with("pid 7 is in no service"), "{text}");
        assert!(
            text.contains("among the 3 acts remembered, the oldest of 1970"),
            "{text}"
        );
        assert!(render(7, &json!(null), Level::Medium).contains("no service"));
    }
}
