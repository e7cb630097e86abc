//! What the outlet says when the collector is gone: an alert like any other, so that every
//! sink has a form for it.

use crate::{
    alert::{self, Alert, Document},
    clock,
    event::ProcessId,
    wire::Hello,
};

/// The alert, under the number behind `last`, the largest this or another outlet was told:
/// nobody else will use it, for who counts is dead.
pub(super) fn alert(hello: &Hello, last: u64) -> Document {
    let message = format!(
        "capture has ended without being told to: the sensor's collector (pid {}) is gone",
        hello.collector
    );
    let process = ProcessId::new(hello.collector, hello.started_ns);
    let alert = Alert::of_sensor(
        &alert::CAPTURE_ENDED,
        message,
        (process, clock::boottime_ns()),
        &hello.host,
        last.saturating_add(1),
    );
    Document::Alert(alert.into())
}
