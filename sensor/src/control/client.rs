//! The asking side; blocking, for commands.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::{fs::MetadataExt as _, net::UnixStream},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{net::sockopt::socket_peercred, process::geteuid};
use serde_json::Value;

use super::Wanted;
use crate::exit::{Exit, Failure};

/// Longest wait for the agent; it gives itself less.
const WAIT: Duration = Duration::from_secs(15);
/// Most bytes of a reply: far above 262,144 processes with short command lines.
const REPLY_MAX: u64 = 512 << 20;
/// Most bytes of a line that is followed: far above an alert, drawn or not.
const LINE_MAX: u64 = 1 << 20;

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

/// A connection to an agent that may be believed; neither end is waited for longer than
/// [`WAIT`].
fn connect(path: &Path) -> Result<UnixStream, AskError> {
    let io = |source| AskError::Io {
        path: path.into(),
        source,
    };
    let stream = UnixStream::connect(path).map_err(|error| connect_error(path, error))?;
    let peer = socket_peercred(&stream).map_err(|errno| io(errno.into()))?;
    let uid = peer.uid.as_raw();
    if uid != 0 && uid != geteuid().as_raw() && !is_entrusted(path, peer.gid.as_raw()) {
        return Err(AskError::Foreign {
            path: path.into(),
            uid,
        });
    }
    stream.set_read_timeout(Some(WAIT)).map_err(io)?;
    stream.set_write_timeout(Some(WAIT)).map_err(io)?;
    Ok(stream)
}

/// Root has let this group, and nobody else, make sockets there: that of the outlet's user.
fn is_entrusted(path: &Path, gid: u32) -> bool {
    let directory = path.parent().and_then(|it| it.canonicalize().ok());
    let meta = directory.and_then(|it| fs::metadata(it).ok());
    meta.is_some_and(|meta| meta.uid() == 0 && meta.gid() == gid && meta.mode() & 0o022 == 0o020)
}

fn exchange(path: &Path, request: &Value) -> Result<Vec<u8>, AskError> {
    let io = |source| AskError::Io {
        path: path.into(),
        source,
    };
    let mut stream = connect(path)?;
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

/// A connection that follows alerts.
#[derive(Debug)]
pub struct Following {
    reader: BufReader<UnixStream>,
    /// What has come of the next line.
    line: Vec<u8>,
}

/// What came while it was listened.
#[derive(Debug)]
pub enum Heard {
    /// A line, without its end, and what it says.
    Line(String, Value),
    /// Nothing, for so long as was asked for.
    Nothing,
    /// The agent has gone.
    End,
}

impl Following {
    /// Follows what is `wanted` of the agent at `path`.
    ///
    /// # Errors
    /// When nobody answers there, may not be asked, or says no.
    pub fn begin(path: &Path, wanted: &Wanted) -> Result<Self, AskError> {
        let mut stream = connect(path)?;
        let request = serde_json::json!({ "query": "tail", "tail": wanted });
        // A refusal can come, and the other end close, before the request is written.
        let sent = stream.write_all(format!("{request}\n").as_bytes());
        let mut following = Self {
            reader: BufReader::new(stream),
            line: Vec::new(),
        };
        let io = |source| AskError::Io {
            path: path.into(),
            source,
        };
        match following.hear(WAIT) {
            Heard::Line(_, first) => match first.get("error").and_then(Value::as_str) {
                Some(message) => Err(AskError::Refused(message.into())),
                None => Ok(following),
            },
            Heard::Nothing => Err(io(io::ErrorKind::TimedOut.into())),
            Heard::End => {
                let broken = || io::ErrorKind::UnexpectedEof.into();
                Err(io(sent.err().unwrap_or_else(broken)))
            }
        }
    }

    /// Listens for one line, not longer than `wait`, which is more than nothing.
    pub fn hear(&mut self, wait: Duration) -> Heard {
        if self.reader.get_ref().set_read_timeout(Some(wait)).is_err() {
            return Heard::End;
        }
        let room = LINE_MAX.saturating_sub(self.line.len() as u64);
        let read = (&mut self.reader)
            .take(room)
            .read_until(b'\n', &mut self.line);
        match read {
            Ok(_) if self.line.last() == Some(&b'\n') => {
                let line = std::mem::take(&mut self.line);
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                serde_json::from_str(&line).map_or(Heard::End, |value| Heard::Line(line, value))
            }
            Err(error) if is_wait(&error) => Heard::Nothing,
            _ => Heard::End,
        }
    }

    /// Says how wide the terminal is now. When the agent has gone, listening tells.
    pub fn widen(&self, columns: usize) {
        let line = format!("{}\n", serde_json::json!({ "columns": columns }));
        let mut stream = self.reader.get_ref();
        drop(stream.write_all(line.as_bytes()));
    }
}

fn is_wait(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, chown};

    use super::*;

    const OUTLET: u32 = 65_432;

    #[test]
    fn only_the_group_that_root_has_let_is_entrusted() {
        if !geteuid().is_root() {
            println!("SKIP control: not root");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("control.sock");
        let entrusted = |owner, mode, gid| {
            chown(dir.path(), Some(owner), Some(OUTLET)).unwrap();
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
            is_entrusted(&socket, gid)
        };
        assert!(entrusted(0, 0o1770, OUTLET) && entrusted(0, 0o775, OUTLET));
        for (owner, mode, gid) in [
            (0, 0o1770, OUTLET + 1),
            (0, 0o700, OUTLET),
            (0, 0o1777, OUTLET),
            (OUTLET, 0o1770, OUTLET),
        ] {
            assert!(!entrusted(owner, mode, gid), "{owner} {mode:o} {gid}");
        }
        chown(dir.path(), Some(0), Some(0)).unwrap();
        assert!(!is_entrusted(Path::new("/no/such/directory/s"), OUTLET));
    }
}
