//! `kubernetes`: where names and labels of pods come from.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    form::{Form, Raw, Shape},
    sinks,
};
use crate::service::kube_name::{is_key, is_subdomain};

/// Names and labels of pods, on a node of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kubernetes {
    /// Where the kubelet keeps the logs of pods.
    pub pod_logs: PathBuf,
    /// Follow this node's pods through the API.
    pub watch: bool,
    /// Name of this node.
    pub node: Node,
    /// Labels in alerts.
    pub labels: Labels,
    /// Address of the API.
    pub api: Api,
    /// Token of the service account.
    pub token_file: PathBuf,
    /// Certificates by which the API is believed.
    pub ca_file: PathBuf,
}

/// Where a service account's files are mounted.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

impl Default for Kubernetes {
    fn default() -> Self {
        Self {
            pod_logs: "/var/log/pods".into(),
            watch: false,
            node: Node::default(),
            labels: Labels::default(),
            api: Api::default(),
            token_file: format!("{ACCOUNT}/token").into(),
            ca_file: format!("{ACCOUNT}/ca.crt").into(),
        }
    }
}

/// Name of a node; empty when it is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Node(pub String);

impl Form for Node {
    const SHAPE: Shape = Shape::Text;

    fn expected() -> String {
        "the name of a node, or empty".into()
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^[a-z0-9.-]*$", "maxLength": 253 })
    }

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Text(text) if text.is_empty() || is_subdomain(text) => Some(Self(text.clone())),
            _ => None,
        }
    }

    fn write(&self) -> Raw {
        Raw::Text(self.0.clone())
    }
}

/// Address of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Api(pub String);

impl Default for Api {
    fn default() -> Self {
        Self("https://kubernetes.default.svc".to_owned())
    }
}

impl Form for Api {
    const SHAPE: Shape = Shape::Text;

    fn expected() -> String {
        "an address that begins with https:// or http://".into()
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^https?://[^/]", "maxLength": 4_096 })
    }

    fn read(raw: &Raw) -> Option<Self> {
        sinks::url(raw).map(Self)
    }

    fn write(&self) -> Raw {
        Raw::Text(self.0.clone())
    }
}

/// Most labels that are kept: those that an alert has room for.
const LABELS_MAX: usize = 16;

/// Keys of the labels that alerts have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Labels(pub Vec<String>);

impl Default for Labels {
    fn default() -> Self {
        let keys = ["app", "app.kubernetes.io/name", "app.kubernetes.io/part-of"];
        Self(keys.map(str::to_owned).into())
    }
}

impl Form for Labels {
    const SHAPE: Shape = Shape::List;

    fn expected() -> String {
        format!("a list of up to {LABELS_MAX} keys of labels")
    }

    fn schema() -> Value {
        json!({
            "type": "array",
            "items": { "type": "string", "minLength": 1, "maxLength": 317 },
            "maxItems": LABELS_MAX,
        })
    }

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::List(items) if items.len() <= LABELS_MAX && items.iter().all(|it| is_key(it)) => {
                Some(Self(items.clone()))
            }
            _ => None,
        }
    }

    fn write(&self) -> Raw {
        Raw::List(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Config, Effective, yaml};

    fn read(text: &str) -> Option<Kubernetes> {
        let mut config = Config::default();
        let text = format!("kubernetes: {{{text}}}");
        yaml::apply(&text, Path::new("/f.yaml"), &mut config).ok()?;
        Some(config.kubernetes)
    }

    #[test]
    fn forms() {
        let good = "watch: true, node: node-1.example, labels: [team, example.com/owner], \
                    api: \"https://10.0.0.1:6443\"";
        let read_back = read(good).unwrap();
        assert_eq!(read_back.node.0, "node-1.example");
        assert_eq!(read_back.labels.0, ["team", "example.com/owner"]);
        for wrong in [
            "node: Node",
            "node: \"a b\"",
            "labels: [\"a b\"]",
            "labels: [\"*\"]",
            "labels: team",
            "api: \"ftp://x\"",
            "api: \"https:///x\"",
            "watch: maybe",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let many: Vec<String> = (0..=LABELS_MAX).map(|n| format!("k{n}")).collect();
        assert_eq!(read(&format!("labels: [{}]", many.join(", "))), None);
        assert!(read(&format!("labels: [{}]", many[1..].join(", "))).is_some());
    }

    #[test]
    fn who_watches_says_which_node() {
        let mut effective = Effective::default();
        effective.config.rules.directories.clear();
        effective.config.kubernetes.watch = true;
        let refused = effective.check_paths().unwrap_err().to_string();
        assert!(refused.contains("kubernetes.node"), "{refused}");
        effective.config.kubernetes.node = Node("node-1".to_owned());
        effective.check_paths().unwrap();
    }
}
