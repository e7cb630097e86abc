//! The start of a recording: what the core was told before its first input, and what
//! the alerts depend on besides the inputs.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::MAGIC;
use crate::{alert::Host, printable::escape};

/// Version of the format. It changes with every change of what an input holds; no other
/// version is read.
pub const VERSION: u32 = 1;
/// Longest header, bytes: it lists the users of the machine.
const LENGTH_MAX: usize = 8 << 20;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Version of the sensor that recorded.
    pub sensor: String,
    /// Release of the kernel.
    pub kernel: String,
    /// When recording began, ns since the epoch.
    pub began_ns: i64,
    /// Hash of the rules in force, hex.
    pub rules: String,
    /// Hash of the profiles in force, hex; empty in recordings of before there were any.
    #[serde(default)]
    pub profile: String,
    /// What the configuration told the core, as YAML.
    pub config: String,
    /// Hash of `config`, hex.
    pub config_hash: String,
    /// Secrets in arguments were replaced.
    pub redacted: bool,
    /// Facts of the machine that alerts carry.
    pub host: Host,
}

/// Why the start of a file is no header.
#[derive(Debug, Error)]
pub enum HeaderError {
    /// Something else.
    #[error("not a recording of this sensor")]
    Foreign,
    /// A recording, but not of this version.
    #[error(
        "format version {0}, and this sensor reads version {VERSION} only: record it again, or \
         replay it with the sensor that recorded it"
    )]
    Version(u32),
    /// The file ends inside it.
    #[error("truncated in its header")]
    Truncated,
    /// Bytes that were never written so.
    #[error("corrupt header: {0}")]
    Corrupt(String),
}

impl Header {
    /// Writes magic, version, length, checksum and the header itself.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let body = serde_json::to_vec(self)?;
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        if body.len() > LENGTH_MAX {
            return Err(io::Error::other("the header is too long"));
        }
        out.write_all(MAGIC)?;
        for number in [VERSION, length, crc32fast::hash(&body)] {
            out.write_all(&number.to_le_bytes())?;
        }
        out.write_all(&body)
    }

    /// Reads what [`Header::write`] wrote.
    ///
    /// # Errors
    /// When it is something else, or the input cannot be read.
    pub fn read(input: &mut impl Read) -> Result<Self, super::RecordError> {
        let mut magic = [0; MAGIC.len()];
        match input.read_exact(&mut magic) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(HeaderError::Foreign.into());
            }
            other => other?,
        }
        if magic != *MAGIC {
            return Err(HeaderError::Foreign.into());
        }
        let version = number(input)?;
        if version != VERSION {
            return Err(HeaderError::Version(version).into());
        }
        let (length, checksum) = (number(input)?, number(input)?);
        if length as usize > LENGTH_MAX {
            return Err(HeaderError::Corrupt(format!("{length} bytes long")).into());
        }
        let mut body = Vec::new();
        input.take(length.into()).read_to_end(&mut body)?;
        if body.len() < length as usize {
            return Err(HeaderError::Truncated.into());
        }
        if crc32fast::hash(&body) != checksum {
            return Err(HeaderError::Corrupt("its checksum does not fit".to_owned()).into());
        }
        let header: Self = serde_json::from_slice(&body)
            .map_err(|error| HeaderError::Corrupt(error.to_string()))?;
        Ok(header.printable())
    }

    /// What reaches alerts as text is held to what [`crate::host`] promises. A genuine
    /// header stays as it is.
    fn printable(mut self) -> Self {
        let host = &mut self.host;
        let users = host.users.values_mut();
        for text in users.chain([&mut host.name, &mut host.boot_id]) {
            *text = escape(text).into_owned();
        }
        self
    }
}

fn number(input: &mut impl Read) -> Result<u32, super::RecordError> {
    let mut bytes = [0; 4];
    match input.read_exact(&mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(HeaderError::Truncated.into())
        }
        Err(error) => Err(error.into()),
        Ok(()) => Ok(u32::from_le_bytes(bytes)),
    }
}
