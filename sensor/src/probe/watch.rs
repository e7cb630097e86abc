//! The maps of watched names and directories.

use std::{
    collections::HashSet,
    hash::Hash,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use aya::{
    Ebpf, Pod,
    maps::{HashMap, MapData, MapError},
};
use sensor_common::{
    limit::DIRECTORY_ENTRIES,
    watch::{DirectoryKey, PlaceKey, PlaceWalk},
};

use super::{ProbeError, take};

const CLASSES: &str = "LINEAGE_CLASSES";
const DIRECTORIES: &str = "LINEAGE_DIRECTORIES";
const PLACES: &str = "LINEAGE_PLACES";

/// Tells the kernel side which names have a class.
pub(super) fn fill_classes(ebpf: &mut Ebpf, classes: &[(u64, u32)]) -> Result<(), ProbeError> {
    let map = ebpf.map_mut(CLASSES).ok_or(ProbeError::Object(CLASSES))?;
    let mut map: HashMap<_, u64, u32> = HashMap::try_from(map).map_err(ProbeError::map(CLASSES))?;
    for (key, class) in classes {
        map.insert(key, class, 0)
            .map_err(ProbeError::map(CLASSES))?;
    }
    Ok(())
}

/// The watched directories as the kernel side has them.
pub(super) struct Watched {
    /// By inode.
    directories: HashMap<MapData, DirectoryKey, u32>,
    /// By name, where a path is all there is.
    places: HashMap<MapData, PlaceKey, u32>,
}

impl Watched {
    /// Takes the maps, still empty.
    pub(super) fn new(ebpf: &mut Ebpf) -> Result<Self, ProbeError> {
        let directories = take(ebpf, DIRECTORIES)?;
        let places = take(ebpf, PLACES)?;
        Ok(Self {
            directories: HashMap::try_from(directories).map_err(ProbeError::map(DIRECTORIES))?,
            places: HashMap::try_from(places).map_err(ProbeError::map(PLACES))?,
        })
    }

    /// Makes the maps hold the directories of `wanted` that exist, as far as they fit.
    pub(super) fn fill(&mut self, wanted: &[PathBuf]) -> Result<(), ProbeError> {
        let found: Vec<(&PathBuf, DirectoryKey)> = wanted
            .iter()
            .filter_map(|path| Some((path, directory(path)?)))
            .take(DIRECTORY_ENTRIES as usize)
            .collect();
        let keys = found.iter().map(|(_, key)| *key).collect();
        replace(DIRECTORIES, &mut self.directories, &keys)?;
        let Some(root) = directory(Path::new("/")) else {
            return Ok(());
        };
        let place = |path: &Path| PlaceKey {
            hash: PlaceWalk::along(path.as_os_str().as_bytes()).hash,
            root,
        };
        let resolved = found
            .iter()
            .filter_map(|(path, _)| path.canonicalize().ok());
        let typed = found.iter().map(|(path, _)| place(path));
        let keys = typed.chain(resolved.map(|path| place(&path))).collect();
        replace(PLACES, &mut self.places, &keys)
    }
}

/// Key of the directory at `path`; `None` when there is none.
fn directory(path: &Path) -> Option<DirectoryKey> {
    let metadata = std::fs::metadata(path).ok()?;
    metadata.is_dir().then(|| DirectoryKey {
        ino: metadata.ino(),
        dev: kernel_device(metadata.dev()),
        pad: 0,
    })
}

/// Makes `map` hold `keys` and nothing else.
fn replace<K: Pod + Eq + Hash>(
    name: &'static str,
    map: &mut HashMap<MapData, K, u32>,
    keys: &HashSet<K>,
) -> Result<(), ProbeError> {
    let held: Vec<K> = map
        .keys()
        .collect::<Result<_, _>>()
        .map_err(ProbeError::map(name))?;
    for gone in held.iter().filter(|key| !keys.contains(key)) {
        match map.remove(gone) {
            Ok(()) | Err(MapError::KeyNotFound) => {}
            Err(error) => return Err(ProbeError::map(name)(error)),
        }
    }
    for key in keys {
        map.insert(key, 1, 0).map_err(ProbeError::map(name))?;
    }
    Ok(())
}

/// `st_dev` as the kernel itself writes it: major << 20 | minor.
fn kernel_device(device: u64) -> u32 {
    libc::major(device) << 20 | libc::minor(device)
}
