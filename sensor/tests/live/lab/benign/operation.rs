//! What administrators do to servers that run: B1 to B5, B22, B25 to B28.

use std::{
    fs,
    process::{Command, Stdio},
};

use rustix::process::Signal;

use super::{Benign, Stack, Turn, work};
use crate::{
    fixture::{daemon::command, http, nginx::Nginx, scene::tool, wait},
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
            turn.reload(Signal::USR1);
        },
    ),
    work(
        "B02",
        Stack::ModPhp,
        MOD_PHP,
        "new log writers, one through a shell",
        |turn| {
            let apache = turn.stacks.get(Stack::ModPhp);
            turn.reload(Signal::USR1);
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
            let log = turn.stacks.place("apache").join("access.log");
            let rotatelogs = tool("rotatelogs").display().to_string();
            turn.ran(&[&rotatelogs, "-n", "2", &log.display().to_string(), "86400"]);
            apache.load("/index.html");
        },
    ),
    work("B03", Stack::Nginx, NGINX, "reload", |turn| {
        turn.reload(Signal::HUP);
        turn.stacks.get(Stack::Nginx).load("/index.html");
    }),
    work("B03", Stack::Nginx, NGINX, "logs opened again", |turn| {
        let log = turn.stacks.place("nginx").join("front.log");
        turn.stacks.get(Stack::Nginx).reopen_log(&log, Signal::USR1);
        turn.saw("the new log");
    }),
    super::begin("B03", "nginx", "binary upgrade", upgrade),
    work(
        "B03",
        Stack::Haproxy,
        &[Stack::Haproxy],
        "reload: the master executes itself",
        |turn| {
            let haproxy = turn.stacks.get(Stack::Haproxy);
            turn.reload(Signal::USR2);
            haproxy.load("/");
            turn.ran(&[&haproxy.argv[0]]);
        },
    ),
    work(
        "B04",
        Stack::Php,
        PHP,
        "USR2: the master executes itself",
        |turn| {
            turn.reload(Signal::USR2);
            turn.ran(&[&turn.stacks.get(Stack::Php).argv[0]]);
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
            turn.saw("the new log");
        },
    ),
    work(
        "B04",
        Stack::Uwsgi,
        &[Stack::Uwsgi],
        "HUP: the master executes itself",
        |turn| {
            let uwsgi = turn.stacks.get(Stack::Uwsgi);
            turn.reload(Signal::HUP);
            uwsgi.load("/");
            turn.ran(&[&uwsgi.argv[0]]);
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
            turn.succeed(Command::new("sh").args(["-c", &line]));
        },
    ),
    work(
        "B22",
        Stack::Nginx,
        NGINX,
        "health check: openssl s_client",
        |turn| {
            let at = format!("127.0.0.1:{}", turn.stacks.port(Stack::Nginx));
            let mut check = Command::new("openssl");
            check.args(["s_client", "-connect", &at]);
            let check = check.stdin(Stdio::null()).output().expect("run openssl");
            // It is answered without TLS; what counts is that it was asked.
            let said = String::from_utf8_lossy(&check.stdout);
            assert!(said.starts_with("CONNECTED"), "{check:?}");
            turn.saw("the connection of openssl");
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
            turn.saw("success of psql");
            // For each of the clients.
            turn.forked();
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
            turn.saw("success of mariadb");
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
            turn.saw("agreement of Redis");
            turn.forked();
        },
    ),
    work(
        "B26",
        Stack::Container,
        &[Stack::Container],
        "health check by podman exec",
        |turn| {
            turn.stacks.container().exec(&["/bin/sh", "-c", "id; :"]);
            turn.saw("success of podman");
        },
    ),
    work(
        "B27",
        Stack::Java,
        &[Stack::Java],
        "jcmd and jstack attach",
        |turn| {
            let pid = turn.stacks.get(Stack::Java).process().pid.to_string();
            let dir = turn.stacks.place("java");
            turn.succeed(command("jcmd", &dir).args([&pid, "VM.version"]));
            turn.succeed(command("jstack", &dir).arg(&pid));
        },
    ),
    work(
        "B28",
        Stack::Container,
        &[Stack::Container],
        "runc enters by its copy in memory",
        |turn| {
            turn.stacks.container().exec(&["/usr/bin/id"]);
            turn.saw("success of podman");
        },
    ),
    work(
        "B28",
        Stack::Php,
        PHP,
        "administrator's busybox executes itself",
        |turn| {
            let line = "busybox id && cat /etc/hostname";
            turn.succeed(Command::new("busybox").args(["sh", "-c", line]));
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
    turn.succeed(control.args(["-k", "graceful"]));
    wait::until("new workers", || {
        let now = apache.children();
        let new = now.iter().all(|child| !old.contains(child));
        (now.len() >= old.len() && new).then_some(())
    });
    turn.forked();
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
    turn.saw("another worker");
    turn.forked();
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
    let answers = || http::get(nginx.port, "/index.html").is_ok_and(|page| page.body == "pong");
    assert!(answers());
    old.signal(Signal::QUIT);
    assert!(old.ends_within(wait::PATIENCE));
    assert!(answers());
    turn.saw("answers of the new nginx");
    turn.ran(&["nginx"]);
}
