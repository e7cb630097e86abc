//! What the outlet says when the collector is gone: an alert like any other, so that every
//! sink has a form for it.

use crate::{
    alert::{Alert, Document, Own},
    clock,
    event::ProcessId,
    wire::Hello,
};

const TRIAGE: &str = "The sensor's collector was killed or has crashed: nothing is seen until it \
is started again. Look for who ended it (kernel log, oom-kill, audit) and for what happened on \
the host meanwhile.";

pub(super) fn alert(hello: &Hello) -> Document {
    let message = format!(
        "capture has ended without being told to: the sensor's collector (pid {}) is gone",
        hello.collector
    );
    let own = Own {
        rule: "capture_ended",
        uuid: "5d0b3f0e-6a0c-4a56-9f0e-2f6a7c1f4f51",
        title: "Capture has ended",
        message: &message,
        triage: TRIAGE,
        process: ProcessId::new(hello.collector, hello.started_ns),
        time_ns: clock::boottime_ns(),
    };
    Document::Alert(Alert::of_sensor(&own, &hello.host, 0).into())
}
