//! Signals that end a screen: the terminal is given back before the end.

use std::{
    io,
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
};

/// From its making on SIGINT, SIGTERM and SIGHUP are waited for, not died of.
pub(super) struct Signals(Arc<AtomicBool>);

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let signals = caught(&runtime)?;
        let came = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&came);
        let wait = move || {
            let [mut first, mut second, mut third] = signals;
            runtime.block_on(async {
                tokio::select! {
                    _ = first.recv() => (),
                    _ = second.recv() => (),
                    _ = third.recv() => (),
                }
            });
            told.store(true, Relaxed);
        };
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(wait)?;
        Ok(Self(came))
    }

    /// One came.
    pub(super) fn came(&self) -> bool {
        self.0.load(Relaxed)
    }
}

fn caught(runtime: &Runtime) -> io::Result<[Signal; 3]> {
    let _guard = runtime.enter();
    Ok([
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
        signal(SignalKind::hangup())?,
    ])
}
