//! Writes a recording from beginning to end, waiting for the output: for tests, tools
//! and benches. The sensor itself writes through a [`Tape`](super::Tape).

use std::io::{self, Write};

use bytes::BytesMut;

use super::{
    Header, RecordError,
    frame::{self, End},
};
use crate::engine::Input;

/// See the module. One that is dropped leaves a recording without its end.
pub struct Writer<W: Write> {
    stream: Stream<W>,
    buffer: BytesMut,
    end: End,
}

impl<W: Write> Writer<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn new(out: W, header: &Header) -> Result<Self, RecordError> {
        Ok(Self {
            stream: Stream::new(out, header)?,
            buffer: BytesMut::new(),
            end: End::default(),
        })
    }

    /// Writes one input. A query is none.
    ///
    /// # Errors
    /// When the output cannot be written, or the input is beyond every bound.
    pub fn write(&mut self, input: &Input) -> Result<(), RecordError> {
        if matches!(input, Input::Query(_)) {
            return Ok(());
        }
        self.buffer.clear();
        frame::input(input, &mut self.buffer)?;
        self.stream.write(&self.buffer)?;
        self.end.inputs += 1;
        Ok(())
    }

    /// Writes the end.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn finish(mut self) -> Result<W, RecordError> {
        self.buffer.clear();
        frame::end(&self.end, &mut self.buffer)?;
        self.stream.write(&self.buffer)?;
        Ok(self.stream.finish()?)
    }
}

/// Level of compression: the fastest that still knows repetition well.
const LEVEL: i32 = 3;

/// Header and compressed frames.
pub(super) struct Stream<W: Write>(zstd::Encoder<'static, W>);

impl<W: Write> Stream<W> {
    pub(super) fn new(mut out: W, header: &Header) -> io::Result<Self> {
        header.write(&mut out)?;
        zstd::Encoder::new(out, LEVEL).map(Self)
    }

    pub(super) fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        self.0.write_all(frames)
    }

    /// Makes what was written readable.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    pub(super) fn finish(self) -> io::Result<W> {
        self.0.finish()
    }

    /// What a recorder that is killed leaves behind.
    #[cfg(test)]
    pub(super) fn killed(mut self) -> W
    where
        W: Clone,
    {
        self.0.flush().expect("flush");
        self.0.get_ref().clone()
    }
}
