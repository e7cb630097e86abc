//! php-fpm in the control group of a container in a pod, with the directories that the
//! kubelet makes for logs: alerts name namespace, pod and container.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    thread,
};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::fixture::{
    alert::Alert,
    cgroup::{self, Cgroup},
    php_fpm::{Pool, Start},
    recording,
    scene::{Need, Scene},
    sensor::Sensor,
    site::{self, Site},
    stage::Stage,
    wait,
};

pub(super) const UID: &str = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const NEEDS: &[Need] = &[cgroup::root];

/// What the kubelet makes for a pod of one container.
pub(super) fn log_directory(scene: &Path, pod: &str, uid: &str) {
    let path = scene.join("pods").join(format!("shop_{pod}_{uid}/php"));
    fs::create_dir_all(path).expect("make a directory");
}

/// The sensor's settings; `recording` stands in the test's directory.
fn sensor(recording: &Path) -> Sensor {
    let pods = recording.with_file_name("pods");
    let lines = format!("kubernetes: {{ pod_logs: {} }}", pods.display());
    Sensor::configured(&lines, recording)
}

fn enter(site: &Site, cgroup: &Cgroup) {
    cgroup.take(site.php.master());
    for worker in site.php.workers() {
        cgroup.take(worker);
    }
}

/// The alert's container and pod, named or not.
#[track_caller]
fn assert_placed(alert: &Alert, is_named: bool) {
    let mut container = json!({"id": ID, "runtime": "containerd"});
    let mut pod = json!({"type": "kubernetes", "resource": {"type": "pod", "id": UID}});
    if is_named {
        container["name"] = json!("php");
        pod["namespace"] = json!("shop");
        pod["resource"]["name"] = json!("web-0");
    }
    assert_eq!(alert.json["container"], container, "{alert}");
    assert_eq!(alert.json["orchestrator"], pod, "{alert}");
}

#[test]
fn the_first_alert_names_the_pod() {
    let needs = [site::NEEDS, NEEDS].concat();
    let Some(scene) = Scene::begin("server::pod::the_first_alert_names_the_pod", &needs) else {
        return;
    };
    log_directory(scene.path(), "web-0", UID);
    let cgroup = Cgroup::of_container(UID, ID);
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    enter(&site, &cgroup);
    let recording: PathBuf = scene.path().join("recording");
    let mut sensor = sensor(&recording);
    let master = site.php.master().pid;
    let service = wait::until("names of the service", || {
        let service = sensor.service(master)?;
        (!service["pod"].is_null()).then_some(service)
    });
    for (field, expected) in [
        ("container", ID),
        ("container_name", "php"),
        ("namespace", "shop"),
        ("pod", "web-0"),
    ] {
        assert_eq!(service[field], expected, "{service}");
    }
    let drawn = sensor.ask(&["tree"]).stdout;
    let drawn = String::from_utf8_lossy(&drawn).into_owned();
    let place = "pod shop/web-0 container php 0123456789ab";
    assert!(drawn.contains(place), "{drawn}");

    site.shell("id.php", "id; :");
    let shell = sensor.alert("shell_under_app_worker", |alert| alert.root() == master);
    assert_placed(&shell, true);
    let live = sensor.stop_and_read();
    let text = String::from_utf8_lossy(&live);
    assert!(!text.contains("container-named"), "{text}");
    recording::assert_equal(&recording, &live);
    drop(site);
}

#[test]
fn names_that_come_after_the_alert_are_told_of_its_incident() {
    let Some(mut stage) = Stage::begin_with("server::pod", NEEDS, sensor) else {
        return;
    };
    let cgroup = Cgroup::of_container(UID, ID);
    enter(&stage.site, &cgroup);
    stage.site.shell("id.php", "id; :");
    let unnamed = stage.saw("shell_under_app_worker", |alert| {
        alert.args() == ["sh", "-c", "id; :"]
    });
    assert_placed(&unnamed, false);
    log_directory(stage.scene.path(), "web-0", UID);
    let incident = &unnamed.json["incident"]["id"];
    let notice = stage.sensor.notice("container-named", |notice| {
        notice["incident"]["id"] == *incident
    });
    assert_named(&notice);
    stage.only(|alert| alert.concerns(unnamed.pid()));

    stage.site.shell("again.php", "id; : again");
    let named = stage.saw("shell_under_app_worker", |alert| {
        alert.args() == ["sh", "-c", "id; : again"]
    });
    assert_placed(&named, true);
    stage.only(|alert| alert.concerns(named.pid()));
    stage.end();
}

/// The API of Kubernetes as far as the sensor asks it: a list of one pod, then a watch in
/// which nothing happens.
fn api() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind a loopback port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || answer(BufReader::new(stream)));
        }
    });
    address.port()
}

fn answer(mut stream: BufReader<TcpStream>) -> std::io::Result<()> {
    let pod = json!({"metadata": {
        "uid": UID, "namespace": "shop", "name": "web-0", "resourceVersion": "7",
        "labels": {"team": "red", "secret": "x"},
    }});
    let list = json!({"metadata": {"resourceVersion": "9"}, "items": [pod]}).to_string();
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let answer = if head.contains("watch=true") {
            "transfer-encoding: chunked\r\n\r\n".to_owned()
        } else {
            format!("content-length: {}\r\n\r\n{list}", list.len())
        };
        let answer = format!("HTTP/1.1 200 OK\r\n{answer}");
        stream.get_mut().write_all(answer.as_bytes())?;
    }
}

/// Inodes of the sockets of a process; `None` when it has ended.
fn sockets(pid: u32) -> Option<BTreeSet<String>> {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    let sockets = links.filter_map(|link| {
        let inode = link.to_str()?.strip_prefix("socket:[")?;
        Some(inode.strip_suffix(']')?.to_owned())
    });
    Some(sockets.collect())
}

/// Whether a running process has a connection to this port.
fn asks(pid: u32, port: u16) -> bool {
    let own = sockets(pid).expect("it runs");
    !connected(port).is_disjoint(&own)
}

/// Inodes of sockets that are connected to this port of the loopback interface.
fn connected(port: u16) -> BTreeSet<String> {
    let table = fs::read_to_string("/proc/net/tcp").expect("the table of sockets");
    let remote = format!("0100007F:{port:04X}");
    let rows = table.lines().map(|line| line.split_whitespace());
    let rows = rows.filter_map(|mut row| (row.nth(2)? == remote).then(|| row.nth(6)).flatten());
    rows.map(str::to_owned).collect()
}

/// Without the kubelet's directories: names come from the API, too. The outlet asks it, also
/// one that takes the place of another, and the collector has no connection.
#[test]
fn labels_come_from_the_api() {
    let needs = [site::NEEDS, NEEDS].concat();
    let Some(scene) = Scene::begin("server::pod::labels_come_from_the_api", &needs) else {
        return;
    };
    let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]);
    let certificate = certificate.expect("make a certificate").cert.pem();
    let (token, ca) = (scene.file("token", "t"), scene.file("ca.crt", certificate));
    let port = api();
    let lines = format!(
        "kubernetes: {{ pod_logs: /nonexistent, watch: true, node: node-1, labels: [team], \
         api: \"http://127.0.0.1:{port}\", token_file: {}, ca_file: {} }}",
        token.display(),
        ca.display()
    );
    let cgroup = Cgroup::of_container(UID, ID);
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    enter(&site, &cgroup);
    let recording = scene.path().join("recording");
    let mut sensor = Sensor::configured(&lines, &recording);
    let master = site.php.master().pid;
    wait::until("names of the service", || {
        let service = sensor.service(master)?;
        (service["pod"] == "web-0").then_some(())
    });
    site.shell("id.php", "id; :");
    let shell = sensor.alert("shell_under_app_worker", |alert| alert.root() == master);
    let pod = &shell.json["orchestrator"];
    assert_eq!(pod["namespace"], "shop", "{shell}");
    assert_eq!(pod["resource"]["name"], "web-0", "{shell}");
    assert_eq!(pod["resource"]["label"], json!(["team=red"]), "{shell}");
    for metric in ["kubernetes_pods", "kubernetes_watch_up"] {
        let value = sensor.metric(metric);
        assert!((value - 1.0).abs() < f64::EPSILON, "{metric}: {value}");
    }

    let first = sensor.outlet();
    assert!(asks(first.pid, port) && !asks(sensor.pid(), port));
    first.signal(Signal::KILL);
    wait::until("another outlet that watches", || {
        let next = sensor.below("__outlet")?;
        let watches = !connected(port).is_disjoint(&sockets(next.pid)?);
        (next.pid != first.pid && watches).then_some(())
    });
    assert!(!asks(sensor.pid(), port));
    site.shell("again.php", "id; : again");
    let again = sensor.alert("shell_under_app_worker", |alert| {
        alert.args() == ["sh", "-c", "id; : again"]
    });
    let labels = &again.json["orchestrator"]["resource"]["label"];
    assert_eq!(*labels, json!(["team=red"]), "{again}");
    let live = sensor.stop_and_read();
    recording::assert_equal(&recording, &live);
    drop(site);
}

#[track_caller]
fn assert_named(notice: &Value) {
    assert_eq!(notice["orchestrator"]["namespace"], "shop", "{notice}");
    assert_eq!(
        notice["orchestrator"]["resource"]["name"], "web-0",
        "{notice}"
    );
    assert_eq!(notice["container"]["name"], "php", "{notice}");
    assert_eq!(
        notice["message"],
        "it happened in container php (0123456789ab) in pod shop/web-0"
    );
}
