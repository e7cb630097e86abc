//! M15 to M17, and evasions that are files: EV10, EV16 to EV18, EV20 to EV22.

use super::{Attack, Claim, SHELL, Stack, Turn, attack, page, pages};
use crate::{
    fixture::{http, process::succeed, wait},
    lab::turn::encoded,
};

const SCRIPT: &str = "script_created_in_web_root";
const UPLOAD: &str = "script_created_in_upload_directory";
const HANDLER: &str = "handler_file_changed";
const DEPLOYED: &str = "java_page_deployed";

pub(super) fn all() -> Vec<Attack> {
    let mut all = Vec::new();
    for stack in [Stack::Php, Stack::ModPhp] {
        all.push(attack("M15", stack, "upload by a form", UPLOAD, upload));
        all.push(attack(
            "M15",
            stack,
            "upload, opened, runs a program",
            "dropped_script_used",
            |turn| {
                let claim = upload(turn);
                turn.open(&turn.fill("public/uploads/MARK.php"));
                claim
            },
        ));
    }
    all.extend(put());
    all.extend(war());
    all.extend(handlers());
    all.extend(
        pages(
            "EV22",
            "index.php appended to",
            "entry_script_modified",
            "file_put_contents(\"$public/$mark/index.php\", '//', FILE_APPEND);",
        )
        .map(|case| before(case, "index.php")),
    );
    all.push(before(
        page(
            "EV22",
            Stack::Php,
            "a library written over in place",
            "existing_script_modified",
            "fwrite(fopen(\"$public/$mark/mail.php\", 'r+'), '<?php //');",
        ),
        "mail.php",
    ));
    all.push(before(page("EV22", Stack::Php, "a page renamed over another", SCRIPT,
        "file_put_contents(\"$own/x\", '<?php'); rename(\"$own/x\", \"$public/$mark/cart.php\");"), "cart.php"));
    all.push(page(
        "M15",
        Stack::Php,
        "a copy of a page",
        SCRIPT,
        "copy(__FILE__, \"$public/$mark.php\");",
    ));
    all.push(page(
        "M15",
        Stack::Php,
        "a symbolic link to a script",
        SCRIPT,
        "symlink('/etc/hostname', \"$public/$mark.php\");",
    ));
    all.push(page(
        "EV18",
        Stack::Php,
        "compiled script written over",
        "opcache_file_changed",
        "$to = \"$own/$mark.php.bin\"; fclose(fopen($to, 'x')); file_put_contents($to, 'y');",
    ));
    all.push(attack(
        "EV20",
        Stack::Java,
        "jar among Tomcat's own libraries",
        "server_module_changed",
        |turn| {
            let place = turn.fill("/usr/share/tomcat10/lib/MARK.jar");
            turn.argv("write", &[&place]);
            std::fs::remove_file(&place).expect("take the jar away");
            turn.claim()
        },
    ));
    all
}

/// A directory with a page in it that an administrator has put there.
fn before(case: Attack, name: &'static str) -> Attack {
    let act = case.act;
    Attack {
        act: Box::new(move |turn| {
            let place = turn.site().join("public").join(&turn.mark);
            let page = place.join(name);
            crate::fixture::scene::write(&page, "<?php\n");
            crate::fixture::scene::give_to_www_data(&place);
            crate::fixture::scene::give_to_www_data(&page);
            act(turn)
        }),
        ..case
    }
}

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

fn put() -> Vec<Attack> {
    let put = |turn: &Turn<'_>| {
        let path = turn.fill("/dav/MARK.php");
        let answer = http::put(turn.stacks.port(turn.stack), &path, "dropped").expect("an answer");
        assert_eq!(answer.status, 201, "{answer:?}");
        turn.claim()
    };
    let moved = |turn: &Turn<'_>| {
        let port = turn.stacks.port(turn.stack);
        let [from, to] = ["/dav/MARK.png", "/dav/MARK.php"].map(|path| turn.fill(path));
        http::put(port, &from, "dropped").expect("an answer");
        let answer = http::rename(port, &from, &to).expect("an answer");
        assert_eq!(answer.status / 100, 2, "{answer:?}");
        turn.claim()
    };
    vec![
        attack("M16", Stack::Nginx, "PUT of a script", SCRIPT, put),
        attack(
            "M16",
            Stack::Nginx,
            "PUT of a picture, MOVE to a script",
            SCRIPT,
            moved,
        ),
        attack("M16", Stack::ModPhp, "PUT of a script", SCRIPT, put),
        attack(
            "M16",
            Stack::ModPhp,
            "PUT of a picture, MOVE to a script",
            SCRIPT,
            moved,
        ),
    ]
}

fn war() -> Vec<Attack> {
    let drop = |turn: &Turn<'_>, from: &std::path::Path, to: &str| {
        let (from, to) = (
            encoded(&from.display().to_string()),
            encoded(&turn.fill(to)),
        );
        turn.get(&format!("/drop.jsp?from={from}&to={to}"));
        turn.claim()
    };
    let text = |turn: &Turn<'_>| {
        let file = turn.own().join("upload.tmp");
        crate::fixture::scene::write(
            &file,
            "<% new ProcessBuilder(\"id\", \"MARK\").start().waitFor(); %>"
                .replace("MARK", &turn.mark),
        );
        file
    };
    vec![
        attack(
            "M17",
            Stack::Tomcat,
            "page stored by a page",
            DEPLOYED,
            move |turn| drop(turn, &text(turn), "MARK.jsp"),
        ),
        attack(
            "M17",
            Stack::Tomcat,
            "page stored, compiled, runs id",
            "dropped_page_compiled",
            move |turn| {
                let claim = drop(turn, &text(turn), "MARK.jsp");
                turn.get(&turn.fill("/MARK.jsp"));
                claim
            },
        ),
        attack(
            "M17",
            Stack::Tomcat,
            "archive stored, unpacked, its page runs id",
            DEPLOYED,
            move |turn| {
                let page = turn.own().join("app/x.jsp");
                crate::fixture::scene::write(
                    &page,
                    std::fs::read(text(turn)).expect("read a page"),
                );
                let archive = turn.own().join("app.tmp");
                let mut jar = std::process::Command::new(crate::fixture::scene::tool("jar"));
                jar.arg("-cf")
                    .arg(&archive)
                    .arg("-C")
                    .arg(page.parent().expect("a directory"));
                succeed(jar.arg("x.jsp"));
                let claim = drop(turn, &archive, "../MARK.war");
                let path = turn.fill("/MARK/x.jsp");
                wait::until("the archive's page", || {
                    let page = http::get(turn.stacks.port(turn.stack), &path).ok()?;
                    (page.status == 200).then_some(())
                });
                claim
            },
        ),
    ]
}

fn handlers() -> Vec<Attack> {
    let mut all: Vec<Attack> = pages(
        "EV16",
        ".htaccess in a new directory",
        HANDLER,
        "mkdir(\"$public/$mark\"); file_put_contents(\"$public/$mark/.htaccess\", 'x');",
    )
    .into();
    all.extend(pages("EV16", ".user.ini by a rename", HANDLER,
        "mkdir(\"$public/$mark\"); file_put_contents(\"$own/c\", 'x'); rename(\"$own/c\", \"$public/$mark/.user.ini\");"));
    all.extend(pages("EV17", "a picture that holds PHP, included", SHELL,
        "file_put_contents(\"$own/x.jpg\", \"GIF89a<?php system('id; : $mark');\"); include \"$own/x.jpg\";"));
    all.extend(pages("EV21", "a log that holds PHP, included", SHELL,
        "file_put_contents(\"$own/access.log\", \"GET /<?php system('id; : $mark'); ?> 404\\n\"); include \"$own/access.log\";"));
    all
}
