//! Rows of the task iterator: a process each, and what it stands in.

use std::mem::offset_of;

use sensor_common::{
    map::ProcessId,
    record::{TaskRow, row},
};

use crate::event::Membership;

/// A row of the iterator.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) process: ProcessId,
    pub(super) parent: ProcessId,
    pub(super) membership: Option<Membership>,
    /// [`row`] bits.
    pub(super) flags: u32,
    pub(super) uid: u32,
}

impl Row {
    /// Reads what the iterator wrote.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| {
            bytes
                .get(at..)
                .and_then(<[u8]>::first_chunk::<4>)
                .map(|word| u32::from_ne_bytes(*word))
        };
        let id = |at: usize| {
            let start = bytes
                .get(at + offset_of!(ProcessId, start_ns)..)?
                .first_chunk::<8>()?;
            Some(ProcessId::new(
                word(at + offset_of!(ProcessId, tgid))?,
                u64::from_ne_bytes(*start),
            ))
        };
        let flags = word(offset_of!(TaskRow, flags))?;
        let root = id(offset_of!(TaskRow, root))?;
        let depth = word(offset_of!(TaskRow, depth))?;
        Some(Self {
            process: id(offset_of!(TaskRow, process))?,
            parent: id(offset_of!(TaskRow, parent))?,
            membership: (flags & row::MEMBER != 0).then_some(Membership { root, depth }),
            flags,
            uid: word(offset_of!(TaskRow, uid))?,
        })
    }

    /// This pass made it a member.
    pub(super) const fn added(&self) -> bool {
        self.flags & row::ADDED != 0
    }

    /// Its executable is a server by name.
    pub(super) const fn recognised(&self) -> bool {
        self.flags & row::RECOGNISED != 0
    }

    /// Its executable is an interpreter by name.
    pub(super) const fn interpreter(&self) -> bool {
        self.flags & row::INTERPRETER != 0
    }

    /// It stands in a candidate.
    pub(super) const fn candidate(&self) -> bool {
        self.flags & row::CANDIDATE != 0
    }
}

#[cfg(test)]
impl Row {
    /// A row of a stranger.
    pub(super) const fn new(process: ProcessId, parent: ProcessId) -> Self {
        Self {
            process,
            parent,
            membership: None,
            flags: 0,
            uid: 33,
        }
    }
}
