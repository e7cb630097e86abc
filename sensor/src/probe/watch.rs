//! The maps of watched names and directories.

use std::{collections::HashSet, os::unix::fs::MetadataExt as _, path::PathBuf};

use aya::{
    Ebpf,
    maps::{HashMap, MapData, MapError},
};
use sensor_common::{limit::DIRECTORY_ENTRIES, watch::DirectoryKey};

use super::ProbeError;

const CLASSES: &str = "LINEAGE_CLASSES";
const DIRECTORIES: &str = "LINEAGE_DIRECTORIES";

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

/// Makes `map` hold the directories of `wanted` that exist, as far as they fit.
pub(super) fn fill_directories(
    map: &mut HashMap<MapData, DirectoryKey, u32>,
    wanted: &[PathBuf],
) -> Result<(), ProbeError> {
    let keys: HashSet<DirectoryKey> = wanted
        .iter()
        .filter_map(|path| std::fs::metadata(path).ok())
        .filter(std::fs::Metadata::is_dir)
        .take(DIRECTORY_ENTRIES as usize)
        .map(|metadata| DirectoryKey {
            ino: metadata.ino(),
            dev: kernel_device(metadata.dev()),
            pad: 0,
        })
        .collect();
    let held: Vec<DirectoryKey> = map
        .keys()
        .collect::<Result<_, _>>()
        .map_err(ProbeError::map(DIRECTORIES))?;
    for gone in held.iter().filter(|key| !keys.contains(key)) {
        match map.remove(gone) {
            Ok(()) | Err(MapError::KeyNotFound) => {}
            Err(error) => return Err(ProbeError::map(DIRECTORIES)(error)),
        }
    }
    for key in &keys {
        map.insert(key, 1, 0)
            .map_err(ProbeError::map(DIRECTORIES))?;
    }
    Ok(())
}

/// `st_dev` as the kernel itself writes it: major << 20 | minor.
fn kernel_device(device: u64) -> u32 {
    libc::major(device) << 20 | libc::minor(device)
}
