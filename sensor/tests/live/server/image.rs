//! The shipped image as the `DaemonSet` runs it, beside nginx and php-fpm in a container.

use std::fs;

use serde_json::Value;

use super::container::{PODMAN, run};
use crate::fixture::{
    container, http, php_fpm,
    pod::{self, Pod},
    scene::{self, Scene},
    wait,
};

const CAPABILITIES: u64 = 1 << 2 | 1 << 19 | 1 << 38 | 1 << 39;

#[test]
fn the_image_sees_a_shell_in_another_container() {
    let needs = [PODMAN, &[pod::archive as _, php_fpm::program as _]].concat();
    let name = "server::image::the_image_sees_a_shell_in_another_container";
    let Some(scene) = Scene::begin(name, &needs) else {
        return;
    };
    let root = container::file_system(scene.path());
    scene::write(&root.join("srv/public/id.php"), "<?php system('id; :');");
    let pod = Pod::start(&scene, &pod::archive().expect("it was there"));
    confined(pod.process().pid);

    let id_file = scene.path().join("id");
    let web = run(&scene, &root, &id_file);
    wait::until("an answer out of the container", || {
        let answer = container::ask(&root, "/id.php").ok()?;
        answer.contains("uid=33").then_some(())
    });
    let id = fs::read_to_string(&id_file).expect("the container's id");
    let shell = pod.alert("shell_under_app_worker", |alert| {
        alert["process"]["args"] == serde_json::json!(["sh", "-c", "id; :"])
    });
    assert_eq!(shell["container"]["id"], id.trim(), "{shell}");
    assert_eq!(shell["service"]["kind"], "php-fpm", "{shell}");
    // Of the node's /etc/passwd, which is mounted.
    assert_eq!(shell["process"]["user"]["name"], "www-data", "{shell}");
    assert_eq!(shell["evidence"]["lost_events"], 0, "{shell}");

    tree(&pod, id.trim());
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

/// The control socket answers inside the container.
#[track_caller]
fn tree(pod: &Pod, container: &str) {
    let answer = pod.ask(&["tree", "--json"]);
    assert!(answer.status.success(), "{answer:?}");
    let tree: Value = serde_json::from_slice(&answer.stdout).expect("JSON");
    let services = tree["services"].as_array().expect("a list");
    let inside = services
        .iter()
        .filter(|service| service["container"] == container)
        .map(|service| service["kind"].as_str().expect("a kind"));
    let inside: std::collections::BTreeSet<_> = inside.collect();
    assert_eq!(inside, ["nginx", "php-fpm"].into(), "{tree}");
}

/// Four capabilities, no new ones, a filter of system calls.
#[track_caller]
fn confined(pid: u32) {
    let status = procfs::process::Process::new(pid.cast_signed())
        .and_then(|process| process.status())
        .expect("read its status");
    let bounding = status.capbnd.expect("a bounding set");
    for set in [status.capeff, status.capprm, bounding] {
        assert_eq!(set, CAPABILITIES, "{set:x}");
    }
    assert_eq!(status.capamb.unwrap_or(0), 0);
    assert_eq!(status.nonewprivs, Some(1));
    assert_eq!(status.seccomp, Some(2));
    let links = ["exe", "ns/pid"].map(|name| fs::read_link(format!("/proc/{pid}/{name}")));
    let [exe, pids] = links.map(|link| link.expect("read a link"));
    assert_eq!(exe.as_os_str(), "/lineage-sensor");
    assert_eq!(pids, fs::read_link("/proc/self/ns/pid").expect("a link"));
}
