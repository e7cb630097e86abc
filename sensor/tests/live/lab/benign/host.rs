//! What one host alone runs, and alerts until its profile knows it: B7, B25.

use super::{Benign, Stack, Turn, learnt, work};
use crate::{
    fixture::wait,
    lab::stacks::{directory_of, psql},
};

pub(super) const ALL: &[Benign] = &[
    learnt(work(
        "B07",
        Stack::Php,
        &[Stack::Php],
        "convert, by a shell",
        |turn| {
            turn.page(
                "exec(\"/usr/bin/convert '/srv/in/a.jpg' -resize 220x147 '/srv/out/b.jpg' 2>&1\");",
            );
            turn.ran(&[
                "/usr/bin/convert",
                "/srv/in/a.jpg",
                "-resize",
                "220x147",
                "/srv/out/b.jpg",
            ]);
        },
    )),
    learnt(work(
        "B07",
        Stack::ModPhp,
        &[Stack::ModPhp],
        "pdftotext, by a shell",
        |turn| {
            turn.page(
                "echo shell_exec(\"/usr/bin/pdftotext -q '/srv/in/a.pdf' - | head -c 100\");",
            );
            turn.ran(&["/usr/bin/pdftotext", "-q", "/srv/in/a.pdf", "-"]);
            turn.ran(&["head", "-c", "100"]);
        },
    )),
    learnt(work(
        "B07",
        Stack::Gunicorn,
        &[Stack::Gunicorn],
        "gs, by a shell",
        |turn| {
            let words = "/usr/bin/gs -q -dSAFER -dBATCH -sOutputFile=/srv/out/a.png /srv/in/a.pdf";
            turn.shell("shell", words);
            turn.ran(&words.split(' ').collect::<Vec<_>>());
        },
    )),
    learnt(work(
        "B07",
        Stack::Node,
        &[Stack::Node],
        "ffmpeg, by a shell",
        |turn| {
            let words = "/usr/bin/ffmpeg -y -i /srv/in/a.mp4 -vframes 1 /srv/out/a.jpg";
            turn.shell("sh", words);
            turn.ran(&words.split(' ').collect::<Vec<_>>());
        },
    )),
    learnt(work(
        "B25",
        Stack::Postgres,
        &[Stack::Postgres],
        "archive_command",
        archive,
    )),
];

/// A segment of the log is archived by a command of the configuration.
fn archive(turn: &Turn<'_>) {
    let place = directory_of("postgres", turn.stacks, "archive");
    let sql = |statement: &str| psql(turn.stacks, turn.stacks.port(Stack::Postgres), statement);
    let reload = "SELECT pg_reload_conf()";
    sql(&format!(
        "ALTER SYSTEM SET archive_command = 'cp %p {}/%f'",
        place.display()
    ));
    sql(reload);
    sql("INSERT INTO t VALUES ('x')");
    sql("SELECT pg_switch_wal()");
    let segment = wait::until("an archived segment", || {
        let segment = std::fs::read_dir(&place).ok()?.next()?.ok()?;
        Some(segment.file_name().display().to_string())
    });
    let to = place.join(&segment).display().to_string();
    turn.ran(&["cp", &format!("pg_wal/{segment}"), &to]);
    sql("ALTER SYSTEM RESET archive_command");
    sql(reload);
}
