//! A closer look at one process. For services that the configuration declares: what it
//! runs, and of which image its container is. For an Apache: what it is set up to do.
//!
//! Reads `/proc` and what container runtimes leave on disk, so it is not for the loop.
//! There is no asking a runtime or a registry: an image whose name no file tells is not
//! known (`CRI-O` and containerd below another root directory, rootless podman).

mod apache;

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;

pub use self::apache::apache;
use crate::{
    clock,
    event::{ProcessId, Program},
    scan,
    service::container_id,
};

/// What a look found.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// The process.
    pub process: ProcessId,
    /// What it runs.
    pub program: Arc<Program>,
    /// Image of its container.
    pub image: Option<String>,
}

/// Largest file of a runtime that is read, bytes.
const LARGEST: u64 = 8 << 20;

/// Looks at `process`; `None` when it is gone.
#[must_use]
pub fn inspect(process: ProcessId) -> Option<Inspected> {
    let program = scan::program(process, clock::boottime_ns())?;
    Some(Inspected {
        process,
        image: image(&program),
        program,
    })
}

/// Name of the image of the container that a program runs in.
#[must_use]
pub fn image(program: &Program) -> Option<String> {
    image_below(Path::new("/"), container_id(&program.cgroup.path)?)
}

/// Looks where runtimes keep their state, below `root`.
fn image_below(root: &Path, id: &str) -> Option<String> {
    let docker = format!("var/lib/docker/containers/{id}/config.v2.json");
    if let Some(name) = text(json(&root.join(docker)), "/Config/Image") {
        return Some(name);
    }
    let cri = |directory: &str, annotation: &str| {
        let spec = json(&root.join(directory).join("config.json"));
        text(spec, &format!("/annotations/{annotation}"))
    };
    cri(
        &format!("run/containerd/io.containerd.runtime.v2.task/k8s.io/{id}"),
        "io.kubernetes.cri.image-name",
    )
    .or_else(|| {
        cri(
            &format!("run/containers/storage/overlay-containers/{id}/userdata"),
            "io.kubernetes.cri-o.ImageName",
        )
    })
    .or_else(|| podman(root, id))
}

/// podman lists its containers in one file, the image's name within a text of JSON.
fn podman(root: &Path, id: &str) -> Option<String> {
    const LISTS: [&str; 2] = ["containers.json", "volatile-containers.json"];
    const STORES: [&str; 2] = ["overlay-containers", "vfs-containers"];
    let storage = root.join("var/lib/containers/storage");
    let lists = STORES
        .iter()
        .flat_map(|store| LISTS.map(|list| storage.join(store).join(list)));
    lists.into_iter().find_map(|path: PathBuf| {
        let list = json(&path)?;
        let mut entries = list.as_array()?.iter();
        let entry = entries.find(|entry| entry["id"] == id)?;
        let metadata = serde_json::from_str(entry["metadata"].as_str()?).ok();
        text(metadata, "/image-name")
    })
}

fn json(path: &Path) -> Option<Value> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(LARGEST).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn text(value: Option<Value>, pointer: &str) -> Option<String> {
    Some(value?.pointer(pointer)?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn runtimes_tell_images_by_their_files() {
        let root = std::env::temp_dir().join(format!("lineage-inspect-{}", std::process::id()));
        let put = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put(
            "var/lib/docker/containers/d0/config.v2.json",
            r#"{"Config":{"Image":"nginx:1.27"}}"#,
        );
        put(
            "run/containerd/io.containerd.runtime.v2.task/k8s.io/c0/config.json",
            r#"{"annotations":{"io.kubernetes.cri.image-name":"registry/shop:2"}}"#,
        );
        put(
            "var/lib/containers/storage/overlay-containers/containers.json",
            r#"[{"id":"p0","metadata":"{\"image-name\":\"docker.io/library/php:8\"}"}]"#,
        );
        for (id, image) in [
            ("d0", Some("nginx:1.27")),
            ("c0", Some("registry/shop:2")),
            ("p0", Some("docker.io/library/php:8")),
            ("x0", None),
        ] {
            assert_eq!(image_below(&root, id).as_deref(), image, "{id}");
        }
        fs::remove_dir_all(root).unwrap();
    }
}
