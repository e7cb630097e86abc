//! What people look at while the sensor runs: alerts as they come, trees as they change,
//! everything at once.
//!
//! All of it asks through the control socket and needs nothing else of the sensor. What is
//! shown has been escaped: nothing a watched process is called can steer the terminal.

pub mod progress;
mod signal;
mod tail;
mod top;
mod watch;

use std::{io, os::fd::AsFd, thread, time::Duration};

pub use self::{tail::tail, top::top, watch::watch};
use crate::control::{AskError, Following, Wanted};

/// How often it is looked whether an agent is there again.
const AGAIN: Duration = Duration::from_millis(250);

/// Columns and rows of a terminal; `None` for what is none, or does not know.
fn size(terminal: impl AsFd) -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    let (columns, rows) = (usize::from(size.ws_col), usize::from(size.ws_row));
    (columns > 0 && rows > 0).then_some((columns, rows))
}

/// Follows again when the agent is back; waits for it as long as it takes.
///
/// # Errors
/// When it may not be asked any more.
fn follow_again(path: &std::path::Path, wanted: &Wanted) -> Result<Following, AskError> {
    loop {
        match Following::begin(path, wanted) {
            Err(error @ (AskError::Denied(_) | AskError::Foreign { .. })) => return Err(error),
            Err(_) => thread::sleep(AGAIN),
            Ok(following) => return Ok(following),
        }
    }
}

/// A write to standard output whose reader has gone is the end, and no failure.
fn gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}
