//! gunicorn, uWSGI and uvicorn: silent in their ordinary life, named when a view runs a
//! shell.

use std::{fs, path::Path};

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

    let (worker, output) = gunicorn.visit("/id");
    assert!(output.contains("(www-data)"), "{output}");
    let image = link(tool("python3"), &gunicorn.argv);
    let master = image.clone().pid(gunicorn.process().pid).part("master");
    let worker = image.pid(worker).part("worker").forked();
    let parents = [master.chain(&[tool("python3")]), worker];
    stage.ran_id(Kind::app("gunicorn"), &parents, &SHELL);

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
