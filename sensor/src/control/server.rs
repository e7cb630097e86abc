//! The answering side.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    future::Future,
    io::{self, Write as _},
    os::unix::fs::{
        DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _,
        PermissionsExt as _,
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, OFlags, flock},
    process::geteuid,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::timeout,
};
use tracing::{debug, warn};

use super::{
    CONNECTIONS_MAX, Query, QueryKind, REQUEST_MAX,
    follow::{self, Wanted},
};
use crate::{
    exit::{Exit, Failure},
    sink::tail::{FOLLOWERS, Follower, Tail},
};

/// For reading the request and getting the answer; the same again for writing it.
const WAIT: Duration = Duration::from_secs(5);

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another agent has it.
    #[error("another sensor is already running with control socket {}: stop it, or give this one another control.socket", .0.display())]
    Busy(PathBuf),
    /// Something else stands at the path.
    #[error("control socket {}: something that is not a socket is in the way", .0.display())]
    Occupied(PathBuf),
    /// The system refused.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// Operation.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Self {
        let code = match &error {
            BindError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Exit::Privilege
            }
            _ => Exit::Usage,
        };
        Self::new(code, error)
    }
}

/// A bound control socket. Dropping it removes the socket, if it is still this one.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
    identity: (u64, u64),
    tail: Arc<Tail>,
    /// Held for as long as the socket is ours; the kernel lets go when the process dies.
    _lock: File,
}

impl Server {
    /// Binds `path`, replacing the socket of an agent that is dead. Creates the directory,
    /// for this user only, when it is missing. Must run inside a tokio runtime.
    ///
    /// # Errors
    /// When another agent has the socket, or the system refuses.
    pub fn bind(path: &Path) -> Result<Self, BindError> {
        let io = |what| {
            move |source| BindError::Io {
                what,
                path: path.into(),
                source,
            }
        };
        if let Some(directory) = path.parent() {
            let created = DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory);
            created.map_err(io("create the directory of"))?;
        }
        let lock = lock(path)?;
        clear(path)?;
        let listener = UnixListener::bind(path).map_err(io("bind control socket"))?;
        fs::set_permissions(path, Permissions::from_mode(0o600))
            .map_err(io("restrict control socket"))?;
        let identity = identity(path).map_err(io("examine control socket"))?;
        Ok(Self {
            listener,
            path: path.into(),
            identity,
            tail: Arc::default(),
            _lock: lock,
        })
    }

    /// The same, through which `tail` can be followed.
    #[must_use]
    pub fn with_tail(mut self, tail: Arc<Tail>) -> Self {
        self.tail = tail;
        self
    }

    /// Answers until `shutdown`, which drops open connections.
    pub async fn serve(self, queries: mpsc::Sender<Query>, shutdown: impl Future<Output = ()>) {
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = tokio::task::JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => return,
                Some(_) = connections.join_next() => continue,
                accepted = self.listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    warn!(%error, "accept on control socket");
                    // Out of descriptors: the condition lasts, so do not spin on it.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                turn_away(stream);
                continue;
            };
            let (queries, tail) = (queries.clone(), Arc::clone(&self.tail));
            connections.spawn(async move {
                if let Err(error) = converse(stream, slot, &queries, &tail).await {
                    debug!(%error, "control connection");
                }
            });
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Device and inode of what stands at `path`.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|meta| (meta.dev(), meta.ino()))
}

/// The lock of the socket `path`.
pub(crate) fn lock_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

/// Takes the lock beside the socket. Without it two agents that start together could both
/// find a stale socket, and the second would remove the first one's new one. The lock file
/// stays behind: removing it would let two agents lock two files of one name.
fn lock(path: &Path) -> Result<File, BindError> {
    let name = lock_of(path);
    let io = |source| BindError::Io {
        what: "lock control socket",
        path: path.into(),
        source,
    };
    let options = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(&name);
    let file = options.map_err(io)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(BindError::Busy(path.into())),
        Err(errno) => Err(io(errno.into())),
    }
}

/// Removes a socket nobody listens on.
fn clear(path: &Path) -> Result<(), BindError> {
    let io = |source| BindError::Io {
        what: "replace stale control socket",
        path: path.into(),
        source,
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
        Ok(meta) if !meta.file_type().is_socket() => return Err(BindError::Occupied(path.into())),
        Ok(_) => {}
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(io)
        }
        Ok(_) => Err(BindError::Busy(path.into())),
        Err(error) => Err(io(error)),
    }
}

/// Closes a connection over the limit; one small write to a new socket does not wait.
fn turn_away(stream: UnixStream) {
    let line = b"{\"error\":\"too many connections\"}\n";
    drop(
        stream
            .into_std()
            .and_then(|mut stream| stream.write_all(line)),
    );
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    query: String,
    pid: Option<u32>,
    tail: Option<Wanted>,
}

/// What a request comes to.
enum Answer {
    /// A line, and the end.
    Line(Value),
    /// Lines for as long as both are there.
    Follow(Follower, Wanted),
}

/// `slot` is one of [`CONNECTIONS_MAX`]; who follows gives it back, and takes one of
/// [`FOLLOWERS`].
async fn converse(
    mut stream: UnixStream,
    slot: OwnedSemaphorePermit,
    queries: &mpsc::Sender<Query>,
    tail: &Tail,
) -> io::Result<()> {
    let uid = stream.peer_cred()?.uid();
    let answer = if uid == 0 || uid == geteuid().as_raw() {
        let answer = timeout(WAIT, answer(&mut stream, queries, tail)).await;
        answer.unwrap_or_else(|_| Err("timed out".into()))
    } else {
        warn!(uid, "control socket: refused a user");
        Err("not permitted: ask as root or as the sensor's user".into())
    };
    let reply = match answer {
        Ok(Answer::Follow(follower, wanted)) => {
            drop(slot);
            return follow::serve(stream, &follower, wanted).await;
        }
        Ok(Answer::Line(reply)) => reply,
        Err(message) => json!({"error": message}),
    };
    let line = format!("{reply}\n");
    timeout(WAIT, stream.write_all(line.as_bytes())).await?
}

async fn answer(
    stream: &mut UnixStream,
    queries: &mpsc::Sender<Query>,
    tail: &Tail,
) -> Result<Answer, String> {
    let mut line = Vec::new();
    let limit = REQUEST_MAX as u64 + 1;
    let read = BufReader::new(stream.take(limit))
        .read_until(b'\n', &mut line)
        .await;
    read.map_err(|error| format!("read request: {error}"))?;
    if line.pop() != Some(b'\n') {
        return Err(format!(
            "a request is one line of JSON of at most {REQUEST_MAX} bytes"
        ));
    }
    let request: Request =
        serde_json::from_slice(&line).map_err(|error| format!("bad request: {error}"))?;
    let kind = match (request.query.as_str(), request.pid) {
        ("tail", None) => {
            let wanted = request.tail.unwrap_or_default();
            let follower = tail.follow(wanted.filter()?, wanted.last);
            let full = || format!("{FOLLOWERS} follow alerts already: end a `tail` or a `top`");
            let follower = follower.ok_or_else(full)?;
            return Ok(Answer::Follow(follower, wanted));
        }
        ("tree", None) => QueryKind::Tree,
        ("tree", Some(pid)) => QueryKind::TreeOf(pid),
        ("top", None) => QueryKind::Top,
        ("rules", None) => QueryKind::Rules,
        ("profile", None) => QueryKind::Profile,
        ("why-not", Some(pid)) => QueryKind::WhyNot(pid),
        ("why-not", None) => return Err("bad request: why-not needs a pid".into()),
        _ => return Err("unknown query; known: tree, rules, profile, why-not, top, tail".into()),
    };
    let (reply, answer) = oneshot::channel();
    let gone = "the sensor is shutting down";
    queries
        .send(Query { kind, reply })
        .await
        .map_err(|_closed| gone)?;
    let answer = answer.await.map_err(|_closed| gone)?;
    Ok(Answer::Line(answer))
}
