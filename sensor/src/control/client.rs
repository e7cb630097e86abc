//! The asking side; blocking, for commands.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{net::sockopt::socket_peercred, process::geteuid};
use serde_json::Value;

use crate::exit::{Exit, Failure};

/// Longest wait for the agent; it gives itself less.
const WAIT: Duration = Duration::from_secs(15);
/// Most bytes of a reply: far above 262,144 processes with short command lines.
const REPLY_MAX: u64 = 512 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nothing listens there.
    #[error("no sensor answers at {}: is `lineage-sensor run` running, with the same control.socket?", .0.display())]
    Absent(PathBuf),
    /// The socket may not be used by this user.
    #[error("not permitted to ask the sensor at {}: run as root or as the sensor's user", .0.display())]
    Denied(PathBuf),
    /// Somebody else listens there.
    #[error("{} belongs to uid {uid}, which is neither root nor this user: not asking it", path.display())]
    Foreign {
        /// Socket.
        path: PathBuf,
        /// Who listens.
        uid: u32,
    },
    /// The conversation broke off.
    #[error("ask the sensor at {}: {source}", path.display())]
    Io {
        /// Socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The reply is not JSON.
    #[error("the sensor at {} gave a reply that cannot be read: {source}", path.display())]
    Reply {
        /// Socket.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The agent said no.
    #[error("the sensor refused: {0}")]
    Refused(String),
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        let code = match error {
            AskError::Denied(_) | AskError::Foreign { .. } => Exit::Privilege,
            AskError::Reply { .. } => Exit::Internal,
            AskError::Absent(_) | AskError::Io { .. } | AskError::Refused(_) => Exit::Unavailable,
        };
        Self::new(code, error)
    }
}

/// Sends `request` to the agent at `path` and returns its answer.
///
/// # Errors
/// When nobody answers there, may not be asked, or says no.
pub fn ask(path: &Path, request: &Value) -> Result<Value, AskError> {
    let line = exchange(path, request)?;
    let reply: Value = serde_json::from_slice(&line).map_err(|source| AskError::Reply {
        path: path.into(),
        source,
    })?;
    match reply.get("error").and_then(Value::as_str) {
        Some(message) => Err(AskError::Refused(message.into())),
        None => Ok(reply),
    }
}

fn exchange(path: &Path, request: &Value) -> Result<Vec<u8>, AskError> {
    let io = |source| AskError::Io {
        path: path.into(),
        source,
    };
    let mut stream = UnixStream::connect(path).map_err(|error| connect_error(path, error))?;
    let uid = socket_peercred(&stream)
        .map_err(|errno| io(errno.into()))?
        .uid
        .as_raw();
    if uid != 0 && uid != geteuid().as_raw() {
        return Err(AskError::Foreign {
            path: path.into(),
            uid,
        });
    }
    stream.set_read_timeout(Some(WAIT)).map_err(io)?;
    stream.set_write_timeout(Some(WAIT)).map_err(io)?;
    // A refusal can come, and the other end close, before the request is written.
    let sent = stream.write_all(format!("{request}\n").as_bytes());
    let mut line = Vec::new();
    let got = BufReader::new(stream.take(REPLY_MAX)).read_until(b'\n', &mut line);
    if line.pop() == Some(b'\n') {
        return Ok(line);
    }
    let broken = || io::ErrorKind::UnexpectedEof.into();
    Err(io(sent.and(got.map(drop)).err().unwrap_or_else(broken)))
}

fn connect_error(path: &Path, error: io::Error) -> AskError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::Absent(path.into()),
        io::ErrorKind::PermissionDenied => AskError::Denied(path.into()),
        _ => AskError::Io {
            path: path.into(),
            source: error,
        },
    }
}
