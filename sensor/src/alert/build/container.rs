//! The container of an act and its pod: what the control group tells, and what has been
//! found out besides.

use super::{
    super::model::{Container, ContainerImage, Orchestrator, Resource},
    NAME, escape, short,
};
use crate::{detect::Placed, lineage::Subject, service::container};

/// Longest name of a pod, by the rules of Kubernetes.
const POD: usize = 253;
/// Labels of a pod in an alert; longest one, and all of them, bytes of JSON.
const LABELS: usize = 16;
const LABEL: usize = 256;
const ALL_LABELS: usize = 1_024;

/// The container of the process, or of its service when the process is in none, and its
/// pod. `placed` is what is known about it.
pub(super) fn of_subject(
    subject: &Subject,
    placed: Option<&Placed>,
) -> (Option<Container>, Option<Orchestrator>) {
    let root = subject.lineage.ancestors.first();
    let root = root.and_then(|root| root.program.as_deref());
    let mut programs = std::iter::once(&*subject.program).chain(root);
    let found = programs.find_map(|program| container::find(&program.cgroup.path));
    let Some(found) = found else {
        return placed.map_or((None, None), |placed| (Some(named(placed)), pod_of(placed)));
    };
    let same = placed.filter(|placed| placed.id == found.id);
    let mut container = same.map_or_else(|| bare(found.id), named);
    container.runtime = container
        .runtime
        .or(found.runtime.map(container::Runtime::name));
    let known = same.and_then(pod_of);
    let told = found.pod.map(|pod| orchestrator(&pod.uid));
    (Some(container), known.or(told))
}

/// Everything that is known of one.
pub(super) fn named(placed: &Placed) -> Container {
    Container {
        runtime: placed.runtime.map(container::Runtime::name),
        name: placed.name.as_ref().map(|name| short(name, NAME)),
        image: placed.image.as_ref().map(|name| ContainerImage {
            name: short(name, 2 * NAME),
        }),
        ..bare(&placed.id)
    }
}

fn bare(id: &str) -> Container {
    Container {
        id: short(id, NAME),
        runtime: None,
        name: None,
        image: None,
    }
}

/// Its pod.
pub(super) fn pod_of(placed: &Placed) -> Option<Orchestrator> {
    let pod = placed.pod.as_ref()?;
    let mut known = orchestrator(&pod.uid);
    if let Some((namespace, name)) = &pod.name {
        known.namespace = Some(short(namespace, NAME));
        known.resource.name = Some(short(name, POD));
    }
    let mut room = ALL_LABELS;
    let labels = pod.labels.iter().take(LABELS);
    known.resource.label = labels
        .map(|(key, value)| short(&format!("{key}={value}"), LABEL))
        .take_while(|label| {
            let left = room.checked_sub(escape::json_len(label));
            room = left.unwrap_or_default();
            left.is_some()
        })
        .collect();
    Some(known)
}

fn orchestrator(uid: &str) -> Orchestrator {
    Orchestrator {
        kind: "kubernetes",
        namespace: None,
        resource: Resource {
            kind: "pod",
            id: short(uid, NAME),
            name: None,
            label: Vec::new(),
        },
    }
}
