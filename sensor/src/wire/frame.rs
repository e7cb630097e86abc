//! Frames: a message behind its length.

use std::io::{self, Read, Write};

use serde::{Serialize, de::DeserializeOwned};

/// Bytes of a length.
pub const HEADER: usize = 4;

/// What is wrong with what came, or was to be said.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The other end is gone, or the system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A length beyond the bound.
    #[error("a message of {0} bytes")]
    Length(usize),
    /// It is no message.
    #[error("not a message: {0}")]
    Message(#[from] postcard::Error),
    /// Something is left behind the message.
    #[error("{0} bytes behind a message")]
    Rest(usize),
}

/// A message as a frame; its body has at most `max` bytes.
///
/// # Errors
/// When the message is longer.
pub fn frame(message: &impl Serialize, max: usize) -> Result<Vec<u8>, WireError> {
    let bytes = postcard::to_extend(message, vec![0; HEADER])?;
    let length = bytes.len().saturating_sub(HEADER);
    if length > max {
        return Err(WireError::Length(length));
    }
    let mut bytes = bytes;
    // Bounded by `max`, which is far below.
    let header = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    if let Some(room) = bytes.first_chunk_mut::<HEADER>() {
        *room = header;
    }
    Ok(bytes)
}

/// The length that a header says.
///
/// # Errors
/// When it is beyond `max`.
pub(super) fn length(header: [u8; HEADER], max: usize) -> Result<usize, WireError> {
    let length = usize::try_from(u32::from_le_bytes(header)).unwrap_or(usize::MAX);
    if length > max {
        return Err(WireError::Length(length));
    }
    Ok(length)
}

/// The message that a body holds, and nothing besides.
///
/// # Errors
/// When it holds none, or more.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, WireError> {
    let (message, rest) = postcard::take_from_bytes(body)?;
    if !rest.is_empty() {
        return Err(WireError::Rest(rest.len()));
    }
    Ok(message)
}

/// Writes a message; blocks.
///
/// # Errors
/// When it is too long, or the system refuses.
pub fn write(mut to: impl Write, message: &impl Serialize, max: usize) -> Result<(), WireError> {
    Ok(to.write_all(&frame(message, max)?)?)
}

/// Reads a message; blocks.
///
/// # Errors
/// When it is none, or the system refuses.
pub fn read<T: DeserializeOwned>(mut from: impl Read, max: usize) -> Result<T, WireError> {
    let mut header = [0; HEADER];
    from.read_exact(&mut header)?;
    let mut body = vec![0; length(header, max)?];
    from.read_exact(&mut body)?;
    decode(&body)
}
