//! The clocks, for those who may read one: the core may not.

use rustix::time::{ClockId, clock_gettime};

/// `CLOCK_BOOTTIME`, ns: the clock of every kernel record.
#[must_use]
pub fn boottime_ns() -> u64 {
    read(ClockId::Boottime).unsigned_abs()
}

/// `CLOCK_REALTIME` minus `CLOCK_BOOTTIME`, ns.
#[must_use]
pub fn realtime_minus_boottime_ns() -> i64 {
    read(ClockId::Realtime).saturating_sub(read(ClockId::Boottime))
}

fn read(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec
        .saturating_mul(1_000_000_000)
        .saturating_add(time.tv_nsec)
}
