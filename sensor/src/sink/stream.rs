//! Alerts written to a file descriptor: standard output in practice.
//!
//! JSON lines leave in one write each, so that a reader of the pipe sees whole lines at
//! once. On a terminal a person gets the drawn form.

use std::{
    fs::File,
    io::{self, ErrorKind, IsTerminal as _, Write as _},
    os::fd::{AsFd as _, OwnedFd},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};

use super::{Deliver, DeliverError, pretty};
use crate::alert::Document;

/// Form of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// One line of JSON.
    Json,
    /// A drawn tree.
    Pretty,
}

/// When to colour the drawn form. `NO_COLOR` means [`Colour::Never`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// On a terminal.
    #[default]
    Auto,
    /// Also in a pipe.
    Always,
    /// Not at all.
    Never,
}

/// A descriptor that alerts are written to.
#[derive(Debug)]
pub struct Stream {
    out: File,
    pub(super) encoding: Encoding,
    pub(super) colour: bool,
    terminal: bool,
    /// The last write stopped within a line.
    pub(super) torn: bool,
}

impl Stream {
    /// Standard output. Without an encoding: drawn on a terminal, JSON elsewhere.
    ///
    /// # Errors
    ///
    /// When the descriptor cannot be duplicated.
    pub fn stdout(encoding: Option<Encoding>, colour: Colour) -> io::Result<Self> {
        // A descriptor of its own: no buffer in between, no lock to share.
        Ok(Self::new(
            io::stdout().as_fd().try_clone_to_owned()?,
            encoding,
            colour,
        ))
    }

    /// Any descriptor.
    #[must_use]
    pub fn new(descriptor: OwnedFd, encoding: Option<Encoding>, colour: Colour) -> Self {
        let out = File::from(descriptor);
        let terminal = out.is_terminal();
        let auto = if terminal {
            Encoding::Pretty
        } else {
            Encoding::Json
        };
        let colour = match colour {
            Colour::Auto => terminal,
            Colour::Always => true,
            Colour::Never => false,
        };
        Self {
            out,
            encoding: encoding.unwrap_or(auto),
            colour,
            terminal,
            torn: false,
        }
    }

    fn render(&self, document: &Document) -> String {
        let mut text = match self.encoding {
            Encoding::Json => document.to_json(),
            Encoding::Pretty => pretty::document(document, self.colour, self.width()),
        };
        text.push('\n');
        text
    }

    /// Columns of the terminal, asked each time: people resize windows.
    fn width(&self) -> Option<usize> {
        let size = self
            .terminal
            .then(|| rustix::termios::tcgetwinsize(&self.out).ok())
            .flatten();
        size.map(|size| usize::from(size.ws_col))
            .filter(|&columns| columns > 0)
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    rest = &rest[count..];
                    self.torn = !rest.is_empty();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Whoever shares the descriptor made it non-blocking; this thread may wait.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    match poll(&mut [PollFd::new(&self.out, PollFlags::OUT)], None) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Deliver for Stream {
    fn deliver(&mut self, document: &Document) -> Result<(), DeliverError> {
        let mut text = self.render(document);
        if self.torn {
            text.insert(0, '\n');
        }
        self.write(&text).map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => DeliverError::Closed,
            _ => DeliverError::Io(error),
        })
    }
}
