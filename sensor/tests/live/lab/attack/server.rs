//! M07 to M14, M18 and M19: servers of applications, databases; and the edge.

use super::{Attack, Claim, HOSTILE, RECON, SHELL, Stack, Turn, attack};
use crate::lab::{
    stacks::{psql, redis_agrees, sql},
    turn::{encoded, here},
};

const ID: &str = "id; : MARK";

pub(super) fn all() -> Vec<Attack> {
    let mut all = vec![
        attack("M07", Stack::Tomcat, "page runs a shell", SHELL, |turn| {
            word(turn, &["sh", "-c", ID])
        }),
        attack(
            "M07",
            Stack::Tomcat,
            "page runs id, no shell",
            RECON,
            |turn| word(turn, &["id", "MARK"]),
        ),
        attack(
            "M08",
            Stack::Java,
            "lookup in LDAP, then a shell",
            "java_lookup_then_spawn",
            |turn| {
                turn.argv("connect", &[&here(), "1389"]);
                turn.shell("sh", ID)
            },
        ),
        attack(
            "M18",
            Stack::Ci,
            "plugin of TeamCity, then a JVM of its own",
            PLUGIN,
            |turn| {
                let place = turn.own().join("plugins/x.zip");
                turn.argv("write", &[&place.display().to_string()]);
                turn.argv("argv", &["java", "-version", "-Dmark=MARK"])
            },
        ),
        attack(
            "M18",
            Stack::Ci,
            "unpacked plugin of TeamCity, then a shell",
            PLUGIN,
            |turn| {
                let place = turn.own().join("plugins/.unpacked/x/teamcity-plugin.xml");
                turn.argv("write", &[&place.display().to_string()]);
                turn.shell("sh", ID)
            },
        ),
        attack(
            "M19",
            Stack::Ci,
            "plugin of Jenkins, then a shell",
            PLUGIN,
            |turn| {
                let place = turn.own().join("plugins/x.jpi");
                turn.argv("write", &[&place.display().to_string()]);
                turn.shell("sh", ID)
            },
        ),
        attack(
            "M19",
            Stack::Ci,
            "script in init.groovy.d of Jenkins",
            PLUGIN,
            |turn| {
                let place = turn.own().join("init.groovy.d/x.groovy");
                turn.argv("write", &[&place.display().to_string()])
            },
        ),
    ];
    all.extend(applications());
    all.extend(databases());
    all.extend(edges());
    all
}

const PLUGIN: &str = "plugin_dropped_by_server";

/// A page of Tomcat that starts these words.
fn word(turn: &Turn<'_>, words: &[&str]) -> Claim {
    let words = words
        .iter()
        .map(|word| format!("word={}", encoded(&turn.fill(word))));
    turn.get(&format!("/run.jsp?{}", words.collect::<Vec<_>>().join("&")));
    turn.claim()
}

fn applications() -> Vec<Attack> {
    let shell = |id, stack, what: &'static str, how: &'static str| {
        attack(id, stack, what, SHELL, move |turn| turn.shell(how, ID))
    };
    let direct = |id, stack, what: &'static str| {
        attack(id, stack, what, RECON, |turn| {
            turn.argv("argv", &["id", "MARK"])
        })
    };
    vec![
        shell("M08", Stack::Java, "ProcessBuilder(sh)", "sh"),
        direct("M08", Stack::Java, "ProcessBuilder(id), no shell"),
        shell("M09", Stack::Node, "exec()", "sh"),
        shell("M09", Stack::Node, "spawn(), shell: true", "shell"),
        direct("M09", Stack::Node, "execFile(id), no shell"),
        shell("M10", Stack::Gunicorn, "os.system()", "sh"),
        shell("M10", Stack::Gunicorn, "subprocess, shell=True", "shell"),
        direct("M10", Stack::Gunicorn, "subprocess([id]), no shell"),
        shell("M10", Stack::Uwsgi, "os.popen()", "popen"),
        direct("M10", Stack::Uwsgi, "subprocess([id]), no shell"),
        shell("M10", Stack::Uvicorn, "os.system()", "sh"),
        direct("M10", Stack::Uvicorn, "subprocess([id]), no shell"),
        shell("M10", Stack::Puma, "backticks of Ruby", "sh"),
        direct("M10", Stack::Puma, "Kernel#system, no shell"),
        attack(
            "M03",
            Stack::Gunicorn,
            "a worker becomes a shell, no fork",
            "worker_replaced_itself",
            |turn| {
                let path = format!("/become/{}", encoded(&turn.fill("sh\n-c\n: MARK")));
                // Nobody is left to answer.
                let _answer = crate::fixture::http::get(turn.stacks.port(turn.stack), &path);
                turn.claim()
            },
        ),
        attack(
            "M10",
            Stack::Gunicorn,
            "three tools in a row, no shell",
            "recon_burst_under_service",
            |turn| {
                for tool in ["id", "ls", "uname"] {
                    turn.argv("argv", &[tool, "MARK"]);
                }
                turn.claim()
            },
        ),
        attack(
            "M10",
            Stack::Gunicorn,
            "decoded text run by a shell",
            HOSTILE,
            |turn| turn.shell("sh", "echo Og== | base64 -d | sh # MARK"),
        ),
    ]
}

fn databases() -> Vec<Attack> {
    const FUNCTION: &str = r#"
#include <stdlib.h>
int lab_run_init(void *init, void *args, char *message) { return 0; }
long long lab_run(void *init, void *args, char *null, char *error) {
    return system(": MARK");
}
"#;
    const WROTE: &str = "database_wrote_script_or_library";
    const SPAWNED: &str = "database_spawned_program";
    vec![
        attack(
            "M11",
            Stack::Postgres,
            "COPY FROM PROGRAM",
            SPAWNED,
            |turn| {
                psql(
                    turn.stacks,
                    turn.stacks.port(turn.stack),
                    &turn.fill("COPY t FROM PROGRAM 'id; : MARK'"),
                );
                turn.claim()
            },
        ),
        attack("M11", Stack::Postgres, "COPY TO PROGRAM", SPAWNED, |turn| {
            psql(
                turn.stacks,
                turn.stacks.port(turn.stack),
                &turn.fill("COPY t TO PROGRAM 'cat; : MARK'"),
            );
            turn.claim()
        }),
        attack(
            "M12",
            Stack::MariaDb,
            "library by DUMPFILE",
            WROTE,
            |turn| udf(turn, FUNCTION),
        ),
        attack(
            "M12",
            Stack::MariaDb,
            "library by DUMPFILE, loaded, runs a shell",
            SPAWNED,
            |turn| udf(turn, FUNCTION),
        ),
        attack(
            "M13",
            Stack::MariaDb,
            "INTO OUTFILE in a web root",
            WROTE,
            |turn| {
                let script = turn
                    .stacks
                    .place("mariadb/public")
                    .join(turn.fill("MARK.php"));
                sql(
                    turn.stacks,
                    &format!("SELECT 'dropped' INTO OUTFILE '{}'", script.display()),
                );
                turn.claim()
            },
        ),
        attack("M14", Stack::Redis, "SAVE in a web root", WROTE, |turn| {
            let (dir, public) = (
                turn.stacks.place("redis"),
                turn.stacks.place("redis/public"),
            );
            redis_agrees(
                turn.stacks,
                &turn.fill(&format!(
                    "CONFIG SET dir {}\r\nCONFIG SET dbfilename MARK.php\r\nSAVE",
                    public.display()
                )),
            );
            // Or it would save there once more.
            redis_agrees(
                turn.stacks,
                &format!(
                    "CONFIG SET dbfilename dump.rdb\r\nCONFIG SET dir {}",
                    dir.display()
                ),
            );
            turn.claim()
        }),
    ]
}

/// A function of `MariaDB` that runs a shell, made through a client alone.
fn udf(turn: &Turn<'_>, source: &str) -> Claim {
    let built = super::evasion::library(turn, &turn.fill(source));
    let name = turn.fill("MARK.so");
    let plugin = turn.stacks.place("mariadb/plugin").join(&name);
    let function = turn.fill("lab_run");
    sql(
        turn.stacks,
        &format!(
            "SELECT LOAD_FILE('{}') INTO DUMPFILE '{}'; DROP FUNCTION IF EXISTS {function};
CREATE FUNCTION {function} RETURNS INTEGER SONAME '{name}'; SELECT {function}();",
            built.display(),
            plugin.display()
        ),
    );
    turn.claim()
}

fn edges() -> Vec<Attack> {
    const EDGE: &str = "edge_server_executed_program";
    vec![
        attack(
            "EV19",
            Stack::Haproxy,
            "back door in Lua runs a shell",
            EDGE,
            |turn| turn.shell("sh", ID),
        ),
        attack(
            "EV19",
            Stack::BackDoor,
            "new worker runs a shell",
            EDGE,
            |turn| {
                // As an administrator would, and the library then does what it is there for.
                turn.stacks
                    .get(Stack::BackDoor)
                    .reload(rustix::process::Signal::HUP);
                Claim::Says(": rogue".to_owned())
            },
        ),
    ]
}
