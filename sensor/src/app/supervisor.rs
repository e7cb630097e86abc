//! What a service manager is told, by the protocol of `sd_notify(3)`: that capture has
//! begun, that the loop turns, that it ends. Without one (`NOTIFY_SOCKET` unset) nothing is
//! said.

use std::{
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::{Duration, Instant},
};

use sd_notify::NotifyState;
use tracing::warn;

use crate::config::environment;

/// The service manager that has started the sensor, if one has.
#[derive(Debug)]
pub(super) struct Supervisor {
    /// How often it wants to hear that the loop turns: half of what it tolerates.
    every: Option<Duration>,
    heard: Instant,
    /// What `systemctl status` shows while all is well.
    status: String,
    /// Connected once, since the collector's filter of system calls lets it open none;
    /// `sd_notify::notify` would open one for each message.
    socket: Option<UnixDatagram>,
}

impl Supervisor {
    /// The one that the environment names. Comes before system calls are filtered.
    pub(super) fn new() -> Self {
        let socket = environment::supervisor().and_then(|address| {
            let connected = connect(&address);
            if let Err(error) = &connected {
                warn!("cannot reach the service manager at NOTIFY_SOCKET: {error}");
            }
            connected.ok()
        });
        Self {
            every: sd_notify::watchdog_enabled().map(|limit| limit / 2),
            heard: Instant::now(),
            status: String::new(),
            socket,
        }
    }

    /// Capture has begun, with the configuration of this hash.
    pub(super) fn ready(&mut self, hash: &str) {
        self.tell(&[NotifyState::Ready]);
        self.in_force(hash);
    }

    /// A configuration has taken the place of another.
    pub(super) fn in_force(&mut self, hash: &str) {
        self.status = format!("watching, configuration {hash}");
        self.as_before();
    }

    /// What was refused has been taken back.
    pub(super) fn as_before(&self) {
        self.tell(&[NotifyState::Status(&self.status)]);
    }

    /// A configuration was refused, and the old one stays in force.
    pub(super) fn refused(&self) {
        let status = format!("{}; a changed one was refused, see the log", self.status);
        self.tell(&[NotifyState::Status(&status)]);
    }

    /// The loop turns. Only the loop itself may say so: a thread of its own would go on
    /// when the loop hangs.
    pub(super) fn alive(&mut self) {
        if self
            .every
            .is_some_and(|every| self.heard.elapsed() >= every)
        {
            self.heard = Instant::now();
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    /// The end has begun, and was asked for.
    pub(super) fn stopping(&self) {
        self.tell(&[NotifyState::Stopping]);
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        let Some(socket) = &self.socket else { return };
        let lines: Vec<String> = states.iter().map(ToString::to_string).collect();
        let lines = lines.join("\n");
        if let Err(error) = socket.send(lines.as_bytes()) {
            warn!("cannot tell the service manager: {error}");
        }
    }
}

/// `@` stands for the null byte that begins a name outside the file system.
fn connect(address: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    // A manager that does not read must not stop the loop.
    socket.set_nonblocking(true)?;
    match address.as_bytes() {
        [b'@', name @ ..] => socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?,
        _ => socket.connect(address)?,
    }
    Ok(socket)
}
