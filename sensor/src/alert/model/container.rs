//! `container.*` and `orchestrator.*`: where a service runs.

use serde::{Deserialize, Serialize};

use crate::alert::word::{self, Word};

/// `container.*`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// 64 hex digits.
    pub id: String,
    /// `containerd`, `cri-o`, `docker` or `podman`.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "word::option"
    )]
    pub runtime: Option<Word>,
    /// Its name; in a pod the one of the pod's description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ContainerImage>,
}

/// `container.image.*`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerImage {
    /// As it was named when the container was made.
    pub name: String,
}

/// `orchestrator.*`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Orchestrator {
    /// Always `kubernetes`.
    #[serde(rename = "type", deserialize_with = "word::one")]
    pub kind: Word,
    /// Namespace of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The pod.
    pub resource: Resource,
}

/// `orchestrator.resource.*`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// Always `pod`.
    #[serde(rename = "type", deserialize_with = "word::one")]
    pub kind: Word,
    /// UID of the pod.
    pub id: String,
    /// Name of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Labels that the configuration allows: `key=value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label: Vec<String>,
}
