//! Rows of the catalogue that no other attack here proves: each provoked on a real server,
//! with the whole lineage from that server's root.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command, time::Duration};

use rustix::process::Signal;
use serde_json::Value;

use crate::fixture::{
    alert::{Alert, Link, link},
    daemon::{self, Daemon},
    front, http, java,
    php_fpm::{Pool, Start},
    process::{Guard, succeed},
    scene::{self, Need, Scene, free_port, tool},
    sensor::Sensor,
    site::{self, Site, php_string},
    stage::{Kind, Stage, assert_is},
    tomcat::{self, Tomcat},
    wait,
};

const PHP: Kind = Kind::app("php-fpm");
const JAVA: Kind = Kind::app("java");

/// A row: the rule, its level, what a page of PHP does (`$home` is a directory it may write
/// to), and of what the alert is.
struct Row {
    catalogue: &'static str,
    rule: &'static str,
    level: &'static str,
    code: &'static str,
    is: fn(&Alert) -> bool,
}

const ROWS: &[Row] = &[
    Row {
        catalogue: "E04",
        rule: "interactive_shell_under_service",
        level: "critical",
        code: "system('exec bash --norc -i -c : </dev/null 2>/dev/null');",
        is: |alert| alert.args() == ["bash", "--norc", "-i", "-c", ":"],
    },
    Row {
        catalogue: "E15",
        rule: "privilege_change_below_service",
        level: "high",
        code: "proc_close(proc_open(['su', '--version'], [], $pipes));",
        is: |alert| alert.args() == ["su", "--version"],
    },
    Row {
        catalogue: "F10",
        rule: "persistence_file_written",
        level: "critical",
        code: r#"mkdir("$home/.ssh"); file_put_contents("$home/.ssh/authorized_keys", 'x');"#,
        is: |alert| file(alert).ends_with("/.ssh/authorized_keys"),
    },
    Row {
        catalogue: "N04",
        rule: "local_broker_reached",
        level: "medium",
        // Nobody listens: that it was tried is what counts.
        code: "@fsockopen('127.0.0.1', 2376, $code, $why, 1);",
        is: |alert| alert.json["destination"]["port"] == 2376,
    },
];

fn file(alert: &Alert) -> &str {
    alert.json["file"]["path"].as_str().unwrap_or_default()
}

#[test]
fn rows_that_a_page_of_php_provokes() {
    let Some(mut stage) = Stage::begin("attack::catalogue::php", &[|| scene::program("su")]) else {
        return;
    };
    for row in ROWS {
        let home = stage.scene.writable(&format!("home-{}", row.catalogue));
        let home = php_string(home.as_os_str().as_encoded_bytes());
        let page = format!("{}.php", row.catalogue);
        stage
            .site
            .page(&page, &format!("$home = {home};\n{}", row.code));
        let worker = stage.site.visit(&page).worker;
        let alert = stage.saw(row.rule, row.is);
        assert_eq!(alert.level(), row.level, "{}: {alert}", row.catalogue);
        alert.assert_begins(&[stage.site.master(), stage.site.worker(worker)]);
        assert_is(&alert, PHP);
        stage.only(|other| other.lineage().iter().any(|it| it.pid() == worker));
    }
    stage.end();
}

/// A page that installs a plugin, one that puts a page beside itself, one that attaches to
/// its own server.
const PLUGIN: &str = "<% java.nio.file.Path plugins = java.nio.file.Path.of(\"plugins\");
java.nio.file.Files.createDirectories(plugins);
java.nio.file.Files.writeString(plugins.resolve(\"report.jpi\"), \"plugin\"); %>ok";
const DROP: &str =
    "<% java.nio.file.Path root = java.nio.file.Path.of(application.getRealPath(\"/\"));
java.nio.file.Files.writeString(root.resolve(\"dropped.jsp\"), \"ok\"); %>ok";
const ATTACH: &str = "<% String own = Long.toString(ProcessHandle.current().pid());
Process jcmd = new ProcessBuilder(\"jcmd\", own, \"VM.version\").start();
jcmd.getInputStream().readAllBytes(); jcmd.waitFor(); %>ok";

#[test]
fn rows_that_a_page_of_tomcat_provokes() {
    let needs: &[Need] = &[java::program, tomcat::program, || scene::program("jcmd")];
    let Some(mut stage) = Stage::begin("attack::catalogue::tomcat", needs) else {
        return;
    };
    let pages = [
        ("plugin.jsp", PLUGIN),
        ("drop.jsp", DROP),
        ("attach.jsp", ATTACH),
    ];
    let tomcat = Tomcat::start(&stage.scene, &pages);
    let pid = tomcat.daemon.process().pid;
    let server = link(tool("java"), &[""; 0]).titled("/");
    let server = server.provenance("observed").part("both").pid(pid);
    let mut proven = |visits: &[&str], rule: &str, level: &str, name: &str| {
        for page in visits {
            let answer = http::get(tomcat.daemon.port, page);
            assert!(
                answer.as_ref().is_ok_and(|it| it.body.contains("ok")),
                "{answer:?}"
            );
        }
        let alert = stage.saw(rule, |alert| file(alert).contains(name));
        assert_eq!(alert.level(), level, "{alert}");
        alert.assert_begins(std::slice::from_ref(&server));
        assert_is(&alert, JAVA);
        stage.only(|other| other.concerns(pid));
    };
    proven(
        &["/plugin.jsp"],
        "plugin_dropped_by_server",
        "high",
        "/plugins/report.jpi",
    );
    let compiled = ["/drop.jsp", "/dropped.jsp"];
    proven(
        &compiled,
        "dropped_page_compiled",
        "high",
        "/dropped_jsp.class",
    );
    proven(
        &["/attach.jsp"],
        "java_attach_by_member",
        "medium",
        "/.attach_pid",
    );
    drop(tomcat);
    stage.end();
}

/// Everybody may change the program: whoever gets at the server runs what he likes by it.
#[test]
fn a_cgi_program_that_everybody_may_change() {
    let needs: &[Need] = &[|| scene::program("fcgiwrap")];
    let Some(mut stage) = Stage::begin("attack::catalogue::cgi", needs) else {
        return;
    };
    let dir = stage.scene.path().join("wrapped");
    let script = dir.join("cgi-bin/report.cgi");
    scene::write(
        &script,
        "#!/bin/sh\necho Content-Type: text/plain\necho\necho ok\n",
    );
    fs::set_permissions(&script, fs::Permissions::from_mode(0o757)).expect("open it to all");
    let port = free_port();
    let mut fcgiwrap = daemon::command("fcgiwrap", &dir);
    fcgiwrap.args(["-c", "2", "-s", &format!("tcp:127.0.0.1:{port}")]);
    let fcgiwrap = Daemon::start(fcgiwrap, port, Signal::TERM);
    let nginx = front::start(stage.scene.path(), &dir, &[("/cgi-bin/", port)]);
    let answer = http::get(nginx.port, "/cgi-bin/report.cgi");
    assert!(
        answer.as_ref().is_ok_and(|it| it.body.contains("ok")),
        "{answer:?}"
    );

    let image = link(tool("fcgiwrap"), &fcgiwrap.argv);
    let master = image.clone().pid(fcgiwrap.process().pid).part("master");
    let parents: [Link; 2] = [
        master.chain(&[tool("fcgiwrap")]),
        image.part("worker").forked(),
    ];
    let path = script.display().to_string();
    let alert = stage.saw("cgi_ran_script_of_own_user", |alert| file(alert) == path);
    alert.assert_begins(&parents);
    assert_eq!(
        (alert.level(), alert.service()),
        ("medium", "fcgiwrap"),
        "{alert}"
    );
    stage.only(|other| other.concerns(fcgiwrap.process().pid));
    drop((nginx, fcgiwrap));
    stage.end();
}

/// Where tables of cron are.
const SPOOL: &str = "/var/spool/cron/crontabs";

/// Nobody's jobs may run because of a test.
fn no_tables() -> Result<PathBuf, String> {
    match fs::read_dir(SPOOL).map(Iterator::count) {
        Ok(0) => Ok(SPOOL.into()),
        Ok(_) => Err(format!("there are tables of cron in {SPOOL}")),
        Err(error) => Err(format!("{SPOOL}: {error}")),
    }
}

/// Takes away what a page has put into the tables of cron.
struct Table;

impl Drop for Table {
    fn drop(&mut self) {
        succeed(Command::new("crontab").args(["-u", "www-data", "-r"]));
    }
}

/// A cron with a table of www-data's that a page has made runs it at the next full minute.
/// And a port that is new to a service after its first two minutes.
#[test]
fn rows_that_take_their_time() {
    let name = "attack::catalogue::rows_that_take_their_time";
    let own: &[Need] = &[
        || scene::program("crontab"),
        || scene::program("cron"),
        no_tables,
    ];
    let Some(scene) = Scene::begin(name, &[site::NEEDS, own].concat()) else {
        return;
    };
    // Jobs of cron stand outside every service.
    let mut sensor = Sensor::start_with(&["--scope", "host"]);
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let began = std::time::Instant::now();
    let table = scene.file("table", "* * * * * : planted\n");
    site.shell("plant.php", &format!("crontab {}", table.display()));
    let _table = Table;
    let alert = sensor.alert("persistence_file_written", |alert| {
        file(alert).starts_with(SPOOL)
    });
    alert.assert_begins(&[site.master()]);
    // The machine's own jobs are hidden from it.
    let empty = scene.writable("empty");
    let hidden = format!(
        "mount --bind {} /etc/cron.d && mount --bind /dev/null /etc/crontab && exec cron -f",
        empty.display()
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &hidden]);
    let cron = Guard::child(command.spawn().expect("start cron"), Signal::TERM);
    let minute = Duration::from_secs(75);
    let alert = sensor.alert_within(minute, "cron_job_of_service_user", |alert| {
        alert
            .args()
            .last()
            .is_some_and(|line| line.ends_with(": planted"))
    });
    assert_eq!(alert.level(), "high", "{alert}");
    let above: Vec<_> = alert.lineage().iter().map(|it| it.pid()).collect();
    assert!(above.contains(&cron.root().pid), "{alert}");
    drop(cron);

    let young = || (began.elapsed() > Duration::from_secs(121)).then_some(());
    wait::poll(Duration::from_secs(130), young).expect("time goes on");
    site.page("new.php", "stream_socket_client('udp://203.0.113.7:4445');");
    let worker = site.visit("new.php").worker;
    // Of level low: the history has it.
    let alert = wait::until("the alert", || {
        let told = sensor.ask(&["alerts", "--json", "--pid", &worker.to_string()]);
        let told = String::from_utf8(told.stdout).expect("text");
        let told = told
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        told.into_iter()
            .find(|it| it["rule"]["id"] == "service_connects_to_new_port")
    });
    assert_eq!(alert["destination"]["port"], 4445, "{alert:#}");
    assert_eq!(
        alert["lineage"][0]["pid"],
        site.php.master().pid,
        "{alert:#}"
    );
    sensor.stop();
}
