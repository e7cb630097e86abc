//! What falcosidekick accepts: `uuid`, `output`, `priority`, `rule`, `time`,
//! `output_fields`, `source`, `tags`, `hostname`. Its field names are Falco's where Falco
//! has the thing.

use serde_json::{Value, json};

use super::present;
use crate::alert::{Alert, Level};

/// `source` of every event.
const SOURCE: &str = "lineage_sensor";

pub(super) fn encode(alert: &Alert) -> Value {
    let techniques = alert.threat.iter().flat_map(|threat| &threat.technique.id);
    let tags = techniques.chain([&alert.rule.id]).collect::<Vec<_>>();
    json!({
        "uuid": uuid(&alert.event.id),
        "output": alert.message,
        "priority": priority(alert.weight()),
        "rule": alert.rule.name,
        "time": alert.timestamp,
        "output_fields": present(fields(alert)),
        "source": SOURCE,
        "tags": tags,
        "hostname": alert.host.name,
    })
}

/// One flat object of texts and numbers: falcosidekick makes labels of them.
fn fields(alert: &Alert) -> Value {
    let process = &alert.process;
    let parent = process.parent.as_ref();
    let image = parent.and_then(|parent| parent.image.as_ref());
    let service = alert.service.as_ref();
    let (container, pod) = (alert.container.as_ref(), alert.orchestrator.as_ref());
    let lineage: Vec<_> = alert
        .lineage
        .iter()
        .map(|it| {
            let image = it.image.as_ref();
            image.map_or("?", |image| name(&image.executable))
        })
        .collect();
    json!({
        "event.id": alert.event.id,
        "rule.id": alert.rule.id,
        "incident.id": alert.incident.as_ref().map(|incident| &incident.id),
        "proc.pid": process.pid,
        "proc.vpid": process.namespace_pid,
        "proc.name": name(&process.executable),
        "proc.exepath": process.executable,
        "proc.cmdline": process.command_line,
        "proc.cwd": process.working_directory,
        "proc.ppid": parent.map(|parent| parent.pid),
        "proc.pname": image.map(|image| name(&image.executable)),
        "proc.pcmdline": image.map(|image| image.args.join(" ")),
        "user.uid": process.user.id,
        "user.name": process.user.name,
        "fd.name": alert.file.as_ref().map(|file| &file.path),
        "fd.rip": alert.destination.map(|it| it.ip.to_string()),
        "fd.rport": alert.destination.map(|it| it.port),
        "container.id": container.map(|it| &it.id),
        "container.name": container.and_then(|it| it.name.as_ref()),
        "container.image": container.and_then(|it| it.image.as_ref()).map(|it| &it.name),
        "k8s.ns.name": pod.and_then(|it| it.namespace.as_ref()),
        "k8s.pod.name": pod.and_then(|it| it.resource.name.as_ref()),
        "k8s.pod.uid": pod.map(|it| &it.resource.id),
        "service.kind": service.map(|service| service.kind),
        "service.role": service.map(|service| service.role),
        "service.unit": service.map(|service| &service.unit).filter(|unit| !unit.is_empty()),
        "lineage": lineage.join(" > "),
    })
}

/// Falco's words.
const fn priority(level: Level) -> &'static str {
    match level {
        Level::Informational => "Informational",
        Level::Low => "Notice",
        Level::Medium => "Warning",
        Level::High => "Error",
        Level::Critical => "Critical",
    }
}

/// File name of a path.
fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The first 32 hex digits of an id, written as a UUID is.
fn uuid(id: &str) -> String {
    let part = |from: usize, to: usize| id.get(from..to).unwrap_or_default();
    [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ]
    .join("-")
}
