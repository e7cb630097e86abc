//! What administrators do to servers that run: B1 to B5, B22, B25 to B28.

use std::{fs, process::Command};

use rustix::process::Signal;

use super::{Benign, Stack, Turn, work};
use crate::{
    fixture::{daemon::command, http, nginx::Nginx, process::succeed, wait},
    lab::stacks::{psql, redis_agrees, sql},
};

const MOD_PHP: &[Stack] = &[Stack::ModPhp];
const PHP: &[Stack] = &[Stack::Php];
const NGINX: &[Stack] = &[Stack::Nginx];
const GUNICORN: &[Stack] = &[Stack::Gunicorn];

pub(super) const ALL: &[Benign] = &[
    work(
        "B01",
        Stack::ModPhp,
        MOD_PHP,
        "apache2 -k graceful",
        |turn| graceful(turn, &["apache2"]),
    ),
    work(
        "B01",
        Stack::ModPhp,
        MOD_PHP,
        "logrotate's shell, then graceful",
        |turn| {
            graceful(
                turn,
                &[
                    "sh",
                    "-c",
                    "id > /dev/null; exec \"$@\"",
                    "postrotate",
                    "apache2",
                ],
            );
        },
    ),
    work(
        "B01",
        Stack::Cgid,
        &[Stack::Cgid],
        "graceful, and a new daemon for CGI",
        |turn| {
            turn.stacks.get(Stack::Cgid).reload(Signal::USR1);
        },
    ),
    work(
        "B02",
        Stack::ModPhp,
        MOD_PHP,
        "new log writers, one through a shell",
        |turn| {
            let apache = turn.stacks.get(Stack::ModPhp);
            apache.reload(Signal::USR1);
            let writers = || {
                let all = apache.children().into_iter();
                all.filter(|child| {
                    child
                        .executable()
                        .is_some_and(|exe| exe.ends_with("rotatelogs"))
                })
                .count()
            };
            wait::until("two log writers", || (writers() == 2).then_some(()));
            apache.load("/index.html");
        },
    ),
    work("B03", Stack::Nginx, NGINX, "reload", |turn| {
        turn.stacks.get(Stack::Nginx).reload(Signal::HUP);
        turn.stacks.get(Stack::Nginx).load("/index.html");
    }),
    work("B03", Stack::Nginx, NGINX, "logs opened again", |turn| {
        let log = turn.stacks.place("nginx").join("front.log");
        turn.stacks.get(Stack::Nginx).reopen_log(&log, Signal::USR1);
    }),
    super::begin("B03", "nginx", "binary upgrade", upgrade),
    work(
        "B03",
        Stack::Haproxy,
        &[Stack::Haproxy],
        "reload: the master executes itself",
        |turn| {
            turn.stacks.get(Stack::Haproxy).reload(Signal::USR2);
            turn.stacks.get(Stack::Haproxy).load("/");
        },
    ),
    work(
        "B04",
        Stack::Php,
        PHP,
        "USR2: the master executes itself",
        |turn| {
            turn.stacks.get(Stack::Php).reload(Signal::USR2);
        },
    ),
    work(
        "B04",
        Stack::Php,
        PHP,
        "USR1: the log opened again",
        |turn| {
            let log = turn.stacks.place("php").join("php-fpm.log");
            turn.stacks.get(Stack::Php).reopen_log(&log, Signal::USR1);
        },
    ),
    work(
        "B04",
        Stack::Uwsgi,
        &[Stack::Uwsgi],
        "HUP: the master executes itself",
        |turn| {
            turn.stacks.get(Stack::Uwsgi).reload(Signal::HUP);
            turn.stacks.get(Stack::Uwsgi).load("/");
        },
    ),
    work(
        "B05",
        Stack::Php,
        PHP,
        "a worker dies, another is forked",
        |turn| respawn(turn, Stack::Php),
    ),
    work(
        "B05",
        Stack::Gunicorn,
        GUNICORN,
        "a worker dies, another is forked",
        |turn| {
            respawn(turn, Stack::Gunicorn);
            turn.stacks.get(Stack::Gunicorn).load("/");
        },
    ),
    work(
        "B05",
        Stack::Nginx,
        NGINX,
        "a worker dies, another is forked",
        |turn| respawn(turn, Stack::Nginx),
    ),
    work(
        "B22",
        Stack::Nginx,
        NGINX,
        "health check: curl, kill -0",
        |turn| {
            let nginx = turn.stacks.get(Stack::Nginx);
            let line = format!(
                "curl -fs http://127.0.0.1:{}/index.html > /dev/null && kill -0 {}",
                nginx.port,
                nginx.process().pid
            );
            succeed(Command::new("sh").args(["-c", &line]));
        },
    ),
    work(
        "B22",
        Stack::Redis,
        &[Stack::Redis],
        "health check: openssl s_client",
        |turn| {
            let at = format!("127.0.0.1:{}", turn.stacks.port(Stack::Redis));
            let mut check = Command::new("timeout");
            // Redis speaks no TLS; what counts is that it was asked.
            let _refused = check
                .args(["5", "openssl", "s_client", "-connect", &at])
                .stdin(std::process::Stdio::null())
                .output();
        },
    ),
    work(
        "B25",
        Stack::Postgres,
        &[Stack::Postgres],
        "vacuum, reload, log rotated",
        |turn| {
            let postgres = turn.stacks.get(Stack::Postgres);
            psql(turn.stacks, postgres.port, "SELECT pg_rotate_logfile()");
            psql(turn.stacks, postgres.port, "VACUUM t");
            postgres.process().signal(Signal::HUP);
        },
    ),
    work(
        "B25",
        Stack::MariaDb,
        &[Stack::MariaDb],
        "tables and logs flushed",
        |turn| {
            sql(
                turn.stacks,
                "FLUSH TABLES; FLUSH LOGS; OPTIMIZE TABLE shop.t",
            );
        },
    ),
    work(
        "B25",
        Stack::Redis,
        &[Stack::Redis],
        "saves and rewrites in the background",
        |turn| {
            redis_agrees(turn.stacks, "BGSAVE");
            redis_agrees(turn.stacks, "BGREWRITEAOF");
        },
    ),
    work(
        "B26",
        Stack::Container,
        &[Stack::Container],
        "health check by podman exec",
        |turn| {
            turn.stacks.container().exec(&["/bin/sh", "-c", "id; :"]);
        },
    ),
    work(
        "B27",
        Stack::Java,
        &[Stack::Java],
        "jcmd and jstack attach",
        |turn| {
            let pid = turn.stacks.get(Stack::Java).process().pid.to_string();
            for tool in ["jcmd", "jstack"] {
                let mut tool = command(tool, &turn.stacks.place("java"));
                tool.arg(&pid);
                succeed(if tool.get_program().to_string_lossy().ends_with("jcmd") {
                    tool.arg("VM.version")
                } else {
                    &mut tool
                });
            }
        },
    ),
    work(
        "B28",
        Stack::Container,
        &[Stack::Container],
        "runc enters by its copy in memory",
        |turn| {
            turn.stacks.container().exec(&["/usr/bin/id"]);
        },
    ),
    work(
        "B28",
        Stack::Php,
        PHP,
        "administrator's busybox executes itself",
        |_| {
            succeed(Command::new("busybox").args(["sh", "-c", "busybox id; cat /etc/hostname"]));
        },
    ),
];

/// Tells Apache to reload, by the words that come before its arguments.
fn graceful(turn: &Turn<'_>, words: &[&str]) {
    let apache = turn.stacks.get(Stack::ModPhp);
    let old = apache.children();
    let dir = turn.stacks.place("apache");
    let mut control = command(words[0], &dir);
    control
        .args(&words[1..])
        .arg("-f")
        .arg(dir.join("apache2.conf"));
    succeed(control.args(["-k", "graceful"]));
    wait::until("new workers", || {
        let now = apache.children();
        let new = now.iter().all(|child| !old.contains(child));
        (now.len() >= old.len() && new).then_some(())
    });
}

/// Ends a child that serves; another one takes its place.
fn respawn(turn: &Turn<'_>, stack: Stack) {
    let server = turn.stacks.get(stack);
    let own = server.process().executable();
    let workers = || -> Vec<_> {
        let all = server.children().into_iter();
        all.filter(|child| child.executable() == own).collect()
    };
    let before = workers();
    before[0].signal(Signal::TERM);
    wait::until("another worker", || {
        let now = workers();
        (now.len() == before.len() && !now.contains(&before[0])).then_some(())
    });
}

/// USR2 makes nginx start itself anew, QUIT ends the old one.
fn upgrade(turn: &Turn<'_>) {
    let dir = turn.stacks.place("upgrade");
    fs::write(dir.join("index.html"), "pong").expect("write a page");
    let nginx = Nginx::start(&dir, &dir, &dir.join("none.sock"));
    let workers = || (!nginx.workers().is_empty()).then_some(());
    // Before that it would not know the signal.
    wait::until("its workers", workers);
    let old = nginx.master();
    old.signal(Signal::USR2);
    wait::until("the new nginx", || {
        (nginx.master() != old)
            .then_some(())
            .and_then(|()| workers())
    });
    assert!(http::get(nginx.port, "/index.html").is_ok());
    old.signal(Signal::QUIT);
    assert!(old.ends_within(wait::PATIENCE));
    assert!(http::get(nginx.port, "/index.html").is_ok());
}
