//! Servers of applications. Each answers `/sh/LINE` by a shell, `/argv/WORDS` (one a line)
//! without one, and anything else with `pong`.

use std::{fs, path::PathBuf};

use rustix::process::Signal;

use super::Stacks;
use crate::fixture::{
    daemon::{Daemon, command},
    http, java,
    process::succeed,
    scene::{self, free_port, tool},
    tomcat::Tomcat,
    wait,
};

const PYTHON: &str = "
import os, subprocess
from urllib.parse import unquote

def answer(path):
    output = 'pong'
    how, _, what = path.lstrip('/').partition('/')
    what = unquote(what)
    if how == 'sh':
        os.system(what)
    if how == 'popen':
        output = os.popen(what).read()
    if how == 'shell':
        output = subprocess.run(what, shell=True, stdout=subprocess.PIPE, text=True).stdout
    if how == 'argv':
        subprocess.run(what.split('\\n'), stdin=subprocess.DEVNULL)
    if how == 'become':
        words = what.split('\\n')
        os.execvp(words[0], words)
    return f'{os.getpid()}\\n{output}'.encode()

def wsgi(environ, start_response):
    path = environ['PATH_INFO'].encode('latin-1').decode()
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [answer(path)]

async def asgi(scope, receive, send):
    if scope['type'] == 'http':
        await send({'type': 'http.response.start', 'status': 200, 'headers': []})
        await send({'type': 'http.response.body', 'body': answer(scope['path'])})
";
const NODE: &str = "
const http = require('http'), { exec, execFile, spawn } = require('child_process');
http.createServer((request, response) => {
    const answer = (output) => response.end(`${process.pid}\\n${output}`);
    const [, how, what] = request.url.split('/');
    const text = decodeURIComponent(what || ''), words = text.split('\\n');
    const then = (error, output) => answer(output);
    if (how === 'sh') exec(text, then);
    else if (how === 'argv') execFile(words[0], words.slice(1), then);
    else if (how === 'shell') spawn(text, { shell: true }).on('exit', () => answer(''));
    else answer('pong');
}).listen(process.argv[2], '127.0.0.1');
";
const RUBY: &str = "
require 'uri'
run(lambda do |env|
  _, how, what = env['PATH_INFO'].split('/', 3)
  what = URI.decode_www_form_component(what.to_s)
  words = what.split(\"\\n\")
  output = case how
           when 'sh' then `#{what}`
           when 'argv' then system([words[0], words[0]], *words[1..]).to_s
           when 'named' then system([words[0], words[1]], *words[2..]).to_s
           else 'pong'
           end
  [200, {}, [\"#{Process.pid}\\n#{output}\"]]
end)
";
const JAVA: &str = r#"
import com.sun.net.httpserver.HttpServer;
import java.io.RandomAccessFile;
import java.net.*;
import java.nio.file.*;

public class Lab {
    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(args[0]);
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 16);
        server.createContext("/", exchange -> {
            String[] parts = exchange.getRequestURI().getPath().split("/", 3);
            String output = "pong";
            try {
                if (parts.length == 3) act(parts[1], parts[2].split("\n"));
            } catch (Exception failure) {
                output = failure.toString();
            }
            byte[] body = output.getBytes();
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
    }

    static void act(String how, String[] words) throws Exception {
        switch (how) {
            case "sh" -> run("sh", "-c", words[0]);
            case "argv" -> run(words);
            case "write" -> {
                Files.createDirectories(Path.of(words[0]).getParent());
                Files.writeString(Path.of(words[0]), "dropped");
            }
            case "memory" -> new RandomAccessFile("/proc/self/mem", "rw").close();
            case "connect" -> {
                try (Socket socket = new Socket()) {
                    socket.connect(new InetSocketAddress(words[0], Integer.parseInt(words[1])), 500);
                } catch (java.io.IOException refused) {
                }
            }
        }
    }

    static void run(String... command) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        Process process = builder.start();
        process.getInputStream().readAllBytes();
        process.waitFor();
    }
}
"#;
const PING: &str = "<%= ProcessHandle.current().pid() + \"\\n\" %>pong";
const RUN: &str = "<%= ProcessHandle.current().pid() + \"\\n\" + new String(new ProcessBuilder(\
request.getParameterValues(\"word\")).start().getInputStream().readAllBytes()) %>";
/// A page that stores what is uploaded, beside itself or beside its application.
const DROP: &str =
    "<% java.nio.file.Path to = java.nio.file.Path.of(application.getRealPath(\"/\"))\
.resolve(request.getParameter(\"to\")).normalize();
java.nio.file.Files.copy(java.nio.file.Path.of(request.getParameter(\"from\")), to); %>ok";

pub(super) fn gunicorn(stacks: &Stacks) -> Daemon {
    let dir = stacks.writable("gunicorn");
    fs::write(dir.join("shop.py"), PYTHON).expect("write an application");
    let port = free_port();
    let mut gunicorn = command("gunicorn", &dir);
    gunicorn.args(["--workers", "2", "--user", "www-data", "--bind"]);
    gunicorn.arg(format!("127.0.0.1:{port}")).arg("shop:wsgi");
    Daemon::start(gunicorn, port, Signal::TERM)
}

pub(super) fn uwsgi(stacks: &Stacks) -> Daemon {
    let dir = stacks.writable("uwsgi");
    fs::write(dir.join("shop.py"), PYTHON).expect("write an application");
    let port = free_port();
    let mut uwsgi = command("uwsgi", &dir);
    uwsgi.args(["--master", "--processes", "2", "--plugin", "python3"]);
    uwsgi.args(["--die-on-term", "--uid", "www-data"]);
    uwsgi.args(["--module", "shop:wsgi"]);
    uwsgi.args(["--http-socket", &format!("127.0.0.1:{port}")]);
    Daemon::start(uwsgi, port, Signal::TERM)
}

pub(super) fn uvicorn(stacks: &Stacks) -> Daemon {
    let dir = stacks.writable("uvicorn");
    fs::write(dir.join("shop.py"), PYTHON).expect("write an application");
    let port = free_port();
    let mut uvicorn = command("uvicorn", &dir);
    uvicorn.args(["--workers", "2", "--port", &port.to_string(), "shop:asgi"]);
    let uvicorn = Daemon::start(uvicorn, port, Signal::TERM);
    wait::until("an answer of a worker", || http::get(port, "/").ok());
    uvicorn
}

pub(super) fn node(stacks: &Stacks) -> Daemon {
    let dir = stacks.writable("node");
    fs::write(dir.join("shop.js"), NODE).expect("write an application");
    let port = free_port();
    let mut node = command("node", &dir);
    node.args(["shop.js", &port.to_string()]);
    Daemon::start(node, port, Signal::TERM)
}

pub(super) fn puma(stacks: &Stacks) -> Daemon {
    let dir = stacks.writable("puma");
    fs::write(dir.join("config.ru"), RUBY).expect("write an application");
    let port = free_port();
    let mut puma = command("puma", &dir);
    puma.args(["-w", "2", "-e", "production", "-b"]);
    puma.arg(format!("tcp://127.0.0.1:{port}"));
    let puma = Daemon::start(puma, port, Signal::TERM);
    wait::until("an answer of a worker", || http::get(port, "/").ok());
    puma
}

/// An application in Java's own server, started the way `catalina.sh` starts Tomcat.
pub(crate) fn java(stacks: &Stacks) -> Daemon {
    let dir = compiled(stacks);
    let port = free_port();
    let mut java = command("java", &dir);
    java.args(java::QUICK);
    java.arg(format!("-Dcatalina.home={}", dir.display()));
    java.arg("-classpath").arg(&dir);
    java.args(["Lab", &port.to_string()]);
    Daemon::start(java, port, Signal::TERM)
}

/// The same application, packed and named like a server that builds what it is given.
pub(super) fn ci(stacks: &Stacks) -> Daemon {
    let dir = compiled(stacks);
    let port = free_port();
    let mut jar = command("jar", &dir);
    succeed(jar.args(["-cfe", "jenkins.war", "Lab", "Lab.class"]));
    let mut java = command("java", &dir);
    java.args(java::QUICK)
        .arg("-jar")
        .arg(dir.join("jenkins.war"));
    java.arg(port.to_string());
    Daemon::start(java, port, Signal::TERM)
}

/// Where the application's class is.
fn compiled(stacks: &Stacks) -> PathBuf {
    let dir = stacks.place("java");
    if !dir.join("Lab.class").exists() {
        let source = dir.join("Lab.java");
        scene::write(&source, JAVA);
        let mut compiler = command("javac", &dir);
        compiler.args(["-J-XX:TieredStopAtLevel=1", "-proc:none", "-d"]);
        succeed(compiler.arg(&dir).arg(source));
    }
    dir
}

pub(super) fn tomcat(stacks: &Stacks) -> Daemon {
    let pages = [("ping.jsp", PING), ("run.jsp", RUN), ("drop.jsp", DROP)];
    let dir = stacks.place("tomcat-at");
    let tomcat = Tomcat::start_in(&dir, &pages).daemon;
    wait::until("a page of Tomcat", || {
        let page = http::get(tomcat.port, "/ping.jsp").ok()?;
        (page.status == 200).then_some(())
    });
    // What it runs is java by then.
    wait::until("java", || {
        (tomcat.process().executable() == Some(tool("java"))).then_some(())
    });
    tomcat
}
