//! The consumer end of the rings: records in, events and proven gaps out.

use std::{io, mem::offset_of};

use aya::maps::{MapData, RingBuf};
use tokio::io::{Interest, unix::AsyncFd};

use crate::{
    decode::{DecodeError, decode},
    event::{Event, Lost, RingKind, Stamp},
};

/// What one step of the reader found.
#[derive(Clone, Debug)]
pub enum Read {
    /// A record, and the gap in its CPU's sequence before it, if there is one.
    Event(Event, Option<Lost>),
    /// A record that is none.
    Malformed(DecodeError),
}

/// Reader of the ring. A record gives its place back at the end of the step.
pub struct Ring {
    ring: RingBuf<MapData>,
    sequence: Sequence,
}

impl Ring {
    /// A reader from the start of the ring's life: sequence numbers begin at 1.
    #[must_use]
    pub fn new(ring: RingBuf<MapData>, kind: RingKind) -> Self {
        Self {
            ring,
            sequence: Sequence::new(kind),
        }
    }

    /// Takes one record, if there is one.
    pub fn step(&mut self) -> Option<Read> {
        let item = self.ring.next()?;
        Some(self.sequence.read(&item))
    }

    fn into_async(self) -> io::Result<AsyncRing> {
        let Self { ring, sequence } = self;
        #[expect(unsafe_code, reason = "tokio has no safe way to register a descriptor")]
        // SAFETY: the descriptor is the ring's own map; it stays open and the same for
        // as long as `ring` lives, which the `AsyncFd` owns.
        let ring = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) }?;
        Ok(AsyncRing { ring, sequence })
    }
}

/// A [`Ring`] that can be awaited.
pub struct AsyncRing {
    ring: AsyncFd<RingBuf<MapData>>,
    sequence: Sequence,
}

impl AsyncRing {
    async fn readable(&mut self) -> io::Result<()> {
        self.ring.readable_mut().await?.clear_ready();
        Ok(())
    }

    /// Time of the next record, which stays where it is; `None` when there is none.
    fn peek(&mut self) -> Option<u64> {
        let item = self.ring.get_mut().next()?;
        let time = time_of(&item);
        // Not dropped: that would give the record's place back.
        std::mem::forget(item);
        Some(time)
    }

    fn step(&mut self, consume: impl FnOnce(Read)) -> bool {
        let Some(item) = self.ring.get_mut().next() else {
            return false;
        };
        consume(self.sequence.read(&item));
        true
    }
}

/// Both rings, read in the order of their records' times.
///
/// They have no common order but this: a process's file record is written after the
/// record of its fork, and before that of its next exec. Looking at the ring with the
/// later record last makes sure that an earlier one is not overlooked.
pub struct AsyncRings {
    lifecycle: AsyncRing,
    file: AsyncRing,
}

impl AsyncRings {
    /// Makes both wait for readiness in the current tokio runtime.
    ///
    /// # Errors
    /// When a descriptor cannot be registered.
    pub fn new(lifecycle: Ring, file: Ring) -> io::Result<Self> {
        Ok(Self {
            lifecycle: lifecycle.into_async()?,
            file: file.into_async()?,
        })
    }

    /// Waits until the kernel has announced a record. Most records are not announced:
    /// the caller looks at intervals as well.
    ///
    /// # Errors
    /// When the event loop is gone.
    pub async fn readable(&mut self) -> io::Result<()> {
        let Self { lifecycle, file } = self;
        tokio::select! {
            ready = lifecycle.readable() => ready,
            ready = file.readable() => ready,
        }
    }

    /// Takes one record and hands it to `consume` before it gives its place back.
    /// `false` when there was none.
    pub fn step(&mut self, consume: impl FnOnce(Read)) -> bool {
        let first = self.lifecycle.peek();
        let file = self.file.peek();
        let lifecycle = if file.is_some() && first.is_none() {
            self.lifecycle.peek()
        } else {
            first
        };
        match (lifecycle, file) {
            (None, Some(_)) => self.file.step(consume),
            (Some(lifecycle), Some(file)) if file < lifecycle => self.file.step(consume),
            _ => self.lifecycle.step(consume),
        }
    }
}

/// Time of a record by its header; 0 for one that has none, so that it is read, and
/// counted as malformed, at once.
fn time_of(record: &[u8]) -> u64 {
    let at = offset_of!(sensor_common::record::Header, time_ns);
    let bytes = record.get(at..).and_then(<[u8]>::first_chunk);
    bytes.map_or(0, |bytes| u64::from_ne_bytes(*bytes))
}

/// Last sequence number seen on each CPU.
#[derive(Debug, Default)]
struct Sequence {
    ring: RingKind,
    last: Vec<u64>,
}

/// CPUs followed; the number comes from a record, so it is bounded (`NR_CPUS` is 8,192
/// at most).
const CPUS: usize = 8_192;

impl Sequence {
    fn new(ring: RingKind) -> Self {
        Self {
            ring,
            last: Vec::new(),
        }
    }

    fn read(&mut self, record: &[u8]) -> Read {
        match decode(record) {
            Ok(event) => {
                let lost = event.stamp().and_then(|stamp| self.follow(stamp));
                Read::Event(event, lost)
            }
            Err(error) => Read::Malformed(error),
        }
    }

    /// Notes `stamp`; tells how many numbers were skipped before it.
    fn follow(&mut self, stamp: Stamp) -> Option<Lost> {
        let cpu = stamp.cpu as usize;
        if cpu >= CPUS {
            return None;
        }
        if self.last.len() <= cpu {
            self.last.resize(cpu + 1, 0);
        }
        let last = self.last.get_mut(cpu)?;
        let missing = stamp.seq.saturating_sub(last.saturating_add(1));
        *last = stamp.seq.max(*last);
        (missing > 0).then_some(Lost {
            ring: self.ring,
            cpu: stamp.cpu,
            count: missing,
            time_ns: stamp.time_ns,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_counted_per_cpu_and_from_the_first_record() {
        let mut sequence = Sequence::default();
        let mut follow = |cpu, seq| {
            sequence
                .follow(Stamp {
                    cpu,
                    seq,
                    time_ns: 0,
                })
                .map(|lost| lost.count)
        };
        assert_eq!(follow(0, 1), None);
        assert_eq!(follow(0, 2), None);
        assert_eq!(follow(1, 3), Some(2));
        assert_eq!(follow(0, 5), Some(2));
        assert_eq!(follow(0, 4), None);
        assert_eq!(follow(0, 6), None);
        assert_eq!(follow(u32::MAX, 1), None);
    }
}
