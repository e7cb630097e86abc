//! `HAProxy` and lighttpd: they pass bytes on, and what they execute is alerted.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use rustix::process::Signal;

use crate::fixture::{
    alert::link,
    daemon::{Daemon, command},
    http,
    scene::{self, Need, free_port, tool},
    stage::{Kind, SHELL, Stage, assert_is},
    wait,
};

const HAPROXY: &[Need] = &[|| scene::program("haproxy")];
const LIGHTTPD: &[Need] = &[|| scene::program("lighttpd")];

/// A back door in `HAProxy`'s own Lua.
const LUA: &str = "
core.register_service('door', 'http', function(applet)
    local body = 'pong'
    if applet.path == '/id' then os.execute('id; :') end
    applet:set_status(200)
    applet:start_response()
    applet:send(body)
end)
";

#[test]
fn a_script_of_haproxy_runs_a_shell() {
    let Some(mut stage) = Stage::begin("server::edge::haproxy", HAPROXY) else {
        return;
    };
    let port = free_port();
    let lua = stage.scene.file("door.lua", LUA);
    let config = format!(
        "global
    insecure-fork-wanted
    lua-load {}
    nbthread 1
defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 5s
frontend shop
    bind 127.0.0.1:{port}
    http-request use-service lua.door
",
        lua.display()
    );
    let config = stage.scene.file("haproxy.cfg", config);
    let mut haproxy = command("haproxy", stage.scene.path());
    haproxy.args(["-W", "-f"]).arg(config);
    let haproxy = Daemon::start(haproxy, port, Signal::USR1);
    haproxy.load("/");

    let [worker] = haproxy.children()[..] else {
        panic!("{:?}", haproxy.children())
    };
    assert_eq!(http::get(port, "/id").expect("an answer").status, 200);
    let image = link(tool("haproxy"), &haproxy.argv);
    let master = image.clone().pid(haproxy.process().pid).part("master");
    // Once it has a worker, the master executes itself to be rid of what it read.
    let master = master.chain(&[tool("haproxy"), tool("haproxy")]);
    let parents = [master, image.pid(worker.pid).part("worker").forked()];
    let bare = ["sh", SHELL[1], SHELL[2]];
    stage.ran_id(Kind::edge("haproxy"), &parents, &bare);

    haproxy.reload(Signal::USR2);
    haproxy.load("/");
    drop(haproxy);
    stage.end();
}

/// `mod_cgi` switched on; the server itself is still one that executes nothing.
#[test]
fn lighttpd_runs_a_program() {
    let Some(mut stage) = Stage::begin("server::edge::lighttpd", LIGHTTPD) else {
        return;
    };
    let port = free_port();
    let dir = stage.scene.writable("lighttpd");
    let script = dir.join("htdocs/cgi-bin/id.cgi");
    scene::write(&dir.join("htdocs/index.html"), "pong");
    scene::write(
        &script,
        "#!/bin/sh\necho Content-Type: text/plain\necho\nid\n:\n",
    );
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("make it executable");
    let config = stage.scene.file("lighttpd.conf", configuration(&dir, port));
    let mut lighttpd = command("lighttpd", &dir);
    lighttpd.arg("-D").arg("-f").arg(config);
    let lighttpd = Daemon::start(lighttpd, port, Signal::INT);
    lighttpd.load("/index.html");
    lighttpd.reopen_log(&dir.join("access.log"), Signal::HUP);

    let answer = http::get(port, "/cgi-bin/id.cgi").expect("an answer");
    assert!(answer.body.contains("(www-data)"), "{answer:?}");
    let argv = ["/bin/sh", &script.display().to_string()];
    let alert = stage.saw("edge_server_executed_program", |alert| alert.args() == argv);
    let image = link(tool("lighttpd"), &lighttpd.argv);
    let server = image.pid(lighttpd.process().pid).chain(&[tool("lighttpd")]);
    let shell = link(tool("sh"), &argv).part("descendant");
    alert.assert_lineage(&[server, shell]);
    assert_is(&alert, Kind::edge("lighttpd"));
    let _id = stage.saw("recon_tool_under_service", |id| id.concerns(alert.pid()));
    stage.only(|other| other.concerns(alert.pid()));

    // A graceful restart: the server starts over in its own place.
    lighttpd.process().signal(Signal::USR1);
    wait::until("an answer after a restart", || {
        let log = fs::read_to_string(dir.join("error.log")).ok()?;
        let started = log.matches("server started").count();
        (started == 2 && http::get(port, "/index.html").is_ok()).then_some(())
    });
    drop(lighttpd);
    stage.end();
}

fn configuration(dir: &Path, port: u16) -> String {
    let dir = dir.display();
    format!(
        r#"server.document-root = "{dir}/htdocs"
server.port = {port}
server.bind = "127.0.0.1"
server.username = "www-data"
server.groupname = "www-data"
server.errorlog = "{dir}/error.log"
server.modules = ("mod_cgi", "mod_accesslog")
accesslog.filename = "{dir}/access.log"
$HTTP["url"] =~ "^/cgi-bin/" {{ cgi.assign = ( "" => "" ) }}
"#
    )
}
