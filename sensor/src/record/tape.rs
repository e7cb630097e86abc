//! The recorder between the loop and the engine, and the thread that writes what it
//! takes.
//!
//! Taking an input costs its encoding and never a wait: finished chunks go over a
//! bounded queue. A queue that overflows, or a disk that fails, ends the recording for
//! good and says so in its last frame; a gap nobody knows of cannot come about.

use std::{
    fs::File,
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};

use super::{
    Header, RecordError,
    frame::{self, End},
    writer::Stream,
};
use crate::{
    engine::{Engine, Input, Output},
    event::Event,
    redact::Redactor,
    ring::Read,
};

/// Bytes of frames after which they go to the writer.
const CHUNK: usize = 64 << 10;
/// Chunks that may wait: with [`CHUNK`] about 32 MiB, more than a second of what the
/// ring can hold.
const QUEUE: usize = 512;
/// What a killed sensor may leave unwritten: so often chunks are sent though not full,
/// and the compressor is told to let go of what it has, ns and [`FLUSH`].
const SEND_NS: u64 = 500_000_000;
const FLUSH: Duration = Duration::from_millis(500);

/// The engine, recorded or not.
pub struct Core {
    /// What consumes the inputs.
    pub engine: Engine,
    /// What writes them down.
    pub tape: Option<Tape>,
}

impl Core {
    /// Takes one input, as [`Engine::step`].
    pub fn step(&mut self, input: Input, out: &mut Vec<Output>) {
        if let Some(tape) = &mut self.tape {
            tape.take(&input);
        }
        self.engine.step(input, out);
    }

    /// The recording has ended before its time.
    #[must_use]
    pub fn broken(&self) -> bool {
        self.tape.as_ref().is_some_and(|tape| tape.broken.is_some())
    }

    /// Takes what was read from the ring; `true` when records are missing before it.
    pub fn take(&mut self, read: Read, out: &mut Vec<Output>) -> bool {
        let Read::Event(event, lost) = read else {
            return false;
        };
        if let Some(lost) = lost {
            self.step(Input::Event(Event::Lost(lost)), out);
        }
        self.step(Input::Event(event), out);
        lost.is_some()
    }
}

/// How to record.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What replaces secrets in arguments; `None` keeps them.
    pub redactor: Option<Arc<Redactor>>,
}

/// How far a recording has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Inputs taken.
    pub inputs: u64,
    /// Of these, events of processes.
    pub events: u64,
    /// Arguments in which something was replaced.
    pub redacted: u64,
    /// Bytes in the file so far.
    pub bytes: u64,
}

/// What a finished recording holds.
pub type Summary = Progress;

/// See the module.
pub struct Tape {
    options: Options,
    chunk: BytesMut,
    chunks: Option<SyncSender<Bytes>>,
    writer: Option<thread::JoinHandle<Result<(), RecordError>>>,
    bytes: Arc<AtomicU64>,
    progress: Progress,
    /// Time of the last tick that sent a chunk, ns.
    sent_ns: u64,
    /// Why no more is taken.
    broken: Option<String>,
}

impl Tape {
    /// Writes the header and starts the thread.
    ///
    /// # Errors
    /// When the file cannot be written or the thread not be started.
    pub fn start(file: File, header: &Header, options: Options) -> Result<Self, RecordError> {
        let bytes = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            file,
            bytes: Arc::clone(&bytes),
        };
        let stream = Stream::new(counted, header)?;
        let (chunks, queue) = sync_channel(QUEUE);
        let writer = thread::Builder::new()
            .name("record".to_owned())
            .spawn(move || write(stream, &queue))?;
        Ok(Self {
            options,
            chunk: BytesMut::with_capacity(CHUNK * 2),
            chunks: Some(chunks),
            writer: Some(writer),
            bytes,
            progress: Progress::default(),
            sent_ns: 0,
            broken: None,
        })
    }

    /// Takes one input down.
    pub fn take(&mut self, input: &Input) {
        if self.broken.is_some() || matches!(input, Input::Query(_)) {
            return;
        }
        let encoded = match &self.options.redactor {
            None => frame::input(input, &mut self.chunk),
            Some(redactor) => {
                let clean = redactor.input(input);
                self.progress.redacted += clean.replaced;
                frame::input(clean.input.as_ref().unwrap_or(input), &mut self.chunk)
            }
        };
        if let Err(error) = encoded {
            return self.broken = Some(error.to_string());
        }
        self.progress.inputs += 1;
        self.progress.events += u64::from(matches!(input, Input::Event(_)));
        let due = match input {
            Input::Tick(now_ns) if now_ns.saturating_sub(self.sent_ns) >= SEND_NS => {
                self.sent_ns = *now_ns;
                true
            }
            _ => self.chunk.len() >= CHUNK,
        };
        if due {
            self.send();
        }
    }

    /// How far it has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress {
            bytes: self.bytes.load(Ordering::Relaxed),
            ..self.progress
        }
    }

    /// Writes the end and waits for the file.
    ///
    /// # Errors
    /// When the recording is not complete.
    pub fn finish(mut self) -> Result<Summary, RecordError> {
        let end = End {
            inputs: self.progress.inputs,
            redacted: self.progress.redacted,
            broken: self.broken.clone(),
        };
        frame::end(&end, &mut self.chunk)?;
        let last = self.chunk.split().freeze();
        if let Some(chunks) = self.chunks.take() {
            // A writer that is gone says why below.
            drop(chunks.send(last));
        }
        let written = self.writer.take().map(thread::JoinHandle::join);
        match written {
            Some(Ok(written)) => written?,
            _ => return Err(io::Error::other("the writing thread panicked").into()),
        }
        match self.broken.take() {
            Some(reason) => Err(RecordError::Broken {
                inputs: end.inputs,
                reason,
            }),
            None => Ok(self.progress()),
        }
    }

    fn send(&mut self) {
        let chunk = self.chunk.split().freeze();
        self.chunk.reserve(CHUNK * 2);
        let Some(chunks) = &self.chunks else { return };
        match chunks.try_send(chunk) {
            Ok(()) => {}
            Err(TrySendError::Full(chunk)) => {
                self.broken = Some("the disk does not keep up with the events".to_owned());
                self.unsent(&chunk);
            }
            Err(TrySendError::Disconnected(_)) => {
                self.broken = Some("the file can no longer be written".to_owned());
            }
        }
    }

    /// A chunk that found no room is kept: `finish` may wait for it.
    fn unsent(&mut self, chunk: &[u8]) {
        self.chunk.extend_from_slice(chunk);
    }
}

fn write(mut stream: Stream<Counted>, chunks: &Receiver<Bytes>) -> Result<(), RecordError> {
    let mut flushed = Instant::now();
    let mut dirty = false;
    loop {
        match chunks.recv_timeout(FLUSH) {
            Ok(chunk) => {
                stream.write(&chunk)?;
                dirty = true;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if dirty && flushed.elapsed() >= FLUSH {
            stream.flush()?;
            (flushed, dirty) = (Instant::now(), false);
        }
    }
    stream.finish()?;
    Ok(())
}

/// Counts what reaches the file.
struct Counted {
    file: File,
    bytes: Arc<AtomicU64>,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
