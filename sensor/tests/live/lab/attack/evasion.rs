//! EV01 to EV15 and EV23 to EV26, but for helpers.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Attack, Claim, ONE_LINER, RECON, SHELL, Stack, Turn, WRITTEN, attack, page, pages};
use crate::{
    fixture::{
        process::succeed,
        scene::{self, tool},
    },
    lab::{case::When, turn::encoded},
};

/// A library whose constructor does nothing.
const EMPTY: &str =
    "__attribute__((constructor)) static void begin(void) {}\nint lab(void) { return 7; }\n";

pub(super) fn all() -> Vec<Attack> {
    let mut all = Vec::new();
    all.extend(lineage());
    all.extend(images());
    all.extend(libraries());
    all.extend(brokers());
    all.extend(pages(
        "EV25",
        "arguments longer than what is kept",
        "arguments_cut",
        "system('true ' . str_repeat('x', 6000) . \"; id; : $mark\");",
    ));
    all.extend(isolated());
    all
}

/// Servers in a container.
fn isolated() -> [Attack; 3] {
    let ask = |turn: &Turn<'_>, query: &str| {
        let answer = turn.stacks.container().ask(&format!("/index.php?{query}"));
        assert!(answer.is_ok_and(|answer| answer.contains("pong")));
        turn.claim()
    };
    let attack = |id, what, rule, query: &'static str| {
        attack(id, Stack::Container, what, rule, move |turn| {
            let (name, value) = query.split_once('=').expect("a parameter");
            ask(turn, &format!("{name}={}", encoded(&turn.fill(value))))
        })
    };
    [
        attack("EV26", "page runs a shell", SHELL, "sh=id; : MARK"),
        attack(
            "EV26",
            "page writes a page",
            "script_created_in_web_root",
            "put=/srv/public/MARK.php",
        ),
        attack(
            "EV14",
            "page writes a table of cron",
            "persistence_file_written",
            "put=/var/spool/cron/crontabs/MARK",
        ),
    ]
}

/// Who begot whom is hidden.
fn lineage() -> Vec<Attack> {
    const ORPHAN: &str = "import os, sys, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
while os.getppid() == int(sys.argv[2]): time.sleep(0.01)
os.execv('/bin/sh', ['sh', '-c', ': ' + sys.argv[1]])
";
    let mut all: Vec<Attack> = [Stack::Php, Stack::ModPhp]
        .map(|stack| {
            attack(
                "EV01",
                stack,
                "double fork, setsid, then a shell",
                SHELL,
                |turn| {
                    let script = turn.stacks.place("scripts").join("orphan.py");
                    scene::write(&script, ORPHAN);
                    turn.spawn(&["python3", "-I", &script.display().to_string(), "MARK", "0"]);
                    turn.claim()
                },
            )
        })
        .into();
    all.push(attack(
        "EV01",
        Stack::Node,
        "nohup setsid in the background",
        SHELL,
        |turn| turn.shell("sh", "(setsid nohup sh -c 'id; : MARK' > /dev/null 2>&1 &)"),
    ));
    all.push(Attack {
        when: When::Before,
        ..attack(
            "EV02",
            Stack::Php,
            "orphan of before the sensor runs id",
            RECON,
            |turn| {
                let gate = turn.stacks.place("gate");
                fs::write(gate.join("open"), "").expect("open the gate");
                Claim::Says(": from-before".to_owned())
            },
        )
    });
    all
}

/// What runs is not what it is called.
fn images() -> Vec<Attack> {
    const MEMORY: &str = "import os, sys
shell = os.memfd_create('dbus', 0)
with open('/bin/sh', 'rb') as file: os.write(shell, file.read())
how = f'/proc/self/fd/{shell}' if sys.argv[1] == 'path' else shell
os.execve(how, ['dbus-daemon', '-c', ': ' + sys.argv[2]], {})
";
    let memory = |how: &'static str| {
        move |turn: &Turn<'_>| {
            let script = turn.stacks.place("scripts").join("memory.py");
            scene::write(&script, MEMORY);
            turn.spawn(&["python3", "-I", &script.display().to_string(), how, "MARK"]);
            turn.claim()
        }
    };
    const UNLINKED: &str = "memory_only_execution";
    let mut all = vec![
        attack(
            "EV03",
            Stack::Php,
            "shell in memory, by path",
            UNLINKED,
            memory("path"),
        ),
        attack(
            "EV03",
            Stack::Php,
            "shell in memory, by descriptor",
            UNLINKED,
            memory("descriptor"),
        ),
        attack(
            "EV05",
            Stack::Php,
            "symbolic link to a shell",
            "masqueraded_server",
            |turn| {
                let link = turn.own().join("nginx");
                symlink("/bin/sh", &link).expect("link to the shell");
                linked(turn, &link)
            },
        ),
        attack(
            "EV05",
            Stack::Php,
            "hard link to a shell",
            "masqueraded_shell",
            |turn| {
                let link = turn.own().join("report");
                fs::hard_link(tool("sh"), &link).expect("link to the shell");
                linked(turn, &link)
            },
        ),
        attack(
            "EV05",
            Stack::Php,
            "shell run by the loader",
            "loader_started_shell",
            |turn| {
                turn.spawn(&["/lib64/ld-linux-x86-64.so.2", "/bin/sh", "-c", ": MARK"]);
                turn.claim()
            },
        ),
        page(
            "EV04",
            Stack::Php,
            "bash, exec -a",
            "masqueraded_server",
            "run(['bash', '-c', \"exec -a 'nginx: worker process' sh -c ': $mark'\"]);",
        ),
    ];
    all.extend(pages("EV04", "copy of the shell named nginx", "masqueraded_shell",
        "copy('/bin/sh', \"$own/nginx\"); chmod(\"$own/nginx\", 0755); run([\"$own/nginx\", '-c', \": $mark\"]);"));
    all.extend(pages(
        "EV06",
        "shell of busybox",
        SHELL,
        "run(['busybox', 'sh', '-c', \"id; : $mark\"]);",
    ));
    all.push(page(
        "EV08",
        Stack::Php,
        "program of Python by a pipe",
        ONE_LINER,
        "echo run(['python3', '-', $mark], 'open(\"/etc/hostname\").read()');",
    ));
    all.push(page(
        "EV08",
        Stack::Php,
        "program of Perl by an argument",
        ONE_LINER,
        "run(['perl', '-e', \"1; # $mark\"]);",
    ));
    all.push(page(
        "EV08",
        Stack::ModPhp,
        "script of Python that the page wrote",
        "written_script_run",
        "file_put_contents(\"$own/$mark.py\", '1'); run(['python3', \"$own/$mark.py\"]);",
    ));
    all.push(page(
        "EV08",
        Stack::Php,
        "php on the command line",
        ONE_LINER,
        "run(['php', '-r', \"1; // $mark\"]);",
    ));
    all.push(page("EV23", Stack::Php, "program that deletes itself", WRITTEN,
        "copy('/bin/sh', \"$own/a\"); chmod(\"$own/a\", 0755); run([\"$own/a\", '-c', \"rm $own/a; : $mark\"]);"));
    all
}

fn linked(turn: &Turn<'_>, link: &Path) -> Claim {
    turn.spawn(&[&link.display().to_string(), "-c", ": MARK"]);
    turn.claim()
}

/// A library of the case, built from this source.
pub(super) fn library(turn: &Turn<'_>, source: &str) -> PathBuf {
    let place = turn.stacks.place("built");
    let (source_file, library) = (
        place.join(turn.fill("MARK.c")),
        place.join(turn.fill("MARK.so")),
    );
    scene::write(&source_file, source);
    let mut compiler = Command::new(tool("cc"));
    compiler.args(["-shared", "-fPIC", "-o"]);
    succeed(compiler.arg(&library).arg(source_file));
    library
}

/// Code comes as a library.
fn libraries() -> Vec<Attack> {
    const PRELOAD: &str = "copy(SOURCE, \"$own/x.so\"); putenv(\"LD_PRELOAD=$own/x.so\");\nmail('a@localhost', 'b', 'c');";
    let from = |turn: &Turn<'_>, code: &str| {
        let built = library(turn, EMPTY);
        let built = format!("'{}'", built.display());
        turn.page(&code.replace("SOURCE", &built));
        turn.claim()
    };
    let mut all: Vec<Attack> = [Stack::Php, Stack::ModPhp]
        .map(|stack| {
            attack(
                "EV09",
                stack,
                "LD_PRELOAD and mail()",
                "preload_of_written_library",
                move |turn| from(turn, PRELOAD),
            )
        })
        .into();
    all.push(attack("EV12", Stack::Php, "library loaded by FFI", "server_loaded_foreign_library", move |turn| {
        from(turn, "copy(SOURCE, \"$own/x.so\"); echo FFI::cdef('int lab(void);', \"$own/x.so\")->lab();")
    }));
    all.extend(pages(
        "EV10",
        "mail() with -X, sendmail writes a page",
        "script_written_by_tool",
        "mail('a@localhost', 'b', 'c', '', \"-X$public/$mark.php\");",
    ));
    all.push(attack(
        "EV13",
        Stack::Java,
        "own memory opened for writing",
        "process_memory_written",
        |turn| {
            turn.argv("memory", &[]);
            Claim::By(turn.stacks.root(Stack::Java))
        },
    ));
    all.push(attack(
        "EV13",
        Stack::Java,
        "attach from below the server",
        "java_attach_by_member",
        |turn| {
            let file = turn.own().join(".attach_pid1");
            turn.argv("argv", &["touch", &file.display().to_string()])
        },
    ));
    all
}

/// Another process is made to do it.
fn brokers() -> Vec<Attack> {
    const PERSISTENCE: &str = "persistence_file_written";
    const SECRET: &str = "sensitive_file_read";
    let mut all = vec![
        page(
            "EV15",
            Stack::Php,
            "authorized_keys",
            PERSISTENCE,
            "mkdir(\"$own/.ssh\"); file_put_contents(\"$own/.ssh/authorized_keys\", 'x');",
        ),
        page(
            "EV15",
            Stack::ModPhp,
            ".bashrc",
            PERSISTENCE,
            "file_put_contents(\"$own/.bashrc\", ':');",
        ),
        page(
            "EV15",
            Stack::Php,
            "unit of systemd for a user",
            PERSISTENCE,
            "mkdir(\"$own/.config/systemd/user\", 0755, true); file_put_contents(\"$own/.config/systemd/user/x.service\", '');",
        ),
        attack(
            "EV15",
            Stack::Php,
            "page asks sshd of this machine",
            "local_broker_reached",
            |turn| {
                let page = turn.page("@fsockopen('127.0.0.1', 22, $code, $text, 1);");
                Claim::By(page.worker())
            },
        ),
        attack("EV14", Stack::Php, "crontab -, by a shell", SHELL, |turn| {
            turn.page("system(\"crontab $own/none # $mark\");");
            turn.claim()
        }),
    ];
    all.extend([Stack::Php, Stack::ModPhp].map(|stack| {
        attack(
            "EV11",
            stack,
            "page reads credentials, nothing else",
            SECRET,
            |turn| {
                let secret = turn.own().join(".aws/credentials");
                scene::write(&secret, "[default]\n");
                turn.page("file_get_contents(\"$own/.aws/credentials\");");
                turn.claim()
            },
        )
    }));
    all
}
