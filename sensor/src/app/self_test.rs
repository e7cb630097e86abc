//! The self-test again and again: the spawner starts a helper, the kernel side must record
//! its exec, and the record must equal `/proc`. Silence or a lie of the kernel side is thus
//! noticed while the sensor runs.
//!
//! Outside every service only execs of recognised names are recorded: the program's own name
//! is one of them (see [`names`]). To the engine it is no server, so nothing follows from it.

use std::{
    io,
    path::PathBuf,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use sensor_common::name::{NameKey, stem};
use tokio::sync::mpsc;

use super::spawner::Spawner;
use crate::{
    event::{Event, Exec},
    probe,
    ring::Read,
    service::Catalogue,
};

/// Time between two tests, and before the first: that at the start has just passed.
const EVERY: Duration = Duration::from_mins(1);
const FIRST: Duration = Duration::from_secs(5);
/// How long a record may take to arrive; a machine under load is no liar.
const DEADLINE: Duration = Duration::from_secs(10);
/// Failures in a row that count: one record may be lost, which is counted elsewhere.
const TRIES: u32 = 2;
/// Records that may wait to be looked at.
const WAITING: usize = 16;

/// What came of a test: why it failed.
pub(super) type Outcome = Result<(), String>;

/// The thread that tests, as the loop sees it.
pub(super) struct SelfTest {
    parent: u32,
    execs: SyncSender<Exec>,
    outcomes: mpsc::Receiver<Outcome>,
}

impl SelfTest {
    /// Starts the thread.
    pub(super) fn start(spawner: Spawner) -> io::Result<Self> {
        let parent = spawner.pid();
        let (execs, seen) = sync_channel(WAITING);
        let (out, outcomes) = mpsc::channel(1);
        let tester = Tester { spawner, seen };
        let thread = thread::Builder::new().name("self-test".to_owned());
        thread.spawn(move || tester.run(&out))?;
        Ok(Self {
            parent,
            execs,
            outcomes,
        })
    }

    /// Hands on what may be the record that is waited for. Never waits.
    pub(super) fn see(&self, read: &Read) {
        if let Read::Event(Event::Exec(exec), _) = read
            && exec.parent.tgid == self.parent
        {
            // One too many is somebody else's.
            drop(self.execs.try_send(exec.clone()));
        }
    }

    /// What came of the next test; never resolves when the thread is gone.
    pub(super) async fn next(&mut self) -> Outcome {
        match self.outcomes.recv().await {
            Some(outcome) => outcome,
            None => std::future::pending().await,
        }
    }
}

struct Tester {
    spawner: Spawner,
    seen: Receiver<Exec>,
}

impl Tester {
    /// Ends with the loop.
    fn run(self, out: &mpsc::Sender<Outcome>) {
        let mut due = Instant::now() + FIRST;
        while self.wait(due) {
            due = Instant::now() + EVERY;
            let mut outcome = self.test();
            for _ in 1..TRIES {
                if outcome.is_err() {
                    outcome = self.test();
                }
            }
            if out.blocking_send(outcome).is_err() {
                return;
            }
        }
    }

    /// Waits, and forgets what is of no test; `false` when the sensor ends.
    fn wait(&self, until: Instant) -> bool {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.seen.recv_timeout(left) {
                Ok(_stray) => {}
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    fn test(&self) -> Outcome {
        let helper = self.spawner.helper();
        let pid = helper.map_err(|error| format!("start the helper: {error}"))?;
        let outcome = self.record_of(pid).and_then(|exec| {
            let verified = probe::verify(&exec, self.spawner.pid());
            verified.map_err(|error| error.to_string())
        });
        self.spawner.end(pid);
        outcome
    }

    fn record_of(&self, pid: u32) -> Result<Exec, String> {
        let end = Instant::now() + DEADLINE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.seen.recv_timeout(left) {
                Ok(exec) if exec.process.tgid == pid => return Ok(exec),
                Ok(_other) => {}
                Err(_) => {
                    return Err(format!(
                        "no record of the exec of pid {pid} arrived in {} s: the hooks do not fire",
                        DEADLINE.as_secs()
                    ));
                }
            }
        }
    }
}

/// Names that the kernel side recognises: those of the catalogue, and the program's own.
pub(super) fn names(catalogue: &Catalogue) -> Vec<(NameKey, u32)> {
    let mut names = catalogue.names();
    let own = std::fs::read_link("/proc/self/exe").unwrap_or_else(|_| PathBuf::new());
    let own = own
        .file_name()
        .and_then(|name| stem(name.as_encoded_bytes()));
    if let Some(own) = own
        && !names.iter().any(|(known, _)| *known == own)
    {
        let index = u32::try_from(names.len()).unwrap_or_default();
        names.push((own, index));
    }
    names
}
