//! How an outlet is started: by somebody else, with one end of a socket pair as its standard
//! input. Standard output and error are the collector's.

use std::{io, os::unix::net::UnixStream};

/// Starts outlets.
pub(in crate::app) trait Launch: Send {
    /// Starts one.
    ///
    /// # Errors
    /// When the system refuses.
    fn launch(&mut self) -> io::Result<Launched>;
}

/// An outlet that was started.
pub(in crate::app) struct Launched {
    /// The way to it.
    pub(in crate::app) stream: UnixStream,
    /// Its process.
    pub(in crate::app) process: Box<dyn Process>,
}

/// The process of an outlet.
pub(in crate::app) trait Process: Send {
    /// Its pid.
    fn pid(&self) -> u32;

    /// Ends it, when it has not ended by itself, and waits for that; blocks.
    fn end(&mut self);
}
