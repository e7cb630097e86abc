//! The container, and the pod of Kubernetes, that a control group belongs to.
//!
//! Told by the names that runtimes give to control groups, below any prefix: the innermost
//! container counts. Who may make control groups (a privileged container, a user with a
//! delegated one) can make them look like others *below* its own. Total: any bytes will do.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

/// What runs a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Runtime {
    /// containerd: under Kubernetes, or nerdctl.
    Containerd,
    /// CRI-O.
    CriO,
    /// Docker, cri-dockerd included.
    Docker,
    /// podman, or anything else of libpod.
    Podman,
}

impl Runtime {
    /// Word used in alerts: as in the ids that Kubernetes gives.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Containerd => "containerd",
            Self::CriO => "cri-o",
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }
}

/// A container, as far as its control group tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container<'a> {
    /// 64 hex digits.
    pub id: &'a str,
    /// Its runtime; `None` where a bare id names the control group.
    pub runtime: Option<Runtime>,
    /// The pod it is in.
    pub pod: Option<Pod<'a>>,
}

/// A pod of Kubernetes, as far as a control group tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod<'a> {
    /// As the API has it: a UUID, or 32 hex digits of a static pod.
    pub uid: String,
    /// Id of the pod's own container: another than the innermost where that is nested.
    pub container: &'a str,
}

/// What runtimes write before an id. The monitors beside containers (`crio-conmon-`,
/// `libpod-conmon-`) are not here: they are none.
const PREFIXES: &[(&str, Runtime)] = &[
    ("docker", Runtime::Docker),
    ("cri-containerd", Runtime::Containerd),
    ("nerdctl", Runtime::Containerd),
    ("crio", Runtime::CriO),
    ("libpod", Runtime::Podman),
    ("libpod-payload", Runtime::Podman),
];

/// Digits of a container's id.
const ID: usize = 64;

/// What `/proc/PID/cgroup` has behind a control group that was removed.
const DELETED: &str = " (deleted)";

/// Id of the innermost container of a control group.
#[must_use]
pub fn id(cgroup: &[u8]) -> Option<&str> {
    Some(find(cgroup)?.id)
}

/// The innermost container of a control group, and its pod. `cgroup` is a path as the
/// kernel's records have it, or one of `/proc/PID/cgroup`.
#[must_use]
pub fn find(cgroup: &[u8]) -> Option<Container<'_>> {
    let path = str::from_utf8(cgroup).ok()?;
    let path = path.strip_suffix(DELETED).unwrap_or(path);
    let mut found: Option<Container<'_>> = None;
    let mut own = "";
    let mut rest = Some(path);
    while let Some(path) = rest {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        rest = (!above.is_empty()).then_some(above);
        if let Some((runtime, id)) = container(name, above) {
            own = id;
            found.get_or_insert(Container {
                id,
                runtime,
                pod: None,
            });
        }
        if let (Some(found), Some(uid)) = (&mut found, pod(name)) {
            found.pod = Some(Pod {
                uid,
                container: own,
            });
            break;
        }
    }
    found
}

/// The same of the whole of `/proc/PID/cgroup`: version 2 first, then systemd's own
/// hierarchy of version 1, then the others in their order.
#[must_use]
pub fn of_process(text: &[u8]) -> Option<Container<'_>> {
    let lines = || {
        text.split(|&byte| byte == b'\n').filter_map(|line| {
            let mut parts = line.splitn(3, |&byte| byte == b':');
            Some((parts.next()?, parts.next()?, parts.next()?))
        })
    };
    let unified = lines().filter(|(number, ..)| *number == b"0");
    let systemd = lines().filter(|(_, controllers, _)| *controllers == b"name=systemd");
    let mut all = unified.chain(systemd).chain(lines());
    all.find_map(|(.., path)| find(path))
}

/// Runtime and id in the last name of a path: `<runtime>-<id>.scope` of the systemd
/// driver, `<id>` or `<runtime>-<id>` of cgroupfs, and `<slice>:<runtime>:<id>`, what runc
/// makes of a path for systemd when it is told to use cgroupfs.
fn container<'a>(name: &'a str, above: &str) -> Option<(Option<Runtime>, &'a str)> {
    let name = name.strip_suffix(".scope").unwrap_or(name);
    let (prefix, id) = name.split_at_checked(name.len().checked_sub(ID)?)?;
    if !id.bytes().all(is_hex) {
        return None;
    }
    let parent = above.rsplit('/').next().unwrap_or_default();
    if prefix.is_empty() {
        return match parent {
            // A pod of podman's.
            "libpod_parent" => None,
            "docker" => Some((Some(Runtime::Docker), id)),
            _ => Some((None, id)),
        };
    }
    let word = match prefix.strip_suffix(':') {
        Some(slice) => slice.rsplit_once(':')?.1,
        None => prefix.strip_suffix('-')?,
    };
    let (_, runtime) = PREFIXES.iter().find(|(prefix, _)| *prefix == word)?;
    Some((Some(*runtime), id))
}

/// UID in one name of a path: `pod<uid>`, or `[<root>-]kubepods[-<class>]-pod<uid>.slice`
/// of the systemd driver, which has `_` for `-`.
fn pod(name: &str) -> Option<String> {
    if let Some(uid) = name.strip_prefix("pod") {
        return uid_of(uid, b'-');
    }
    let name = name.split(':').next().unwrap_or_default();
    let (class, uid) = name.strip_suffix(".slice")?.rsplit_once("-pod")?;
    let of_kubelet = ["kubepods", "kubepods-burstable", "kubepods-besteffort"]
        .iter()
        .any(|known| {
            let root = class.strip_suffix(known);
            root.is_some_and(|root| root.is_empty() || root.ends_with('-'))
        });
    of_kubelet.then(|| uid_of(uid, b'_'))?
}

/// UID of a pod as the API has it.
#[must_use]
pub fn is_uid(text: &str) -> bool {
    uid_of(text, b'-').is_some()
}

/// A UUID with this between its groups, or the hash that a static pod has.
fn uid_of(text: &str, dash: u8) -> Option<String> {
    let is_dash = |place: usize| matches!(place, 8 | 13 | 18 | 23);
    let mut bytes = text.bytes().enumerate();
    let is_uid = match text.len() {
        32 => bytes.all(|(_, byte)| is_hex(byte)),
        36 => bytes.all(|(place, byte)| {
            if is_dash(place) {
                byte == dash
            } else {
                is_hex(byte)
            }
        }),
        _ => false,
    };
    is_uid.then(|| text.replace('_', "-"))
}

const fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}
