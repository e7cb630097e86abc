//! One frame: length, checksum, body. A snapshot is divided into many, so that no frame
//! is larger than [`FRAME_MAX`].

use bytes::{BufMut as _, BytesMut};
use serde::{Deserialize, Serialize};

use super::{FRAME_MAX, RecordError, SNAPSHOT_MAX};
use crate::{
    engine::Input,
    event::{Scanned, Snapshot},
};

/// Length and checksum.
pub(super) const HEAD: usize = 8;
/// Processes of a snapshot in one frame: with the longest paths, argv and environment
/// still below [`FRAME_MAX`].
const ROWS: usize = 32;

/// The end of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    /// Inputs recorded.
    pub(super) inputs: u64,
    /// Arguments replaced.
    pub(super) redacted: u64,
    /// Why inputs are missing after these.
    pub(super) broken: Option<String>,
}

/// A body to be written. Same order of variants as [`Heard`].
#[derive(Serialize)]
enum Said<'a> {
    Rows(&'a [Scanned]),
    Input(&'a Input),
    End(&'a End),
}

/// A body that was read.
#[derive(Deserialize)]
pub(super) enum Heard {
    /// Processes of the snapshot that follows.
    Rows(Vec<Scanned>),
    /// An input; a snapshot without the processes that came before it.
    Input(Box<Input>),
    /// Nothing follows.
    End(End),
}

/// Appends `input` to `out`.
pub(super) fn input(input: &Input, out: &mut BytesMut) -> Result<(), RecordError> {
    let Input::Snapshot(snapshot) = input else {
        return frame(&Said::Input(input), out);
    };
    if snapshot.processes.len() > SNAPSHOT_MAX {
        let count = snapshot.processes.len();
        let text = format!("a scan found {count} processes, and a recording takes {SNAPSHOT_MAX}");
        return Err(RecordError::TooLarge(text));
    }
    for rows in snapshot.processes.chunks(ROWS) {
        frame(&Said::Rows(rows), out)?;
    }
    let mut rest = Snapshot::clone(snapshot);
    rest.processes.clear();
    frame(&Said::Input(&Input::Snapshot(rest)), out)
}

/// Appends the end to `out`.
pub(super) fn end(end: &End, out: &mut BytesMut) -> Result<(), RecordError> {
    frame(&Said::End(end), out)
}

fn frame(said: &Said<'_>, out: &mut BytesMut) -> Result<(), RecordError> {
    let start = out.len();
    out.put_bytes(0, HEAD);
    let written = postcard::serialize_with_flavor(said, Behind(out))
        .map_err(|error| RecordError::TooLarge(format!("an input cannot be recorded: {error}")));
    let body = out.get(start + HEAD..).unwrap_or_default();
    let (length, checksum) = (body.len(), crc32fast::hash(body));
    let length = written.and_then(|()| {
        let fits = u32::try_from(length).ok().filter(|_| length <= FRAME_MAX);
        fits.ok_or_else(|| RecordError::TooLarge(format!("an input of {length} bytes")))
    });
    let length = length.inspect_err(|_| out.truncate(start))?;
    if let Some(mut head) = out.get_mut(start..start + HEAD) {
        head.put_u32_le(length);
        head.put_u32_le(checksum);
    }
    Ok(())
}

/// Reads a body that has passed its checksum.
pub(super) fn body(bytes: &[u8]) -> Result<Heard, String> {
    match postcard::take_from_bytes(bytes) {
        Ok((heard, [])) => Ok(heard),
        Ok((_, rest)) => Err(format!("{} bytes too many", rest.len())),
        Err(error) => Err(error.to_string()),
    }
}

/// Writes behind what is there already.
struct Behind<'a>(&'a mut BytesMut);

impl postcard::ser_flavors::Flavor for Behind<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.put_u8(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.put_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
