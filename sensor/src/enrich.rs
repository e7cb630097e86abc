//! Facts that need a file: hashes of executables, the files that alerts name with their
//! packages, names of containers and pods, and the shells installed here.
//!
//! Runs on a thread of its own behind bounded channels: a slow disk delays a fact,
//! never an event. A request that finds the queue full is dropped; the rule that wanted
//! the fact is then evaluated without it and says so.

mod examine;
mod package;
mod peer;
mod place;
mod pod;
mod rpm;

use std::{
    collections::BTreeSet,
    fs::{self, File, Metadata},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

use bstr::ByteSlice as _;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use self::{package::Packages, place::Sources, pod::Pods};
use crate::{
    detect::{Examine, Fact, KnownShell, Locate, Request},
    event::FileId,
    inspect, kubernetes, scan,
};

/// Requests that may wait.
const QUEUE: usize = 256;
/// Largest file hashed, bytes. Shells are far smaller.
const LARGEST: u64 = 64 << 20;
/// Shells looked at beyond those in `/etc/shells`.
const SHELLS: &[&str] = &[
    "ash",
    "bash",
    "bash-static",
    "busybox",
    "csh",
    "dash",
    "fish",
    "ksh",
    "ksh93",
    "mksh",
    "rbash",
    "sh",
    "static-sh",
    "tcsh",
    "toybox",
    "yash",
    "zsh",
];
/// Where they are looked for.
const DIRECTORIES: &[&str] = &["/bin", "/usr/bin", "/usr/local/bin"];

/// Where facts are asked for. Nobody waits: what finds its queue full is dropped.
#[derive(Clone, Debug)]
pub struct Asker {
    facts: mpsc::Sender<Request>,
    files: mpsc::Sender<Examine>,
    places: mpsc::Sender<Locate>,
}

impl Asker {
    /// Asks for a fact that a rule waits for; when dropped, the rule's time runs out.
    pub fn fact(&self, request: Request) {
        drop(self.facts.try_send(request));
    }

    /// Asks what a file is that an alert names; when dropped, the alert stands as it is.
    pub fn file(&self, examine: Examine) {
        drop(self.files.try_send(examine));
    }

    /// Asks for the names of a container; when dropped, it is asked for again.
    pub fn place(&self, locate: Locate) {
        drop(self.places.try_send(locate));
    }
}

/// Starts the threads: a large file that an alert names must not delay a fact that a rule
/// waits for. Facts come out of the second half of the pair. The kubelet keeps logs in
/// `pod_logs`; the API is asked when `api` is there.
///
/// # Errors
/// When a thread cannot be started.
pub fn start(
    pod_logs: &Path,
    api: Option<kubernetes::Pods>,
) -> io::Result<(Asker, mpsc::Receiver<Fact>)> {
    let (facts, fact_rx) = mpsc::channel(QUEUE);
    let (files, file_rx) = mpsc::channel(QUEUE);
    let (places, place_rx) = mpsc::channel(QUEUE);
    let (out, answers) = mpsc::channel(QUEUE);
    spawn("enrich", fact_rx, out.clone(), |request| answer(&request))?;
    let mut packages = Packages::of_host();
    spawn("enrich-files", file_rx, out.clone(), move |file| {
        Fact::Examined(Box::new(examine::examine(&file, &mut packages)))
    })?;
    let mut pods = Pods::new(pod_logs.to_owned());
    let mut found = place::Found::default();
    spawn("enrich-places", place_rx, out, move |question| {
        let mut sources = Sources {
            described: &inspect::described,
            pods: &mut pods,
            api: api.as_ref(),
            found: &mut found,
        };
        let located = place::locate(&question, &mut sources, Instant::now());
        Fact::Located(Box::new(located))
    })?;
    let asker = Asker {
        facts,
        files,
        places,
    };
    Ok((asker, answers))
}

fn spawn<T: Send + 'static>(
    name: &str,
    mut wanted: mpsc::Receiver<T>,
    out: mpsc::Sender<Fact>,
    mut answer: impl FnMut(T) -> Fact + Send + 'static,
) -> io::Result<()> {
    let thread = thread::Builder::new().name(name.to_owned());
    let run = move || {
        while let Some(wanted) = wanted.blocking_recv() {
            if out.blocking_send(answer(wanted)).is_err() {
                return;
            }
        }
    };
    thread.spawn(run).map(drop)
}

fn answer(request: &Request) -> Fact {
    let Request::Hash {
        process,
        file,
        size,
        path,
        mount_ns,
    } = request;
    let running = PathBuf::from(format!("/proc/{}/exe", process.tgid));
    let sha256 = hash(&running, *file, *size).or_else(|| {
        // The process is gone; its file may still be there, if it was in the host's own
        // tree. The agent may have a mount namespace of its own (systemd's sandbox).
        let host_tree = scan::namespace("/proc/1/ns/mnt".as_ref()) == *mount_ns;
        let path = path.strip_prefix(b"/").unwrap_or(path).to_path_lossy();
        host_tree.then(|| hash(&Path::new("/proc/1/root").join(path), *file, *size))?
    });
    Fact::Hash {
        process: *process,
        file: *file,
        sha256,
    }
}

/// SHA-256 of the file at `path` if it is the one meant.
fn hash(path: &Path, wanted: FileId, size: u64) -> Option<[u8; 32]> {
    let file = File::open(path).ok()?;
    let metadata = file.metadata().ok()?;
    if !metadata.is_file() || metadata.ino() != wanted.ino || metadata.len() != size {
        return None;
    }
    digest(file)
}

fn digest(file: File) -> Option<[u8; 32]> {
    let mut hasher = Sha256::new();
    let copied = io::copy(&mut file.take(LARGEST + 1), &mut hasher).ok()?;
    (copied <= LARGEST).then(|| hasher.finalize().into())
}

/// The shells installed on this machine, each file once.
#[must_use]
pub fn installed_shells() -> Vec<KnownShell> {
    let listed = fs::read_to_string("/etc/shells").unwrap_or_default();
    let listed = listed
        .lines()
        .filter(|line| line.starts_with('/'))
        .map(PathBuf::from);
    let usual = DIRECTORIES.iter().flat_map(|directory| {
        SHELLS
            .iter()
            .map(move |name| Path::new(directory).join(name))
    });
    let files: BTreeSet<PathBuf> = listed
        .chain(usual)
        .filter_map(|path| fs::canonicalize(path).ok())
        .collect();
    files.iter().filter_map(|path| known(path)).collect()
}

fn known(path: &Path) -> Option<KnownShell> {
    let file = File::open(path).ok()?;
    let metadata = file.metadata().ok().filter(Metadata::is_file)?;
    Some(KnownShell {
        path: path.as_os_str().as_encoded_bytes().into(),
        file: FileId {
            dev: scan::kernel_dev(metadata.dev()),
            ino: metadata.ino(),
        },
        size: metadata.len(),
        sha256: digest(file)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_shell_is_known_and_listed_once() {
        let shells = installed_shells();
        let sh = fs::canonicalize("/bin/sh").unwrap();
        let found = shells
            .iter()
            .filter(|shell| shell.path == sh.as_os_str().as_encoded_bytes());
        assert_eq!(found.count(), 1);
    }

    #[test]
    fn a_file_that_changed_is_not_hashed() {
        let metadata = fs::metadata("/bin/sh").unwrap();
        let id = FileId {
            dev: 0,
            ino: metadata.ino(),
        };
        assert!(hash("/bin/sh".as_ref(), id, metadata.len()).is_some());
        assert!(hash("/bin/sh".as_ref(), id, metadata.len() + 1).is_none());
        assert!(
            hash(
                "/bin/sh".as_ref(),
                FileId { dev: 0, ino: 1 },
                metadata.len()
            )
            .is_none()
        );
    }
}
