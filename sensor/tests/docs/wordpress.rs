//! What a `WordPress` host without a profile prints in its first hour: what happens there, as
//! records, through the core; what it says is what docs/rules.md shows.

mod world;

use std::fmt::Write as _;

use sensor::alert::{Document, Level, Notice};

use self::world::{Line, Member, WWW_DATA, World};

/// "Keep it under ten lines": the issue that asked for this.
const LINES: usize = 10;

const SITE: &str = "/var/www/html";

/// Scripts of the core that a release of its own changes, as a partial package has them.
const CORE: &[&str] = &[
    "wp-admin/about.php",
    "wp-admin/includes/update-core.php",
    "wp-includes/blocks.php",
    "wp-includes/class-wp-query.php",
    "wp-includes/class-wp-theme-json.php",
    "wp-includes/comment.php",
    "wp-includes/deprecated.php",
    "wp-includes/formatting.php",
    "wp-includes/functions.php",
    "wp-includes/general-template.php",
    "wp-includes/http.php",
    "wp-includes/kses.php",
    "wp-includes/load.php",
    "wp-includes/media.php",
    "wp-includes/option.php",
    "wp-includes/pluggable.php",
    "wp-includes/post.php",
    "wp-includes/rest-api.php",
    "wp-includes/shortcodes.php",
    "wp-includes/user.php",
    "wp-includes/version.php",
    "wp-login.php",
    "wp-settings.php",
];
/// Scripts that the release adds.
const NEW: &[&str] = &["wp-includes/class-wp-url-pattern-prefixer.php"];

/// Scripts of a plugin.
const PLUGIN: &[&str] = &[
    "akismet.php",
    "class.akismet.php",
    "class.akismet-admin.php",
    "class.akismet-widget.php",
    "index.php",
    "views/config.php",
    "views/notice.php",
];

type Scene = (&'static str, fn(&mut World, Member));

/// The hour, in its order; each is a line of the page.
const HOUR: &[Scene] = &[
    ("visitors: pages, a comment, pictures uploaded", visits),
    (
        "wp-cron: a request of the site to itself, and to api.wordpress.org for updates",
        cron,
    ),
    ("wp-cli, run by cron every five minutes", cli),
    ("mail() of a comment, through sendmail", mail),
    (
        "a plugin updates itself: unpacked in `wp-content/upgrade`, moved into place",
        plugin,
    ),
    (
        "the core updates itself: 24 scripts unpacked, copied over those that are there",
        core,
    ),
    (
        "a PDF is uploaded: its preview comes from ImageMagick, which starts gs through a shell",
        pdf,
    ),
    (
        "a picture is made smaller by a plugin that runs `convert` through a shell",
        convert,
    ),
    ("a backup plugin runs mysqldump through a shell", backup),
    (
        "logrotate: nginx and php-fpm reopen their logs and reload",
        rotate,
    ),
];

fn at(path: &str) -> String {
    format!("{SITE}/{path}")
}

fn page(world: &mut World, worker: Member) {
    for script in [
        "index.php",
        "wp-load.php",
        "wp-config.php",
        "wp-settings.php",
    ] {
        world.read(worker, &at(script));
    }
}

fn visits(world: &mut World, worker: Member) {
    for number in 0..60 {
        page(world, worker);
        if number % 20 == 7 {
            let upload = format!("/tmp/phpUp{number}");
            world.create(worker, &upload);
            world.rename(
                worker,
                &upload,
                &at(&format!("wp-content/uploads/2026/11/{number}.jpg")),
            );
            world.create(
                worker,
                &at(&format!("wp-content/uploads/2026/11/{number}-150x150.jpg")),
            );
        }
        world.wait(2);
    }
}

fn cron(world: &mut World, worker: Member) {
    for _ in 0..3 {
        page(world, worker);
        world.connect(worker, "127.0.0.1:443");
        world.read(worker, &at("wp-cron.php"));
        world.connect(worker, "198.143.164.252:443");
        world.wait(20);
    }
}

fn cli(world: &mut World, _: Member) {
    for _ in 0..3 {
        let php = world.stranger(WWW_DATA);
        let wp = [
            "/usr/bin/php",
            "/usr/local/bin/wp",
            "cron",
            "event",
            "run",
            "--due-now",
        ];
        world.exec(php, false, "/usr/bin/php8.2", &wp);
        world.exit(php);
        world.wait(100);
    }
}

fn mail(world: &mut World, worker: Member) {
    let sendmail = ["/usr/sbin/sendmail", "-t", "-i", "-fwordpress@example.org"];
    let command = "/usr/sbin/sendmail -t -i -fwordpress@example.org";
    world.shell(worker, command, "/usr/sbin/exim4", &sendmail);
}

fn plugin(world: &mut World, worker: Member) {
    world.connect(worker, "198.143.164.250:443");
    world.create(worker, "/tmp/akismet.5.3.tmp");
    world.create(worker, &at(".maintenance"));
    for script in PLUGIN {
        world.create(
            worker,
            &at(&format!("wp-content/upgrade/akismet.5.3/akismet/{script}")),
        );
    }
    let (live, backup) = (
        "wp-content/plugins/akismet",
        "wp-content/upgrade-temp-backup/plugins/akismet",
    );
    world.rename(worker, &at(live), &at(backup));
    world.rename(
        worker,
        &at("wp-content/upgrade/akismet.5.3/akismet"),
        &at(live),
    );
    page(world, worker);
    world.read(worker, &at("wp-content/plugins/akismet/akismet.php"));
}

fn core(world: &mut World, worker: Member) {
    world.create(worker, "/tmp/wordpress-6.8.3-partial-2.tmp");
    let unpacked = "wp-content/upgrade/wordpress-6.8.3-partial-2/wordpress";
    for script in CORE.iter().chain(NEW) {
        world.create(worker, &at(&format!("{unpacked}/{script}")));
    }
    world.wait(3);
    world.create(worker, &at(".maintenance"));
    for (number, script) in CORE.iter().enumerate() {
        world.read(worker, &at(&format!("{unpacked}/{script}")));
        world.overwrite(worker, &at(script));
        world.wait(u64::from(number % 4 == 0));
    }
    for script in NEW {
        world.create(worker, &at(script));
    }
}

fn pdf(world: &mut World, worker: Member) {
    world.create(worker, "/tmp/phpPdf000");
    world.rename(
        worker,
        "/tmp/phpPdf000",
        &at("wp-content/uploads/2026/11/menu.pdf"),
    );
    let gs = "'gs' -sstdout=%stderr -dQUIET -dSAFER -dBATCH -dNOPAUSE -dNOPROMPT '-sDEVICE=pngalpha' \
              '-r128x128' -dFirstPage=1 -dLastPage=1 '-sOutputFile=/tmp/magick-6yGm0Y%d' '-f/tmp/magick-0lQq'";
    world.shell(
        worker,
        gs,
        "/usr/bin/gs",
        &["gs", "-sstdout=%stderr", "-dQUIET", "-dSAFER"],
    );
}

fn convert(world: &mut World, worker: Member) {
    let path = at("wp-content/uploads/2026/11/7.jpg");
    let command = format!("convert '{path}' -quality 82 -resize 1024 '{path}'");
    let convert = ["convert", &path, "-quality", "82", "-resize", "1024", &path];
    world.shell(worker, &command, "/usr/bin/convert-im6.q16", &convert);
}

fn backup(world: &mut World, worker: Member) {
    let file = at("wp-content/backups/site.sql");
    let command = format!("mysqldump --defaults-extra-file=/tmp/my.cnf wordpress > '{file}'");
    let dump = [
        "mysqldump",
        "--defaults-extra-file=/tmp/my.cnf",
        "wordpress",
    ];
    world.shell(worker, &command, "/usr/bin/mariadb-dump", &dump);
}

fn rotate(world: &mut World, _: Member) {
    let nginx = world.stranger(0);
    world.exec(
        nginx,
        true,
        "/usr/sbin/nginx",
        &["/usr/sbin/nginx", "-s", "reopen"],
    );
    world.exit(nginx);
}

/// The hour, from the first record to the last.
fn hour() -> World {
    let mut world = World::new();
    let titles = [
        "nginx: master process /usr/sbin/nginx",
        "nginx: worker process",
    ];
    world.service("/usr/sbin/nginx", titles, WWW_DATA);
    let titles = [
        "php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)",
        "php-fpm: pool www",
    ];
    let [master, worker] = world.service("/usr/sbin/php-fpm8.2", titles, WWW_DATA);
    let space = 3_000 / HOUR.len() as u64;
    for (number, (_, scene)) in (0..).zip(HOUR) {
        world.until(number * space);
        scene(&mut world, worker);
    }
    // Its reload: the master becomes itself, and forks workers.
    world.exec(master, true, "/usr/sbin/php-fpm8.2", &[titles[0]]);
    world.fork(master);
    world.until(3_600);
    world
}

/// One printed line, as it says itself.
fn shown(Line { second, document }: &Line) -> String {
    let (level, what, message) = match document {
        Document::Alert(alert) => (alert.weight(), alert.rule.id.as_str(), &alert.message),
        Document::Notice(notice) => (notice.weight(), notice.event.action, &notice.message),
    };
    format!(
        "{:02}:{:02}  {:<8} {what}  {message}",
        second / 60,
        second % 60,
        level.name()
    )
}

/// The section of docs/rules.md.
pub(crate) fn section() -> String {
    let world = hour();
    assert!(
        world.printed.len() < LINES,
        "{:#?}",
        world.printed.iter().map(shown).collect::<Vec<_>>()
    );
    let scenes: Vec<_> = HOUR.iter().map(|(about, _)| (*about).to_owned()).collect();
    let mut text = "\n## The first hour of a WordPress host\n\n".to_owned();
    put!(
        text,
        "What standard output and every other sink at its default level (medium) get from a host with nginx, php-fpm and \
         WordPress and no profile, learnt or named. In that hour, as a test plays it to the sensor's core:\n\n{}",
        crate::page::list(&scenes)
    );
    put!(
        text,
        "\nIt prints {} lines, notices of incidents included; {} of lower levels go to the history:\n\n```\n",
        world.printed.len(),
        world.below
    );
    for line in &world.printed {
        put!(text, "{}\n", shown(line));
    }
    put!(
        text,
        "```\n\nThe programs through a shell are what `profile learn` learns, and partly what `profiles.products: \
         [wordpress]` knows beforehand. Each start of such a program is a line, so a plugin that starts one for each table \
         or each picture prints as many until then. Of an update that was unpacked by the application itself each rule of level medium or \
         below tells one file and counts the others, and rules of higher levels tell every file; the level of a line is that of its incident so far, which \
         different rules raise.\n"
    );
    text
}

/// The notices that are printed.
fn closed(world: &World) -> impl Iterator<Item = &Notice> {
    world
        .printed
        .iter()
        .filter_map(|line| match &line.document {
            Document::Notice(notice) => Some(&**notice),
            Document::Alert(_) => None,
        })
}

#[test]
fn the_hour_tells_what_starts_programs_what_is_grave_and_one_file_of_each_other_kind() {
    let world = hour();
    let count = |rule: &str| {
        let of = |line: &&Line| matches!(&line.document, Document::Alert(it) if it.rule.id == rule);
        world.printed.iter().filter(of).count()
    };
    for (rule, expected) in [
        ("shell_under_app_worker", 3),
        ("existing_script_modified", 1),
        ("entry_script_modified", 3),
        ("script_created_in_web_root", 1),
    ] {
        assert_eq!(count(rule), expected, "{rule}");
    }
    let totals = closed(&world).flat_map(|notice| &notice.incident.rules);
    let left_out: Vec<_> = totals
        .filter(|rule| rule.level >= Level::Medium)
        .map(|rule| (rule.id.as_str(), rule.folded))
        .collect();
    // functions, wp-login and wp-settings are entries, which are grave: each is told.
    let entries = 3;
    let expected = [
        ("entry_script_modified", 0),
        ("existing_script_modified", CORE.len() as u64 - entries - 1),
        ("script_created_in_web_root", 0),
    ];
    assert_eq!(left_out, expected);
    // What is not said is counted for the history: what was left out, and what the base profile
    // knows, here a shell for sendmail.
    let folded: Vec<_> = closed(&world).filter_map(|it| it.incident.folded).collect();
    assert_eq!(world.quiet.get("folded"), Some(&folded.iter().sum()));
    assert_eq!(world.quiet.get("profile"), Some(&1));
}

/// The same files, not unpacked by the application: nothing of it is an update.
#[test]
fn an_intruder_who_overwrites_the_core_is_no_update() {
    let mut world = World::new();
    let titles = ["php-fpm: master process (x)", "php-fpm: pool www"];
    let [_, worker] = world.service("/usr/sbin/php-fpm8.2", titles, WWW_DATA);
    page(&mut world, worker);
    let few = CORE
        .iter()
        .filter(|script| script.starts_with("wp-includes/"));
    let few: Vec<_> = few.take(6).collect();
    for script in &few {
        world.overwrite(worker, &at(script));
    }
    world.wait(5);
    let alerts = world
        .printed
        .iter()
        .filter(|line| matches!(line.document, Document::Alert(_)));
    assert_eq!(alerts.count(), few.len());
}
