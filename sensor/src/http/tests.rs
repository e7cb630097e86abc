//! Requests over real connections.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};

use super::{CONNECTIONS, Readiness, Server};
use crate::metrics::{Build, CoreStats, Metrics};

const NOW: u64 = 100_000_000_000;

struct Running {
    address: SocketAddr,
    core: Arc<CoreStats>,
    readiness: Readiness,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

async fn running() -> Running {
    running_with(super::HEADER_TIME).await
}

async fn running_with(header_time: Duration) -> Running {
    let mut server = Server::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    server.header_time = header_time;
    let address = server.address();
    let core = Arc::new(CoreStats::default());
    let build = Build {
        version: "0",
        kernel: "0",
    };
    let metrics = Arc::new(Metrics::new(Arc::clone(&core), build, || NOW).unwrap());
    let readiness = Readiness::default();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { stopped.await.unwrap_or_default() };
    let task = tokio::spawn(server.serve(metrics, readiness.clone(), shutdown));
    Running {
        address,
        core,
        readiness,
        stop,
        task,
    }
}

async fn raw(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is fine: the server does not read bodies.
    drop(stream.read_to_end(&mut answer).await);
    String::from_utf8(answer).unwrap()
}

async fn ask(address: SocketAddr, method: &str, path: &str) -> (u16, String, String) {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = raw(address, request.as_bytes()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (
        head[9..12].parse().unwrap(),
        head.to_lowercase(),
        body.to_owned(),
    )
}

#[tokio::test]
async fn routes() {
    let server = running().await;
    let (status, head, body) = ask(server.address, "GET", "/metrics").await;
    assert_eq!(status, 200);
    assert!(
        head.contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    assert!(
        body.contains("\nlineage_sensor_build_info{kernel=\"0\",version=\"0\"} 1\n"),
        "{body}"
    );
    let (status, head, body) = ask(server.address, "HEAD", "/metrics").await;
    assert_eq!((status, body.as_str()), (200, ""));
    assert!(head.contains("content-length: "), "{head}");
    assert_eq!(
        ask(server.address, "GET", "/").await.2,
        "/metrics\n/livez\n/readyz\n"
    );
    assert_eq!(ask(server.address, "GET", "/other").await.0, 404);
    let (status, head, _) = ask(server.address, "POST", "/metrics").await;
    assert_eq!(status, 405);
    assert!(head.contains("allow: get,head"), "{head}");
    server.stop.send(()).unwrap();
    server.task.await.unwrap();
}

#[tokio::test]
async fn ready_when_every_condition_is_met() {
    let server = running().await;
    let attached = server
        .readiness
        .condition("capture", "programs not attached");
    let seeded = server.readiness.condition("seed", "scan running");
    let (status, _, body) = ask(server.address, "GET", "/readyz").await;
    assert_eq!(
        (status, body.as_str()),
        (503, "capture: programs not attached\nseed: scan running\n")
    );
    attached.met();
    seeded.met();
    assert_eq!(ask(server.address, "GET", "/readyz").await.0, 200);
    seeded.unmet("records lost, scanning again");
    let (status, _, body) = ask(server.address, "GET", "/readyz").await;
    assert_eq!(
        (status, body.as_str()),
        (503, "seed: records lost, scanning again\n")
    );
}

#[tokio::test]
async fn alive_while_the_core_turns() {
    let server = running().await;
    assert_eq!(ask(server.address, "GET", "/livez").await.0, 200);
    server.core.tick(NOW - 31_000_000_000);
    let (status, _, body) = ask(server.address, "GET", "/livez").await;
    assert_eq!((status, body.as_str()), (503, "core silent for 31 s\n"));
    server.core.tick(NOW);
    assert_eq!(ask(server.address, "GET", "/livez").await.0, 200);
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let server = running().await;
    let error = anyhow::Error::from(Server::bind(server.address).await.unwrap_err());
    let text = format!("{error:#}");
    assert!(
        text.starts_with(&format!("cannot listen on {}: stop what has it, or set another http.listen: ", server.address)),
        "{text}"
    );
}

#[tokio::test]
async fn hostile_requests_are_refused() {
    let server = running().await;
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(100_000));
    for (request, status) in [
        (&b"\x16\x03\x01 not http\r\n\r\n"[..], "400"),
        (long.as_bytes(), "4"),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        (
            b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\nxx",
            "200",
        ),
    ] {
        let answer = raw(server.address, request).await;
        assert!(
            answer.is_empty() || answer[9..].starts_with(status),
            "{answer}"
        );
    }
    assert_eq!(ask(server.address, "GET", "/livez").await.0, 200);
}

#[tokio::test]
async fn idle_connections_do_not_keep_others_out_for_long() {
    let server = running_with(Duration::from_millis(100)).await;
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS {
        idle.push(TcpStream::connect(server.address).await.unwrap());
    }
    let asked = tokio::time::timeout(Duration::from_secs(8), ask(server.address, "GET", "/livez"));
    assert_eq!(asked.await.unwrap().0, 200);
}

#[tokio::test]
async fn the_end_does_not_wait_for_idle_connections() {
    let server = running().await;
    let _idle = TcpStream::connect(server.address).await.unwrap();
    server.stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(2), server.task)
        .await
        .unwrap()
        .unwrap();
}
