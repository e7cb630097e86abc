//! The spawner: a small process that is there before the collector's sandbox closes and does
//! two things for it, which the collector cannot do any more: it starts the outlet, and the
//! helper of the self-test. It starts nothing else, whatever it is asked.
//!
//! A request is one byte and a number, an answer one number. It ends when the collector does,
//! and leaves an outlet alone then, which has something left to say.

mod client;

use std::{
    collections::BTreeMap,
    env,
    io::{self, ErrorKind, IoSliceMut, Read as _, Write as _},
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    process::{Child, ChildStdin, Command, Stdio},
};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::runtime;
use tracing::warn;

pub(super) use self::client::Spawner;
use super::outlet::{OUTLET_ARG, ignored};
use crate::{
    account::Account,
    config::Config,
    exit::{Exit, Failure},
    logging,
    privilege::{self, Wish},
    probe::HELPER_ARG,
    sandbox::calls,
};

/// First argument of the spawner.
pub(super) const SPAWNER_ARG: &str = "__spawner";
/// Bytes of a request: what, and of which pid.
const REQUEST: usize = 5;
/// Said once it has become what it shall be.
const READY: [u8; 4] = *b"come";
/// Most children at a time: an outlet, its successor, a helper.
const CHILDREN: usize = 8;

/// What may be asked.
mod deed {
    /// Start an outlet; its standard input comes with the request. The answer is its pid.
    pub(super) const OUTLET: u8 = b'o';
    /// Start the helper of the self-test. The answer is its pid.
    pub(super) const HELPER: u8 = b'h';
    /// End the child of this pid and wait for it.
    pub(super) const END: u8 = b'e';
}

/// Life of the spawner.
///
/// # Errors
/// When it was not started by a collector.
pub(super) fn spawner() -> Result<(), Failure> {
    let broken = |error: io::Error| {
        let why = format_args!("the spawner is started by the sensor itself: {error}");
        Failure::new(Exit::Usage, why)
    };
    let stream = io::stdin().as_fd().try_clone_to_owned().map_err(broken)?;
    let _same = rustix::thread::set_name(c"lineage-spawner");
    // Signals to the whole of a terminal or unit are not for it.
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(broken)?;
    let _entered = runtime.enter();
    let _signals = ignored().map_err(broken)?;
    let account = account()?;
    // An outlet may have to listen where only the privileged may, if it is root.
    let wish = Wish {
        low_port: account.is_none(),
        ..Wish::default()
    };
    logging::init(Config::default().log, false)?;
    if let Err(error) = privilege::shed_for_start(wish) {
        warn!("the spawner keeps its capabilities: {error}; allow capset(2)");
    }
    if let Err(error) = calls::spawner() {
        warn!("the spawner's system calls are not filtered: {error}; allow seccomp(2)");
    }
    let mut children = Children {
        account,
        ..Children::default()
    };
    let mut stream = UnixStream::from(stream);
    stream.write_all(&READY).map_err(broken)?;
    loop {
        let (request, descriptor) = match receive(&stream) {
            Ok(received) => received,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(broken(error)),
        };
        let pid = children.obey(request, descriptor).unwrap_or_default();
        stream.write_all(&pid.to_le_bytes()).map_err(broken)?;
    }
}

/// The user that its children take up; its own real one then, which they may take without
/// any capability.
fn account() -> Result<Option<Account>, Failure> {
    let Some(text) = env::args().nth(2) else {
        return Ok(None);
    };
    let account: Account = text.parse().map_err(|error| {
        let why = format_args!("the spawner is started by the sensor itself: {text}: {error}");
        Failure::new(Exit::Usage, why)
    })?;
    account.make_real().map_err(|error| {
        let why = format_args!(
            "outlet.user: become {account}: {error}; grant CAP_SETUID and CAP_SETGID, and allow \
             setgroups, setresuid and setresgid, or take `none`"
        );
        Failure::new(Exit::Privilege, why)
    })?;
    Ok(Some(account))
}

/// A request, and the descriptor that came with it.
fn receive(mut stream: &UnixStream) -> io::Result<([u8; REQUEST], Option<OwnedFd>)> {
    let mut request = [0; REQUEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut buffers = [IoSliceMut::new(&mut request)];
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(stream, &mut buffers, &mut control, flags)?;
    if received.bytes == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let mut descriptor = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut rights) = message {
            descriptor = rights.next();
        }
    }
    if let Some(rest) = request.get_mut(received.bytes..) {
        stream.read_exact(rest)?;
    }
    Ok((request, descriptor))
}

/// What it has started and not ended.
#[derive(Default)]
struct Children {
    /// Whom they run as.
    account: Option<Account>,
    /// By pid.
    running: BTreeMap<u32, (Child, Option<ChildStdin>)>,
}

impl Children {
    fn obey(&mut self, request: [u8; REQUEST], descriptor: Option<OwnedFd>) -> Option<u32> {
        let [what, pid @ ..] = request;
        match what {
            deed::OUTLET => self.start(OUTLET_ARG, Stdio::from(descriptor?)),
            deed::HELPER => self.start(HELPER_ARG, Stdio::piped()),
            deed::END => {
                let pid = u32::from_le_bytes(pid);
                let (mut child, stdin) = self.running.remove(&pid)?;
                drop(stdin);
                // Not waited for yet, so the pid is still its own; one that has ended is left.
                drop(child.kill());
                drop(child.wait());
                Some(pid)
            }
            _ => None,
        }
    }

    fn start(&mut self, arg: &str, stdin: Stdio) -> Option<u32> {
        if self.running.len() >= CHILDREN {
            return None;
        }
        // Whatever stands at its path by now.
        let mut command = Command::new("/proc/self/exe");
        command.arg0("lineage-sensor").arg(arg).stdin(stdin);
        if arg == HELPER_ARG {
            command.stdout(Stdio::null());
        }
        if let Some(account) = self.account {
            command.gid(account.gid).uid(account.uid);
        }
        let spawned = command.spawn();
        let mut child = spawned
            .inspect_err(|error| warn!("start {arg}: {error}"))
            .ok()?;
        let (pid, stdin) = (child.id(), child.stdin.take());
        self.running.insert(pid, (child, stdin));
        Some(pid)
    }
}

#[cfg(test)]
mod tests;
