mod follow;

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::json;
use tokio::{
    runtime::{Builder, Runtime},
    sync::{mpsc, oneshot},
};

use super::*;
use crate::sink::tail::Tail;

struct Agent {
    runtime: Runtime,
    stop: Option<oneshot::Sender<()>>,
    task: Option<tokio::task::JoinHandle<()>>,
    dir: tempfile::TempDir,
    tail: Arc<Tail>,
}

impl Agent {
    /// A server whose core answers every query with `{"services": []}`.
    fn start() -> Self {
        let (queries, mut core) = mpsc::channel::<Query>(4);
        let agent = Self::with(queries);
        agent.runtime.spawn(async move {
            while let Some(query) = core.recv().await {
                assert_eq!(query.kind, QueryKind::Tree);
                drop(query.reply.send(json!({"services": []})));
            }
        });
        agent
    }

    fn with(queries: mpsc::Sender<Query>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let path = dir.path().join("run/control.sock");
        let server = runtime.block_on(async { Server::bind(&path) }).unwrap();
        let tail = Arc::<Tail>::default();
        let server = server.with_tail(Arc::clone(&tail));
        let task = runtime.spawn(server.serve(queries, async move { drop(stopped.await) }));
        Self {
            runtime,
            stop: Some(stop),
            task: Some(task),
            dir,
            tail,
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("run/control.sock")
    }

    /// Runs blocking client code beside the server.
    fn client<T: Send + 'static>(&self, work: impl FnOnce(&Path) -> T + Send + 'static) -> T {
        let path = self.path();
        self.runtime.block_on(async {
            tokio::task::spawn_blocking(move || work(&path))
                .await
                .unwrap()
        })
    }

    fn stop(&mut self) {
        drop(self.stop.take());
        self.runtime.block_on(self.task.take().unwrap()).unwrap();
    }
}

fn raw(path: &Path, request: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.write_all(request).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn a_query_is_answered_and_the_socket_is_private() {
    let mut agent = Agent::start();
    let reply = agent.client(|path| ask(path, &json!({"query": "tree"})).unwrap());
    assert_eq!(reply, json!({"services": []}));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&agent.path()), 0o600);
    assert_eq!(mode(agent.path().parent().unwrap()), 0o700);
    agent.stop();
    assert!(!agent.path().exists());
}

#[test]
fn each_word_is_its_query() {
    let (queries, mut core) = mpsc::channel::<Query>(4);
    let agent = Agent::with(queries);
    agent.runtime.spawn(async move {
        while let Some(query) = core.recv().await {
            let kind = json!({ "kind": format!("{:?}", query.kind) });
            drop(query.reply.send(kind));
        }
    });
    for (request, kind) in [
        (json!({"query": "tree"}), "Tree"),
        (json!({"query": "tree", "pid": 7}), "TreeOf(7)"),
        (json!({"query": "top"}), "Top"),
        (json!({"query": "rules"}), "Rules"),
        (json!({"query": "profile"}), "Profile"),
        (json!({"query": "why-not", "pid": 7}), "WhyNot(7)"),
    ] {
        let reply = agent.client(move |path| ask(path, &request).unwrap());
        assert_eq!(reply["kind"], kind);
    }
}

#[test]
fn bad_requests_are_refused_in_words() {
    let agent = Agent::start();
    for (request, word) in [
        (&b"{\"query\":\"root\"}\n"[..], "unknown query"),
        (b"{\"query\":\"tree\",\"x\":1}\n", "bad request"),
        (b"{\"query\":\"why-not\"}\n", "needs a pid"),
        (b"{\"query\":\"why-not\",\"pid\":-1}\n", "bad request"),
        (b"\xff\xfe\n", "bad request"),
        (b"[]\n", "bad request"),
        (b"\n", "bad request"),
    ] {
        let reply = agent.client(move |path| raw(path, request));
        assert!(
            reply.starts_with("{\"error\":") && reply.contains(word),
            "{reply}"
        );
        assert_eq!(reply.matches('\n').count(), 1);
    }
    let long = agent.client(|path| raw(path, &[b' '; REQUEST_MAX + 1]));
    assert!(long.contains("at most 4096 bytes"), "{long}");
    let refused = agent.client(|path| ask(path, &json!({"query": "x"})).unwrap_err().to_string());
    assert_eq!(
        refused,
        "the sensor refused: unknown query; known: tree, rules, profile, why-not, top, tail"
    );
}

#[test]
fn more_connections_than_slots_are_closed() {
    let agent = Agent::start();
    let (over, reply) = agent.client(|path| {
        let idle: Vec<_> = (0..CONNECTIONS_MAX)
            .map(|_| UnixStream::connect(path).unwrap())
            .collect();
        let over = ask(path, &json!({"query": "tree"}))
            .unwrap_err()
            .to_string();
        drop(idle);
        // The slots come back when the server has seen the connections close.
        let reply = (0..1_000).find_map(|_| ask(path, &json!({"query": "tree"})).ok());
        (over, reply)
    });
    assert_eq!(over, "the sensor refused: too many connections");
    assert_eq!(reply, Some(json!({"services": []})));
}

#[test]
fn a_core_that_has_gone_is_said() {
    let (queries, core) = mpsc::channel(1);
    drop(core);
    let agent = Agent::with(queries);
    let error = agent.client(|path| {
        ask(path, &json!({"query": "tree"}))
            .unwrap_err()
            .to_string()
    });
    assert_eq!(error, "the sensor refused: the sensor is shutting down");
}

#[test]
fn a_live_socket_is_kept_and_a_stale_one_replaced() {
    let agent = Agent::start();
    let path = agent.path();
    let second = agent.runtime.block_on(async { Server::bind(&path) });
    assert!(matches!(second, Err(BindError::Busy(_))));

    let dir = tempfile::tempdir().unwrap();
    let stale = dir.path().join("s.sock");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    assert!(matches!(ask(&stale, &json!({})), Err(AskError::Absent(_))));
    let server = agent
        .runtime
        .block_on(async { Server::bind(&stale) })
        .unwrap();
    fs::remove_file(&stale).unwrap();
    fs::write(&stale, "another's").unwrap();
    drop(server);
    assert!(stale.exists(), "only its own socket is removed");
    let occupied = agent.runtime.block_on(async { Server::bind(&stale) });
    assert!(matches!(occupied, Err(BindError::Occupied(_))));
    assert!(matches!(
        ask(Path::new("/nonexistent/x"), &json!({})),
        Err(AskError::Absent(_))
    ));
}

#[test]
fn a_socket_of_an_agent_without_our_lock_is_kept() {
    let agent = Agent::start();
    let path = agent.dir.path().join("foreign.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let bound = agent.runtime.block_on(async { Server::bind(&path) });
    assert!(matches!(bound, Err(BindError::Busy(_))));
    drop(listener);
}
