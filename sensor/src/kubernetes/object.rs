//! What is read of the API's answers. All of it is untrusted: sizes are bounded by who
//! reads, and what is no name by the rules of Kubernetes is passed over.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Pod;
use crate::service::{container::is_uid, kube_name::is_value};

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct List {
    pub(super) metadata: ListMeta,
    #[serde(default)]
    pub(super) items: Option<Vec<Item>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListMeta {
    pub(super) resource_version: String,
    #[serde(default, rename = "continue")]
    pub(super) more: Option<String>,
}

/// A pod.
#[derive(Debug, Deserialize)]
pub(super) struct Item {
    pub(super) metadata: Meta,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Meta {
    pub(super) uid: String,
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) resource_version: String,
    pub(super) labels: Option<BTreeMap<String, String>>,
    pub(super) annotations: Option<BTreeMap<String, String>>,
}

/// One line of a watch.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) object: serde_json::Value,
}

/// The hash by which a kubelet names the control groups and directories of a static pod,
/// whose UID in the API is that of its mirror.
const MIRROR: &str = "kubernetes.io/config.mirror";

impl Meta {
    /// The UID by which the node knows the pod, and what is kept of it; `None` when it is
    /// no pod.
    pub(super) fn pod(&self, labels: &[String]) -> Option<(String, Pod)> {
        let annotations = self.annotations.as_ref();
        let mirrored = annotations.and_then(|all| all.get(MIRROR));
        let uid = mirrored.unwrap_or(&self.uid);
        let all = self.labels.as_ref();
        let kept = labels.iter().filter_map(|key| {
            let value = all?.get(key).filter(|value| is_value(value))?;
            Some((key.clone(), value.clone()))
        });
        let pod = Pod {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            labels: kept.collect(),
        };
        (is_uid(uid) && pod.is_one(labels)).then(|| (uid.clone(), pod))
    }
}
