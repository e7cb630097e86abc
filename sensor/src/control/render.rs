//! Draws the answer to `tree` for people. Missing members are left out, never an error.

use std::collections::HashSet;

use serde_json::Value;

use crate::printable::{escape, word};

/// Characters of a command line that are drawn; JSON has all of it.
const LINE_MAX: usize = 200;

/// Processes by pid and start.
pub type Known = HashSet<(u64, u64)>;

/// The services of a reply, each with its tree.
#[must_use]
pub fn tree(reply: &Value) -> String {
    tree_since(reply, None)
}

/// The same, with a mark on what was not known before.
#[must_use]
pub fn tree_since(reply: &Value, before: Option<&Known>) -> String {
    let services = list(reply, "services");
    if services.is_empty() {
        return "no services are running\n".into();
    }
    let mut out = String::new();
    for (index, service) in services.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let words = ["kind", "role", "unit"].map(|name| text(service, name));
        let mut words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
        words.extend(place(service));
        line(&mut out, &[], "", &words.join(" "));
        branch(&mut out, list(service, "processes"), before);
    }
    out
}

/// `pod shop/web-1` and `container php 0123456789ab registry/php:8`.
fn place(service: &Value) -> Vec<String> {
    let mut words = Vec::new();
    let [namespace, pod] = ["namespace", "pod"].map(|name| text(service, name));
    if !pod.is_empty() {
        words.push(format!("pod {}/{}", word(&namespace), word(&pod)));
    }
    let id: String = text(service, "container").chars().take(12).collect();
    if !id.is_empty() {
        let [name, image] = ["container_name", "image"].map(|name| text(service, name));
        let parts = ["container", &word(&name), &id, &word(&image)].map(str::to_owned);
        let known = [true, !name.is_empty(), true, !image.is_empty()];
        let parts = parts.into_iter().zip(known).filter(|(_, known)| *known);
        words.extend(parts.map(|(part, _)| part));
    }
    words
}

/// All processes of a reply.
#[must_use]
pub fn known(reply: &Value) -> Known {
    let mut known = Known::new();
    let services = list(reply, "services").iter();
    let mut todo: Vec<&Value> = services.flat_map(|it| list(it, "processes")).collect();
    while let Some(process) = todo.pop() {
        known.insert(identity(process));
        todo.extend(list(process, "children"));
    }
    known
}

fn identity(process: &Value) -> (u64, u64) {
    let number = |name| process.get(name).and_then(Value::as_u64);
    let [pid, start] = ["pid", "start_ns"].map(|name| number(name).unwrap_or_default());
    (pid, start)
}

/// Draws a list of processes and all below; a stack of its own, since a hostile tree may
/// be deep.
fn branch(out: &mut String, roots: &[Value], before: Option<&Known>) {
    let mut open = vec![roots.iter()];
    while let Some(level) = open.last_mut() {
        let Some(process) = level.next() else {
            open.pop();
            continue;
        };
        let rails: Vec<bool> = open.iter().map(|level| level.len() > 0).collect();
        let (more, above) = rails.split_last().unwrap_or((&false, &[]));
        let is_new = before.is_some_and(|before| !before.contains(&identity(process)));
        line(
            out,
            above,
            if *more { "├─ " } else { "└─ " },
            &describe(process, is_new),
        );
        open.push(list(process, "children").iter());
    }
}

/// `812 (new) worker /usr/sbin/php-fpm8.2 -F [scanned]`.
fn describe(process: &Value, is_new: bool) -> String {
    let executable = text(process, "executable");
    let mut words = vec![
        process
            .get("pid")
            .and_then(Value::as_u64)
            .map_or_else(|| "?".into(), |pid| pid.to_string()),
        if is_new { "(new)" } else { "" }.to_owned(),
        text(process, "part"),
        if executable.is_empty() {
            "?".into()
        } else {
            word(&executable)
        },
    ];
    let args: Vec<&str> = list(process, "args")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    if let Some((program, rest)) = args.split_first() {
        if last(program) != last(&executable) {
            words.push(format!("(as {})", word(program)));
        }
        words.extend(rest.iter().map(|arg| word(arg)));
    }
    words.retain(|word| !word.is_empty());
    let mut shown = words.join(" ");
    if let Some((cut, _)) = shown.char_indices().nth(LINE_MAX) {
        shown.truncate(cut);
        shown.push_str("...");
    }
    if process.get("exited").and_then(Value::as_bool) == Some(true) {
        shown.push_str(" (exited)");
    }
    let provenance = text(process, "provenance");
    if !provenance.is_empty() && provenance != "observed" {
        shown.extend([" [", &provenance, "]"]);
    }
    shown
}

fn line(out: &mut String, above: &[bool], mark: &str, text: &str) {
    for more in above {
        out.push_str(if *more { "│  " } else { "   " });
    }
    out.push_str(mark);
    out.push_str(text);
    out.push('\n');
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

pub(crate) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

pub(crate) fn text(value: &Value, name: &str) -> String {
    value
        .get(name)
        .and_then(Value::as_str)
        .map_or_else(String::new, |text| escape(text).into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tree_is_drawn() {
        let process = |pid: u32,
                       part: &str,
                       executable: &str,
                       args: Value,
                       provenance: &str,
                       children: Value| {
            json!({"pid": pid, "start_ns": 1, "executable": executable, "args": args, "part": part,
                   "provenance": provenance, "children": children})
        };
        let id = process(
            14,
            "descendant",
            "/usr/bin/id",
            json!(["id", "-u", "a b"]),
            "observed",
            json!([]),
        );
        let sh = process(
            13,
            "descendant",
            "/usr/bin/dash",
            json!(["sh", "-c", "id\n\u{1b}[0m"]),
            "observed",
            json!([id]),
        );
        let worker = process(
            12,
            "worker",
            "/usr/sbin/php-fpm8.2",
            json!([]),
            "observed",
            json!([sh]),
        );
        let idle = process(
            15,
            "worker",
            "/usr/sbin/php-fpm8.2",
            json!([]),
            "inferred",
            json!([]),
        );
        let master = process(
            11,
            "master",
            "/usr/sbin/php-fpm8.2",
            json!(["php-fpm8.2", "-F"]),
            "scanned",
            json!([worker, idle]),
        );
        let reply = json!({"services": [
            {"id": "11", "kind": "php-fpm", "role": "app", "unit": "php8.2-fpm.service", "processes": [master]},
            {"kind": "nginx", "unit": "", "container": "0123456789abcdef", "processes": [{}]},
            {"kind": "nginx", "container": "fedcba9876543210", "container_name": "web",
             "image": "registry/nginx:1", "namespace": "shop", "pod": "web-1", "processes": [{}]},
        ]});
        let expected = "\
php-fpm app php8.2-fpm.service
└─ 11 master /usr/sbin/php-fpm8.2 -F [scanned]
   ├─ 12 worker /usr/sbin/php-fpm8.2
   │  └─ 13 descendant /usr/bin/dash (as sh) -c id\\n\\x1b[0m
   │     └─ 14 descendant /usr/bin/id -u 'a b'
   └─ 15 worker /usr/sbin/php-fpm8.2 [inferred]

nginx container 0123456789ab
└─ ? ?

nginx pod shop/web-1 container web fedcba987654 registry/nginx:1
└─ ? ?
";
        assert_eq!(tree(&reply), expected);
    }

    #[test]
    fn the_exited_and_forged_columns_show() {
        let process = json!({"pid": 12, "part": "descendant", "exited": true,
            "executable": "/srv/p  [scanned] → 'x'", "args": ["p"], "provenance": "observed"});
        let reply = json!({"services": [{"kind": "nginx", "processes": [process]}]});
        let expected = "\
nginx
└─ 12 descendant '/srv/p  [scanned] → '\\''x'\\''' (as p) (exited)
";
        assert_eq!(tree(&reply), expected);
    }

    #[test]
    fn what_is_new_is_marked() {
        let process = |pid: u32, start: u32, children: Value| json!({"pid": pid, "start_ns": start, "executable": "/x", "args": [], "children": children});
        let reply = |root: Value| json!({"services": [{"kind": "nginx", "processes": [root]}]});
        let first = reply(process(1, 1, json!([process(2, 1, json!([]))])));
        // The pid is used again.
        let second = reply(process(1, 1, json!([process(2, 9, json!([]))])));
        let before = known(&first);
        assert_eq!(before.len(), 2);
        let marked = |reply| tree_since(reply, Some(&before)).matches("(new)").count();
        assert_eq!((marked(&first), marked(&second)), (0, 1));
        assert!(tree_since(&second, Some(&before)).contains("   └─ 2 (new) /x\n"));
    }

    #[test]
    fn odd_replies_are_drawn_as_far_as_they_go() {
        for reply in [
            json!(null),
            json!({}),
            json!({"services": 5}),
            json!({"services": []}),
        ] {
            assert_eq!(tree(&reply), "no services are running\n");
        }
        let long =
            json!({"services": [{"processes": [{"pid": 1, "args": ["a", "x".repeat(9_999)]}]}]});
        assert!(tree(&long).len() < 300);
    }
}
