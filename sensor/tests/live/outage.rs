//! A receiver that is away while alerts come by the hundred each second. Meanwhile the outlet
//! is killed, and then the collector; when the receiver is back, it misbehaves.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::{BufReader, Write as _},
    net::TcpListener,
    sync::mpsc,
    thread,
    time::Instant,
};

use rustix::process::Signal;
use serde_json::Value;

use crate::fixture::{
    http,
    php_fpm::{Pool, Start},
    request,
    scene::{self, Scene},
    sensor::Sensor,
    site::{self, Site},
    wait::{self, PATIENCE},
};

const HOOK: &str = "sink=\"hook\"";
/// Pages opened in a storm, and shells that each starts: an incident each.
const VISITS: u32 = 8;
const SHELLS: u32 = 50;

/// A receiver that takes everything in the end.
#[derive(Default)]
struct Receiver {
    requests: usize,
    /// One of the third batch: it is refused until it has come alone, and once more then.
    victim: Option<String>,
    alone: bool,
}

/// What it does with a batch.
#[derive(PartialEq)]
enum Reply {
    Status(u16),
    /// Takes it, and closes without a word.
    Close,
}

impl Receiver {
    fn judge(&mut self, documents: &[Value]) -> Reply {
        self.requests += 1;
        if self.requests == 3 {
            self.victim = documents.get(10).map(id);
        }
        if !self.alone && self.victim.is_some() {
            let here = documents.iter().map(id).any(|id| Some(id) == self.victim);
            self.alone = here && documents.len() == 1;
            if here {
                return Reply::Status(400);
            }
        }
        match self.requests {
            1 => Reply::Status(503),
            2 => Reply::Close,
            _ => Reply::Status(200),
        }
    }
}

/// Listens on `port`; every document that was taken, in the order it came.
fn receive(port: u16) -> mpsc::Receiver<Value> {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    let (take, taken) = mpsc::sync_channel(1_000_000);
    thread::spawn(move || {
        let mut receiver = Receiver::default();
        for stream in listener.incoming() {
            let mut line = BufReader::new(stream.expect("a connection"));
            while let Some(body) = request::body(&mut line) {
                let Ok(Value::Array(documents)) = serde_json::from_str(&body) else {
                    panic!("no array: {body}");
                };
                let reply = receiver.judge(&documents);
                if matches!(reply, Reply::Close | Reply::Status(200)) {
                    for document in documents {
                        take.send(document).expect("the test reads");
                    }
                }
                let Reply::Status(status) = reply else {
                    break;
                };
                let answer = format!("HTTP/1.1 {status} it\r\ncontent-length: 0\r\n\r\n");
                line.get_mut().write_all(answer.as_bytes()).expect("answer");
            }
        }
    });
    taken
}

fn id(document: &Value) -> String {
    document["event"]["id"].as_str().expect("an id").to_owned()
}

fn sequence(document: &Value) -> u64 {
    document["event"]["sequence"].as_u64().expect("a number")
}

/// A site with a page that runs shells, one after the other.
fn stormy(scene: &Scene) -> Site {
    let site = Site::start(scene, Start::Foreground, Pool::Steady);
    let shells = format!(
        "for ($i = 0; $i < {SHELLS}; $i++) {{ system('id; whoami; cat /etc/passwd > /dev/null; : ' \
         . escapeshellarg($_GET['n']) . $i); }}"
    );
    site.page("storm.php", &shells);
    site
}

/// Opens that page again and again.
fn storm(site: &Site, name: &str) {
    for visit in 0..VISITS {
        site.visit(&format!("storm.php?n={name}-{visit}"));
    }
}

/// Waits until so many wait for the receiver.
fn spooled(sensor: &Sensor, count: f64) {
    let all = || (sensor.metric_where("sink_spooled", HOOK) >= count).then_some(());
    wait::poll(PATIENCE * 4, all).expect("alerts wait for the receiver");
}

/// Kills the outlet and waits for another one.
fn kill_outlet(sensor: &Sensor) {
    let first = sensor.outlet();
    first.signal(Signal::KILL);
    wait::until("another outlet", || {
        let next = sensor.below("__outlet")?;
        (next.pid != first.pid).then_some(())?;
        http::get(sensor.port, "/metrics").ok()
    });
}

/// Waits until every shell has alerted and everything is in the spool; how many alerts that
/// are.
fn settled(sensor: &Sensor) -> f64 {
    let limit = PATIENCE * 6;
    let label = "rule=\"shell_under_app_worker\"";
    let alerted = || sensor.metric_where("alerts_total", label);
    wait::poll(limit, || {
        (alerted() >= f64::from(VISITS * SHELLS)).then_some(())
    })
    .unwrap_or_else(|| panic!("only {} shells have alerted", alerted()));
    wait::until("everything in the spool", || {
        let waits = sensor.metric("outlet_queue_length");
        let queued = sensor.metric_where("sink_queue_length", HOOK);
        (waits < 1.0 && queued < 1.0).then_some(())
    });
    assert!(sensor.metric_where("sink_dropped_total", HOOK) < 1.0);
    assert!(sensor.metric("outlet_dropped_total") < 1.0);
    sensor.metric("alerts_total")
}

/// Each document when it came first; one that came again is the same.
fn firsts(taken: Vec<Value>) -> Vec<Value> {
    let (mut known, mut firsts) = (BTreeMap::new(), Vec::new());
    for document in taken {
        match known.insert(id(&document), document.clone()) {
            Some(before) => assert_eq!(before, document),
            None => firsts.push(document),
        }
    }
    firsts
}

/// Checks what has come of a sensor that had raised `alerts` before it was killed.
fn check(taken: Vec<Value>, alerts: f64) -> String {
    let all = taken.len();
    let firsts = firsts(taken);
    let mut said = String::new();
    write!(said, "{} documents, {all} deliveries", firsts.len()).expect("a String");
    assert!(
        all > firsts.len(),
        "what was taken without an answer comes again: {said}"
    );
    let ordered = firsts.is_sorted_by(|one, next| sequence(one) < sequence(next));
    assert!(
        ordered,
        "{:?}",
        firsts.iter().map(sequence).collect::<Vec<_>>()
    );
    let last = firsts.last().expect("documents");
    assert_eq!(last["rule"]["id"], "capture_ended", "{last}");
    let is_alert = |it: &&Value| it["event"]["kind"] == "alert";
    let come = firsts.iter().filter(is_alert).count() - 1;
    let counted = u32::try_from(come).expect("some thousands");
    assert!(
        f64::from(counted) >= alerts,
        "{come} of {alerts} alerts: {said}"
    );
    let mut incidents = BTreeMap::<_, u32>::new();
    for alert in firsts.iter().filter(is_alert) {
        *incidents
            .entry(alert["incident"]["id"].as_str())
            .or_default() += 1;
    }
    let long: BTreeSet<_> = incidents.values().filter(|&&count| count > 1).collect();
    assert!(!long.is_empty(), "no incident of two alerts: {said}");
    write!(said, ", {come} alerts in {} incidents", incidents.len()).expect("a String");
    said
}

#[test]
fn alerts_of_an_outage_come_in_order_though_outlet_and_collector_are_killed() {
    let name = "outage::alerts_of_an_outage_come_in_order_though_outlet_and_collector_are_killed";
    let Some(scene) = Scene::begin(name, site::NEEDS) else {
        return;
    };
    let port = scene::free_port();
    // Standard output is a pipe: a line that a killed outlet had begun would stay half.
    let hook = scene.webhook(port, "level: informational");
    let lines = format!("output: {{level: critical}}\nsinks: [{hook}]");
    let mut sensor = Sensor::configured(&lines, &scene.path().join("first"));
    let site = stormy(&scene);
    let began = Instant::now();
    thread::scope(|scope| {
        let storm = scope.spawn(|| storm(&site, "one"));
        spooled(&sensor, 300.0);
        kill_outlet(&sensor);
        storm.join().expect("the storm");
    });
    let alerts = settled(&sensor);
    let rate = alerts / began.elapsed().as_secs_f64();
    let waiting = sensor.metric_where("sink_spooled", HOOK);
    let outlet = sensor.outlet();
    thread::scope(|scope| {
        let storm = scope.spawn(|| storm(&site, "two"));
        spooled(&sensor, waiting + 100.0);
        sensor.stop_within(Signal::KILL, PATIENCE);
        storm.join().expect("the storm");
    });
    wait::until("the outlet to end", || (!outlet.is_alive()).then_some(()));
    drop(sensor);

    let taken = receive(port);
    let sensor = Sensor::configured(&lines, &scene.path().join("second"));
    let mut come = Vec::new();
    while come
        .last()
        .is_none_or(|it: &Value| it["rule"]["id"] != "capture_ended")
    {
        come.push(taken.recv_timeout(PATIENCE * 2).expect("a document"));
    }
    let said = check(come, alerts);
    scene::note(name, &format!("{said}; {rate:.0} alerts/s"));
    wait::until("the spool to be empty", || {
        (sensor.metric_where("sink_spooled", HOOK) < 1.0).then_some(())
    });
    for lost in ["sink_refused_total", "sink_dropped_total"] {
        assert!(sensor.metric_where(lost, HOOK) < 1.0, "{lost}");
    }
    sensor.stop();
}
