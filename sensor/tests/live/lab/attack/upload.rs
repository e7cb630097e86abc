//! M15 to M17, and evasions that are files: EV16 to EV18, EV20 to EV22.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Attack, BOTH, Claim, Entry, PHP, SHELL, Stack, Turn, attacks, deed, page};
use crate::{
    fixture::{
        daemon::command,
        http,
        process::succeed,
        scene::{self, give_to_www_data},
        wait,
    },
    lab::turn::encoded,
};

const SCRIPT: &str = "script_created_in_web_root";
const UPLOAD: &str = "script_created_in_upload_directory";
const HANDLER: &str = "handler_file_changed";
const DEPLOYED: &str = "java_page_deployed";
const TOMCAT: &[Stack] = &[Stack::Tomcat];
const DAV: &[Stack] = &[Stack::Nginx, Stack::ModPhp];

pub(super) fn all() -> Vec<Attack> {
    let tables = [UPLOADS, DEPLOYS, CHANGES, HIDDEN];
    tables.into_iter().flat_map(attacks).collect()
}

const UPLOADS: &[Entry] = &[
    deed("M15", BOTH, "upload by a form", UPLOAD, upload),
    deed(
        "M15",
        BOTH,
        "upload, opened, runs a program",
        "dropped_script_used",
        |turn| {
            let claim = upload(turn);
            let answer = turn.visit(&turn.fill("public/uploads/MARK.php"));
            assert_eq!(answer.status, 200, "{answer:?}");
            claim
        },
    ),
    page(
        "M15",
        PHP,
        "a copy of a page",
        SCRIPT,
        "copy(__FILE__, \"$public/$mark.php\");",
    ),
    page(
        "M15",
        PHP,
        "a symbolic link to a script",
        SCRIPT,
        "symlink('/etc/hostname', \"$public/$mark.php\");",
    ),
    deed("M16", DAV, "PUT of a script", SCRIPT, |turn| {
        put(turn, "/dav/MARK.php")
    }),
    deed(
        "M16",
        DAV,
        "PUT of a picture, MOVE to a script",
        SCRIPT,
        |turn| {
            let [from, to] = ["/dav/MARK.png", "/dav/MARK.php"].map(|path| turn.fill(path));
            let claim = put(turn, &from);
            let answer = http::rename(turn.stacks.port(turn.stack), &from, &to);
            assert!(answer.is_ok_and(|answer| answer.status / 100 == 2));
            claim
        },
    ),
];

/// A form's file becomes a script in a directory of uploads.
fn upload(turn: &Turn<'_>) -> Claim {
    turn.write_page(
        &turn.fill("pages/MARK.php"),
        "@mkdir(\"$public/uploads\");
move_uploaded_file($_FILES['picture']['tmp_name'], \"$public/uploads/$mark.php\");",
    );
    let dropped = turn.fill("<?php echo getmypid(), \"\\n\"; system('id; : MARK');");
    let page = turn.fill("/pages/MARK.php");
    http::upload(turn.stacks.port(turn.stack), &page, "picture", &dropped).expect("an answer");
    turn.claim()
}

fn put(turn: &Turn<'_>, path: &str) -> Claim {
    let port = turn.stacks.port(turn.stack);
    let answer = http::put(port, &turn.fill(path), "dropped").expect("an answer");
    assert_eq!(answer.status, 201, "{answer:?}");
    turn.claim()
}

const DEPLOYS: &[Entry] = &[
    deed("M17", TOMCAT, "page stored by a page", DEPLOYED, |turn| {
        store(turn, &jsp(turn), "MARK.jsp")
    }),
    deed(
        "M17",
        TOMCAT,
        "page stored, compiled, runs id",
        "dropped_page_compiled",
        |turn| {
            let claim = store(turn, &jsp(turn), "MARK.jsp");
            turn.get(&turn.fill("/MARK.jsp"));
            claim
        },
    ),
    deed(
        "M17",
        TOMCAT,
        "archive stored, unpacked, its page runs id",
        DEPLOYED,
        |turn| {
            let page = turn.own().join("app/x.jsp");
            scene::write(&page, fs::read(jsp(turn)).expect("read a page"));
            let archive = turn.own().join("app.tmp");
            let mut jar = command("jar", page.parent().expect("a directory"));
            succeed(jar.arg("-cf").arg(&archive).arg("x.jsp"));
            let claim = store(turn, &archive, "../MARK.war");
            let path = turn.fill("/MARK/x.jsp");
            wait::until("the archive's page", || {
                let page = http::get(turn.stacks.port(turn.stack), &path).ok()?;
                (page.status == 200).then_some(())
            });
            claim
        },
    ),
    deed(
        "EV20",
        &[Stack::Java],
        "jar among Tomcat's own libraries",
        "server_module_changed",
        |turn| {
            let place = turn.fill("/usr/share/tomcat10/lib/MARK.jar");
            turn.ask("write", &[&place]);
            fs::remove_file(&place).expect("take the jar away");
            turn.claim()
        },
    ),
];

/// A page that runs `id`, where no server looks for one.
fn jsp(turn: &Turn<'_>) -> PathBuf {
    let file = turn.own().join("upload.tmp");
    let page = "<% new ProcessBuilder(\"id\", \"MARK\").start().waitFor(); %>";
    scene::write(&file, turn.fill(page));
    file
}

/// A page of Tomcat's stores a file, by a path from its application.
fn store(turn: &Turn<'_>, from: &Path, to: &str) -> Claim {
    let from = encoded(&from.display().to_string());
    let to = encoded(&turn.fill(to));
    turn.get(&format!("/drop.jsp?from={from}&to={to}"));
    turn.claim()
}

const CHANGES: &[Entry] = &[
    deed(
        "EV22",
        BOTH,
        "index.php appended to",
        "entry_script_modified",
        |turn| {
            let code = "file_put_contents(\"$public/$mark/index.php\", '//', FILE_APPEND);";
            change(turn, "index.php", code)
        },
    ),
    deed(
        "EV22",
        PHP,
        "a library written over in place",
        "existing_script_modified",
        |turn| {
            let code = "fwrite(fopen(\"$public/$mark/mail.php\", 'r+'), '<?php //');";
            change(turn, "mail.php", code)
        },
    ),
    deed("EV22", PHP, "a page renamed over another", SCRIPT, |turn| {
        let code = "file_put_contents(\"$own/x\", '<?php');
rename(\"$own/x\", \"$public/$mark/cart.php\");";
        change(turn, "cart.php", code)
    }),
    page(
        "EV18",
        PHP,
        "compiled script written over",
        "opcache_file_changed",
        "$to = \"$own/$mark.php.bin\"; fclose(fopen($to, 'x')); file_put_contents($to, 'y');",
    ),
];

/// A page changes another one that an administrator has put there.
fn change(turn: &Turn<'_>, name: &str, code: &str) -> Claim {
    let place = turn.site().join("public").join(&turn.mark);
    let page = place.join(name);
    scene::write(&page, "<?php\n");
    give_to_www_data(&place);
    give_to_www_data(&page);
    turn.page(code);
    turn.claim()
}

const HIDDEN: &[Entry] = &[
    page(
        "EV16",
        BOTH,
        ".htaccess in a new directory",
        HANDLER,
        "mkdir(\"$public/$mark\"); file_put_contents(\"$public/$mark/.htaccess\", 'x');",
    ),
    page(
        "EV16",
        BOTH,
        ".user.ini by a rename",
        HANDLER,
        "mkdir(\"$public/$mark\"); file_put_contents(\"$own/c\", 'x');
rename(\"$own/c\", \"$public/$mark/.user.ini\");",
    ),
    page(
        "EV17",
        BOTH,
        "picture that holds PHP, included: its shell, for no hook sees pictures read",
        SHELL,
        "file_put_contents(\"$own/x.jpg\", \"GIF89a<?php system('id; : $mark');\");
include \"$own/x.jpg\";",
    ),
    page(
        "EV21",
        BOTH,
        "log that holds PHP, included: its shell, for no hook sees logs read",
        SHELL,
        "file_put_contents(\"$own/access.log\", \"GET /<?php system('id; : $mark'); ?> 404\\n\");
include \"$own/access.log\";",
    ),
    deed(
        "EV21",
        PHP,
        "the worker's own environment, included",
        "sensitive_file_read",
        |turn| Claim::By(turn.page("include '/proc/self/environ';").worker),
    ),
];
