//! CGI: Apache's own, from its workers (prefork) and from its daemon (event), and
//! fcgiwrap behind nginx.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rustix::process::Signal;

use crate::fixture::{
    alert::link,
    apache,
    daemon::{Daemon, command},
    front, http,
    process::Process,
    scene::{self, Need, free_port, tool},
    stage::{Kind, Stage, assert_is},
};

const APACHE: &[Need] = &[apache::program];
const FCGIWRAP: &[Need] = &[|| scene::program("fcgiwrap")];

#[test]
fn a_cgi_program_of_apache_prefork_runs_id() {
    apache_runs_id("server::cgi::prefork", "prefork", "cgi");
}

/// The daemon that Apache keeps for CGI is the worker that forks the program.
#[test]
fn a_cgi_program_of_apache_event_runs_id() {
    apache_runs_id("server::cgi::event", "event", "cgid");
}

fn apache_runs_id(name: &str, processing: &str, module: &str) {
    let Some(mut stage) = Stage::begin(name, APACHE) else {
        return;
    };
    let dir = stage.scene.path().join("apache");
    let script = program(&dir);
    let lines = match module {
        "cgid" => "ScriptSock cgid.sock\nScriptAlias /cgi-bin/ cgi-bin/",
        _ => "ScriptAlias /cgi-bin/ cgi-bin/",
    };
    let apache = apache::foreground(&dir, processing, &["alias", module], lines);
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
    let kind = Kind {
        name: "fcgiwrap",
        role: "cgi",
        shell: "cgi_ran_unknown_script",
    };
    let argv = ["/bin/sh", &script.display().to_string()];
    // What a CGI program runs is its own business, so that `id` alerts nobody.
    let alert = stage.saw(kind.shell, |alert| alert.args() == argv);
    let shell = link(tool("sh"), &argv).part("descendant");
    alert.assert_lineage(&[&parents[..], &[shell]].concat());
    assert_is(&alert, kind);
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
    let text = "#!/bin/sh\necho Content-Type: text/plain\necho\nid\n:\n";
    scene::write(&script, text);
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("make it executable");
    script
}
