//! Reloading: the configuration, the rules and the profile are read again when somebody
//! asks (SIGHUP) or when one of the files changes, on a thread of their own. What comes out
//! is whole, checked and compiled; the loop only puts it in place. What is refused changes
//! nothing.
//!
//! Files are looked at once a second, by identity, size and times: a `ConfigMap` that is
//! swapped below a symbolic link, an editor that renames and a rule that is removed all
//! show, on any file system.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use tokio::sync::mpsc;
use tracing::debug;

use super::outlet;
use crate::{
    cli::{RunArgs, command::effective_lock, rules::effective_rules_with_text},
    config::{DEFAULT_FILE, Effective},
    detect::places,
    exit::{Exit, Failure},
    profile,
    reload::Reload,
};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// A file that changes is left alone until it has not changed for so long.
const SETTLE: Duration = Duration::from_millis(100);
/// How often that is waited for.
const PATIENCE: u32 = 20;

/// What is to be in force.
pub(super) struct Next {
    /// The configuration, without what needs a restart.
    pub(super) effective: Effective,
    /// For the core.
    pub(super) reload: Reload,
    /// [`Effective::hash`].
    pub(super) hash: String,
    /// Keys whose new value needs a restart.
    pub(super) kept: Vec<&'static str>,
    /// What the rules have to say.
    pub(super) warnings: Vec<String>,
}

/// What came of reading again.
pub(super) enum Outcome {
    /// Something else is to be in force.
    Next(Box<Next>),
    /// What is in force already, asked for by a signal.
    Same,
    /// The reason in one sentence; may hold text from outside.
    Refused(String),
}

/// The thread, as the loop sees it.
pub(super) struct Reloader {
    ask: SyncSender<()>,
    outcomes: mpsc::Receiver<Outcome>,
}

impl Reloader {
    /// Starts the thread. `hash` is that of `running`.
    pub(super) fn start(args: RunArgs, running: Effective, hash: String) -> io::Result<Self> {
        let (ask, asked) = sync_channel(1);
        let (out, outcomes) = mpsc::channel(1);
        let reading = Reading {
            seen: seen(&running),
            args,
            running,
            hash,
        };
        let thread = thread::Builder::new().name("reload".to_owned());
        thread.spawn(move || reading.run(&asked, &out))?;
        Ok(Self { ask, outcomes })
    }

    /// Has everything read again, changed or not.
    pub(super) fn ask(&self) {
        if self.ask.try_send(()).is_err() {
            debug!("one that waits already reads what is there by then");
        }
    }

    /// What came of it; never resolves when the thread is gone.
    pub(super) async fn next(&mut self) -> Outcome {
        match self.outcomes.recv().await {
            Some(outcome) => outcome,
            None => std::future::pending().await,
        }
    }
}

/// Device, inode, size and times of modification and change; `None` when it is not there.
type Print = Option<[i128; 5]>;

struct Reading {
    args: RunArgs,
    running: Effective,
    hash: String,
    seen: BTreeMap<PathBuf, Print>,
}

impl Reading {
    fn run(mut self, asked: &Receiver<()>, out: &mpsc::Sender<Outcome>) {
        loop {
            let by_signal = match asked.recv_timeout(LOOK) {
                Ok(()) => true,
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if !by_signal && seen(&self.running) == self.seen {
                continue;
            }
            let outcome = match self.read() {
                Ok(Some(next)) => Outcome::Next(Box::new(next)),
                Ok(None) if by_signal => Outcome::Same,
                Ok(None) => continue,
                Err(failure) => Outcome::Refused(failure.message),
            };
            if out.blocking_send(outcome).is_err() {
                return;
            }
        }
    }

    /// Reads everything once nothing changes any more; `None` when it is what is in force.
    fn read(&mut self) -> Result<Option<Next>, Failure> {
        self.seen = settled(&self.running);
        let (effective, kept) = self.args.effective()?.after(&self.running);
        effective.check_paths()?;
        outlet::check(&effective.config.sinks)?;
        // Before the files that it names are read: what changes later shows.
        let mut places = seen(&effective);
        for (path, print) in &self.seen {
            // As it was when it settled: it may have been read before this.
            places.entry(path.clone()).and_modify(|it| *it = *print);
        }
        let (rules, text) = effective_rules_with_text(&effective)?;
        let lock = effective_lock(&effective)?;
        let hash = effective.hash(rules.hash(), &profile::hash(&lock));
        let warnings = rules.warnings();
        let reload = Reload::new(&effective.config, (rules, text), lock)
            .map_err(|error| Failure::new(Exit::Internal, error))?;
        let same = hash == self.hash && kept.is_empty();
        self.seen = places;
        self.running = effective.clone();
        self.hash.clone_from(&hash);
        Ok((!same).then_some(Next {
            effective,
            reload,
            hash,
            kept,
            warnings,
        }))
    }
}

/// The state of every file, when it has stopped changing; of one that does not, what it is
/// by then.
fn settled(effective: &Effective) -> BTreeMap<PathBuf, Print> {
    let mut before = seen(effective);
    for _ in 0..PATIENCE {
        thread::sleep(SETTLE);
        let now = seen(effective);
        if now == before {
            break;
        }
        before = now;
    }
    before
}

/// Everything that a reload would read.
fn seen(effective: &Effective) -> BTreeMap<PathBuf, Print> {
    let file = effective.file.as_deref();
    let mut paths = vec![
        file.unwrap_or(Path::new(DEFAULT_FILE)).to_owned(),
        effective.config.profiles.file.clone(),
    ];
    for directory in effective.rule_directories() {
        paths.extend(places(&directory.path));
    }
    paths
        .into_iter()
        .map(|path| {
            let print = print(&path);
            (path, print)
        })
        .collect()
}

fn print(path: &Path) -> Print {
    let meta = fs::metadata(path).ok()?;
    let time = |s: i64, ns: i64| i128::from(s) * 1_000_000_000 + i128::from(ns);
    Some([
        meta.dev().into(),
        meta.ino().into(),
        meta.size().into(),
        time(meta.mtime(), meta.mtime_nsec()),
        time(meta.ctime(), meta.ctime_nsec()),
    ])
}

#[cfg(test)]
mod tests;
