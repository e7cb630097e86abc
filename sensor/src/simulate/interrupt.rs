//! Signals that end a simulation: what runs is ended too, and nothing stays behind.
//!
//! The simulated processes are a process group of their own, so that a terminal's Ctrl-C
//! reaches this program alone; it ends them and then removes their directory.

use std::{
    io,
    os::unix::process::CommandExt as _,
    process::{Command, Output},
    sync::Arc,
    sync::{Mutex, PoisonError},
    thread,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

/// What the thread that waits for signals shares with the simulation.
#[derive(Debug, Default)]
struct Shared {
    came: bool,
    /// Leader of the group that runs.
    group: Option<Pid>,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Interrupt(Arc<Mutex<Shared>>);

impl Interrupt {
    /// From now on SIGINT, SIGTERM and SIGHUP are waited for, not died of.
    pub(super) fn new() -> io::Result<Self> {
        let interrupt = Self(Arc::default());
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ];
        let guard = runtime.enter();
        let [mut first, mut second, mut third] =
            [signal(kinds[0])?, signal(kinds[1])?, signal(kinds[2])?];
        drop(guard);
        let told = interrupt.clone();
        let wait = move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = first.recv() => (),
                    _ = second.recv() => (),
                    _ = third.recv() => (),
                }
            });
            told.come();
        };
        thread::Builder::new()
            .name("simulate-signals".to_owned())
            .spawn(wait)?;
        Ok(interrupt)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Shared) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn come(&self) {
        self.with(|shared| {
            shared.came = true;
            shared.group.into_iter().for_each(end);
        });
    }

    /// A signal came.
    pub(super) fn came(&self) -> bool {
        self.with(|shared| shared.came)
    }

    /// Runs a program as the leader of a group of its own, until all that hold its
    /// standard error are gone.
    pub(super) fn run(&self, command: &mut Command) -> io::Result<Output> {
        let child = command.process_group(0).spawn()?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        self.with(|shared| {
            shared.group = group;
            // It may have come while there was none to end.
            if shared.came {
                group.into_iter().for_each(end);
            }
        });
        let output = child.wait_with_output();
        self.with(|shared| shared.group = None);
        output
    }
}

/// Ends a group; one that has ended needs it no more.
fn end(group: Pid) {
    let _ = kill_process_group(group, Signal::KILL);
}

#[cfg(test)]
mod tests {
    use std::{
        process::Stdio,
        time::{Duration, Instant},
    };

    use super::*;

    #[test]
    fn what_runs_is_ended_with_all_its_children_before_and_after_it_began() {
        for early in [true, false] {
            let interrupt = Interrupt(Arc::default());
            let began = Instant::now();
            let told = interrupt.clone();
            if early {
                told.come();
            }
            let waits = thread::spawn(move || {
                while !early && told.with(|shared| shared.group.is_none()) {
                    thread::yield_now();
                }
                told.come();
            });
            let mut command = Command::new("/bin/sh");
            // Its child holds standard error too.
            command
                .args(["-c", "sleep 600 & wait"])
                .stderr(Stdio::piped());
            let output = interrupt.run(&mut command).unwrap();
            waits.join().unwrap();
            assert!(!output.status.success() && interrupt.came());
            assert!(began.elapsed() < Duration::from_mins(1));
            assert!(interrupt.with(|shared| shared.group.is_none()));
        }
    }
}
