//! What is learnt of this node's pods, in pieces that are messages, and no more of them than
//! the collector hears: it would take more for a flood.

use std::{future::pending, io, sync::Arc, time::Duration};

use tracing::error;

use crate::{
    config::Kubernetes,
    kubernetes::{self, Change, Feed, WatchStats},
    wire,
};

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
            left: wire::PODS_MESSAGES,
        })
    }

    /// How it goes; `None` when they are not followed.
    pub(super) fn stats(&self) -> Option<&Arc<WatchStats>> {
        Some(&self.feed.as_ref()?.stats)
    }

    /// The next message may be sent by now.
    pub(super) const fn beat(&mut self) {
        self.left = wire::PODS_MESSAGES;
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

#[cfg(test)]
mod tests {
    use std::future::Future as _;

    use super::*;
    use crate::{
        kubernetes::Pod,
        wire::{HEADER, REPORT_MAX, Report, frame},
    };

    /// The heaviest that the configuration lets one be.
    fn heaviest(number: usize) -> Change {
        let label = |key: usize| (format!("{key:0>317}"), "v".repeat(63));
        let pod = Pod {
            namespace: "n".repeat(63),
            name: "p".repeat(253),
            labels: (0..16).map(label).collect(),
        };
        Change::Known(format!("00000000-0000-4000-8000-{number:012x}"), pod)
    }

    /// What may be said by now.
    async fn said(pods: &mut Pods) -> Vec<Vec<Change>> {
        let mut said = Vec::new();
        loop {
            // tokio would have others have their turn: there are none.
            let mut next = Box::pin(tokio::task::unconstrained(pods.next()));
            let ready =
                std::future::poll_fn(|context| std::task::Poll::Ready(next.as_mut().poll(context)));
            let std::task::Poll::Ready(changes) = ready.await else {
                return said;
            };
            drop(next);
            said.push(changes);
        }
    }

    #[tokio::test]
    async fn between_two_beats_no_more_is_said_than_is_heard_and_nothing_is_lost() {
        for change in [heaviest, |number| Change::Gone(format!("{number:036}"))] {
            let all: Vec<Change> = (0..20_000).map(change).collect();
            let (out, changes) = tokio::sync::mpsc::channel(all.len());
            let mut pods = Pods {
                feed: Some(Feed::of(changes)),
                left: wire::PODS_MESSAGES,
            };
            for change in &all {
                out.try_send(change.clone()).unwrap();
            }
            let mut back = Vec::new();
            while back.len() < all.len() {
                let messages = said(&mut pods).await;
                assert!(messages.len() <= wire::PODS_MESSAGES as usize);
                let weight = messages.iter().flatten().map(Change::weight).sum::<usize>();
                assert!(0 < weight && weight < wire::PODS_ROOM / 6, "{weight}");
                for message in messages {
                    let framed = frame(&Report::Pods(message.clone()), REPORT_MAX).unwrap();
                    assert!(framed.len() < REPORT_MAX + HEADER);
                    back.extend(message);
                }
                assert!(said(&mut pods).await.is_empty(), "before the beat");
                pods.beat();
            }
            assert!(back == all);
            // It waits for more, and says when no more can come.
            assert!(said(&mut pods).await.is_empty() && pods.feed.is_some());
            drop(out);
            assert!(said(&mut pods).await.is_empty() && pods.feed.is_none());
        }
    }
}
