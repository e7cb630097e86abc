//! OCSF Detection Finding (class 2004), version 1.3.

use serde_json::{Value, json};

use super::present;
use crate::alert::{Alert, Level, Orchestrator};

/// Detection Finding, of category Findings; the activity is Create.
const CLASS: u32 = 2_004;

pub(super) fn encode(alert: &Alert) -> Value {
    let time_ms = alert
        .timestamp
        .parse::<jiff::Timestamp>()
        .unwrap_or_default()
        .as_millisecond();
    let techniques = alert.threat.iter().flat_map(|threat| &threat.technique.id);
    let attacks = techniques
        .map(|id| json!({ "technique": { "uid": id } }))
        .collect::<Vec<_>>();
    let related = alert
        .incident
        .as_ref()
        .map(|incident| vec![json!({ "uid": incident.id })]);
    present(json!({
        "activity_id": 1,
        "category_uid": 2,
        "class_uid": CLASS,
        "type_uid": CLASS * 100 + 1,
        "severity_id": severity(alert.weight()),
        "status_id": 1,
        "time": time_ms,
        "message": alert.message,
        "metadata": {
            "version": "1.3.0",
            "uid": alert.event.id,
            "sequence": alert.event.sequence,
            "product": {
                "name": "lineage-sensor",
                "vendor_name": "lineage-sensor",
                "version": env!("CARGO_PKG_VERSION"),
            },
        },
        "finding_info": {
            "uid": alert.event.id,
            "title": alert.rule.name,
            "desc": alert.rule.description,
            "created_time": time_ms,
            "analytic": { "type_id": 1, "uid": alert.rule.uuid, "name": alert.rule.id },
            "attacks": attacks,
            "related_events": related,
        },
        "evidences": [evidence(alert)],
        "resources": alert.orchestrator.as_ref().map(|it| [pod(it)]),
        "device": { "type_id": 0, "hostname": alert.host.name, "uid": alert.host.boot_id },
        "unmapped": {
            "container": serde_json::to_value(&alert.container).unwrap_or_default(),
            "service": serde_json::to_value(&alert.service).unwrap_or_default(),
            "lineage": serde_json::to_value(&alert.lineage).unwrap_or_default(),
        },
    }))
}

fn evidence(alert: &Alert) -> Value {
    let process = &alert.process;
    let parent = process.parent.as_ref().map(|parent| {
        let image = parent.image.as_ref();
        present(json!({
            "pid": parent.pid,
            "uid": parent.entity_id,
            "cmd_line": image.map(|image| image.args.join(" ")),
            "file": image.map(|image| file(&image.executable)),
        }))
    });
    let far = alert
        .destination
        .map(|it| json!({ "ip": it.ip, "port": it.port }));
    present(json!({
        "process": {
            "pid": process.pid,
            "uid": process.entity_id,
            "cmd_line": process.command_line,
            "working_directory": process.working_directory,
            "file": file(&process.executable),
            "user": { "uid": process.user.id, "name": process.user.name },
            "container": container(alert),
            "parent_process": parent,
        },
        "file": alert.file.as_ref().map(|it| file(&it.path)),
        "dst_endpoint": far,
    }))
}

/// Without its image, of which the class wants an id that is not known.
fn container(alert: &Alert) -> Option<Value> {
    let container = alert.container.as_ref()?;
    let pod = alert.orchestrator.as_ref();
    Some(present(json!({
        "uid": container.id,
        "name": container.name,
        "runtime": container.runtime,
        "orchestrator": pod.map(|it| it.kind),
        "pod_uuid": pod.map(|it| &it.resource.id),
    })))
}

/// The resource that the finding is about.
fn pod(orchestrator: &Orchestrator) -> Value {
    let pod = &orchestrator.resource;
    present(json!({
        "type": pod.kind,
        "uid": pod.id,
        "name": pod.name,
        "namespace": orchestrator.namespace,
        "labels": Some(&pod.label).filter(|labels| !labels.is_empty()),
    }))
}

/// A regular file.
fn file(path: &str) -> Value {
    let name = path.rsplit('/').next().unwrap_or(path);
    json!({ "type_id": 1, "name": name, "path": path })
}

const fn severity(level: Level) -> u8 {
    match level {
        Level::Informational => 1,
        Level::Low => 2,
        Level::Medium => 3,
        Level::High => 4,
        Level::Critical => 5,
    }
}
