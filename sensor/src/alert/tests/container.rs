//! Containers and pods in alerts.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    super::sample::{CONTAINER, POD, Sample, pod_sample},
    checked,
};

fn with(mutate: impl FnOnce(&mut Sample)) -> Value {
    let mut sample = pod_sample();
    mutate(&mut sample);
    checked(&sample.alert().to_json())
}

fn set_cgroup(sample: &mut Sample, path: &str) {
    let mut program = (*sample.subject.program).clone();
    program.cgroup.path = path.into();
    sample.subject.program = Arc::new(program);
}

#[test]
fn a_pod_is_told_by_the_names_of_ecs() {
    let alert = with(|_| ());
    assert_eq!(
        alert["container"],
        json!({
            "id": CONTAINER, "runtime": "cri-o", "name": "php",
            "image": {"name": "registry.example/shop/php:8.2"},
        })
    );
    assert_eq!(
        alert["orchestrator"],
        json!({
            "type": "kubernetes", "namespace": "shop",
            "resource": {
                "type": "pod", "id": POD, "name": "web-5d9c7b8f6-x2x7q", "label": ["app=shop"],
            },
        })
    );
}

/// The control group is all there is at first.
#[test]
fn what_is_not_known_yet_is_left_out() {
    let alert = with(|sample| sample.placed = None);
    let container = json!({"id": CONTAINER, "runtime": "cri-o"});
    assert_eq!(alert["container"], container);
    let pod = json!({"type": "kubernetes", "resource": {"type": "pod", "id": POD}});
    assert_eq!(alert["orchestrator"], pod);
    let alert = with(|sample| {
        sample.placed = None;
        set_cgroup(sample, "/system.slice/php8.2-fpm.service");
    });
    assert!(alert.get("container").is_none() && alert.get("orchestrator").is_none());
}

#[test]
fn names_of_another_container_are_not_taken() {
    let other = "f".repeat(64);
    let alert = with(|sample| set_cgroup(sample, &format!("/system.slice/docker-{other}.scope")));
    let container = json!({"id": other, "runtime": "docker"});
    assert_eq!(alert["container"], container);
    assert!(alert.get("orchestrator").is_none());
}

/// In a container of cgroup version 1 the kernel's record tells nothing.
#[test]
fn a_container_that_no_control_group_tells() {
    let alert = with(|sample| set_cgroup(sample, "/"));
    assert_eq!(alert["container"]["id"], CONTAINER);
    assert_eq!(alert["container"]["runtime"], "cri-o");
    assert_eq!(alert["orchestrator"]["namespace"], "shop");
}

#[test]
fn labels_are_bounded() {
    let alert = with(|sample| {
        let pod = sample.placed.as_mut().unwrap().pod.as_mut().unwrap();
        pod.labels = (0..99).map(|n| (format!("k{n}"), "v".to_owned())).collect();
    });
    let labels = &alert["orchestrator"]["resource"]["label"];
    assert_eq!(labels.as_array().unwrap().len(), 16);
    let alert = with(|sample| {
        let pod = sample.placed.as_mut().unwrap().pod.as_mut().unwrap();
        pod.labels = (0..16).map(|n| (format!("k{n}"), "<".repeat(60))).collect();
    });
    let labels = &alert["orchestrator"]["resource"]["label"];
    assert_eq!(labels.as_array().unwrap().len(), 4);
}
