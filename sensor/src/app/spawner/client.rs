//! The collector's end of the way to the spawner.

use std::{
    io::{self, IoSlice, Read as _},
    mem::MaybeUninit,
    net::Shutdown,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    process::{Child, Command},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::{READY, REQUEST, SPAWNER_ARG, deed};
use crate::{
    account::Account,
    app::link::{Launch, Launched, Process},
    exit::{Exit, Failure},
};

/// How long an answer may take: a fork and an exec, or the end of a process.
const WAIT: Duration = Duration::from_secs(10);

/// See the module. Clones are the same.
#[derive(Clone)]
pub(in crate::app) struct Spawner(Arc<Mutex<UnixStream>>, Arc<Mutex<Child>>);

impl Spawner {
    /// Starts the spawner; what it starts runs as `account`, or as this user. Before the
    /// process has a second thread or gives anything up.
    ///
    /// # Errors
    /// When the system refuses, or the spawner, which has said why; with its exit code.
    pub(in crate::app) fn start(account: Option<Account>) -> Result<Self, Failure> {
        let failed = |error: io::Error| {
            Failure::new(Exit::Internal, format_args!("start the spawner: {error}"))
        };
        let (stream, mut child) = Self::launch(account).map_err(failed)?;
        Self::hear(&stream).map_err(|error| {
            // It ends with what it has said, or because this end is closed now.
            drop(stream.shutdown(Shutdown::Both));
            let code = child.wait().ok().and_then(|status| status.code());
            match code.and_then(|code| u8::try_from(code).ok()) {
                Some(code @ 1..) => Failure::new(Exit::of(code), "the spawner could not start"),
                _ => failed(error),
            }
        })?;
        Ok(Self(
            Arc::new(Mutex::new(stream)),
            Arc::new(Mutex::new(child)),
        ))
    }

    fn launch(account: Option<Account>) -> io::Result<(UnixStream, Child)> {
        let (stream, theirs) = UnixStream::pair()?;
        let mut command = Command::new("/proc/self/exe");
        command.arg0("lineage-sensor").arg(SPAWNER_ARG);
        command.args(account.map(|it| it.to_string()));
        let child = command.stdin(OwnedFd::from(theirs)).spawn()?;
        // Else the other end would stay open here.
        drop(command);
        stream.set_read_timeout(Some(WAIT))?;
        stream.set_write_timeout(Some(WAIT))?;
        Ok((stream, child))
    }

    /// Waits until it is what it shall be.
    fn hear(mut stream: &UnixStream) -> io::Result<()> {
        stream.read_exact(&mut [0; READY.len()])
    }

    /// Its pid.
    pub(in crate::app) fn pid(&self) -> u32 {
        self.1.lock().unwrap_or_else(PoisonError::into_inner).id()
    }

    /// Starts the helper of the self-test; its pid.
    ///
    /// # Errors
    /// When the spawner does not.
    pub(in crate::app) fn helper(&self) -> io::Result<u32> {
        self.ask(deed::HELPER, 0, None)
    }

    /// Ends a child of the spawner.
    pub(in crate::app) fn end(&self, pid: u32) {
        // Gone is gone.
        drop(self.ask(deed::END, pid, None));
    }

    fn ask(&self, what: u8, pid: u32, with: Option<&OwnedFd>) -> io::Result<u32> {
        let mut request = [what; REQUEST];
        if let Some(room) = request.last_chunk_mut::<4>() {
            *room = pid.to_le_bytes();
        }
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let rights = with.map(|it| [it.as_fd()]);
        if let Some(rights) = &rights {
            control.push(SendAncillaryMessage::ScmRights(rights));
        }
        let buffers = [IoSlice::new(&request)];
        // Five bytes go at once or not at all.
        sendmsg(&*stream, &buffers, &mut control, SendFlags::NOSIGNAL)?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer)?;
        match u32::from_le_bytes(answer) {
            0 => Err(io::Error::other("the spawner could not")),
            pid => Ok(pid),
        }
    }
}

impl Launch for Spawner {
    fn launch(&mut self) -> io::Result<Launched> {
        let (stream, theirs) = UnixStream::pair()?;
        let pid = self.ask(deed::OUTLET, 0, Some(&theirs.into()))?;
        Ok(Launched {
            stream,
            process: Box::new(Outlet(pid, self.clone())),
        })
    }
}

/// The process of an outlet, a child of the spawner.
struct Outlet(u32, Spawner);

impl Process for Outlet {
    fn pid(&self) -> u32 {
        self.0
    }

    fn end(&mut self) {
        self.1.end(self.0);
    }
}
