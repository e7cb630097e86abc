//! How an outlet is started: the same program with one end of a socket pair as its standard
//! input. Standard output and error are the collector's.

use std::{
    io,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt as _},
    },
    process::{Child, Command},
};

use super::super::outlet::OUTLET_ARG;

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

/// The program itself.
pub(in crate::app) struct Program;

impl Launch for Program {
    fn launch(&mut self) -> io::Result<Launched> {
        let (stream, theirs) = UnixStream::pair()?;
        // Whatever stands at its path by now.
        let child = Command::new("/proc/self/exe")
            .arg0("lineage-sensor")
            .arg(OUTLET_ARG)
            .stdin(OwnedFd::from(theirs))
            .spawn()?;
        Ok(Launched {
            stream,
            process: Box::new(child),
        })
    }
}

impl Process for Child {
    fn pid(&self) -> u32 {
        self.id()
    }

    fn end(&mut self) {
        // Not waited for yet, so the pid is still its own; one that has ended is left.
        drop(self.kill());
        drop(self.wait());
    }
}
