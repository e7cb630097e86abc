//! Reads a recording, one input after the other, from a file nobody vouches for.
//!
//! Memory is bounded whatever the file claims: one frame, one snapshot, and the window
//! of the decompressor.

use std::io::{self, BufReader, Read};

use super::{
    FRAME_MAX, Header, RecordError, SNAPSHOT_MAX,
    frame::{self, End, HEAD, Heard},
};
use crate::{engine::Input, event::Scanned};

/// Largest window a stream may ask for, as a power of two: 8 MiB, what zstd uses up to
/// level 19.
const WINDOW_LOG: u32 = 23;

/// See the module. After the first error there is nothing more.
pub struct Reader<R: Read> {
    header: Header,
    stream: zstd::Decoder<'static, BufReader<R>>,
    /// Frames read whole.
    frames: u64,
    /// Bytes of the decompressed stream that they take.
    at: u64,
    inputs: u64,
    rows: Vec<Scanned>,
    body: Vec<u8>,
    end: Option<End>,
    done: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// When there is none, or one of another version.
    pub fn new(mut input: R) -> Result<Self, RecordError> {
        let header = Header::read(&mut input)?;
        let mut stream = zstd::Decoder::new(input)?;
        stream.window_log_max(WINDOW_LOG)?;
        Ok(Self {
            header,
            stream,
            frames: 0,
            at: 0,
            inputs: 0,
            rows: Vec::new(),
            body: Vec::new(),
            end: None,
            done: false,
        })
    }

    /// What was known before the first input.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Arguments that were replaced; known at the end of a complete recording.
    #[must_use]
    pub fn redacted(&self) -> Option<u64> {
        self.end.as_ref().map(|end| end.redacted)
    }

    fn step(&mut self) -> Result<Option<Input>, RecordError> {
        loop {
            let heard = self.frame()?;
            match heard {
                Heard::Rows(rows) => {
                    if self.rows.len() + rows.len() > SNAPSHOT_MAX {
                        let reason = format!("a snapshot of more than {SNAPSHOT_MAX} processes");
                        return Err(self.corrupt(reason));
                    }
                    self.rows.extend(rows);
                    self.advance();
                }
                Heard::Input(input) => {
                    self.advance();
                    self.inputs += 1;
                    return Ok(Some(self.whole(*input)));
                }
                Heard::End(end) => return self.finish(end).map(|()| None),
            }
        }
    }

    /// Gives a snapshot its processes.
    fn whole(&mut self, input: Input) -> Input {
        match input {
            Input::Snapshot(mut snapshot) => {
                snapshot.processes.splice(0..0, self.rows.drain(..));
                Input::Snapshot(snapshot)
            }
            other => other,
        }
    }

    /// Reads one frame into `body`.
    fn frame(&mut self) -> Result<Heard, RecordError> {
        match self.fill(HEAD as u64)?.0 {
            HEAD => {}
            0 => return Err(self.truncated("the file was cut, or its recorder did not finish")),
            _ => return Err(self.truncated("its length is cut")),
        }
        let (length, checksum) = (integer(&self.body, 0), integer(&self.body, 4));
        if length as usize > FRAME_MAX {
            return Err(self.corrupt(format!("it claims {length} bytes")));
        }
        if self.fill(length.into())?.0 < length as usize {
            return Err(self.truncated("its body is cut"));
        }
        if crc32fast::hash(&self.body) != checksum {
            return Err(self.corrupt("its checksum does not fit".to_owned()));
        }
        frame::body(&self.body).map_err(|reason| self.corrupt(reason))
    }

    /// Reads up to `length` bytes into `body`. Fewer at the end of the stream; then
    /// whether the file ends before the stream does.
    fn fill(&mut self, length: u64) -> Result<(usize, bool), RecordError> {
        self.body.clear();
        match (&mut self.stream).take(length).read_to_end(&mut self.body) {
            Ok(_) => Ok((self.body.len(), false)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Ok((self.body.len(), true))
            }
            // What the decompressor refuses has no code of the operating system.
            Err(error) if error.raw_os_error().is_none() => {
                Err(self.corrupt(format!("cannot be decompressed: {error}")))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn finish(&mut self, end: End) -> Result<(), RecordError> {
        if end.inputs != self.inputs || !self.rows.is_empty() {
            let (claimed, read) = (end.inputs, self.inputs);
            return Err(self.corrupt(format!("the end speaks of {claimed} inputs, read {read}")));
        }
        let broken = end.broken.clone();
        self.end = Some(end);
        self.advance();
        if let Some(reason) = broken {
            let inputs = self.inputs;
            return Err(RecordError::Broken { inputs, reason });
        }
        match self.fill(1)? {
            (0, false) => Ok(()),
            (0, true) => Err(self.truncated("its compressed end is missing")),
            _ => Err(self.corrupt("something follows the end".to_owned())),
        }
    }

    /// The frame in `body` is done with.
    fn advance(&mut self) {
        self.frames += 1;
        self.at += (HEAD + self.body.len()) as u64;
    }

    fn truncated(&self, reason: &'static str) -> RecordError {
        RecordError::Truncated {
            frame: self.frames + 1,
            at: self.at,
            reason,
        }
    }

    fn corrupt(&self, reason: String) -> RecordError {
        RecordError::Corrupt {
            frame: self.frames + 1,
            at: self.at,
            reason,
        }
    }
}

/// The integer at this place of a frame's head.
fn integer(head: &[u8], at: usize) -> u32 {
    let bytes = head.get(at..).and_then(<[u8]>::first_chunk::<4>);
    u32::from_le_bytes(*bytes.unwrap_or(&[0; 4]))
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Input, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.step().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}
