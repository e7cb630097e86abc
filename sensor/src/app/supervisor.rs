//! What a service manager is told, by the protocol of `sd_notify(3)`: that capture has
//! begun, that the loop turns, that it ends. Without one (`NOTIFY_SOCKET` unset) nothing is
//! said.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tracing::warn;

/// The service manager that has started the sensor, if one has.
#[derive(Debug)]
pub(super) struct Supervisor {
    /// How often it wants to hear that the loop turns: half of what it tolerates.
    every: Option<Duration>,
    heard: Instant,
    /// What `systemctl status` shows while all is well.
    status: String,
}

impl Supervisor {
    /// The one that the environment names.
    pub(super) fn new() -> Self {
        Self {
            every: sd_notify::watchdog_enabled().map(|limit| limit / 2),
            heard: Instant::now(),
            status: String::new(),
        }
    }

    /// Capture has begun, with the configuration of this hash.
    pub(super) fn ready(&mut self, hash: &str) {
        tell(&[NotifyState::Ready]);
        self.in_force(hash);
    }

    /// A configuration has taken the place of another.
    pub(super) fn in_force(&mut self, hash: &str) {
        self.status = format!("watching, configuration {hash}");
        self.as_before();
    }

    /// What was refused has been taken back.
    pub(super) fn as_before(&self) {
        tell(&[NotifyState::Status(&self.status)]);
    }

    /// A configuration was refused, and the old one stays in force.
    pub(super) fn refused(&self) {
        let status = format!("{}; a changed one was refused, see the log", self.status);
        tell(&[NotifyState::Status(&status)]);
    }

    /// The loop turns. Only the loop itself may say so: a thread of its own would go on
    /// when the loop hangs.
    pub(super) fn alive(&mut self) {
        if self
            .every
            .is_some_and(|every| self.heard.elapsed() >= every)
        {
            self.heard = Instant::now();
            tell(&[NotifyState::Watchdog]);
        }
    }

    /// The end has begun, and was asked for.
    pub(super) fn stopping() {
        tell(&[NotifyState::Stopping]);
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!("cannot tell the service manager: {error}");
    }
}
