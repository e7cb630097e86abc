//! Directories that the outlet needs, from its configuration.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, Permissions},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Access, AtFlags, CWD, accessat},
    process::{getegid, geteuid},
};
use tracing::warn;

use crate::{account::Account, app::sinks, config::Config};

/// Mode of a directory in which a group makes files, and removes only its own.
const SHARED: u32 = 0o1770;

/// Directories in which the outlet reads and writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// In these it makes, writes and removes files.
    pub write: BTreeSet<PathBuf>,
    /// In these it reads: tokens and certificates are replaced by others of the same name.
    pub read: BTreeSet<PathBuf>,
}

impl Places {
    /// Those that a configuration names.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let mut places = Self::default();
        places.write.insert(directory(&config.control.socket));
        if config.history.enabled {
            places.write.insert(directory(&config.history.path));
        }
        for sink in &config.sinks {
            let written = sinks::written(sink);
            places.write.extend(written.as_deref().map(directory));
            places
                .read
                .extend(sinks::read(sink).map(|it| directory(&it)));
        }
        let pods = &config.kubernetes;
        if pods.watch {
            let account = [&pods.token_file, &pods.ca_file];
            places.read.extend(account.map(|it| directory(it)));
        }
        places
    }

    /// Everything that `other` needs is here.
    #[must_use]
    pub fn cover(&self, other: &Self) -> bool {
        let reads = |it: &PathBuf| self.read.contains(it) || self.write.contains(it);
        other.write.is_subset(&self.write) && other.read.iter().all(reads)
    }

    /// Makes the directories that are missing, for this user only, or so that `account` may
    /// make files there, and neither remove nor rename what is not its own. What cannot be made
    /// is said by who wants to write there.
    pub(crate) fn make(&self, account: Option<Account>) {
        for directory in self.write.iter().filter(|it| !it.exists()) {
            let mut builder = DirBuilder::new();
            let made = builder.recursive(true).mode(0o700).create(directory);
            if let (Ok(()), Some(account)) = (made, account) {
                let shared = chown(directory, None, Some(account.gid))
                    .and_then(|()| fs::set_permissions(directory, Permissions::from_mode(SHARED)));
                drop(shared);
            }
        }
    }

    /// Says which directories this user may not write to, and what to do about that.
    pub(crate) fn complain(&self) {
        let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
        let access = Access::WRITE_OK | Access::EXEC_OK;
        for directory in &self.write {
            if let Err(error) = accessat(CWD, directory, access, AtFlags::EACCESS) {
                warn!(
                    "the outlet, which runs as user {uid} (`outlet.user`), cannot write to {}: \
                     {error}; give it a directory of its own (`install -d -m 1770 -g {gid}`), or \
                     set `outlet.user: none`",
                    directory.display()
                );
            }
        }
    }
}

fn directory(path: &Path) -> PathBuf {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory.into(),
        Some(_) => ".".into(),
        None => "/".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(sinks: &str) -> Places {
        let text = format!(
            "history: {{path: /h/history.db}}\ncontrol: {{socket: /c/s}}\nsinks: [{sinks}]"
        );
        Places::of(&Config::from_outlet_yaml(&text).unwrap())
    }

    #[test]
    fn directories_of_what_is_written_and_read() {
        let hook =
            "{name: h, type: webhook, url: 'https://h/', spool: /s/spool.db, token_file: /t/token}";
        let some = places(hook);
        let write: Vec<_> = some.write.iter().map(|it| it.to_str().unwrap()).collect();
        assert_eq!(write, ["/c", "/h", "/s"]);
        assert!(some.read.contains(Path::new("/t")) && some.read.len() == 1);
        let fewer = places("");
        assert!(some.cover(&fewer) && some.cover(&some) && !fewer.cover(&some));
        let file = places("{name: f, type: file, path: /s/log}");
        assert!(some.cover(&file) && !file.cover(&some));
        let text = "kubernetes: {watch: true, token_file: /a/token, ca_file: /b/ca.crt}";
        let config = Config::from_outlet_yaml(text).unwrap();
        let pods = Places::of(&config);
        assert!(pods.read.contains(Path::new("/a")) && pods.read.contains(Path::new("/b")));
        let bare = places("{name: f, type: file, path: /log}");
        assert!(bare.write.contains(Path::new("/")));
    }
}
