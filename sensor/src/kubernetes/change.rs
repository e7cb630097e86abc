//! What one process says to the other of pods, and what it may say.

use serde::{Deserialize, Serialize};

use crate::service::{
    container::is_uid,
    kube_name::{is_label, is_subdomain, is_value},
};

/// Weight of a change apart from its texts, and of each text apart from its bytes: no less
/// than they take in a message.
const OWN: usize = 16;
const TEXT: usize = 2;

/// A pod, as far as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Labels that are kept, in the order of [`super::Settings::labels`].
    pub labels: Vec<(String, String)>,
}

/// Something learnt of this node's pods, which are known by their UIDs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// What is known from here to [`Self::Whole`] is all there is.
    Anew,
    /// A pod as it is now.
    Known(String, Pod),
    /// There is no such pod any more.
    Gone(String),
    /// All of a list was said.
    Whole,
}

impl Pod {
    /// Its names are names by the rules of Kubernetes, and its labels some of those that are
    /// asked for, each once and in their order.
    #[must_use]
    pub fn is_one(&self, asked: &[String]) -> bool {
        let mut asked = asked.iter();
        let mut labels = self.labels.iter();
        is_label(&self.namespace)
            && is_subdomain(&self.name)
            && labels.all(|(key, value)| asked.any(|it| it == key) && is_value(value))
    }

    /// How much it takes with its UID, bytes.
    pub(super) fn weight(&self, uid: &str) -> usize {
        let labels = self.labels.iter();
        let labels: usize = labels.map(|(key, value)| weight(key) + weight(value)).sum();
        OWN + weight(uid) + weight(&self.namespace) + weight(&self.name) + labels
    }
}

fn weight(text: &str) -> usize {
    text.len() + TEXT
}

impl Change {
    /// How much it takes, in bytes: at least those of its message.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Anew | Self::Whole => OWN,
            Self::Known(uid, pod) => pod.weight(uid),
            Self::Gone(uid) => OWN + weight(uid),
        }
    }

    /// It may be said where labels of these keys are asked for.
    #[must_use]
    pub fn is_one(&self, asked: &[String]) -> bool {
        match self {
            Self::Anew | Self::Whole => true,
            Self::Known(uid, pod) => is_uid(uid) && pod.is_one(asked),
            Self::Gone(uid) => is_uid(uid),
        }
    }
}
