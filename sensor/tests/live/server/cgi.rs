//! CGI: Apache's own, from its workers (prefork) and from its daemon (event), and
//! fcgiwrap behind nginx; and an Apache that runs no scripts at all.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempPath;

use crate::fixture::{
    alert::link,
    apache,
    daemon::{Daemon, command},
    front, http,
    process::Process,
    scene::{self, Need, free_port, tool},
    stage::{Kind, Stage, assert_is},
    wait,
};

const APACHE: &[Need] = &[apache::program];
const FCGIWRAP: &[Need] = &[|| scene::program("fcgiwrap")];

/// Its workers run the programs themselves.
#[test]
fn a_cgi_program_of_apache_prefork_runs_id() {
    let Some(mut stage) = Stage::begin("server::cgi::prefork", APACHE) else {
        return;
    };
    let dir = stage.scene.path().join("apache");
    let script = program(&dir);
    let alias = "ScriptAlias /cgi-bin/ cgi-bin/";
    let apache = apache::foreground(&dir, "prefork", &["alias", "cgi"], alias);
    load(&apache);
    apache.reload(Signal::USR1);

    let answer = http::get(apache.port, "/cgi-bin/id");
    assert!(answer.is_ok_and(|answer| answer.body.contains("uid=33")));
    let image = link(tool("apache2"), &apache.argv);
    let master = image.clone().pid(apache.process().pid).part("master");
    let worker = image.part("worker").forked();
    let parents = [master.chain(&[tool("apache2")]), worker];
    let argv = ["/bin/sh", &script.display().to_string()];
    stage.ran_id(Kind::app("apache"), &parents, &argv);

    load(&apache);
    drop(apache);
    stage.end();
}

/// Workers of the event kind leave that to a daemon: what lies where CGI programs are kept
/// may run whatever it likes, before and after a reload; what does not is named.
#[test]
fn a_cgi_program_of_apache_event_is_judged_as_such() {
    let Some(mut stage) = Stage::begin("server::cgi::event", CGI_BIN) else {
        return;
    };
    let dir = stage.scene.path().join("apache");
    let script = program(&dir);
    let installed = installed();
    let name = installed.file_name().expect("a file has a name");
    let lines = format!(
        "ScriptSock cgid.sock
ScriptAlias /cgi-bin/ cgi-bin/
ScriptAlias /installed/ {DIRECTORY}/"
    );
    let apache = apache::foreground(&dir, "event", &["alias", "cgid"], &lines);
    load(&apache);
    let mut daemons = Vec::new();
    for _ in ["at first", "after a reload"] {
        let daemon = wait::until("the daemon", || {
            let service = stage.sensor.service(apache.process().pid)?;
            let daemon = of_role_cgi(&service["processes"])?;
            (!daemons.contains(&daemon)).then_some(daemon)
        });
        daemons.push(daemon);
        let answer = http::get(apache.port, &format!("/installed/{}", name.display()));
        assert!(answer.is_ok_and(|answer| answer.body.contains("uid=33")));
        stage.is_silent();

        let answer = http::get(apache.port, "/cgi-bin/id");
        assert!(answer.is_ok_and(|answer| answer.body.contains("uid=33")));
        let argv = ["/bin/sh", &script.display().to_string()];
        let alert = stage.saw(CGI.shell, |alert| alert.args() == argv);
        let image = link(tool("apache2"), &apache.argv);
        let master = image.clone().pid(apache.process().pid).part("master");
        let cgid = image.clone().pid(daemon).part("worker").forked();
        let shell = link(tool("sh"), &argv).part("descendant");
        alert.assert_lineage(&[master.chain(&[tool("apache2")]), cgid, shell]);
        let kind = Kind {
            name: "apache",
            ..CGI
        };
        assert_is(&alert, kind);
        stage.only(|other| other.pid() == alert.pid());
        apache.process().signal(Signal::USR1);
    }
    drop(apache);
    drop(installed);
    stage.end();
}

/// Debian's place for CGI programs.
const DIRECTORY: &str = "/usr/lib/cgi-bin";

const CGI_BIN: &[Need] = &[apache::program, || {
    let directory = PathBuf::from(DIRECTORY);
    let found = directory.is_dir().then_some(directory);
    found.ok_or_else(|| format!("no {DIRECTORY}"))
}];

const CGI: Kind = Kind {
    name: "fcgiwrap",
    role: "cgi",
    shell: "cgi_ran_unknown_script",
};

/// A program where administrators install them; it is gone with the value.
fn installed() -> TempPath {
    let mut name = tempfile::Builder::new();
    name.prefix("lineage-live-").suffix(".cgi");
    let script = name.tempfile_in(DIRECTORY).expect("install a program");
    // Nobody may hold it open for writing when it is run.
    let script = script.into_temp_path();
    write_program(&script);
    script
}

/// The first of these processes, or below them, that has that role.
fn of_role_cgi(processes: &Value) -> Option<u32> {
    processes.as_array()?.iter().find_map(|process| {
        if process["role"] == "cgi" {
            return process["pid"].as_u64()?.try_into().ok();
        }
        of_role_cgi(&process["children"])
    })
}

/// Nothing of it runs scripts: what it executes is no application's doing. Its piped logs
/// are its own.
#[test]
fn an_apache_without_script_modules_runs_a_program() {
    let Some(mut stage) = Stage::begin("server::cgi::edge", APACHE) else {
        return;
    };
    let root = stage.scene.writable("apache/public");
    let dir = stage.scene.path().join("apache");
    scene::write(&root.join("index.html"), "pong");
    scene::write(&root.join("id/index.html"), "pong");
    let rotatelogs = tool("rotatelogs");
    let lines = format!(
        "DocumentRoot {0}
CustomLog \"|{1} -n 2 access.log 86400\" %h
CustomLog \"|${1} -n 2 other.log 86400\" %h
ExtFilterDefine id cmd={2}
<Location /id>
SetOutputFilter id
</Location>",
        root.display(),
        rotatelogs.display(),
        tool("id").display()
    );
    let modules = ["ext_filter", "dir", "proxy", "proxy_fcgi"];
    let apache = apache::foreground(&dir, "event", &modules, &lines);
    apache.load("/index.html");
    wait::until("the role", || {
        let service = stage.sensor.service(apache.process().pid)?;
        (service["role"] == "edge").then_some(())
    });
    apache.reload(Signal::USR1);
    apache.load("/index.html");
    stage.is_silent();

    let answer = http::get(apache.port, "/id/index.html").expect("an answer");
    assert!(answer.body.contains("uid=33"), "{answer:?}");
    let image = link(tool("apache2"), &apache.argv);
    let master = image.clone().pid(apache.process().pid).part("master");
    let worker = image.part("worker").forked();
    let id = link(tool("id"), &[tool("id").to_string_lossy()]).part("descendant");
    let kind = Kind::edge("apache");
    let alert = stage.saw(kind.shell, |alert| alert.executable().ends_with("/id"));
    alert.assert_lineage(&[master.chain(&[tool("apache2")]), worker, id]);
    assert_is(&alert, kind);
    stage.only(|other| other.pid() == alert.pid());
    drop(apache);
    stage.end();
}

fn load(apache: &Daemon) {
    for _ in 0..100 {
        let answer = http::get(apache.port, "/").expect("an answer");
        assert_eq!(answer.status, 404, "{answer:?}");
    }
}

#[test]
fn a_cgi_program_of_fcgiwrap_runs_id() {
    let Some(mut stage) = Stage::begin("server::cgi::fcgiwrap", FCGIWRAP) else {
        return;
    };
    let dir = stage.scene.path().join("wrapped");
    let script = program(&dir);
    let port = free_port();
    let mut fcgiwrap = command("fcgiwrap", &dir);
    fcgiwrap.args(["-c", "2", "-s", &format!("tcp:127.0.0.1:{port}")]);
    let fcgiwrap = Daemon::start(fcgiwrap, port, Signal::TERM);
    let nginx = front::start(stage.scene.path(), &dir, &[("/cgi-bin/", port)]);
    nginx.reload(Signal::HUP);

    assert!(http::get(nginx.port, "/cgi-bin/id").is_ok_and(|answer| answer.body.contains("uid=")));
    let image = link(tool("fcgiwrap"), &fcgiwrap.argv);
    let master = image.clone().pid(fcgiwrap.process().pid).part("master");
    let worker = image.part("worker").forked();
    let parents = [master.chain(&[tool("fcgiwrap")]), worker];
    let argv = ["/bin/sh", &script.display().to_string()];
    // What a CGI program runs is its own business, so that `id` alerts nobody.
    let alert = stage.saw(CGI.shell, |alert| alert.args() == argv);
    let shell = link(tool("sh"), &argv).part("descendant");
    alert.assert_lineage(&[&parents[..], &[shell]].concat());
    assert_is(&alert, CGI);
    stage.only(|other| other.pid() == alert.pid());

    drop(nginx);
    let workers: Vec<Process> = fcgiwrap.children();
    drop(fcgiwrap);
    assert!(!workers.iter().any(|worker| worker.is_alive()));
    stage.end();
}

/// A program that calls `id`, in the directory for CGI below this one.
fn program(dir: &Path) -> PathBuf {
    let script = dir.join("cgi-bin/id");
    scene::write(&script, "");
    write_program(&script);
    script
}

fn write_program(script: &Path) {
    let text = "#!/bin/sh\necho Content-Type: text/plain\necho\nid\n:\n";
    fs::write(script, text).expect("write a program");
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).expect("make it executable");
}
