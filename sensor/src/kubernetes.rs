//! The pods of this node as the API of Kubernetes lists and watches them, for their labels.
//!
//! Off unless asked for: it needs a right in the cluster, to get, list and watch pods. It
//! asks for the metadata of this node's pods alone, so that what stands in their
//! descriptions (environment, commands) never comes here. A thread of its own; what it
//! knows is bounded, and who asks gets what is known by now.

mod client;
mod object;
mod pace;
mod watch;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use self::{client::Client, object::Item, watch::Watch};

/// Pods remembered. A kubelet takes 110 by default, and some hundred at most.
pub const PODS: usize = 4_096;

/// What is asked, and whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Address of the API.
    pub api: String,
    /// Name of this node.
    pub node: String,
    /// Keys of labels that are kept.
    pub labels: Vec<String>,
    /// File with a bearer token, read for each request.
    pub token_file: PathBuf,
    /// File with the certificates to believe.
    pub ca_file: PathBuf,
    /// For an answer, and for all of a list.
    pub timeout: Duration,
    /// After which a watch is to end and to begin anew; an answer that has not ended soon
    /// after is given up.
    pub watch: Duration,
    /// Pause after the first failure; later ones are longer.
    pub pause: Duration,
}

/// A pod, as far as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Labels that are kept, in the order of [`Settings::labels`].
    pub labels: Vec<(String, String)>,
}

/// The pods known by now, by UID.
#[derive(Clone, Debug, Default)]
pub struct Pods(Arc<Mutex<BTreeMap<String, Pod>>>);

impl Pods {
    /// The pod with this UID.
    #[must_use]
    pub fn get(&self, uid: &str) -> Option<Pod> {
        self.with(|known| known.get(uid).cloned())
    }

    /// As if the API had said so.
    #[cfg(test)]
    pub(crate) fn know(&self, uid: &str, namespace: &str, name: &str, labels: &[(String, String)]) {
        let pod = Pod {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            labels: labels.to_vec(),
        };
        assert!(self.put(uid.to_owned(), pod));
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<String, Pod>) -> T) -> T {
        // Nothing panics with it.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes a pod; `false` when there is no room for it.
    fn put(&self, uid: String, pod: Pod) -> bool {
        self.with(|known| put(known, uid, pod))
    }

    fn remove(&self, uid: &str) {
        self.with(|known| known.remove(uid));
    }

    fn replace(&self, all: BTreeMap<String, Pod>) {
        self.with(|known| *known = all);
    }
}

fn put(known: &mut BTreeMap<String, Pod>, uid: String, pod: Pod) -> bool {
    let is_room = known.len() < PODS || known.contains_key(&uid);
    if is_room {
        known.insert(uid, pod);
    }
    is_room
}

/// Ends the thread when it is dropped, as soon as that has something to read or to wait for.
#[derive(Debug)]
pub struct Guard {
    _stop: mpsc::SyncSender<()>,
}

/// Starts the thread.
///
/// # Errors
/// When it cannot be started.
pub fn start(settings: Settings) -> io::Result<(Pods, Guard)> {
    let pods = Pods::default();
    let (stop, stopped) = mpsc::sync_channel(0);
    let watch = Watch::new(settings, pods.clone(), stopped);
    let thread = thread::Builder::new().name("kubernetes".to_owned());
    thread.spawn(move || watch.run())?;
    Ok((pods, Guard { _stop: stop }))
}
