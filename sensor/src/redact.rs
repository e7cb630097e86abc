//! Secrets in arguments and environment, replaced before anything is written that may
//! be passed on.
//!
//! Decides by the words around a value: option and variable names, program and option,
//! well-known shapes of tokens, user information in URLs. It errs on the side of
//! replacing. The number of arguments never changes, nor does the program that was run.
//! Works on bytes and in linear time: what it reads is chosen by whoever is watched.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use bstr::{BString, ByteSlice as _};
use regex::bytes::{Captures, Regex, RegexSet};

use crate::{
    engine::Input,
    event::{Args, Event, Program, Snapshot},
};

/// Stands for a secret.
pub const REDACTED: &str = "[REDACTED]";

/// An input without secrets.
#[derive(Debug, Default)]
pub struct Clean {
    /// The changed input; `None` when nothing had to be replaced.
    pub input: Option<Input>,
    /// Arguments and variables in which something was.
    pub replaced: u64,
}

/// Replaces the secrets in an input.
#[must_use]
pub fn input(input: &Input) -> Clean {
    match input {
        Input::Event(Event::Exec(exec)) => {
            let (program, replaced) = program(&exec.program);
            let clean = program.map(|program| {
                let mut exec = exec.clone();
                exec.program = program;
                Input::Event(Event::Exec(exec))
            });
            Clean {
                input: clean,
                replaced,
            }
        }
        Input::Snapshot(snapshot) => scan(snapshot),
        Input::Inspected(process, found, image) => {
            let (clean, replaced) = program(found);
            Clean {
                input: clean.map(|clean| Input::Inspected(*process, clean, image.clone())),
                replaced,
            }
        }
        _ => Clean::default(),
    }
}

fn scan(snapshot: &Snapshot) -> Clean {
    let mut snapshot = snapshot.clone();
    let mut replaced = 0;
    for row in &mut snapshot.processes {
        let Some((Some(clean), count)) = row.program.as_ref().map(program) else {
            continue;
        };
        row.program = Some(clean);
        replaced += count;
    }
    Clean {
        input: (replaced > 0).then_some(Input::Snapshot(snapshot)),
        replaced,
    }
}

/// Replaces the secrets in command line and environment of a program. `None` when there
/// are none; how many arguments and variables had one.
#[must_use]
pub fn program(program: &Arc<Program>) -> (Option<Arc<Program>>, u64) {
    let (args, in_args) = args(&program.args);
    let mut env = program.env.clone();
    let mut in_env = 0;
    for (name, value) in &mut env {
        let clean = line(&[name.as_slice(), b"=", value.as_slice()].concat());
        if let Some(clean) = clean.and_then(|clean| Some(clean.split_once_str("=")?.1.into())) {
            *value = clean;
            in_env += 1;
        }
    }
    let replaced = in_args + in_env;
    if replaced == 0 {
        return (None, 0);
    }
    let mut clean = Program::clone(program);
    clean.args = args;
    clean.env = env;
    (Some(Arc::new(clean)), replaced)
}

/// Some argument holds a secret, or held one before it was replaced.
#[must_use]
pub fn is_secret(args: &Args) -> bool {
    let held = |arg: &BString| arg.contains_str(REDACTED);
    self::args(args).1 > 0 || args.head.iter().chain(&args.tail).any(held)
}

fn args(args: &Args) -> (Args, u64) {
    let mut clean = args.clone();
    let replaced = list(&mut clean.head) + list(&mut clean.tail);
    (clean, replaced)
}

/// Replaces in a list of arguments; how many were changed.
fn list(args: &mut [BString]) -> u64 {
    let Some(clean) = line(&bstr::join("\0", &*args)) else {
        return 0;
    };
    let mut changed = 0;
    // No pattern takes or puts a NUL, so the numbers agree.
    for (arg, clean) in args.iter_mut().zip(clean.split(|&byte| byte == 0)) {
        if arg.as_slice() != clean {
            *arg = clean.into();
            changed += 1;
        }
    }
    changed
}

/// Replaces in arguments joined by NUL. `None` when there is nothing to replace.
fn line(line: &[u8]) -> Option<Vec<u8>> {
    let mut text = Cow::Borrowed(line);
    for index in PATTERNS.set.matches(line) {
        let Some(pattern) = PATTERNS.each.get(index) else {
            continue;
        };
        let replaced = pattern.replace_all(&text, |found: &Captures<'_>| {
            let part = |index| found.get(index).map_or(&b""[..], |part| part.as_bytes());
            [part(1), REDACTED.as_bytes(), part(3)].concat()
        });
        if let Cow::Owned(replaced) = replaced {
            text = Cow::Owned(replaced);
        }
    }
    match text {
        Cow::Owned(text) if text != line => Some(text),
        _ => None,
    }
}

struct Patterns {
    /// Which can match at all, in one pass.
    set: RegexSet,
    each: Vec<Regex>,
}

/// Part of a name whose value is secret.
const NAME: &str = r"[\w.-]*(?:passw(?:or)?d|passphrase|secret|token|credential|api[_-]?key|access[_-]?key|private[_-]?key|auth[_-]?key)[\w.-]*|(?:[\w.]*[_.-])?(?:pass|pwd)";

/// What stands before a secret (group 1), the secret (2), what stands behind it (3).
/// `N` is [`NAME`], `_` a blank or the end of an argument.
const SHAPES: &[&str] = &[
    // --password=x as an argument of its own, PGPASSWORD=x: up to the end of the argument.
    r"((?:^|\x00)-{0,2}(?:N)=)([^\x00]+)",
    // --password x as two arguments.
    r"((?:^|\x00)(?:--(?:N)|-(?:pass|passwd|password|pwd|secret|token))\x00)([^\x00]+)",
    // The same two within a line for a shell, a query string, a piece of JSON or YAML.
    r#"((?:^|[\s;&|?'"{(,\x00-])(?:N)["']?\s{0,4}[=:]\s{0,4}["']?)([^\s;&|'",)}\x00]+)"#,
    r#"(--(?:N)[ \t]+["']?)([^\s;&|'"\x00]+)"#,
    // HTTP headers.
    r#"((?:authorization|x-api-key|cookie):[ \t]*(?:(?:basic|bearer|token|digest|negotiate)[ \t]+)?)([^\x00'"\r\n]+)"#,
    // scheme://user:secret@host
    r"([a-z][a-z0-9+.-]{0,20}://[^\s/:@\x00]*:)([^\s/@\x00]+)(@)",
    // mysql -psecret, sshpass -p secret, curl -u user:secret, redis-cli -a secret.
    r"(\b(?:mysql|mysqldump|mysqladmin|mysqlimport|mysqlshow|mariadb|mariadb-dump|mariadb-admin)\b[^;&|\n]*?_-p)([^\s;&|\x00]+)",
    r"(\bsshpass_+-p_*)([^\s\x00]+)",
    r"(\b(?:curl|wget)\b[^;&|\n]*?_(?:-u|--user|--proxy-user)[\s=\x00]*[^\s:\x00]+:)([^\s\x00]+)",
    r"(\bredis-cli\b[^;&|\n]*?_(?:-a|--pass)_+)([^\s\x00]+)",
    // Keys and tokens by their own form: AWS, GitHub, Slack, JSON web tokens, PEM.
    r"()((?-i:\b(?:AKIA|ASIA)[A-Z0-9]{16}\b))",
    r"()((?-i:\b(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}|xox[abprs]-[\w-]{10,255}|glpat-[\w-]{20,255})))",
    r"()((?-i:\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*))",
    r"(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)([^\x00]+)",
];

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let shapes = SHAPES.iter().map(|shape| {
        let shape = shape.replace('N', NAME).replace("_+", r"[\s\x00]+");
        let shape = shape
            .replace("_*", r"[\s\x00]*")
            .replace("*?_", r"*?[\s\x00]");
        format!("(?i-u){shape}")
    });
    let shapes: Vec<String> = shapes.collect();
    let each = shapes.iter().map(|shape| Regex::new(shape));
    Patterns {
        set: RegexSet::new(&shapes).expect("a test compiles them"),
        each: each
            .collect::<Result<_, _>>()
            .expect("a test compiles them"),
    }
});

#[cfg(test)]
mod tests;
