//! gunicorn, uWSGI, uvicorn, and programs of Python that listen themselves: silent in their
//! ordinary life, named when a view runs a shell.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use rustix::process::Signal;

use crate::fixture::{
    alert::link,
    daemon::{Daemon, command},
    http,
    scene::{self, Need, free_port, tool},
    stage::{Kind, SHELL, Stage},
    wait,
};

const APPLICATION: &str = "
import os

def answer(path):
    output = os.popen('id; :').read() if path == '/id' else 'pong'
    return f'{os.getpid()}\\n{output}'.encode()

def wsgi(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [answer(environ['PATH_INFO'])]

async def asgi(scope, receive, send):
    if scope['type'] == 'http':
        await send({'type': 'http.response.start', 'status': 200, 'headers': []})
        await send({'type': 'http.response.body', 'body': answer(scope['path'])})
";
const PYTHON: &str = "/usr/bin/python3";

const GUNICORN: &[Need] = &[|| scene::program("gunicorn")];
const UWSGI: &[Need] = &[|| scene::program("uwsgi"), uwsgi_python];
const UVICORN: &[Need] = &[|| scene::program("uvicorn")];

/// uWSGI's plugin for Python.
fn uwsgi_python() -> Result<std::path::PathBuf, String> {
    let plugin = Path::new("/usr/lib/uwsgi/plugins/python3_plugin.so");
    plugin
        .canonicalize()
        .map_err(|error| format!("{}: {error}", plugin.display()))
}

#[test]
fn a_view_of_gunicorn_runs_a_shell() {
    let Some(mut stage) = Stage::begin("server::python::gunicorn", GUNICORN) else {
        return;
    };
    let dir = stage.scene.writable("shop");
    fs::write(dir.join("shop.py"), APPLICATION).expect("write an application");
    let (port, log) = (free_port(), dir.join("gunicorn.log"));
    let mut gunicorn = command("gunicorn", &dir);
    gunicorn.args(["--workers", "2", "--user", "www-data", "--bind"]);
    gunicorn.arg(format!("127.0.0.1:{port}"));
    gunicorn.arg("--log-file").arg(&log).arg("shop:wsgi");
    let gunicorn = Daemon::start(gunicorn, port, Signal::TERM).interpreted_by(&[PYTHON]);
    gunicorn.load("/");
    gunicorn.reload(Signal::HUP);

    let output = stage.worker_runs_id(Kind::app("gunicorn"), &gunicorn, "python3", &SHELL);
    assert!(output.contains("(www-data)"), "{output}");

    gunicorn.reopen_log(&log, Signal::USR1);
    gunicorn.load("/");
    drop(gunicorn);
    stage.end();
}

#[test]
fn a_view_of_uwsgi_runs_a_shell() {
    let Some(mut stage) = Stage::begin("server::python::uwsgi", UWSGI) else {
        return;
    };
    let dir = stage.scene.writable("shop");
    fs::write(dir.join("shop.py"), APPLICATION).expect("write an application");
    let port = free_port();
    let mut uwsgi = command("uwsgi", &dir);
    uwsgi.args(["--master", "--processes", "2", "--plugin", "python3"]);
    uwsgi.args([
        "--die-on-term",
        "--uid",
        "www-data",
        "--module",
        "shop:wsgi",
    ]);
    uwsgi.args(["--http-socket", &format!("127.0.0.1:{port}")]);
    let uwsgi = Daemon::start(uwsgi, port, Signal::TERM);
    uwsgi.load("/");

    // On a reload the master executes itself in place.
    for executed in [1, 2] {
        let (worker, output) = uwsgi.visit("/id");
        assert!(output.contains("(www-data)"), "{output}");
        let image = link(tool("uwsgi"), &uwsgi.argv);
        let master = image.clone().pid(uwsgi.process().pid).part("master");
        let master = master.chain(&vec![tool("uwsgi"); executed]);
        let worker = image.pid(worker).part("worker").forked();
        stage.ran_id(Kind::app("uwsgi"), &[master, worker], &SHELL);
        if executed == 1 {
            uwsgi.reload(Signal::HUP);
            uwsgi.load("/");
        }
    }
    drop(uwsgi);
    stage.end();
}

#[test]
fn a_view_of_uvicorn_runs_a_shell() {
    let Some(mut stage) = Stage::begin("server::python::uvicorn", UVICORN) else {
        return;
    };
    let dir = stage.scene.writable("shop");
    fs::write(dir.join("shop.py"), APPLICATION).expect("write an application");
    let port = free_port();
    let mut uvicorn = command("uvicorn", &dir);
    uvicorn.args(["--workers", "2", "--port", &port.to_string(), "shop:asgi"]);
    let uvicorn = Daemon::start(uvicorn, port, Signal::TERM).interpreted_by(&[PYTHON]);
    wait::until("an answer of a worker", || http::get(port, "/").ok());
    uvicorn.load("/");

    let (worker, output) = uvicorn.visit("/id");
    assert!(output.contains("uid="), "{output}");
    let master = link(tool("python3"), &uvicorn.argv);
    let master = master.pid(uvicorn.process().pid).part("master");
    // `python3 -c 'from multiprocessing.spawn import ...'`
    let worker = link(tool("python3"), &[""; 0]).titled(PYTHON).pid(worker);
    let worker = worker.provenance("observed").part("worker");
    let parents = [master.chain(&[tool("python3")]), worker];
    stage.ran_id(Kind::app("uvicorn"), &parents, &SHELL);

    drop(uvicorn);
    stage.end();
}

/// Serves once the file it is told of is there.
const LISTENER: &str = "
import http.server, os, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        output = os.popen('id; :').read() if self.path == '/id' else 'pong'
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f'{os.getpid()}\\n{output}'.encode())
    def log_message(self, *arguments):
        pass

while not os.path.exists(sys.argv[2]):
    time.sleep(0.01)
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()
";

/// Nothing on its command line says so: it is a candidate until it listens.
#[test]
fn a_python_program_becomes_a_service_when_it_listens() {
    let Some(mut stage) = Stage::begin("server::python::listener", &[scene::python]) else {
        return;
    };
    let script = stage.scene.file("listener.py", LISTENER);
    let gate = stage.scene.path().join("gate");
    let port = free_port();
    let mut python = command("python3", stage.scene.path());
    python.arg(script).arg(port.to_string()).arg(&gate);
    let python = Daemon::start_by(python, port, Signal::TERM, |process| {
        wait::until("Python to run", || {
            (process.executable() == Some(tool("python3"))).then_some(())
        });
        // What it had forked and exec'ed by now is nobody's business.
        stage.is_silent();
        assert_eq!(stage.sensor.service(process.pid), None);
        fs::write(&gate, "").expect("open the gate");
    });
    let pid = python.process().pid;
    let service = wait::until("the service", || stage.sensor.service(pid));
    assert_eq!(service["kind"], "python", "{service}");
    python.load("/");
    stage.server_runs_id(Kind::app("python"), &python, "python3", &SHELL);
    drop(python);
    stage.end();
}

/// Python's own server says by its command line what it is.
#[test]
fn a_program_of_pythons_http_server_runs_a_shell() {
    let Some(mut stage) = Stage::begin("server::python::http_server", &[scene::python]) else {
        return;
    };
    let dir = stage.scene.path().join("shop");
    let script = dir.join("cgi-bin/id.sh");
    scene::write(&script, "#!/bin/sh\nprintf '\\r\\n'\nid\n:\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("make it executable");
    scene::write(&dir.join("index.html"), "pong");
    let port = free_port();
    let mut python = command("python3", &dir);
    python.args(["-m", "http.server", "--cgi", "--bind", "127.0.0.1"]);
    python.arg(port.to_string());
    let python = Daemon::start(python, port, Signal::TERM);
    python.load("/");
    let answer = http::get(port, "/cgi-bin/id.sh").expect("an answer");
    assert!(answer.body.contains("uid="), "{answer:?}");
    // The query, which is empty, comes last.
    let argv = ["/bin/sh", &script.display().to_string(), ""];
    let server = link(tool("python3"), &python.argv);
    let server = server.pid(python.process().pid).part("both");
    let parents = [server.chain(&[tool("python3")])];
    stage.ran_id(Kind::app("python"), &parents, &argv);
    drop(python);
    stage.end();
}
