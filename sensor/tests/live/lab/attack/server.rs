//! M07 to M14, M18 and M19: servers of applications, databases; and the edge.

use rustix::process::Signal;

use super::{
    Attack, Claim, Entry, HOSTILE, RECON, SHELL, Stack, Turn, attacks, deed, image::library,
};
use crate::{
    fixture::http,
    lab::{
        stacks::{psql, redis_agrees, sql},
        turn::{encoded, here},
    },
};

const ID: &str = "id; : MARK";

pub(super) fn all() -> Vec<Attack> {
    let tables = [JAVA, APPLICATIONS, DATABASES, EDGES];
    tables.into_iter().flat_map(attacks).collect()
}

const PLUGIN: &str = "plugin_dropped_by_server";
const CI: &[Stack] = &[Stack::Ci];

const JAVA: &[Entry] = &[
    deed(
        "M07",
        &[Stack::Tomcat],
        "page runs a shell",
        SHELL,
        |turn| word(turn, &["sh", "-c", ID]),
    ),
    deed(
        "M07",
        &[Stack::Tomcat],
        "page runs id, no shell",
        RECON,
        |turn| word(turn, &["id", "MARK"]),
    ),
    deed(
        "M08",
        &[Stack::Java],
        "lookup in LDAP, then a shell",
        "java_lookup_then_spawn",
        |turn| {
            turn.ask("connect", &[&here(), "1389"]);
            turn.shell("sh", ID)
        },
    ),
    deed(
        "M18",
        CI,
        "plugin of TeamCity, then a JVM of its own",
        PLUGIN,
        |turn| {
            store(turn, "plugins/x.zip");
            turn.argv("argv", &["java", "-version", "-Dmark=MARK"])
        },
    ),
    deed(
        "M18",
        CI,
        "unpacked plugin of TeamCity, then a shell",
        PLUGIN,
        |turn| {
            store(turn, "plugins/.unpacked/x/teamcity-plugin.xml");
            turn.shell("sh", ID)
        },
    ),
    deed(
        "M19",
        CI,
        "plugin of Jenkins, then a shell",
        PLUGIN,
        |turn| {
            store(turn, "plugins/x.jpi");
            turn.shell("sh", ID)
        },
    ),
    deed(
        "M19",
        CI,
        "script in init.groovy.d of Jenkins",
        PLUGIN,
        |turn| store(turn, "init.groovy.d/x.groovy"),
    ),
];

/// The server itself writes a file of the case.
fn store(turn: &Turn<'_>, name: &str) -> Claim {
    turn.ask("write", &[&turn.own().join(name).display().to_string()]);
    turn.claim()
}

/// A page of Tomcat that starts these words.
fn word(turn: &Turn<'_>, words: &[&str]) -> Claim {
    let words = words
        .iter()
        .map(|word| format!("word={}", encoded(&turn.fill(word))));
    turn.get(&format!("/run.jsp?{}", words.collect::<Vec<_>>().join("&")));
    turn.claim()
}

/// By a shell, each in its own way.
fn by(turn: &Turn<'_>, how: &str) -> Claim {
    turn.shell(how, ID)
}

fn id(turn: &Turn<'_>) -> Claim {
    turn.argv("argv", &["id", "MARK"])
}

const GUNICORN: &[Stack] = &[Stack::Gunicorn];

const APPLICATIONS: &[Entry] = &[
    deed("M08", &[Stack::Java], "ProcessBuilder(sh)", SHELL, |turn| {
        by(turn, "sh")
    }),
    deed(
        "M08",
        &[Stack::Java],
        "ProcessBuilder(id), no shell",
        RECON,
        id,
    ),
    deed("M09", &[Stack::Node], "exec()", SHELL, |turn| {
        by(turn, "sh")
    }),
    deed(
        "M09",
        &[Stack::Node],
        "spawn(), shell: true",
        SHELL,
        |turn| by(turn, "shell"),
    ),
    deed("M09", &[Stack::Node], "execFile(id), no shell", RECON, id),
    deed("M10", GUNICORN, "os.system()", SHELL, |turn| by(turn, "sh")),
    deed("M10", GUNICORN, "subprocess, shell=True", SHELL, |turn| {
        by(turn, "shell")
    }),
    deed("M10", GUNICORN, "subprocess([id]), no shell", RECON, id),
    deed("M10", &[Stack::Uwsgi], "os.popen()", SHELL, |turn| {
        by(turn, "popen")
    }),
    deed(
        "M10",
        &[Stack::Uwsgi],
        "subprocess([id]), no shell",
        RECON,
        id,
    ),
    deed("M10", &[Stack::Uvicorn], "os.system()", SHELL, |turn| {
        by(turn, "sh")
    }),
    deed(
        "M10",
        &[Stack::Uvicorn],
        "subprocess([id]), no shell",
        RECON,
        id,
    ),
    deed("M10", &[Stack::Puma], "backticks of Ruby", SHELL, |turn| {
        by(turn, "sh")
    }),
    deed("M10", &[Stack::Puma], "Kernel#system, no shell", RECON, id),
    deed(
        "M03",
        GUNICORN,
        "a worker becomes a shell, no fork",
        "worker_replaced_itself",
        |turn| {
            let path = format!("/become/{}", encoded(&turn.fill("sh\n-c\n: MARK")));
            // Nobody is left to answer.
            let _answer = http::get(turn.stacks.port(turn.stack), &path);
            turn.claim()
        },
    ),
    deed(
        "M10",
        GUNICORN,
        "three tools in a row, no shell",
        "recon_burst_under_service",
        |turn| {
            for tool in ["id", "ls", "uname"] {
                turn.argv("argv", &[tool, "MARK"]);
            }
            turn.claim()
        },
    ),
    deed(
        "M10",
        GUNICORN,
        "decoded text run by a shell",
        HOSTILE,
        |turn| turn.shell("sh", "echo Og== | base64 -d | sh # MARK"),
    ),
];

const WROTE: &str = "database_wrote_script_or_library";
const SPAWNED: &str = "database_spawned_program";
const POSTGRES: &[Stack] = &[Stack::Postgres];
const MARIADB: &[Stack] = &[Stack::MariaDb];

const DATABASES: &[Entry] = &[
    deed("M11", POSTGRES, "COPY FROM PROGRAM", SPAWNED, |turn| {
        copy(turn, "COPY t FROM PROGRAM 'id; : MARK'")
    }),
    deed("M11", POSTGRES, "COPY TO PROGRAM", SPAWNED, |turn| {
        copy(turn, "COPY t TO PROGRAM 'cat; : MARK'")
    }),
    deed("M12", MARIADB, "library by DUMPFILE", WROTE, udf),
    deed(
        "M12",
        MARIADB,
        "library by DUMPFILE, loaded, runs a shell",
        SPAWNED,
        udf,
    ),
    deed(
        "M13",
        MARIADB,
        "INTO OUTFILE in a web root",
        WROTE,
        |turn| {
            let script = turn.stacks.place("mariadb/public");
            let script = script.join(turn.fill("MARK.php"));
            let statement = format!("SELECT 'dropped' INTO OUTFILE '{}'", script.display());
            sql(turn.stacks, &statement);
            turn.claim()
        },
    ),
    deed(
        "M14",
        &[Stack::Redis],
        "SAVE in a web root",
        WROTE,
        |turn| {
            let (dir, public) = (
                turn.stacks.place("redis"),
                turn.stacks.place("redis/public"),
            );
            let save = format!(
                "CONFIG SET dir {}\r\nCONFIG SET dbfilename MARK.php\r\nSAVE",
                public.display()
            );
            redis_agrees(turn.stacks, &turn.fill(&save));
            // Or it would save there once more.
            let back = "CONFIG SET dbfilename dump.rdb\r\nCONFIG SET dir";
            redis_agrees(turn.stacks, &format!("{back} {}", dir.display()));
            turn.claim()
        },
    ),
];

fn copy(turn: &Turn<'_>, statement: &str) -> Claim {
    let port = turn.stacks.port(Stack::Postgres);
    psql(turn.stacks, port, &turn.fill(statement));
    turn.claim()
}

const FUNCTION: &str = r#"
#include <stdlib.h>
int lab_run_init(void *init, void *args, char *message) { return 0; }
long long lab_run(void *init, void *args, char *null, char *error) {
    return system(": MARK");
}
"#;

/// A function of `MariaDB` that runs a shell, made through a client alone.
fn udf(turn: &Turn<'_>) -> Claim {
    let built = library(turn, &turn.fill(FUNCTION));
    let name = turn.fill("MARK.so");
    let plugin = turn.stacks.place("mariadb/plugin").join(&name);
    let statements = format!(
        "SELECT LOAD_FILE('{}') INTO DUMPFILE '{}'; DROP FUNCTION IF EXISTS lab_run;
CREATE FUNCTION lab_run RETURNS INTEGER SONAME '{name}'; SELECT lab_run();",
        built.display(),
        plugin.display()
    );
    sql(turn.stacks, &statements);
    turn.claim()
}

const EDGE: &str = "edge_server_executed_program";

const EDGES: &[Entry] = &[
    deed(
        "EV19",
        &[Stack::Haproxy],
        "back door in Lua runs a shell",
        EDGE,
        |turn| by(turn, "sh"),
    ),
    deed(
        "EV19",
        &[Stack::BackDoor],
        "worker of a reload runs a shell",
        EDGE,
        |turn| {
            // As an administrator would. Workers have run a shell before, in the order `After`
            // under this sensor too: only what is below a new one counts.
            let nginx = turn.stacks.get(Stack::BackDoor);
            nginx.reload(Signal::HUP);
            let new = nginx.children();
            Claim::Below(new.first().expect("a new worker").pid)
        },
    ),
];
