//! Servers that start, and what they and their start scripts run: B2, B18, B19, B23, B25 to
//! B27.

use std::path::{Path, PathBuf};

use rustix::process::Signal;

use super::{Benign, Turn, begin};
use crate::{
    fixture::{
        daemon::{Daemon, command},
        http, java,
        process::succeed,
        scene::{self, free_port},
        tomcat::Tomcat,
        wait,
    },
    lab::{
        stacks::{self, Container, as_user, directory_of, postgres_program},
        turn::encoded,
    },
};

pub(super) const ALL: &[Benign] = &[
    begin(
        "B18",
        "tomcat",
        "catalina.sh, and what it asks before java",
        |turn| {
            let pages = [("index.jsp", "pong")];
            let tomcat = Tomcat::start_in(&turn.stacks.place("tomcat-anew"), &pages);
            wait::until("a page of Tomcat", || {
                let page = http::get(tomcat.daemon.port, "/index.jsp").ok()?;
                (page.body.trim() == "pong").then_some(())
            });
            turn.ran(&["java"]);
        },
    ),
    begin("B18", "java", "a start script that becomes java", |turn| {
        let dir = turn.stacks.place("java-anew");
        let classes = java::compile(&dir);
        java::Shop::start_by_script(&dir, &classes).get("/ping");
        turn.ran(&["java"]);
    }),
    begin("B18", "java", "a java that is no server", |turn| {
        java::run_tool(&java::compile(&turn.stacks.place("java-tool")));
        turn.saw("success of java");
    }),
    begin("B19", "java", "ldconfig -p", |turn| {
        probe(turn, "argv", &["/sbin/ldconfig", "-p"]);
    }),
    begin("B19", "java", "bash -c 'ulimit -u'", |turn| {
        probe(turn, "argv", &["bash", "-c", "ulimit -u"]);
    }),
    begin("B19", "java", "sh -c 'ulimit -u'", |turn| {
        probe(turn, "sh", &["ulimit -u"]);
    }),
    begin("B19", "java", "bash -c 'echo $$'", |turn| {
        probe(turn, "argv", &["bash", "-c", "echo $$"]);
    }),
    begin("B19", "java", "uname -a", |turn| {
        probe(turn, "argv", &["uname", "-a"]);
    }),
    begin("B19", "java", "stty -a < /dev/tty", |turn| {
        probe(turn, "sh", &["stty -a < /dev/tty"]);
    }),
    begin(
        "B23",
        "lighttpd",
        "types of files, asked at the start",
        |turn| {
            drop(stacks::lighttpd(turn.stacks, "lighttpd-anew"));
            turn.ran(&["/usr/share/lighttpd/create-mime.conf.pl"]);
        },
    ),
    begin("B25", "postgres", "initdb asks for locales", |turn| {
        let dir = directory_of("postgres", turn.stacks, "postgres-anew");
        let program = postgres_program().expect("PostgreSQL is installed");
        let mut initdb = as_user("postgres", &program.with_file_name("initdb"), &dir);
        initdb.args(["--no-sync", "--auth=trust", "--pgdata"]);
        turn.succeed(initdb.arg(dir.join("data")));
        turn.ran(&["locale", "-a"]);
    }),
    begin(
        "B26",
        "nginx and php-fpm in a container",
        "entry point, then the servers",
        |turn| {
            drop(Container::start(&turn.stacks.place("container-anew")));
            turn.ran(&["nginx", "-c", "/etc/nginx.conf"]);
        },
    ),
    begin("B27", "redis", "an allocator in LD_PRELOAD", |turn| {
        let dir = turn.stacks.writable("redis-anew");
        let port = free_port();
        let mut redis = command("redis-server", &dir);
        redis.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
        let allocator = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2";
        redis.env("LD_PRELOAD", allocator);
        let redis = Daemon::start(redis, port, Signal::TERM);
        let maps = format!("/proc/{}/maps", redis.process().pid);
        let maps = std::fs::read_to_string(maps).expect("what Redis has loaded");
        assert!(maps.contains(allocator), "{maps}");
        turn.saw("the allocator in Redis");
        turn.ran(&["redis-server"]);
    }),
    begin("B27", "java", "an agent in JAVA_TOOL_OPTIONS", |turn| {
        let dir = turn.stacks.place("java-agent");
        let classes = java::compile(&dir);
        let (port, loaded) = (free_port(), dir.join("loaded"));
        let option = format!("-javaagent:{}={}", agent(&dir).display(), loaded.display());
        let mut java = command("java", &dir);
        java.args(java::catalina_arguments(&dir, &classes, port));
        java.env("JAVA_TOOL_OPTIONS", option);
        let shop = Daemon::start(java, port, Signal::TERM);
        assert!(http::get(shop.port, "/ping").is_ok_and(|page| page.status == 200));
        assert!(loaded.exists(), "the agent was not loaded");
        turn.saw("what the agent wrote");
        turn.ran(&["java"]);
    }),
];

/// An agent that writes the file which it is given.
const AGENT: &str = "public class Agent {
    public static void premain(String file) throws Exception {
        java.nio.file.Files.createFile(java.nio.file.Path.of(file));
    }
}
";

/// It, packed.
fn agent(dir: &Path) -> PathBuf {
    let (source, manifest) = (dir.join("Agent.java"), dir.join("manifest"));
    scene::write(&source, AGENT);
    scene::write(&manifest, "Premain-Class: Agent\n");
    succeed(command("javac", dir).args(["-proc:none", "Agent.java"]));
    succeed(command("jar", dir).args(["-cfm", "agent.jar", "manifest", "Agent.class"]));
    dir.join("agent.jar")
}

/// What a library of Java asks in the first moments of a server.
fn probe(turn: &Turn<'_>, how: &str, words: &[&str]) {
    let java = stacks::java(turn.stacks);
    let path = format!("/{how}/{}", encoded(&words.join("\n")));
    let answer = http::get(java.port, &path).expect("an answer");
    assert_eq!(answer.body, "pong", "{words:?}");
    turn.ran(&match how {
        "sh" => [&["sh", "-c"], words].concat(),
        _ => words.to_vec(),
    });
}
