//! What the outlet may ask, and how often: questions to the core are answered one at a time,
//! and after each the core has as much time for itself as the answer took.

use std::{sync::Arc, time::Instant};

use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::sleep,
};
use tracing::error;

use crate::{control::Query, metrics::Metrics, wire::What};

/// See the module.
#[derive(Clone)]
pub(in crate::app) struct Questions {
    queries: mpsc::Sender<Query>,
    metrics: Arc<Metrics>,
    turn: Arc<Semaphore>,
}

impl Questions {
    /// Questions to the core go to `queries`.
    pub(in crate::app) fn new(queries: mpsc::Sender<Query>, metrics: Arc<Metrics>) -> Self {
        Self {
            queries,
            metrics,
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// The answer as bytes; none when there is no answer any more.
    pub(super) async fn answer(self, what: What) -> Vec<u8> {
        let bytes = match what {
            What::Metrics => self.metrics().await,
            What::Core(kind) => {
                // Never closed.
                let Ok(turn) = Arc::clone(&self.turn).acquire_owned().await else {
                    return Vec::new();
                };
                let began = Instant::now();
                let bytes = self.core(kind).await;
                let took = began.elapsed();
                tokio::spawn(async move {
                    sleep(took).await;
                    drop(turn);
                });
                bytes
            }
        };
        bytes.unwrap_or_default()
    }

    async fn metrics(&self) -> Option<Vec<u8>> {
        let metrics = Arc::clone(&self.metrics);
        // The kernel's counters are read on the way.
        let text = tokio::task::spawn_blocking(move || metrics.render());
        let text = text.await.ok()?;
        let text = text.inspect_err(|error| error!(%error, "metrics"));
        Some(text.ok()?.into_bytes())
    }

    async fn core(&self, kind: crate::control::QueryKind) -> Option<Vec<u8>> {
        let (reply, answer) = oneshot::channel();
        self.queries.send(Query { kind, reply }).await.ok()?;
        let value = answer.await.ok()?;
        // Some are large.
        let bytes = tokio::task::spawn_blocking(move || serde_json::to_vec(&value));
        bytes.await.ok()?.ok()
    }
}
