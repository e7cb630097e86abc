//! The sandbox of the outlet: what it may still do once its sockets are open.

use std::{
    collections::BTreeSet,
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use crate::{app::sinks, config::Config, privilege};

/// Directories and files that the outlet needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Directories in which it makes, writes and removes files.
    pub write: BTreeSet<PathBuf>,
    /// Files that it reads.
    pub read: BTreeSet<PathBuf>,
}

impl Places {
    /// Those that a configuration names.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let mut places = Self::default();
        places.directory(&config.control.socket);
        if config.history.enabled {
            places.directory(&config.history.path);
        }
        for sink in &config.sinks {
            if let Some(path) = sinks::written(sink) {
                places.directory(&path);
            }
            places.read.extend(sinks::read(sink));
        }
        places
    }

    fn directory(&mut self, path: &Path) {
        let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
        self.write
            .insert(directory.unwrap_or(Path::new("/")).into());
    }

    /// Everything that `other` needs is here.
    #[must_use]
    pub fn cover(&self, other: &Self) -> bool {
        other.write.is_subset(&self.write) && other.read.is_subset(&self.read)
    }

    /// Makes the directories that are missing, for this user only: later it could not. What
    /// cannot be made is said by who wants to write there.
    pub fn make(&self) {
        for directory in &self.write {
            let mut builder = DirBuilder::new();
            drop(builder.recursive(true).mode(0o700).create(directory));
        }
    }
}

/// Closes the sandbox around this thread and all that it starts.
///
/// # Errors
/// When the kernel refuses what every kernel has.
pub fn enter(_places: &Places) -> Result<(), rustix::io::Errno> {
    privilege::shed_all()
}
