//! What container runtimes have on disk about a container: its image, its name, its pod.
//!
//! Looked for below the sensor's own root and, where that is another (in a pod), below that
//! of the machine's first process. Nothing is followed out of these roots.

use std::{
    fs::{self, File},
    io::Read as _,
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    path::Path,
};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use serde_json::Value;

/// Largest file of a runtime that is read, bytes.
const LARGEST: u64 = 8 << 20;

/// Longest name of an image, container or pod, bytes.
const NAME: usize = 512;

/// A container, as far as files tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// Its image, as it was named when the container was made.
    pub image: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Namespace and name of its pod.
    pub pod: Option<(String, String)>,
}

impl Described {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What files tell of the container with this id, which is 64 hex digits.
#[must_use]
pub fn described(id: &str) -> Described {
    let own = Path::new("/");
    let host = Path::new("/proc/1/root");
    let identity = |path: &Path| fs::metadata(path).map(|it| (it.dev(), it.ino())).ok();
    let found = below(own, id);
    if !found.is_empty() || identity(host).is_none_or(|host| Some(host) == identity(own)) {
        return found;
    }
    below(host, id)
}

/// Looks where runtimes keep their state, below `root`.
fn below(root: &Path, id: &str) -> Described {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(root) = openat(CWD, root, flags, Mode::empty()) else {
        return Described::default();
    };
    let root = Root(root);
    let sources = [docker, containerd, cri_o, podman];
    let found = sources.iter().filter_map(|source| source(&root, id));
    found
        .into_iter()
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

fn docker(root: &Root, id: &str) -> Option<Described> {
    let config = root.json(&format!("var/lib/docker/containers/{id}/config.v2.json"))?;
    let name = text(&config, "/Name");
    Some(Described {
        image: text(&config, "/Config/Image"),
        name: name.map(|name| name.trim_start_matches('/').to_owned()),
        pod: None,
    })
}

/// Of containerd's own installation, and of k3s.
fn containerd(root: &Root, id: &str) -> Option<Described> {
    let spec = ["run/containerd", "run/k3s/containerd"]
        .iter()
        .find_map(|state| {
            let task = "io.containerd.runtime.v2.task/k8s.io";
            root.json(&format!("{state}/{task}/{id}/config.json"))
        })?;
    let noted = |key: &str| annotation(&spec, &format!("io.kubernetes.cri.{key}"));
    Some(Described {
        image: noted("image-name"),
        name: noted("container-name"),
        pod: noted("sandbox-namespace").zip(noted("sandbox-name")),
    })
}

fn cri_o(root: &Root, id: &str) -> Option<Described> {
    let bundle = format!("run/containers/storage/overlay-containers/{id}/userdata");
    let spec = root.json(&format!("{bundle}/config.json"))?;
    let noted = |key: &str| annotation(&spec, &format!("io.kubernetes.{key}"));
    Some(Described {
        image: noted("cri-o.ImageName"),
        name: noted("container.name"),
        pod: noted("pod.namespace").zip(noted("pod.name")),
    })
}

/// podman lists its containers in one file, the image's name within a text of JSON.
fn podman(root: &Root, id: &str) -> Option<Described> {
    const LISTS: [&str; 2] = ["containers.json", "volatile-containers.json"];
    const STORES: [&str; 2] = ["overlay-containers", "vfs-containers"];
    let lists = STORES
        .iter()
        .flat_map(|store| LISTS.map(|list| format!("var/lib/containers/storage/{store}/{list}")));
    lists.into_iter().find_map(|path| {
        let list = root.json(&path)?;
        let mut entries = list.as_array()?.iter();
        let entry = entries.find(|entry| entry["id"] == id)?;
        let metadata = entry["metadata"].as_str()?;
        let metadata: Value = serde_json::from_str(metadata).ok()?;
        Some(Described {
            image: text(&metadata, "/image-name"),
            name: text(&metadata, "/name"),
            pod: None,
        })
    })
}

/// A directory below which files are read.
struct Root(OwnedFd);

impl Root {
    /// A regular file as JSON.
    fn json(&self, path: &str) -> Option<Value> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let file = openat2(&self.0, path, flags, Mode::empty(), within).ok()?;
        let file = File::from(file);
        file.metadata().ok().filter(fs::Metadata::is_file)?;
        let mut bytes = Vec::new();
        file.take(LARGEST).read_to_end(&mut bytes).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

fn annotation(spec: &Value, key: &str) -> Option<String> {
    text(&spec["annotations"], &format!("/{key}"))
}

/// A text that says something, and no more than a name can be long.
fn text(value: &Value, pointer: &str) -> Option<String> {
    let text = value.pointer(pointer)?.as_str()?;
    (!text.is_empty() && text.len() <= NAME).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn runtimes_tell_by_their_files() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put(
            "var/lib/docker/containers/d0/config.v2.json",
            r#"{"Name":"/web","Config":{"Image":"nginx:1.27"}}"#,
        );
        put(
            "run/containerd/io.containerd.runtime.v2.task/k8s.io/c0/config.json",
            r#"{"annotations":{"io.kubernetes.cri.image-name":"registry/shop:2","io.kubernetes.cri.container-name":"php","io.kubernetes.cri.sandbox-name":"web-1","io.kubernetes.cri.sandbox-namespace":"shop"}}"#,
        );
        put(
            "run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/k0/config.json",
            r#"{"annotations":{"io.kubernetes.cri.container-name":"k"}}"#,
        );
        put(
            "run/containers/storage/overlay-containers/o0/userdata/config.json",
            r#"{"annotations":{"io.kubernetes.cri-o.ImageName":"quay/php","io.kubernetes.container.name":"php","io.kubernetes.pod.name":"web-2","io.kubernetes.pod.namespace":"shop"}}"#,
        );
        put(
            "var/lib/containers/storage/overlay-containers/containers.json",
            r#"[{"id":"p0","metadata":"{\"image-name\":\"docker.io/library/php:8\",\"name\":\"fpm\"}"}]"#,
        );
        let some = |text: &str| Some(text.to_owned());
        let pod = |name: &str| Some(("shop".to_owned(), name.to_owned()));
        for (id, image, name, pod) in [
            ("d0", some("nginx:1.27"), some("web"), None),
            ("c0", some("registry/shop:2"), some("php"), pod("web-1")),
            ("k0", None, some("k"), None),
            ("o0", some("quay/php"), some("php"), pod("web-2")),
            ("p0", some("docker.io/library/php:8"), some("fpm"), None),
            ("x0", None, None, None),
        ] {
            let found = below(root.path(), id);
            assert_eq!(found, Described { image, name, pod }, "{id}");
        }
    }

    #[test]
    fn no_link_leads_out_and_no_pipe_is_waited_for() {
        let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let secret = other.path().join("config.v2.json");
        fs::write(&secret, r#"{"Name":"/secret"}"#).unwrap();
        let bundle = |id: &str| root.path().join("var/lib/docker/containers").join(id);
        fs::create_dir_all(bundle("a0")).unwrap();
        symlink(&secret, bundle("a0").join("config.v2.json")).unwrap();
        symlink(other.path(), bundle("b0")).unwrap();
        fs::create_dir_all(bundle("f0")).unwrap();
        let pipe = bundle("f0").join("config.v2.json");
        rustix::fs::mknodat(CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        for id in ["a0", "b0", "f0"] {
            assert_eq!(below(root.path(), id), Described::default(), "{id}");
        }
    }
}
