//! `HAProxy` and lighttpd: they pass bytes on, and what they execute is alerted.

use std::fs;

use rustix::process::Signal;

use crate::fixture::{
    alert::link,
    edge, http,
    scene::{self, Need, tool},
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

/// A program of CGI.
const CGI: &str = "#!/bin/sh\necho Content-Type: text/plain\necho\nid\n:\n";

#[test]
fn a_script_of_haproxy_runs_a_shell() {
    let Some(mut stage) = Stage::begin("server::edge::haproxy", HAPROXY) else {
        return;
    };
    let haproxy = edge::haproxy(stage.scene.path(), LUA);
    haproxy.load("/");

    let [worker] = haproxy.children()[..] else {
        panic!("{:?}", haproxy.children())
    };
    assert_eq!(
        http::get(haproxy.port, "/id").expect("an answer").status,
        200
    );
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
    let dir = stage.scene.writable("lighttpd");
    let lighttpd = edge::lighttpd(&dir, CGI, "");
    let (port, script) = (lighttpd.port, dir.join("htdocs/cgi-bin/id.cgi"));
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
