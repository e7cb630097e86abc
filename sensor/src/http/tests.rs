//! Requests over real connections.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{CONNECTIONS, Pulse, Readiness, Scrape, Server, Sources};
use crate::metrics::OutletMetrics;

const NOW: u64 = 100_000_000_000;

struct Running {
    address: SocketAddr,
    pulse: Arc<Pulse>,
    scrapes: mpsc::Receiver<Scrape>,
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
    let pulse = Arc::new(Pulse::default());
    let (asked, scrapes) = mpsc::channel(4);
    let sources = Sources {
        metrics: Arc::new(OutletMetrics::new(|| NOW).unwrap()),
        pulse: Arc::clone(&pulse),
        scrapes: asked,
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { stopped.await.unwrap_or_default() };
    let task = tokio::spawn(server.serve(sources, shutdown));
    Running {
        address,
        pulse,
        scrapes,
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
    let mut server = running().await;
    let page = "# HELP lineage_sensor_a Theirs.\nlineage_sensor_a 7\n";
    let answer = async {
        let scrape = server.scrapes.recv().await.unwrap();
        scrape.send(page.to_owned()).unwrap();
    };
    let ((status, head, body), ()) = tokio::join!(ask(server.address, "GET", "/metrics"), answer);
    assert_eq!(status, 200);
    assert!(body.starts_with(page), "{body}");
    assert!(
        head.contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    assert!(body.contains("\nlineage_sensor_collector_up 1\n"), "{body}");
    let (status, head, body) = ask(server.address, "HEAD", "/").await;
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
    let readiness = Readiness::default();
    let attached = readiness.condition("capture", "programs not attached");
    let seeded = readiness.condition("seed", "scan running");
    server.pulse.beat(1, readiness.missing());
    let (status, _, body) = ask(server.address, "GET", "/readyz").await;
    assert_eq!(
        (status, body.as_str()),
        (503, "capture: programs not attached\nseed: scan running\n")
    );
    attached.met();
    seeded.met();
    server.pulse.beat(1, readiness.missing());
    assert_eq!(ask(server.address, "GET", "/readyz").await.0, 200);
    seeded.unmet("records lost, scanning again");
    server.pulse.beat(1, readiness.missing());
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
    server.pulse.beat(NOW - 31_000_000_000, Vec::new());
    let (status, _, body) = ask(server.address, "GET", "/livez").await;
    assert_eq!((status, body.as_str()), (503, "core silent for 31 s\n"));
    server.pulse.beat(NOW, Vec::new());
    assert_eq!(ask(server.address, "GET", "/livez").await.0, 200);
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let server = running().await;
    let error = anyhow::Error::from(Server::bind(server.address).await.unwrap_err());
    let text = format!("{error:#}");
    assert!(
        text.starts_with(&format!(
            "cannot listen on {}: stop what has it, or set another http.listen: ",
            server.address
        )),
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

#[tokio::test]
async fn without_the_collector_the_page_says_so_in_time() {
    let mut server = running().await;
    server.pulse.beat(NOW, Vec::new());
    let asked = std::time::Instant::now();
    let (status, _, body) = ask(server.address, "GET", "/metrics").await;
    assert_eq!(status, 200);
    assert!(body.contains("\nlineage_sensor_collector_up 0\n"), "{body}");
    assert!(
        asked.elapsed() < Duration::from_secs(4),
        "{:?}",
        asked.elapsed()
    );
    let (status, _, body) = ask(server.address, "GET", "/readyz").await;
    assert!(status == 503 && body.starts_with("collector: "), "{body}");
    // Nobody waits any more.
    assert!(server.scrapes.recv().await.unwrap().is_closed());
    server.pulse.beat(NOW, Vec::new());
    assert_eq!(ask(server.address, "GET", "/readyz").await.0, 200);
}

/// Whatever bytes come, the connection ends and the server goes on.
#[test]
fn any_bytes_leave_the_server_standing() {
    use proptest::{
        collection::vec,
        prelude::*,
        test_runner::{Config, TestRunner},
    };

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = runtime.block_on(running_with(Duration::from_millis(200)));
    let token = prop_oneof![
        Just(b"GET ".to_vec()),
        Just(b"/livez".to_vec()),
        Just(b" HTTP/1.1".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\r\n\r\n".to_vec()),
        Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
        Just(b"Content-Length: 18446744073709551616\r\n".to_vec()),
        Just(vec![b'A'; 20_000]),
        vec(any::<u8>(), 0..64),
    ];
    let mut runner = TestRunner::new(Config::with_cases(64));
    let outcome = runner.run(&vec(token, 0..12), |parts| {
        let answer = runtime.block_on(async {
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            // It may close before all is sent.
            drop(stream.write_all(&parts.concat()).await);
            drop(stream.shutdown().await);
            let mut answer = Vec::new();
            let read = stream.read_to_end(&mut answer);
            tokio::time::timeout(Duration::from_secs(5), read)
                .await
                .map(drop)
                .map(|()| answer)
        });
        let answer = answer.map_err(|_elapsed| TestCaseError::fail("the connection stays open"))?;
        prop_assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."));
        Ok(())
    });
    outcome.unwrap();
    assert_eq!(
        runtime.block_on(ask(server.address, "GET", "/livez")).0,
        200
    );
}
