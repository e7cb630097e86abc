//! Evasions by lineage, by others that are made to do it, by size and by place: EV01, EV02,
//! EV11, EV13 to EV15, EV25, EV26.

use std::{fs, process::Command};

use super::{
    Attack, BOTH, Claim, Entry, MOD_PHP, PHP, RECON, SHELL, Stack, Turn, When, attack, attacks,
    deed, page,
};
use crate::{
    fixture::{process::succeed, scene},
    lab::turn::encoded,
};

const PERSISTENCE: &str = "persistence_file_written";
const CONTAINER: &[Stack] = &[Stack::Container];
const JAVA: &[Stack] = &[Stack::Java];

pub(super) fn all() -> Vec<Attack> {
    let tables = [LINEAGE, BROKERS, ISOLATED];
    let mut all: Vec<Attack> = tables.into_iter().flat_map(attacks).collect();
    let opened = Box::new(|turn: &Turn<'_>| {
        fs::write(turn.stacks.place("gate").join("open"), "").expect("open the gate");
        Claim::Says(": from-before".to_owned())
    });
    let what = "orphan of before the sensor runs id";
    all.push(Attack {
        when: When::Before,
        ..attack("EV02", Stack::Php, what, RECON, opened)
    });
    all
}

const LINEAGE: &[Entry] = &[
    deed(
        "EV01",
        BOTH,
        "double fork, setsid, then a shell",
        SHELL,
        |turn| {
            let script = turn.stacks.place("scripts").join("orphan.py");
            scene::write(&script, ORPHAN);
            turn.spawn(&["python3", "-I", &script.display().to_string(), "MARK"]);
            turn.claim()
        },
    ),
    deed(
        "EV01",
        &[Stack::Node],
        "nohup setsid in the background",
        SHELL,
        |turn| turn.shell("sh", "(setsid nohup sh -c 'id; : MARK' > /dev/null 2>&1 &)"),
    ),
    page(
        "EV25",
        BOTH,
        "arguments longer than what is kept",
        "arguments_cut",
        "system('true ' . str_repeat('x', 6000) . \"; id; : $mark\");",
    ),
];

/// Becomes a shell when both processes above it have ended.
const ORPHAN: &str = "import os, sys, time
if os.fork(): os._exit(0)
os.setsid()
parent = os.getpid()
if os.fork(): os._exit(0)
while os.getppid() == parent: time.sleep(0.01)
os.execv('/bin/sh', ['sh', '-c', ': ' + sys.argv[1]])
";

/// Another process is made to do it later, or nothing is started at all.
const BROKERS: &[Entry] = &[
    deed(
        "EV11",
        BOTH,
        "page reads credentials, nothing else",
        "sensitive_file_read",
        |turn| {
            scene::write(&turn.own().join(".aws/credentials"), "[default]\n");
            turn.page("file_get_contents(\"$own/.aws/credentials\");");
            turn.claim()
        },
    ),
    deed(
        "EV13",
        JAVA,
        "own memory opened for writing",
        "process_memory_written",
        |turn| {
            turn.ask("memory", &[]);
            Claim::By(turn.stacks.root(Stack::Java))
        },
    ),
    deed(
        "EV13",
        JAVA,
        "attach from below the server",
        "java_attach_by_member",
        |turn| {
            let file = turn.own().join(".attach_pid1");
            turn.argv("argv", &["touch", &file.display().to_string()])
        },
    ),
    deed(
        "EV14",
        PHP,
        "table of cron put in by crontab",
        PERSISTENCE,
        crontab,
    ),
    page(
        "EV15",
        PHP,
        "authorized_keys",
        PERSISTENCE,
        "mkdir(\"$own/.ssh\"); file_put_contents(\"$own/.ssh/authorized_keys\", 'x');",
    ),
    page(
        "EV15",
        MOD_PHP,
        ".bashrc",
        PERSISTENCE,
        "file_put_contents(\"$own/.bashrc\", ':');",
    ),
    page(
        "EV15",
        PHP,
        "unit of systemd for a user",
        PERSISTENCE,
        "mkdir(\"$own/.config/systemd/user\", 0755, true);
file_put_contents(\"$own/.config/systemd/user/x.service\", '');",
    ),
    deed(
        "EV15",
        PHP,
        "page asks sshd of this machine",
        "local_broker_reached",
        |turn| {
            let page = turn.page("@fsockopen('127.0.0.1', 22, $code, $text, 1);");
            Claim::By(page.worker)
        },
    ),
];

/// A page puts a table of cron in by `crontab`: one without a job, and only where nobody has
/// one, for the machine's own cron may run.
fn crontab(turn: &Turn<'_>) -> Claim {
    let list = Command::new("crontab")
        .args(["-u", "www-data", "-l"])
        .output();
    let listed = list.expect("run crontab");
    assert!(!listed.status.success(), "www-data has a table of cron");
    let page = turn.page(
        "file_put_contents(\"$own/table\", \"# $mark\\n\");
system(\"crontab $own/table # $mark\", $code); echo $code;",
    );
    assert_eq!(page.output, "0", "crontab failed");
    succeed(Command::new("crontab").args(["-u", "www-data", "-r"]));
    turn.claim()
}

const ISOLATED: &[Entry] = &[
    deed("EV26", CONTAINER, "page runs a shell", SHELL, |turn| {
        ask(turn, "sh", "id; : MARK")
    }),
    deed(
        "EV26",
        CONTAINER,
        "page writes a page",
        "script_created_in_web_root",
        |turn| ask(turn, "put", "/srv/public/MARK.php"),
    ),
    deed(
        "EV14",
        CONTAINER,
        "page writes a table of cron",
        PERSISTENCE,
        |turn| ask(turn, "put", "/var/spool/cron/crontabs/MARK"),
    ),
];

fn ask(turn: &Turn<'_>, name: &str, value: &str) -> Claim {
    let value = encoded(&turn.fill(value));
    let answer = turn
        .stacks
        .container()
        .ask(&format!("/index.php?{name}={value}"));
    assert!(answer.is_ok_and(|answer| answer.contains("pong")));
    turn.claim()
}
