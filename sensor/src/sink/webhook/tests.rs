//! A webhook against a real socket: one that stalls, resets, answers 500 and 413, with TLS.
//! What must hold: every alert at least once, in order, with the same id.

mod server;

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use self::server::{Act, Server};
use super::*;
use crate::{
    alert::{Alert, Level, sample::sample},
    sink::{Durable, Sinks, SpoolSettings, tests::wait_for},
};

fn settings(server: &Server) -> Settings {
    Settings {
        url: server.url.clone(),
        timeout: Duration::from_millis(400),
        ..Settings::default()
    }
}

/// A sink that spools in `dir`.
fn sink(dir: &Path, settings: &Settings, batch: usize) -> Sinks {
    sink_of(dir, settings, batch, 1 << 20)
}

/// The same, whose spool has this bound.
fn sink_of(dir: &Path, settings: &Settings, batch: usize, max_bytes: u64) -> Sinks {
    let webhook = Webhook::new(settings, Encoding::Ecs, batch).unwrap();
    let spool = SpoolSettings {
        spool: dir.join("spool.db"),
        max_bytes,
        batch,
    };
    let sinks = Sinks::new(|_| ());
    sinks
        .add("hook", Level::Low, Durable::new(spool, webhook))
        .unwrap();
    sinks
}

/// The alert with this number.
fn alert(number: u64) -> Arc<Alert> {
    let mut alert = sample().alert();
    alert.event.sequence = number;
    alert.event.id = format!("{number:032x}");
    Arc::new(alert)
}

fn send(sinks: &Sinks, numbers: std::ops::Range<u64>) {
    numbers.for_each(|number| sinks.send(alert(number)));
}

fn expected(numbers: std::ops::Range<u64>) -> Vec<(u64, String)> {
    numbers
        .map(|number| (number, alert(number).event.id.clone()))
        .collect()
}

#[tokio::test]
async fn failures_delay_and_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&[Act::Status(500), Act::Stall, Act::Status(429)], None);
    let sinks = sink(dir.path(), &settings(&server), 10);
    send(&sinks, 0..30);
    assert_eq!(server.take(30), expected(0..30));
    assert!(server.is_done());
    wait_for(|| sinks.stats()[0].written_total() == 30);
    assert_eq!((sinks.stats()[0].spooled(), sinks.dropped_total()), (0, 0));
    assert_eq!(sinks.drain(Duration::from_secs(5)).await, 0);
}

#[test]
fn what_was_taken_without_an_answer_comes_again_with_the_same_ids() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&[Act::TakeAndReset], None);
    let sinks = sink(dir.path(), &settings(&server), 1);
    send(&sinks, 0..3);
    let taken = server.take(4);
    assert_eq!(taken[0], taken[1]);
    assert_eq!(taken[1..], expected(0..3));
}

#[test]
fn what_is_never_wanted_is_found_dropped_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&[Act::Without(5)], None);
    let sinks = sink(dir.path(), &settings(&server), 8);
    send(&sinks, 0..20);
    let all: Vec<_> = expected(0..20)
        .into_iter()
        .filter(|(number, _)| *number != 5)
        .collect();
    let mut taken = server.take(5 + 1 + 14);
    assert_eq!(
        taken.remove(5),
        all[4],
        "the last before it, asked about again"
    );
    assert_eq!(taken, all);
    wait_for(|| sinks.stats()[0].written_total() == 19);
    assert_eq!(sinks.dropped_total(), 1);
}

#[test]
fn who_does_not_answer_in_time_to_many_gets_fewer() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&[Act::AtMost(2)], None);
    let sinks = sink(dir.path(), &settings(&server), 4);
    send(&sinks, 0..12);
    assert_eq!(server.take(12), expected(0..12));
    assert_eq!(sinks.dropped_total(), 0);
}

#[test]
fn who_refuses_everything_for_a_while_gets_everything_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&[Act::Status(400); 3 + 2], None);
    let sinks = sink(dir.path(), &settings(&server), 8);
    send(&sinks, 0..30);
    assert_eq!(server.take(30), expected(0..30));
    assert!(server.is_done());
    wait_for(|| sinks.stats()[0].spooled() == 0);
    assert_eq!(sinks.dropped_total(), 0);
}

#[tokio::test]
async fn what_was_not_accepted_is_sent_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let nobody = Settings {
        // Port 9 of this machine: nobody listens.
        url: "http://127.0.0.1:9/".to_owned(),
        timeout: Duration::from_millis(400),
        ..Settings::default()
    };
    let sinks = sink(dir.path(), &nobody, 10);
    send(&sinks, 0..40);
    wait_for(|| sinks.stats()[0].spooled() == 40 && sinks.queue_length() == 0);
    assert_eq!(sinks.drain(Duration::from_secs(20)).await, 0);
    drop(sinks);
    let server = Server::start(&[], None);
    let sinks = sink(dir.path(), &settings(&server), 10);
    send(&sinks, 40..50);
    assert_eq!(server.take(50), expected(0..50));
}

#[test]
fn a_full_spool_is_counted_and_what_came_first_stays() {
    let dir = tempfile::tempdir().unwrap();
    let nobody = Settings {
        url: "http://127.0.0.1:9/".to_owned(),
        timeout: Duration::from_millis(400),
        ..Settings::default()
    };
    let sinks = sink(dir.path(), &nobody, 10);
    let stats = Arc::clone(&sinks.stats()[0]);
    let mut sent = 0;
    while sinks.dropped_total() == 0 {
        send(&sinks, sent..sent + 100);
        sent += 100;
        wait_for(|| sinks.queue_length() == 0);
    }
    assert_eq!(stats.spooled() as u64 + stats.dropped_total(), sent);
    assert!(stats.spooled() > 100, "{}", stats.spooled());
    let size = dir.path().join("spool.db").metadata().unwrap().len();
    assert!(size <= 1 << 20, "{size}");
}

#[test]
fn tls_believes_whom_it_was_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let server = Server::start(&[], Some(Arc::new(tls)));
    let stranger = Post::new(&settings(&server)).unwrap();
    let refused = stranger.send(&alert(0).to_json());
    assert!(matches!(&refused, Err(Refusal::NotNow(..))), "{refused:?}");
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, made.cert.pem()).unwrap();
    let known = Settings {
        ca_file: Some(file.clone()),
        ..settings(&server)
    };
    let sinks = sink(dir.path(), &known, 10);
    send(&sinks, 0..5);
    assert_eq!(server.take(5), expected(0..5));
    std::fs::write(&file, "no certificate").unwrap();
    assert!(
        Post::new(&known)
            .unwrap_err()
            .to_string()
            .contains("holds no certificate")
    );
}

#[test]
fn headers_and_token_are_sent() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    let settings = Settings {
        url: format!("http://{}/x", listener.local_addr().unwrap()),
        headers: vec!["X-Tenant: web: 1".to_owned()],
        token_file: Some(token.clone()),
        timeout: Duration::from_secs(5),
        ..Settings::default()
    };
    let head = thread::spawn(move || head(listener.accept().unwrap().0));
    Post::new(&settings).unwrap().send("{}").unwrap();
    let head = head.join().unwrap().to_lowercase();
    for line in [
        "post /x http/1.1",
        "authorization: bearer s3cret",
        "x-tenant: web: 1",
        "content-type: application/json",
    ] {
        assert!(
            head.lines().any(|it| it.trim() == line),
            "no {line} in {head}"
        );
    }
    std::fs::write(&token, "").unwrap();
    let refused = Post::new(&settings).unwrap().send("{}");
    assert!(matches!(refused, Err(Refusal::NotNow(why, _)) if why.contains("holds no token")));
}

/// The head of one request, which is answered.
fn head(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"{}") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        text.extend(byte);
    }
    stream.write_all(b"HTTP/1.1 204 x\r\n\r\n").unwrap();
    String::from_utf8(text).unwrap()
}

/// What the default bound is for: ten minutes of a hundred alerts a second.
#[test]
fn a_long_outage_fits_the_default_bound() {
    const COUNT: u64 = 1_000;
    const OUTAGE: u64 = 10 * 60 * 100;
    const BOUND: u64 = 256 << 20;
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&[Act::Stall], None);
    let sinks = sink_of(dir.path(), &settings(&server), 100, BOUND);
    send(&sinks, 0..COUNT);
    wait_for(|| sinks.queue_length() == 0);
    let size = |name: &str| dir.path().join(name).metadata().map_or(0, |it| it.len());
    let bytes = size("spool.db") + size("spool.db-wal");
    assert!(
        bytes / COUNT * OUTAGE < BOUND,
        "{bytes} bytes for {COUNT} alerts"
    );
    // And it is made up for faster than alerts come.
    let began = Instant::now();
    assert_eq!(server.take(1_000), expected(0..COUNT));
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(sinks.dropped_total(), 0);
}
