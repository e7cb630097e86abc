//! What is learnt of this node's pods, in pieces that are messages, and no more of them than
//! the collector hears: it would take more for a flood.

use std::{future::pending, io, sync::Arc, time::Duration};

use tracing::error;

use crate::{
    config::Kubernetes,
    kubernetes::{self, Change, Feed, WatchStats},
    wire,
};

/// Messages between two beats: some four hundred pods.
const MESSAGES: u32 = 4;
/// For an answer of the API; for a watch, after which it begins anew; the first pause after a
/// failure.
const TIMEOUT: Duration = Duration::from_secs(30);
const WATCH: Duration = Duration::from_mins(5);
const PAUSE: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Pods {
    /// `None` when pods are not followed.
    feed: Option<Feed>,
    /// Messages that may still be sent before the next beat.
    left: u32,
}

impl Pods {
    /// Follows them when the configuration says so.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(super) fn follow(config: &Kubernetes) -> io::Result<Self> {
        let settings = || kubernetes::Settings {
            api: config.api.0.clone(),
            node: config.node.0.clone(),
            labels: config.labels.0.clone(),
            token_file: config.token_file.clone(),
            ca_file: config.ca_file.clone(),
            timeout: TIMEOUT,
            watch: WATCH,
            pause: PAUSE,
        };
        let feed = config.watch.then(|| kubernetes::start(settings()));
        Ok(Self {
            feed: feed.transpose()?,
            left: MESSAGES,
        })
    }

    /// How it goes; `None` when they are not followed.
    pub(super) fn stats(&self) -> Option<&Arc<WatchStats>> {
        Some(&self.feed.as_ref()?.stats)
    }

    /// The next message may be sent by now.
    pub(super) const fn beat(&mut self) {
        self.left = MESSAGES;
    }

    /// What has been learnt, as much as fits a message; waits until there is something that
    /// may be said. Nothing is lost when it is no longer waited for.
    pub(super) async fn next(&mut self) -> Vec<Change> {
        let Some(feed) = self.feed.as_mut().filter(|_| self.left > 0) else {
            return pending().await;
        };
        let Some(first) = feed.changes.recv().await else {
            error!("what follows the pods of this node has failed: they have no labels now");
            self.feed = None;
            return pending().await;
        };
        let mut weight = first.weight();
        let mut said = vec![first];
        while weight < wire::PODS
            && let Ok(change) = feed.changes.try_recv()
        {
            weight += change.weight();
            said.push(change);
        }
        self.left -= 1;
        said
    }
}
