//! Objects as the API has them, and a watch of a stub that hands them out.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        mpsc::{self, SyncSender},
    },
    time::Instant,
};

use serde_json::{Value, json};

use super::{
    super::*,
    server::{Act, Server},
};

/// UID of the pod with this number.
pub(super) fn uid(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

/// The pod with this number, as the API has it.
pub(super) fn pod(number: usize, version: usize, app: &str) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "metadata": {
            "uid": uid(number), "name": format!("web-{number}"), "namespace": "shop",
            "resourceVersion": version.to_string(),
            "labels": {"app": app, "secret": "not asked for"},
        },
    })
}

pub(super) fn list(pods: &[Value], version: usize) -> Act {
    page(pods, version, "")
}

pub(super) fn page(pods: &[Value], version: usize, more: &str) -> Act {
    let list = json!({
        "kind": "PartialObjectMetadataList",
        "metadata": {"resourceVersion": version.to_string(), "continue": more},
        "items": pods,
    });
    Act::Answer(200, list.to_string())
}

pub(super) fn event(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": kind, "object": object}))
}

pub(super) fn bookmark(version: usize) -> String {
    let object = json!({"metadata": {"resourceVersion": version.to_string()}});
    event("BOOKMARK", &object)
}

pub(super) fn gone() -> String {
    event(
        "ERROR",
        &json!({"kind": "Status", "code": 410, "reason": "Expired"}),
    )
}

/// A watch that the test feeds; it ends when the sender is dropped.
pub(super) fn fed() -> (SyncSender<String>, Act) {
    let (feed, pieces) = mpsc::sync_channel(4_096);
    (feed, Act::Stream(pieces))
}

/// A watch that says this and stays open.
pub(super) fn open(pieces: &[String]) -> (SyncSender<String>, Act) {
    let (feed, act) = fed();
    for piece in pieces {
        feed.send(piece.clone()).unwrap();
    }
    (feed, act)
}

/// A watch of a stub, the files of its account, and what the other process knows by it.
pub(super) struct Followed {
    pub(super) server: Server,
    pub(super) pods: Pods,
    pub(super) account: tempfile::TempDir,
    pub(super) stats: Arc<WatchStats>,
    /// The thread goes on while it is held.
    pub(super) stop: SyncSender<()>,
}

pub(super) fn settings(url: &str, account: &Path) -> Settings {
    Settings {
        api: url.to_owned(),
        node: "node-1".to_owned(),
        labels: vec!["app".to_owned(), "team".to_owned()],
        token_file: account.join("token"),
        ca_file: account.join("ca.crt"),
        timeout: Duration::from_millis(800),
        watch: Duration::from_mins(1),
        pause: Duration::from_millis(20),
    }
}

pub(super) fn follow_with(
    acts: Vec<Act>,
    tls: Option<(Arc<rustls::ServerConfig>, String)>,
    mutate: impl FnOnce(&mut Settings),
) -> Followed {
    let account = tempfile::tempdir().unwrap();
    let (tls, ca) = tls.unzip();
    // Plain HTTP needs none, but there always is one.
    let ca = ca.unwrap_or_else(|| certificate().1);
    fs::write(account.path().join("ca.crt"), ca).unwrap();
    fs::write(account.path().join("token"), "first\n").unwrap();
    let server = Server::start(acts, tls);
    let mut settings = settings(&server.url, account.path());
    mutate(&mut settings);
    let pods = Pods::new(&settings.labels);
    let mut hearing = pods.hearing();
    let Feed {
        mut changes,
        stats,
        _stop: stop,
    } = start(settings).unwrap();
    thread::spawn(move || {
        while let Some(change) = changes.blocking_recv() {
            hearing.hear(vec![change]).expect("what may be said");
        }
    });
    Followed {
        server,
        pods,
        account,
        stats,
        stop,
    }
}

pub(super) fn follow(acts: Vec<Act>) -> Followed {
    follow_with(acts, None, |_| ())
}

/// A server's configuration, and the certificate to believe.
pub(super) fn certificate() -> (Arc<rustls::ServerConfig>, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = made.signing_key.serialize_der().try_into().unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (Arc::new(config), made.cert.pem())
}

/// Waits for a condition.
#[track_caller]
pub(super) fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

impl Followed {
    pub(super) fn app(&self, number: usize) -> Option<String> {
        let pod = self.pods.get(&uid(number))?;
        assert_eq!(
            (&*pod.namespace, pod.name),
            ("shop", format!("web-{number}"))
        );
        assert!(pod.labels.iter().all(|(key, _)| key == "app"));
        Some(pod.labels.into_iter().next()?.1)
    }

    #[track_caller]
    pub(super) fn until_app(&self, number: usize, app: Option<&str>) {
        until(&format!("{app:?} of {number}"), || {
            self.app(number).as_deref() == app
        });
    }
}
