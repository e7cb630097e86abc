//! What applications run by themselves: B6, B7, B16, B17; and B14, which is none of theirs.

use std::process::Command;

use super::{Benign, Stack, Turn, work};
use crate::{
    fixture::{daemon::command, scene},
    lab::installed::INSTALLED_CGI,
};

const PHP: &[Stack] = &[Stack::Php];
const MOD_PHP: &[Stack] = &[Stack::ModPhp];

pub(super) const ALL: &[Benign] = &[
    work("B06", Stack::Php, PHP, "mail()", mail),
    work("B06", Stack::ModPhp, MOD_PHP, "mail()", mail),
    work("B06", Stack::Php, PHP, "mail() with a sender", mail_from),
    work(
        "B06",
        Stack::ModPhp,
        MOD_PHP,
        "mail() with a sender",
        mail_from,
    ),
    work("B07", Stack::Php, PHP, "convert, without a shell", |turn| {
        turn.spawn(&[
            "/usr/bin/convert",
            "/srv/a.jpg",
            "-resize",
            "220x147!",
            "/srv/b.jpg",
        ]);
    }),
    work(
        "B07",
        Stack::Php,
        PHP,
        "gs and pdftotext, without a shell",
        |turn| {
            turn.page("run(['/usr/bin/gs', '-q', '-dSAFER', '-dBATCH']); run(['/usr/bin/pdftotext', '/srv/a.pdf', '-']);");
            turn.ran(&["/usr/bin/gs", "-q", "-dSAFER", "-dBATCH"]);
            turn.ran(&["/usr/bin/pdftotext", "/srv/a.pdf", "-"]);
        },
    ),
    work(
        "B07",
        Stack::ModPhp,
        MOD_PHP,
        "ffmpeg, without a shell",
        |turn| {
            turn.spawn(&[
                "/usr/bin/ffmpeg",
                "-y",
                "-i",
                "/srv/a.mp4",
                "-vframes",
                "1",
                "/srv/a.jpg",
            ]);
        },
    ),
    work(
        "B07",
        Stack::Gunicorn,
        &[Stack::Gunicorn],
        "exiftool, without a shell",
        |turn| {
            turn.argv("argv", &["/usr/bin/exiftool", "-json", "/srv/a.jpg"]);
        },
    ),
    work(
        "B07",
        Stack::Node,
        &[Stack::Node],
        "ffmpeg, without a shell",
        |turn| {
            turn.argv("argv", &["/usr/bin/ffmpeg", "-version"]);
        },
    ),
    work(
        "B07",
        Stack::Puma,
        &[Stack::Puma],
        "convert, without a shell",
        |turn| {
            turn.argv("argv", &["/usr/bin/convert", "/srv/a.png", "/srv/b.webp"]);
        },
    ),
    work(
        "B07",
        Stack::Java,
        &[Stack::Java],
        "pdftotext, without a shell",
        |turn| {
            turn.argv("argv", &["/usr/bin/pdftotext", "/srv/a.pdf", "-"]);
        },
    ),
    work(
        "B08",
        Stack::Php,
        PHP,
        "program of an app below the web root",
        |turn| {
            let place = turn
                .site()
                .join("apps/memories/bin-ext/exiftool-amd64-glibc");
            scene::write(
                &place,
                std::fs::read("/usr/bin/true").expect("read a program"),
            );
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&place, mode).expect("make it executable");
            turn.spawn(&[&place.display().to_string(), "-ver"]);
        },
    ),
    work(
        "B14",
        Stack::Php,
        PHP,
        "composer, artisan, wp-cli by an administrator",
        |turn| {
            let code = "system('stty size 2>&1'); system('git --version && which sh && id -u', $code); \
exec('php -v', $lines); exit($code + !$lines);";
            let mut admin = command("sh", &turn.stacks.place("www"));
            admin.args(["-c", "php -r \"$0\" > /dev/null && id > /dev/null", code]);
            turn.succeed(&mut admin);
        },
    ),
    work(
        "B14",
        Stack::Php,
        PHP,
        "a job of www-data, as cron starts it",
        |turn| {
            let mut job = Command::new("setpriv");
            job.args([
                "--reuid=www-data",
                "--regid=www-data",
                "--clear-groups",
                "sh",
                "-c",
            ]);
            let at = turn.stacks.port(turn.stack);
            job.arg(format!(
                "php -r 'system(\"id && uname -a\", $code); exit($code);' && \
                 curl -fs http://127.0.0.1:{at}/index.html"
            ));
            turn.succeed(job.current_dir(turn.stacks.place("www")));
        },
    ),
    work(
        "B16",
        Stack::Cgid,
        &[Stack::Cgid],
        "installed CGI program, by the daemon",
        installed,
    ),
    work(
        "B16",
        Stack::Fcgiwrap,
        &[Stack::Fcgiwrap],
        "installed CGI program",
        installed,
    ),
    work(
        "B16",
        Stack::ModPhp,
        MOD_PHP,
        "installed CGI program, by a worker",
        installed,
    ),
    work(
        "B17",
        Stack::Lua,
        &[Stack::Lua],
        "page of mod_lua, in the process",
        |turn| {
            turn.answers("/page.lua", "pong");
        },
    ),
    work(
        "B17",
        Stack::Uvicorn,
        &[Stack::Uvicorn],
        "requests, in the process",
        |turn| {
            turn.stacks.get(Stack::Uvicorn).load("/");
            turn.saw("answers");
        },
    ),
    work(
        "B17",
        Stack::Postgres,
        &[Stack::Postgres],
        "queries",
        |turn| {
            crate::lab::stacks::psql(
                turn.stacks,
                turn.stacks.port(Stack::Postgres),
                "INSERT INTO t SELECT generate_series(1, 100)",
            );
            turn.saw("success of psql");
            turn.forked();
        },
    ),
];

fn mail(turn: &Turn<'_>) {
    let page = turn.page("echo mail('a@localhost', 'b', 'c') ? 'sent' : 'not sent';");
    assert_eq!(page.output, "sent");
    turn.ran(&["/usr/sbin/sendmail", "-t", "-i"]);
}

fn mail_from(turn: &Turn<'_>) {
    let page = turn.page(
        "echo mail('a@localhost', 'b', 'c', '', '-fshop@example.org') ? 'sent' : 'not sent';",
    );
    assert_eq!(page.output, "sent");
    turn.ran(&["/usr/sbin/sendmail", "-t", "-i", "-fshop@example.org"]);
}

fn installed(turn: &Turn<'_>) {
    let answer = turn.get(&format!("/installed/{INSTALLED_CGI}"));
    assert!(answer.contains("served"), "{answer}");
    turn.ran(&["date"]);
}
