//! The shipped image as the `DaemonSet` runs it, beside nginx and php-fpm in a container.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::Value;

use super::{
    container::{PODMAN, run_below},
    pod::{UID, log_directory},
};
use crate::fixture::{
    cgroup::{self, Cgroup},
    container, http, php_fpm,
    pod::{self, Pod},
    process::Guard,
    scene::{self, Need, Scene},
    wait,
};

/// `CAP_PERFMON`, `CAP_BPF`.
const ATTACHING: u64 = 1 << 38 | 1 << 39;
/// These, `CAP_DAC_READ_SEARCH` and `CAP_SYS_PTRACE`.
const CAPABILITIES: u64 = 1 << 2 | 1 << 19 | ATTACHING;

/// Its servers are in a control group of a pod, whose directory of logs is there.
#[test]
fn the_image_sees_a_shell_in_another_container() {
    let name = "server::image::the_image_sees_a_shell_in_another_container";
    let Some(scene) = Scene::begin(name, &needs()) else {
        return;
    };
    log_directory(scene.path(), "web-0", UID);
    let pod = Pod::start(&scene, &pod::archive().expect("it was there"));
    confined(pod.process().pid);

    let parent = Cgroup::of_pod(UID);
    let web = Web::start(&scene, &parent);
    let services = wait::until("names of the services", || {
        let tree = tree(&pod, &web.id);
        let named = tree.iter().all(|it| it["pod"] == "web-0");
        (named && !tree.is_empty()).then_some(tree)
    });
    let kinds = services.iter().filter_map(|it| it["kind"].as_str());
    let kinds: BTreeSet<_> = kinds.collect();
    assert_eq!(kinds, ["nginx", "php-fpm"].into(), "{services:?}");
    web.ask();
    let shell = pod.alert("shell_under_app_worker", is_attack);
    assert_eq!(shell["service"]["kind"], "php-fpm", "{shell}");
    assert_placed(&shell, &web.id, Some("web-0"));
    // Of the node's /etc/passwd, which is mounted.
    assert_eq!(shell["process"]["user"]["name"], "www-data", "{shell}");
    assert_eq!(shell["evidence"]["lost_events"], 0, "{shell}");

    let metrics = http::get(pod.port, "/metrics").expect("metrics").body;
    assert!(
        metrics.contains("lineage_sensor_hook_info{hook=\"open\""),
        "{metrics}"
    );
    let alerts = pod.ask(&["alerts", "--since", "1h", "--json"]);
    let history = String::from_utf8_lossy(&alerts.stdout).into_owned();
    assert!(history.contains("shell_under_app_worker"), "{alerts:?}");
    assert!(scene.path().join("history/history.db").exists());
    drop(web);
    pod.stop();
}

/// What README has one do with `kubectl exec`, for a first alert.
#[test]
fn a_simulation_in_the_pod_alerts() {
    let name = "server::image::a_simulation_in_the_pod_alerts";
    let Some(scene) = Scene::begin(name, &needs()) else {
        return;
    };
    let pod = Pod::start(&scene, &pod::archive().expect("it was there"));
    let simulated = pod.ask(&["simulate", "--directory", "/var/lib/lineage-sensor"]);
    let said = String::from_utf8_lossy(&simulated.stdout).into_owned();
    assert!(simulated.status.success(), "{said} {simulated:?}");
    pod.alert("shell_under_app_worker", |_| true);
    pod.stop();
}

#[test]
fn the_image_names_a_pod_after_its_first_alert() {
    let name = "server::image::the_image_names_a_pod_after_its_first_alert";
    let Some(scene) = Scene::begin(name, &needs()) else {
        return;
    };
    let parent = Cgroup::of_pod(UID);
    // There before the sensor, which sees its control group out of a namespace of its own.
    let web = Web::start(&scene, &parent);
    let pod = Pod::start(&scene, &pod::archive().expect("it was there"));
    web.ask();
    let first = pod.alert("shell_under_app_worker", is_attack);
    assert_placed(&first, &web.id, None);
    log_directory(scene.path(), "web-0", UID);
    let notice = pod.notice("container-named", |notice| {
        notice["incident"]["id"] == first["incident"]["id"]
    });
    assert_placed(&notice, &web.id, Some("web-0"));
    web.ask();
    let next = pod.alert("shell_under_app_worker", |alert| {
        is_attack(alert) && alert["event"]["id"] != first["event"]["id"]
    });
    assert_placed(&next, &web.id, Some("web-0"));
    let named = tree(&pod, &web.id);
    let is_named = !named.is_empty() && named.iter().all(|it| it["pod"] == "web-0");
    assert!(is_named, "{named:?}");
    drop(web);
    pod.stop();
}

fn needs() -> Vec<Need> {
    let own: &[Need] = &[pod::archive, php_fpm::program, cgroup::root];
    [PODMAN, own].concat()
}

fn is_attack(alert: &Value) -> bool {
    alert["process"]["args"] == serde_json::json!(["sh", "-c", "id; :"])
}

/// The container, and its pod with or without its names.
#[track_caller]
fn assert_placed(document: &Value, id: &str, pod: Option<&str>) {
    let (container, orchestrator) = (&document["container"], &document["orchestrator"]);
    assert_eq!(container["id"], id, "{document}");
    assert_eq!(container["runtime"], "podman", "{document}");
    assert_eq!(orchestrator["type"], "kubernetes", "{document}");
    assert_eq!(orchestrator["resource"]["id"], UID, "{document}");
    let name = pod.map_or(Value::Null, Value::from);
    assert_eq!(orchestrator["resource"]["name"], name, "{document}");
    let [namespace, php] = ["shop", "php"].map(|it| pod.map_or(Value::Null, |_| it.into()));
    assert_eq!(orchestrator["namespace"], namespace, "{document}");
    assert_eq!(container["name"], php, "{document}");
}

/// nginx and php-fpm in a container.
struct Web {
    root: PathBuf,
    id: String,
    _servers: Guard,
}

impl Web {
    fn start(scene: &Scene, parent: &Cgroup) -> Self {
        let root = container::file_system(scene.path());
        scene::write(&root.join("srv/public/id.php"), "<?php system('id; :');");
        scene::write(&root.join("srv/public/up.php"), "up");
        let id_file = scene.path().join("id");
        let servers = run_below(Some(parent), scene, &root, &id_file);
        wait::until("an answer out of the container", || {
            let answer = container::ask(&root, "/up.php").ok()?;
            answer.ends_with("up").then_some(())
        });
        let id = fs::read_to_string(&id_file).expect("the container's id");
        Self {
            root,
            id: id.trim().to_owned(),
            _servers: servers,
        }
    }

    /// Has the page run a shell.
    #[track_caller]
    fn ask(&self) {
        let answer = container::ask(&self.root, "/id.php").expect("an answer");
        assert!(answer.contains("uid=33"), "{answer}");
    }
}

/// The services in a container, as the control socket inside the sensor's own tells them.
#[track_caller]
fn tree(pod: &Pod, container: &str) -> Vec<Value> {
    let answer = pod.ask(&["tree", "--json"]);
    assert!(answer.status.success(), "{answer:?}");
    let tree: Value = serde_json::from_slice(&answer.stdout).expect("JSON");
    let services = tree["services"].as_array().expect("a list");
    let inside = services
        .iter()
        .filter(|service| service["container"] == container);
    let inside: Vec<_> = inside.cloned().collect();
    inside
}

/// Four capabilities, no new ones, a filter of system calls.
#[track_caller]
fn confined(pid: u32) {
    let status = procfs::process::Process::new(pid.cast_signed())
        .and_then(|process| process.status())
        .expect("read its status");
    let bounding = status.capbnd.expect("a bounding set");
    assert_eq!(bounding, CAPABILITIES, "{bounding:x}");
    // What attaching wanted is gone.
    for set in [status.capeff, status.capprm] {
        assert_eq!(set, CAPABILITIES & !ATTACHING, "{set:x}");
    }
    assert_eq!(status.capamb.unwrap_or(0), 0);
    assert_eq!(status.nonewprivs, Some(1));
    assert_eq!(status.seccomp, Some(2));
    let links = ["exe", "ns/pid"].map(|name| fs::read_link(format!("/proc/{pid}/{name}")));
    let [exe, pids] = links.map(|link| link.expect("read a link"));
    assert_eq!(exe.as_os_str(), "/lineage-sensor");
    assert_eq!(pids, fs::read_link("/proc/self/ns/pid").expect("a link"));
}
