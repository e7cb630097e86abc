//! pids that mean another process: used again, or counted anew in a namespace.

use std::{fs, io};

use crate::{ledger::see_through, step::become_step, sys};

const PID_MAX: &str = "/proc/sys/kernel/pid_max";
/// Processes made: each pid is used several times.
const PROCESSES: u32 = 300;

/// pid 1 inside, a pid like any other outside.
pub(super) fn namespace() -> io::Result<()> {
    see_through(sys::clone3(sys::CLONE_NEWPID, None, || {
        become_step("./nginx", &["code", "0"])
    })?)
}

pub(super) fn reuse() -> io::Result<()> {
    let before = fs::read_to_string(PID_MAX)?;
    fs::write(PID_MAX, "400")?;
    let done = (0..PROCESSES).try_for_each(|number| {
        see_through(sys::fork(|| {
            // Some execute nothing: their pids go on with what the last one was.
            if number % 3 != 0 {
                return 0;
            }
            become_step("./nginx", &["code", "0", &number.to_string()])
        })?)
    });
    fs::write(PID_MAX, before)?;
    done
}
