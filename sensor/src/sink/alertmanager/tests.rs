//! What Alertmanager's API takes.

use std::{
    io::Write as _,
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
    time::Duration,
};

use serde_json::Value;

use super::*;
use crate::{
    alert::{
        Level,
        sample::{closed, sample},
    },
    sink::{Durable, Sinks, SpoolSettings, tests::wait_for},
};

#[test]
fn labels_and_annotations_are_texts_and_no_notice_is_sent() {
    let settings = WebhookSettings {
        url: "http://127.0.0.1:9/".to_owned(),
        ..WebhookSettings::default()
    };
    let receiver = Alertmanager::new(&settings).unwrap();
    let alert = sample().alert();
    let text = receiver
        .encode(&Document::Alert(Arc::new(alert.clone())))
        .unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    for part in ["labels", "annotations"] {
        let texts = value[part].as_object().unwrap();
        assert!(texts.values().all(Value::is_string), "{texts:?}");
    }
    assert_eq!(value["labels"]["alertname"], alert.rule.id.as_str());
    assert_eq!(
        value["labels"]["incident"],
        alert.incident.unwrap().id.as_str()
    );
    assert_eq!(value["annotations"]["event_id"], alert.event.id.as_str());
    assert_eq!(value["startsAt"], alert.timestamp.as_str());
    assert!(receiver.encode(&Document::Notice(closed())).is_none());
}

#[test]
fn the_path_is_added_once() {
    for url in [
        "http://am:9093",
        "http://am:9093/",
        "http://am:9093/api/v2/alerts",
    ] {
        let settings = WebhookSettings {
            url: url.to_owned(),
            ..WebhookSettings::default()
        };
        assert_eq!(settings.below(PATH).url, "http://am:9093/api/v2/alerts");
    }
}

/// A real Alertmanager; ended with the value.
struct Real(Child);

impl Drop for Real {
    fn drop(&mut self) {
        // Not waited for yet, so the pid is still its own.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Debian's `prometheus-alertmanager`, begun after the alerts: they wait for it.
#[test]
fn a_real_alertmanager_has_the_alert_once() {
    let dir = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let config = dir.path().join("am.yml");
    std::fs::write(
        &config,
        "route: {receiver: none}\nreceivers: [{name: none}]\n",
    )
    .unwrap();
    let url = format!("http://127.0.0.1:{port}");
    let settings = WebhookSettings {
        url: url.clone(),
        timeout: Duration::from_secs(2),
        ..WebhookSettings::default()
    };
    let spool = SpoolSettings {
        spool: dir.path().join("spool.db"),
        max_bytes: 1 << 20,
        batch: 10,
    };
    let (tell, told) = mpsc::sync_channel(2);
    let sinks = Sinks::new(move |_| tell.send(()).unwrap());
    let receiver = Alertmanager::new(&settings).unwrap();
    sinks
        .add("pager", Level::Low, Durable::new(spool, receiver))
        .unwrap();
    let mut alert = sample().alert();
    // An old alert would be over already.
    alert.timestamp = jiff::Timestamp::now().to_string();
    let alert = Arc::new(alert);
    sinks.send(Arc::clone(&alert));
    sinks.send(Arc::clone(&alert));
    wait_for(|| sinks.stats()[0].spooled() == 2 && sinks.queue_length() == 0);
    let started = Command::new("prometheus-alertmanager")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.path={}", dir.path().display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(child) = started else {
        // Not println!: libtest keeps back what a passing test prints.
        return writeln!(io::stdout(), "SKIP a_real_alertmanager: not installed").unwrap();
    };
    let _real = Real(child);
    for _ in 0..2 {
        told.recv_timeout(Duration::from_secs(30)).unwrap();
    }
    let mut answer = ureq::get(format!("{url}/api/v2/alerts")).call().unwrap();
    let found = answer.body_mut().read_to_string().unwrap();
    let found: Value = serde_json::from_str(&found).unwrap();
    let all = found.as_array().unwrap();
    assert_eq!(all.len(), 1, "{found}");
    assert_eq!(all[0]["labels"]["alertname"], alert.rule.id.as_str());
    assert_eq!(all[0]["labels"]["severity"], alert.weight().name());
    assert_eq!(all[0]["annotations"]["event_id"], alert.event.id.as_str());
    assert_eq!(all[0]["status"]["state"], "active", "{found}");
    assert_eq!(sinks.dropped_total(), 0);
}
