//! One end of the pair: bytes in, bytes out, never more of either in memory than the bound.

use std::io::{self, ErrorKind};

use bytes::{Buf as _, BytesMut};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{io::Interest, net::UnixStream};

use super::frame::{HEADER, WireError, decode, frame, length};

/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// See the module.
#[derive(Debug)]
pub struct Pipe {
    stream: UnixStream,
    inbox: BytesMut,
    outbox: BytesMut,
    max_in: usize,
    max_out: usize,
}

/// What waiting has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Something was read or written.
    Moved,
    /// The other end is closed.
    Closed,
}

impl Pipe {
    /// An end whose messages have at most so many bytes. Must run inside a tokio runtime.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn new(
        stream: std::os::unix::net::UnixStream,
        max_in: usize,
        max_out: usize,
    ) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream: UnixStream::from_std(stream)?,
            inbox: BytesMut::new(),
            outbox: BytesMut::new(),
            max_in,
            max_out,
        })
    }

    /// Has a message written, behind all others.
    ///
    /// # Errors
    /// When it is too long.
    pub fn queue(&mut self, message: &impl Serialize) -> Result<(), WireError> {
        self.queue_frame(&frame(message, self.max_out)?);
        Ok(())
    }

    /// The same for a message that is a frame already.
    pub fn queue_frame(&mut self, frame: &[u8]) {
        self.outbox.extend_from_slice(frame);
    }

    /// Bytes that wait to be written.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.outbox.len()
    }

    /// Waits until something could be read, or written when something waits to be. Nothing
    /// is lost when it is no longer waited for.
    ///
    /// # Errors
    /// When the system refuses; the other end gone is no error.
    pub async fn turn(&mut self) -> io::Result<Turn> {
        let interest = if self.outbox.is_empty() {
            Interest::READABLE
        } else {
            Interest::READABLE | Interest::WRITABLE
        };
        let ready = self.stream.ready(interest).await?;
        if ready.is_writable() && !self.outbox.is_empty() {
            match self.stream.try_write(&self.outbox) {
                Ok(count) => self.outbox.advance(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Read first what it had to say.
                Err(error) if is_gone(&error) => self.outbox.clear(),
                Err(error) => return Err(error),
            }
        }
        if ready.is_readable() && self.inbox.len() < self.max_in + HEADER {
            self.inbox.reserve(CHUNK);
            match self.stream.try_read_buf(&mut self.inbox) {
                Ok(0) => return Ok(Turn::Closed),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if is_gone(&error) => return Ok(Turn::Closed),
                Err(error) => return Err(error),
            }
        }
        Ok(Turn::Moved)
    }

    /// The next message that is here whole.
    ///
    /// # Errors
    /// When what came is none.
    #[expect(
        clippy::should_implement_trait,
        reason = "it is told what it is to read, and may fail"
    )]
    pub fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, WireError> {
        let Some(&header) = self.inbox.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length = length(header, self.max_in)?;
        let Some(body) = self.inbox.get(HEADER..HEADER + length) else {
            return Ok(None);
        };
        let message = decode(body)?;
        self.inbox.advance(HEADER + length);
        Ok(Some(message))
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
    )
}
