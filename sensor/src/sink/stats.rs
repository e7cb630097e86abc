//! Numbers of one sink, for metrics. Plain atomics: read while its threads write them.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// See the module. They outlive the sink.
#[derive(Debug, Default)]
pub struct SinkStats {
    name: String,
    queued: AtomicUsize,
    spooled: AtomicUsize,
    written: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
    closed: AtomicBool,
}

impl SinkStats {
    pub(super) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// Name of the sink, a metric label.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Alerts taken and not yet delivered.
    #[must_use]
    pub fn queue_length(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Alerts delivered.
    #[must_use]
    pub fn written_total(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Alerts lost: queue or spool full, reader gone, write failed, refused.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Alerts among the lost that the receiver will never have.
    #[must_use]
    pub fn refused_total(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Alerts kept until the receiver accepts them: in a file, or in memory while it has no
    /// room.
    #[must_use]
    pub fn spooled(&self) -> usize {
        self.spooled.load(Ordering::Relaxed)
    }

    /// Nobody reads what is written any more.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    pub(super) fn queue(&self) {
        self.queued.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn unqueue(&self) {
        self.queued.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn set_spooled(&self, count: usize) {
        self.spooled.store(count, Ordering::Relaxed);
    }

    pub(super) fn wrote(&self, count: usize) {
        self.written.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn drop_some(&self, count: usize) {
        self.dropped.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self, count: usize) {
        self.refused.fetch_add(count as u64, Ordering::Relaxed);
        self.drop_some(count);
    }
}
