//! Files that applications and administrators write: B10 to B13, B15, B20.

use std::fs;

use super::{Benign, Stack, Turn, told, work};
use crate::fixture::{
    daemon::command,
    process::succeed,
    scene::{self, give_to_www_data},
};

const PHP: &[Stack] = &[Stack::Php];
const MOD_PHP: &[Stack] = &[Stack::ModPhp];
const TOMCAT: &[Stack] = &[Stack::Tomcat];

pub(super) const ALL: &[Benign] = &[
    work(
        "B10",
        Stack::Php,
        PHP,
        "update unpacked into wp-content/upgrade",
        |turn| {
            turn.page("$to = \"$site/wp-content/upgrade/plugin.1.2\"; mkdir(\"$to/lib\", 0755, true);
foreach (['plugin.php', 'lib/a.php', 'lib/b.php', 'readme.txt', 'style.css'] as $name) file_put_contents(\"$to/$name\", 'x');");
            turn.wrote(turn.site().join("wp-content/upgrade/plugin.1.2/lib/b.php"));
        },
    ),
    work(
        "B10",
        Stack::Php,
        PHP,
        "update of a plugin, moved into place",
        update,
    ),
    told(
        &[
            ("entry_script_modified", 2),
            ("existing_script_modified", 1),
            ("script_created_in_web_root", 1),
        ],
        work(
            "B10",
            Stack::Php,
            PHP,
            "update copied over a site, 22 files",
            copied_over,
        ),
    ),
    work(
        "B10",
        Stack::Php,
        PHP,
        "wp-cron: the site asks itself",
        |turn| {
            let page = turn.page("echo file_get_contents(\"http://127.0.0.1:{$_SERVER['SERVER_PORT']}/index.html\");");
            assert!(page.output.contains("<title>shop"), "{page:?}");
            turn.connected(turn.stacks.port(turn.stack));
        },
    ),
    work(
        "B11",
        Stack::Php,
        PHP,
        ".htaccess rewritten in place",
        |turn| rewrite(turn, ".htaccess"),
    ),
    work(
        "B11",
        Stack::ModPhp,
        MOD_PHP,
        ".htaccess rewritten in place",
        |turn| rewrite(turn, ".htaccess"),
    ),
    work(
        "B12",
        Stack::Php,
        PHP,
        ".user.ini rewritten in place",
        |turn| rewrite(turn, ".user.ini"),
    ),
    work(
        "B13",
        Stack::Php,
        PHP,
        "templates of Twig, in var/cache",
        |turn| cache(turn, "var/cache/prod/twig/4f/4fa1c2.php"),
    ),
    work(
        "B13",
        Stack::Php,
        PHP,
        "templates of Smarty, in templates_c",
        |turn| {
            cache(
                turn,
                "templates_c/0123456789abcdef0123456789abcdef01234567_0.file.index.tpl.php",
            );
        },
    ),
    work("B13", Stack::ModPhp, MOD_PHP, "views of Laravel", |turn| {
        cache(
            turn,
            "storage/framework/views/0123456789abcdef0123456789abcdef.php",
        );
    }),
    work(
        "B13",
        Stack::ModPhp,
        MOD_PHP,
        "templates of Drupal, in files/php/twig",
        |turn| {
            cache(
                turn,
                "sites/default/files/php/twig/6a_page.html.twig_Yv1/GhE7-rq5kQ0vXbA2LmZpWnT4sUjYcDfHiKo_Pe93x1a.php",
            );
        },
    ),
    work(
        "B13",
        Stack::Php,
        PHP,
        "file of the OPcache, made new",
        |turn| {
            turn.page("fclose(fopen(\"$own/page.php.bin\", 'x'));");
            turn.wrote(turn.own().join("page.php.bin"));
        },
    ),
    work("B15", Stack::Php, PHP, "dpkg installs pages", package),
    work(
        "B15",
        Stack::Php,
        PHP,
        "git clone, git pull, rsync by an administrator",
        deploy,
    ),
    work(
        "B20",
        Stack::Tomcat,
        TOMCAT,
        "a new page compiled",
        |turn| {
            let name = turn.fill("MARK.jsp");
            let page = turn
                .stacks
                .place("tomcat-at/tomcat/webapps/ROOT")
                .join(&name);
            scene::write(&page, "<%= 6 * 7 %>");
            turn.answers(&format!("/{name}"), "42");
        },
    ),
    work(
        "B20",
        Stack::Tomcat,
        TOMCAT,
        "an archive of an administrator unpacked",
        |turn| {
            let page = turn.own().join("app/index.html");
            scene::write(&page, "shop");
            let archive = turn.own().join("app.war");
            let mut jar = command("jar", page.parent().expect("a directory"));
            succeed(jar.arg("-cf").arg(&archive).arg("index.html"));
            let to = turn
                .stacks
                .place("tomcat-at/tomcat/webapps")
                .join(turn.fill("MARK.war"));
            succeed(command("cp", turn.own().as_path()).arg(&archive).arg(to));
            let path = turn.fill("/MARK/index.html");
            crate::fixture::wait::until("the archive's page", || {
                let page = crate::fixture::http::get(turn.stacks.port(turn.stack), &path).ok()?;
                (page.status == 200 && page.body == "shop").then_some(())
            });
            turn.saw("the archive's page");
        },
    ),
];

/// As `WordPress` does it since 6.3: unpacked beside, the old one moved away, the new one
/// moved to its place, and read.
fn update(turn: &Turn<'_>) {
    let content = turn.site().join("wp-content");
    let old = content.join("plugins").join(&turn.mark).join("plugin.php");
    scene::write(&old, "<?php\n");
    for directory in ["", "plugins", "upgrade", "upgrade-temp-backup"] {
        let directory = content.join(directory);
        fs::create_dir_all(&directory).expect("make a directory");
        give_to_www_data(&directory);
    }
    give_to_www_data(old.parent().expect("a directory"));
    give_to_www_data(&old);
    let page = turn.page(
        "$content = \"$site/wp-content\"; $new = \"$content/upgrade/$mark.1.2\";
mkdir(\"$new/lib\", 0755, true);
foreach (['plugin.php', 'lib/a.php', 'readme.txt', 'style.css'] as $name)
    file_put_contents(\"$new/$name\", '<?php ');
rename(\"$content/plugins/$mark\", \"$content/upgrade-temp-backup/$mark\");
rename($new, \"$content/plugins/$mark\");
unlink(\"$content/upgrade-temp-backup/$mark/plugin.php\");
include \"$content/plugins/$mark/plugin.php\";
echo file_exists(\"$content/plugins/$mark/lib/a.php\");",
    );
    assert_eq!(page.output, "1", "it was not moved");
    turn.wrote(content.join("plugins").join(&turn.mark));
}

/// As `WordPress` updates itself: unpacked, then copied file by file over what is there. What
/// an intruder changes by hand looks like that, so each rule tells of one file, and of each
/// that every request runs.
fn copied_over(turn: &Turn<'_>) {
    let shop = turn.site().join("public").join(&turn.mark);
    let names = (1..20).map(|number| format!("wp-includes/part-{number}.php"));
    let names: Vec<String> = names
        .chain(["index.php", "wp-login.php"].map(str::to_owned))
        .collect();
    for name in &names {
        scene::write(&shop.join(name), "<?php\n");
        give_to_www_data(&shop.join(name));
    }
    for directory in ["", "wp-includes"] {
        give_to_www_data(&shop.join(directory));
    }
    let page = turn.page(&format!(
        "$shop = \"$public/$mark\"; $new = \"$shop/wp-content/upgrade/core/wordpress\";
mkdir(\"$new/wp-includes\", 0755, true);
$names = explode(' ', '{} wp-includes/new.php');
foreach ($names as $name) file_put_contents(\"$new/$name\", '<?php // 2');
foreach ($names as $name) echo copy(\"$new/$name\", \"$shop/$name\");",
        names.join(" ")
    ));
    assert_eq!(
        page.output,
        "1".repeat(names.len() + 1),
        "not all were copied"
    );
    turn.wrote(shop.join("wp-includes/new.php"));
    turn.wrote(shop.join("wp-includes/part-1.php"));
}

/// A file that was there is opened to read and write, as `insert_with_markers` does.
fn rewrite(turn: &Turn<'_>, name: &str) {
    let place = turn.site().join("public").join(&turn.mark).join(name);
    scene::write(&place, "# BEGIN\n");
    give_to_www_data(&place);
    let page = turn.page(&format!(
        "$file = fopen(\"$public/$mark/{name}\", 'r+'); fwrite($file, '# BEGIN shop'); echo ftell($file);"
    ));
    assert_eq!(page.output, "12", "it was not written");
    turn.wrote(&place);
}

/// A compiled template: written beside, renamed and included, as libraries do.
fn cache(turn: &Turn<'_>, to: &str) {
    let page = turn.page(&format!(
        "$to = \"$site/{to}\"; @mkdir(dirname($to), 0755, true);
file_put_contents(\"$own/tmp\", '<?php'); rename(\"$own/tmp\", $to); include $to;
echo file_exists($to);"
    ));
    assert_eq!(page.output, "1", "it was not written");
    turn.wrote(turn.site().join(to));
}

/// dpkg with a database of its own.
fn package(turn: &Turn<'_>) {
    let (dir, site) = (turn.own(), turn.site());
    let tree = dir.join("tree");
    scene::write(
        &tree.join("DEBIAN/control"),
        "Package: shop\nVersion: 1\nArchitecture: all\nMaintainer: shop <shop@localhost>\nDescription: pages\n",
    );
    let page = site.join("public").join(turn.fill("MARK/index.php"));
    scene::write(
        &tree.join(page.strip_prefix("/").expect("an absolute path")),
        "<?php\n",
    );
    let mut build = command("dpkg-deb", &dir);
    succeed(
        build
            .args(["--root-owner-group", "-b"])
            .arg(&tree)
            .arg(dir.join("shop.deb")),
    );
    let database = dir.join("dpkg");
    for directory in ["info", "updates", "triggers"] {
        fs::create_dir_all(database.join(directory)).expect("make a directory");
    }
    scene::write(&database.join("status"), "");
    scene::write(&database.join("available"), "");
    let mut install = command("dpkg", &dir);
    install.arg(format!("--admindir={}", database.display()));
    install.args(["--force-script-chrootless", "--log=/dev/null", "-i"]);
    turn.succeed(install.arg(dir.join("shop.deb")));
    assert!(page.exists());
}

fn deploy(turn: &Turn<'_>) {
    let origin = turn.own().join("origin");
    let public = turn.site().join("public").join(turn.fill("MARK"));
    let git = |dir: &std::path::Path, words: &[&str]| {
        let mut git = command("git", dir);
        git.args(["-c", "user.name=shop", "-c", "user.email=shop@localhost"]);
        succeed(git.args(words));
    };
    let commit = |name: &str| {
        scene::write(&origin.join(name), "<?php\n");
        git(&origin, &["init", "-q"]);
        git(&origin, &["add", "."]);
        git(&origin, &["commit", "-q", "-m", "deploy"]);
    };
    commit("shop.php");
    let to = public.display().to_string();
    git(
        &turn.own(),
        &["clone", "-q", &origin.display().to_string(), &to],
    );
    commit("cart.php");
    git(&public, &["pull", "-q", "--ff-only"]);
    let mut rsync = command("rsync", &turn.own());
    rsync.args(["-a", "--delete", "--exclude=.git"]);
    turn.succeed(
        rsync
            .arg(format!("{}/", origin.display()))
            .arg(public.join("copy")),
    );
    assert!(public.join("copy/cart.php").exists());
}
