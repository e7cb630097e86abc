//! Names of pods without asking anybody: the kubelet makes a directory for the logs of each,
//! `<namespace>_<pod>_<uid>/<container>/`, and links `<pod>_<namespace>_<container>-<id>.log`
//! in a directory beside.
//!
//! Names are untrusted: what is no name by the rules of Kubernetes is passed over, and
//! nothing is followed out of the directory. What is not certain is left out: a container's
//! name is told by a link with its id, or by being the only one of its pod.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, openat, openat2, readlinkat, statat,
};

use crate::service::{
    container::is_uid,
    kube_name::{is_label, is_subdomain},
};

/// Entries read of the directory of pods; of the directory of links; of one pod; of one
/// container. A node has some hundred pods at most.
const PODS: usize = 8_192;
const LINKS: usize = 16_384;
const CONTAINERS: usize = 256;
const LOGS: usize = 64;
/// For how long a listing counts, and for how long one that lacks what is wanted.
const KEPT: Duration = Duration::from_mins(1);
const AGAIN: Duration = Duration::from_millis(900);

/// Names of a container and its pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// Namespace and name.
    pub(super) pod: (String, String),
    /// Name in the pod, when it is certain.
    pub(super) container: Option<String>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Pods {
    directory: PathBuf,
    /// By UID; `None` where two directories claim it.
    names: BTreeMap<String, Option<(String, String)>>,
    /// Pod and container by the container's id.
    links: BTreeMap<String, Link>,
    read: Option<Instant>,
}

/// Namespace and name of a pod, and name of a container.
type Link = ((String, String), String);

impl Pods {
    /// Nothing is read before the first question.
    pub(super) fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            names: BTreeMap::new(),
            links: BTreeMap::new(),
            read: None,
        }
    }

    /// Names of a container, by its id and the UID of its pod.
    pub(super) fn find(&mut self, uid: &str, container: &str, now: Instant) -> Option<Names> {
        self.refresh(now, KEPT);
        let found = self.look(uid, container);
        let is_whole = found.as_ref().is_some_and(|it| it.container.is_some());
        if is_whole || !self.refresh(now, AGAIN) {
            return found;
        }
        self.look(uid, container)
    }

    /// Reads both directories when that was so long ago; `true` when it did.
    fn refresh(&mut self, now: Instant, age: Duration) -> bool {
        let is_fresh = self
            .read
            .is_some_and(|read| now.saturating_duration_since(read) < age);
        if is_fresh {
            return false;
        }
        self.read = Some(now);
        self.names.clear();
        self.links.clear();
        if let Some(directory) = open(&self.directory) {
            for (name, kind) in entries(&directory, PODS) {
                if kind == FileType::Directory
                    && let Some((uid, pod)) = pod_of(&name)
                {
                    let claimed = self.names.contains_key(&uid);
                    self.names.insert(uid, (!claimed).then_some(pod));
                }
            }
        }
        if let Some(links) = self.directory.parent().map(|it| it.join("containers"))
            && let Some(links) = open(&links)
        {
            let links = entries(&links, LINKS);
            self.links
                .extend(links.filter_map(|(name, _)| link_of(&name)));
        }
        true
    }

    fn look(&self, uid: &str, container: &str) -> Option<Names> {
        let pod = self.names.get(uid)?.clone()?;
        let linked = self.links.get(container);
        let linked = linked.filter(|(of, _)| *of == pod);
        let name = linked.map(|(_, name)| name.clone());
        let name = name.or_else(|| self.inside(&pod, uid, container));
        Some(Names {
            pod,
            container: name,
        })
    }

    /// The container's name by what its pod's directory holds.
    fn inside(&self, (namespace, pod): &(String, String), uid: &str, id: &str) -> Option<String> {
        let all = open(&self.directory)?;
        let pod = beneath(&all, &format!("{namespace}_{pod}_{uid}"))?;
        let mut names = Vec::new();
        for (name, kind) in entries(&pod, CONTAINERS + 1) {
            if kind == FileType::Directory && is_label(&name) {
                names.push(name);
            }
        }
        let logs = names.iter().map(|name| (name, beneath(&pod, name)));
        let mut told = false;
        for (name, logs) in logs {
            match logs.map_or(Log::Plain, |logs| log(&logs, id)) {
                Log::Own => return Some(name.clone()),
                Log::Other => told = true,
                Log::Plain => {}
            }
        }
        match <[String; 1]>::try_from(names) {
            Ok([only]) if !told => Some(only),
            _ => None,
        }
    }
}

/// What the logs in a container's directory say.
enum Log {
    /// A link leads to those of this container.
    Own,
    /// Links lead to those of others.
    Other,
    /// They are no links.
    Plain,
}

/// Docker keeps logs below directories named by id, and the kubelet links to them.
fn log(directory: &OwnedFd, id: &str) -> Log {
    let mut found = Log::Plain;
    for (name, kind) in entries(directory, LOGS) {
        if kind != FileType::Symlink {
            continue;
        }
        let Ok(target) = readlinkat(directory, name.as_str(), Vec::new()) else {
            continue;
        };
        let mut parts = target.as_bytes().split(|&byte| byte == b'/');
        if parts.any(|part| part == id.as_bytes()) {
            return Log::Own;
        }
        found = Log::Other;
    }
    found
}

/// `<namespace>_<pod>_<uid>`.
fn pod_of(entry: &str) -> Option<(String, (String, String))> {
    let (names, uid) = entry.rsplit_once('_')?;
    let (namespace, pod) = names.split_once('_')?;
    let is_pod = is_uid(uid) && is_label(namespace) && is_subdomain(pod);
    is_pod.then(|| (uid.to_owned(), (namespace.to_owned(), pod.to_owned())))
}

/// `<pod>_<namespace>_<container>-<id>.log`.
fn link_of(entry: &str) -> Option<(String, Link)> {
    let (names, id) = entry.strip_suffix(".log")?.rsplit_once('-')?;
    let mut names = names.split('_');
    let (pod, namespace, container) = (names.next()?, names.next()?, names.next()?);
    let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_link = is_id
        && names.next().is_none()
        && is_subdomain(pod)
        && is_label(namespace)
        && is_label(container);
    let pod = (namespace.to_owned(), pod.to_owned());
    is_link.then(|| (id.to_owned(), (pod, container.to_owned())))
}

/// A directory that the configuration names: links on the way to it are the
/// administrator's.
fn open(path: &Path) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty()).ok()
}

/// A directory in another, no link.
fn beneath(directory: &OwnedFd, name: &str) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(directory, name, flags, Mode::empty(), within).ok()
}

/// Names and kinds of up to so many entries; what is no text is passed over.
fn entries(directory: &OwnedFd, most: usize) -> impl Iterator<Item = (String, FileType)> {
    let all = Dir::read_from(directory).ok();
    let all = all.into_iter().flatten().map_while(Result::ok).take(most);
    all.filter_map(|entry| {
        let name = entry.file_name().to_str().ok()?.to_owned();
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let meta = statat(directory.as_fd(), name.as_str(), AtFlags::SYMLINK_NOFOLLOW);
                FileType::from_raw_mode(meta.ok()?.st_mode)
            }
            known => known,
        };
        (name != "." && name != "..").then_some((name, kind))
    })
}
