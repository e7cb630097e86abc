//! `container.*` and `orchestrator.*`: where a service runs.

use serde::Serialize;

/// `container.*`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Container {
    /// 64 hex digits.
    pub id: String,
    /// `containerd`, `cri-o`, `docker` or `podman`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<&'static str>,
    /// Its name; in a pod the one of the pod's description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ContainerImage>,
}

/// `container.image.*`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContainerImage {
    /// As it was named when the container was made.
    pub name: String,
}

/// `orchestrator.*`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Orchestrator {
    /// Always `kubernetes`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Namespace of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The pod.
    pub resource: Resource,
}

/// `orchestrator.resource.*`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Resource {
    /// Always `pod`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// UID of the pod.
    pub id: String,
    /// Name of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Labels that the configuration allows: `key=value`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub label: Vec<String>,
}
