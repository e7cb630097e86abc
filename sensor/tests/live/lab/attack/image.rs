//! Evasions by what runs, or is loaded, under which name: EV03 to EV06, EV08 to EV10, EV12,
//! EV23.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    Attack, BOTH, Claim, Entry, MOD_PHP, ONE_LINER, PHP, SHELL, Turn, WRITTEN, attacks, deed, page,
};
use crate::fixture::{
    process::succeed,
    scene::{self, tool},
};

const MASKED: &str = "masqueraded_shell";
const SERVER: &str = "masqueraded_server";
const UNLINKED: &str = "memory_only_execution";

pub(super) fn all() -> Vec<Attack> {
    let tables = [IMAGES, CODE, LIBRARIES];
    tables.into_iter().flat_map(attacks).collect()
}

const IMAGES: &[Entry] = &[
    deed("EV03", PHP, "shell in memory, by path", UNLINKED, |turn| {
        memory(turn, "path")
    }),
    deed(
        "EV03",
        PHP,
        "shell in memory, by descriptor",
        UNLINKED,
        |turn| memory(turn, "descriptor"),
    ),
    page(
        "EV04",
        BOTH,
        "copy of the shell named nginx",
        MASKED,
        "copy('/bin/sh', \"$own/nginx\"); chmod(\"$own/nginx\", 0755);
run([\"$own/nginx\", '-c', \": $mark\"]);",
    ),
    page(
        "EV04",
        PHP,
        "bash, exec -a",
        SERVER,
        "run(['bash', '-c', \"exec -a 'nginx: worker process' sh -c ': $mark'\"]);",
    ),
    deed("EV05", PHP, "symbolic link to a shell", SERVER, |turn| {
        let link = turn.own().join("nginx");
        symlink("/bin/sh", &link).expect("link to the shell");
        linked(turn, &link)
    }),
    deed("EV05", PHP, "hard link to a shell", MASKED, |turn| {
        let link = turn.own().join("report");
        fs::hard_link(tool("sh"), &link).expect("link to the shell");
        linked(turn, &link)
    }),
    deed(
        "EV05",
        PHP,
        "shell run by the loader",
        "loader_started_shell",
        |turn| {
            turn.spawn(&["/lib64/ld-linux-x86-64.so.2", "/bin/sh", "-c", ": MARK"]);
            turn.claim()
        },
    ),
    page(
        "EV06",
        BOTH,
        "shell of busybox",
        SHELL,
        "run(['busybox', 'sh', '-c', \"id; : $mark\"]);",
    ),
    page(
        "EV23",
        PHP,
        "program that deletes itself",
        WRITTEN,
        "copy('/bin/sh', \"$own/a\"); chmod(\"$own/a\", 0755);
run([\"$own/a\", '-c', \"rm $own/a; : $mark\"]);",
    ),
];

const MEMORY: &str = "import os, sys
shell = os.memfd_create('dbus', 0)
with open('/bin/sh', 'rb') as file: os.write(shell, file.read())
how = f'/proc/self/fd/{shell}' if sys.argv[1] == 'path' else shell
os.execve(how, ['dbus-daemon', '-c', ': ' + sys.argv[2]], {})
";

fn memory(turn: &Turn<'_>, how: &str) -> Claim {
    let script = turn.stacks.place("scripts").join("memory.py");
    scene::write(&script, MEMORY);
    turn.spawn(&["python3", "-I", &script.display().to_string(), how, "MARK"]);
    turn.claim()
}

fn linked(turn: &Turn<'_>, link: &Path) -> Claim {
    turn.spawn(&[&link.display().to_string(), "-c", ": MARK"]);
    turn.claim()
}

const CODE: &[Entry] = &[
    page(
        "EV08",
        PHP,
        "program of Python by a pipe",
        ONE_LINER,
        "run(['python3', '-', $mark], 'open(\"/etc/hostname\").read()');",
    ),
    page(
        "EV08",
        PHP,
        "program of Perl by an argument",
        ONE_LINER,
        "run(['perl', '-e', \"1; # $mark\"]);",
    ),
    page(
        "EV08",
        PHP,
        "php on the command line",
        ONE_LINER,
        "run(['php', '-r', \"1; // $mark\"]);",
    ),
    page(
        "EV08",
        MOD_PHP,
        "script of Python that the page wrote",
        "written_script_run",
        "file_put_contents(\"$own/$mark.py\", '1'); run(['python3', \"$own/$mark.py\"]);",
    ),
];

const LIBRARIES: &[Entry] = &[
    deed(
        "EV09",
        BOTH,
        "LD_PRELOAD and mail()",
        "preload_of_written_library",
        |turn| {
            let code = "putenv(\"LD_PRELOAD=$own/x.so\"); mail('a@localhost', 'b', 'c');";
            copied(turn, code)
        },
    ),
    page(
        "EV10",
        BOTH,
        "mail() with -X, sendmail writes a page",
        "script_written_by_tool",
        "mail('a@localhost', 'b', 'c', '', \"-X$public/$mark.php\");",
    ),
    deed(
        "EV12",
        PHP,
        "library loaded by FFI",
        "server_loaded_foreign_library",
        |turn| {
            copied(
                turn,
                "echo FFI::cdef('int lab(void);', \"$own/x.so\")->lab();",
            )
        },
    ),
];

/// A library that does nothing when it is loaded.
const EMPTY: &str = "__attribute__((constructor)) static void begin(void) {}
int lab(void) { return 7; }
";

/// A page copies a library to `$own/x.so`, then does this.
fn copied(turn: &Turn<'_>, code: &str) -> Claim {
    let built = library(turn, EMPTY);
    turn.page(&format!(
        "copy('{}', \"$own/x.so\");\n{code}",
        built.display()
    ));
    turn.claim()
}

/// A library of the case, built from this source.
pub(super) fn library(turn: &Turn<'_>, source: &str) -> PathBuf {
    let place = turn.stacks.place("built");
    let [code, library] = ["MARK.c", "MARK.so"].map(|name| place.join(turn.fill(name)));
    scene::write(&code, source);
    let mut compiler = Command::new(tool("cc"));
    compiler.args(["-shared", "-fPIC", "-o"]);
    succeed(compiler.arg(&library).arg(code));
    library
}
