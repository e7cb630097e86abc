//! Signals that a screen obeys: the terminal is given back before the end.

use std::{
    io,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Signal as Kill, getpid, kill_process};
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
};

/// How long a screen has for giving back its terminal when that is gone.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// The end: SIGINT, SIGTERM or SIGHUP.
    End,
    /// The terminal has another size.
    Resize,
}

/// From its making on signals are waited for, not died of.
pub(super) struct Signals(Receiver<Wish>);

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let signals = caught(&runtime)?;
        let (sender, wishes) = sync_channel(1);
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || runtime.block_on(tell(signals, sender)))?;
        Ok(Self(wishes))
    }

    /// What is wished for, waited for until `deadline`.
    pub(super) fn wait(&self, deadline: Instant) -> Option<Wish> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.0.recv_timeout(left) {
            Ok(wish) => Some(wish),
            Err(RecvTimeoutError::Timeout) => None,
            // Nobody would hear of the end.
            Err(RecvTimeoutError::Disconnected) => Some(Wish::End),
        }
    }

    /// The end has been asked for.
    pub(super) fn ended(&self) -> bool {
        let now = Instant::now() + Duration::from_nanos(1);
        std::iter::from_fn(|| self.wait(now)).any(|wish| wish == Wish::End)
    }
}

fn caught(runtime: &Runtime) -> io::Result<[Signal; 4]> {
    let _guard = runtime.enter();
    Ok([
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
        signal(SignalKind::hangup())?,
        signal(SignalKind::window_change())?,
    ])
}

async fn tell(signals: [Signal; 4], to: SyncSender<Wish>) {
    let [mut interrupt, mut terminate, mut hangup, mut size] = signals;
    loop {
        let wish = tokio::select! {
            _ = interrupt.recv() => Wish::End,
            _ = terminate.recv() => Wish::End,
            _ = hangup.recv() => {
                // Nobody may be listening either.
                let _nobody = to.try_send(Wish::End);
                thread::sleep(FAREWELL);
                // A read from a terminal that is gone at that very moment may never end.
                let _ended = kill_process(getpid(), Kill::KILL);
                return;
            }
            _ = size.recv() => Wish::Resize,
        };
        // One waits at most: whoever looks for it finds the size as it is then.
        if to.send(wish).is_err() || wish == Wish::End {
            return;
        }
    }
}
