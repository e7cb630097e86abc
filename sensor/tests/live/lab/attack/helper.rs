//! EV07: shells reached through another program, in its place or below it.

use super::{Attack, Claim, Entry, SHELL, Stack, Turn, attack, attacks, deed};
use crate::{fixture::scene, lab::stacks::program};

/// Name in the table, and the words; `DIR` is a directory with the files below.
const HELPERS: &[(&str, &[&str])] = &[
    ("env", &["env", "A=1", "sh", "-c", ": MARK"]),
    (
        "xargs",
        &["xargs", "-a", "/etc/hostname", "sh", "-c", ": MARK"],
    ),
    (
        "find -exec",
        &[
            "find",
            "/",
            "-maxdepth",
            "0",
            "-exec",
            "sh",
            "-c",
            ": MARK",
            ";",
        ],
    ),
    ("perl -e exec", &["perl", "-e", "exec 'sh', '-c', ': MARK'"]),
    ("perl -e system", &["perl", "-e", "system ': MARK; :'"]),
    (
        "python -c",
        &["python3", "-Ic", "import os; os.system(': MARK')"],
    ),
    ("awk", &["awk", "BEGIN { system(\": MARK\") }"]),
    ("nohup", &["nohup", "sh", "-c", ": MARK"]),
    ("setsid", &["setsid", "-w", "sh", "-c", ": MARK"]),
    ("timeout", &["timeout", "5", "sh", "-c", ": MARK"]),
    ("script", &["script", "-qc", ": MARK", "/dev/null"]),
    ("gdb -ex", &["gdb", "-nx", "-batch", "-ex", "shell : MARK"]),
    (
        "ssh -oProxyCommand",
        &[
            "ssh",
            "-F",
            "none",
            "-oProxyCommand=: MARK;",
            "nobody@127.0.0.1",
        ],
    ),
    ("git -c alias", &["git", "-c", "alias.x=!: MARK;", "x"]),
    (
        "tar --checkpoint-action",
        &[
            "tar",
            "-cf",
            "/dev/null",
            "--checkpoint=1",
            "--checkpoint-action=exec=: MARK",
            "DIR",
        ],
    ),
    ("flock", &["flock", "DIR/lock", "sh", "-c", ": MARK"]),
    ("nice", &["nice", "-n", "1", "sh", "-c", ": MARK"]),
    ("stdbuf", &["stdbuf", "-o0", "sh", "-c", ": MARK"]),
    ("run-parts", &["run-parts", "--arg=MARK", "DIR/parts"]),
    ("make", &["make", "-sf", "DIR/Makefile", "x", "MARK=MARK"]),
    (
        "vim !",
        &[
            "vim",
            "-Nu",
            "NONE",
            "-es",
            "-c",
            "silent !: MARK",
            "-c",
            "qa!",
        ],
    ),
    ("ed !", &["sh", "-c", "echo '!: MARK' | ed -s"]),
];

pub(super) fn all() -> Vec<Attack> {
    let helpers = HELPERS.iter().enumerate().map(|(number, (name, words))| {
        let stack = [Stack::Php, Stack::Php, Stack::ModPhp][number % 3];
        let what = format!("a shell through {name}");
        let act = Box::new(|turn: &Turn<'_>| through(turn, words));
        attack("EV07", stack, what, SHELL, act)
    });
    helpers.chain(attacks(OTHERS)).collect()
}

/// A page starts these words, with what they need beside it.
fn through(turn: &Turn<'_>, words: &[&str]) -> Claim {
    let dir = turn.own();
    scene::write(&dir.join("Makefile"), "x:\n\tid; : $(MARK)\n");
    program(&dir.join("parts/part"), "#!/bin/sh\nid\n:\n");
    let dir = dir.display().to_string();
    let words: Vec<String> = words.iter().map(|word| word.replace("DIR", &dir)).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    turn.spawn(&words);
    turn.claim()
}

const OTHERS: &[Entry] = &[
    deed(
        "EV07",
        &[Stack::Gunicorn],
        "a shell through env",
        SHELL,
        |turn| turn.argv("argv", &["env", "A=1", "sh", "-c", ": MARK"]),
    ),
    deed(
        "EV07",
        &[Stack::Java],
        "a shell through nice",
        SHELL,
        |turn| turn.argv("argv", &["nice", "sh", "-c", ": MARK"]),
    ),
];
