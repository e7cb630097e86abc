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
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    thread,
    time::Duration,
};

use tokio::sync::mpsc;
use tracing::{debug, error};

use super::{link::Ticket, sinks};
use crate::{
    cli::{RunArgs, command::effective_lock, rules::effective_rules_with_text},
    config::{Config, DEFAULT_FILE, Effective},
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
    /// For the sinks.
    pub(super) sinks: Ticket,
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
    /// What is in force already: asked for by a signal, or after something was refused.
    Same,
    /// The reason in one sentence; may hold text from outside.
    Refused(String),
}

/// Has the sinks of a configuration made; blocks.
pub(super) type Prepare = Box<dyn Fn(&Config) -> Result<Ticket, Failure> + Send>;

/// What a running sensor has in force.
pub(super) struct Running {
    pub(super) effective: Effective,
    /// [`Effective::hash`].
    pub(super) hash: String,
    /// Its files as they were before they were read.
    pub(super) seen: Seen,
    /// Hooks that are not attached.
    pub(super) missing: Vec<&'static str>,
    /// Has the sinks of a configuration made, where they are.
    pub(super) prepare: Prepare,
}

/// The thread, as the loop sees it.
pub(super) struct Reloader {
    ask: SyncSender<()>,
    outcomes: mpsc::Receiver<Outcome>,
    /// It has ended, which only a defect of it makes happen.
    is_gone: bool,
}

impl Reloader {
    /// Starts the thread.
    pub(super) fn start(args: RunArgs, running: Running) -> io::Result<Self> {
        let (ask, asked) = sync_channel(1);
        let (out, outcomes) = mpsc::channel(1);
        let reading = Reading {
            args,
            looked: running.effective.clone(),
            running,
            refused: false,
        };
        let thread = thread::Builder::new().name("reload".to_owned());
        thread.spawn(move || reading.run(&asked, &out))?;
        Ok(Self {
            ask,
            outcomes,
            is_gone: false,
        })
    }

    /// Has everything read again, changed or not.
    pub(super) fn ask(&self) {
        match self.ask.try_send(()) {
            Ok(()) => {}
            Err(TrySendError::Full(())) => {
                debug!("one that waits already reads what is there by then");
            }
            Err(TrySendError::Disconnected(())) => error!("{GONE}"),
        }
    }

    /// What came of it; never resolves when the thread is gone.
    pub(super) async fn next(&mut self) -> Outcome {
        if !self.is_gone {
            if let Some(outcome) = self.outcomes.recv().await {
                return outcome;
            }
            self.is_gone = true;
            return Outcome::Refused(GONE.to_owned());
        }
        std::future::pending().await
    }
}

/// Of the thread, which ends with its reloader.
const GONE: &str = "what reads the configuration again has failed: restart the sensor";

/// Every file that a reload would read.
pub(super) type Seen = BTreeMap<PathBuf, Print>;

/// Device, inode, size and times of modification and change; `None` when it is not there.
pub(super) type Print = Option<[i128; 5]>;

struct Reading {
    args: RunArgs,
    running: Running,
    /// Whose files are looked at: what was read last, in force or refused.
    looked: Effective,
    /// What was read last was.
    refused: bool,
}

impl Reading {
    fn run(mut self, asked: &Receiver<()>, out: &mpsc::Sender<Outcome>) {
        loop {
            let by_signal = match asked.recv_timeout(LOOK) {
                Ok(()) => true,
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if !by_signal && seen(&self.looked) == self.running.seen {
                continue;
            }
            let (settled, again) = settled(&self.looked, asked);
            self.running.seen = settled;
            let read = self.read();
            let told = by_signal || again || self.refused;
            self.refused = read.is_err();
            let outcome = match read {
                Ok(Some(next)) => Outcome::Next(Box::new(next)),
                Ok(None) if told => Outcome::Same,
                Ok(None) => continue,
                Err(failure) => Outcome::Refused(failure.message),
            };
            if out.blocking_send(outcome).is_err() {
                return;
            }
        }
    }

    /// Reads everything; `None` when it is what is in force.
    fn read(&mut self) -> Result<Option<Next>, Failure> {
        let (effective, kept) = self.args.effective()?.after(&self.running.effective);
        self.look_at(&effective);
        effective.check_paths()?;
        sinks::check(&effective.config)?;
        let (rules, text) = effective_rules_with_text(&effective)?;
        let lock = effective_lock(&effective)?;
        let hash = effective.hash(rules.hash(), &profile::hash(&lock));
        let mut warnings = rules.warnings();
        let shortage = rules.without(&self.running.missing);
        warnings.extend(shortage.map(|it| it.to_string()));
        let reload = Reload::new(&effective.config, (rules, text), &lock)
            .map_err(|error| Failure::new(Exit::Internal, error))?;
        let sinks = (self.running.prepare)(&effective.config)?;
        let same = hash == self.running.hash && kept.is_empty();
        self.running.effective = effective.clone();
        self.running.hash.clone_from(&hash);
        Ok((!same).then_some(Next {
            effective,
            reload,
            sinks,
            hash,
            kept,
            warnings,
        }))
    }
}

impl Reading {
    /// From now on the files that this one names are looked at; they are still to be read,
    /// so what changes later shows.
    fn look_at(&mut self, effective: &Effective) {
        let mut places = seen(effective);
        for (path, print) in &self.running.seen {
            // As it was when it settled: it may have been read before this.
            places.entry(path.clone()).and_modify(|it| *it = *print);
        }
        self.running.seen = places;
        self.looked = effective.clone();
    }
}

/// The state of every file, when it has stopped changing; of one that does not, what it is
/// by then. Whoever asks meanwhile, or stops the sensor, does not wait for that; whether
/// somebody asked.
fn settled(effective: &Effective, asked: &Receiver<()>) -> (Seen, bool) {
    let mut before = seen(effective);
    for _ in 0..PATIENCE {
        let heard = asked.recv_timeout(SETTLE);
        let now = seen(effective);
        if now == before || heard != Err(RecvTimeoutError::Timeout) {
            return (now, heard.is_ok());
        }
        before = now;
    }
    (before, false)
}

/// Everything that a reload would read.
pub(super) fn seen(effective: &Effective) -> Seen {
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
