//! Time that the calling thread has run: what others do on the machine is left out, but
//! for what they take from its caches.

use rustix::time::{ClockId, clock_gettime};

/// Seconds that this thread has run.
pub(super) fn seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "a thread that runs for minutes")]
    let (seconds, nanoseconds) = (time.tv_sec as f64, time.tv_nsec as f64);
    seconds + nanoseconds * 1e-9
}
