//! Directories that the outlet needs, from its configuration.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io,
    os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Access, AtFlags, CWD, OFlags, accessat},
    process::{getegid, geteuid},
};
use tracing::warn;

use crate::{account::Account, app::sinks, config::Config, control};

/// Mode of a directory in which a group makes files, and removes only its own.
const SHARED: u32 = 0o1770;
/// Bits of a mode, of one of its three parts.
const READS: u32 = 0o4;
const WRITES: u32 = 0o2;
const ENTERS: u32 = 0o1;

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
            let Some(account) = account else {
                let mut builder = DirBuilder::new();
                drop(builder.recursive(true).mode(0o700).create(directory));
                continue;
            };
            if let Err(error) = share(directory, account) {
                let shown = directory.display();
                warn!("make {shown} for the outlet, which runs as {account}: {error}");
            }
        }
    }

    /// Why an outlet that runs as `account` cannot do what `config` wants of it: the first
    /// directory or file that is closed to it.
    pub(crate) fn refusal(config: &Config, account: Account) -> Option<String> {
        let places = Self::of(config);
        let files = config.sinks.iter().flat_map(sinks::read);
        let needs = places.write.into_iter().map(|it| (it, WRITES | ENTERS));
        let needs = needs.chain(places.read.into_iter().map(|it| (it, ENTERS)));
        let mut needs = needs.chain(files.map(|it| (it, READS)));
        needs.find_map(|(path, needed)| {
            let shown = path.display();
            let meta = match fs::metadata(&path) {
                Ok(meta) => meta,
                Err(error) => return Some(format!("{shown}: {error}; make it first")),
            };
            (!account.may(&meta, needed)).then(|| {
                format!(
                    "{shown}: closed to the outlet, which runs as {account} (`outlet.user`): give \
                     its group a part (a directory to write: mode 1770; a file to read: 0640)"
                )
            })
        })
    }

    /// Says what this user may not write to, and what to do about that: directories, and of
    /// the files of `config` those that were another's before.
    pub(crate) fn complain(&self, config: &Config) {
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
        let lock = control::lock_of(&config.control.socket);
        let history = config.history.enabled.then(|| config.history.path.clone());
        let files = config.sinks.iter().filter_map(sinks::written);
        for file in files.chain(history).chain([lock]) {
            let owner = fs::metadata(&file).map(|meta| meta.uid());
            if let Ok(owner) = owner
                && owner != uid
            {
                warn!(
                    "{} belongs to uid {owner}, and the outlet runs as {uid} (`outlet.user`): \
                     `chown {uid}:{gid}` it and what stands beside it under its name",
                    file.display()
                );
            }
        }
    }
}

/// Makes the directory, and those above it that are missing, so that the group of `account`
/// may make files in it. What is there already stays as it is.
fn share(directory: &Path, account: Account) -> io::Result<()> {
    if let Some(above) = directory.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(above)?;
    }
    DirBuilder::new().mode(0o700).create(directory)?;
    // What was made, not what stands there by now.
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let made = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(directory)?;
    fchown(&made, None, Some(account.gid))?;
    made.set_permissions(Permissions::from_mode(SHARED))
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
    use std::fs::File;

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

    #[test]
    fn what_is_closed_to_its_user_is_named_and_what_is_made_is_not() {
        if !geteuid().is_root() {
            println!("SKIP sandbox: not root");
            return;
        }
        let account = Account {
            uid: 65_432,
            gid: 65_432,
        };
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o711)).unwrap();
        let token = dir.path().join("token");
        fs::write(&token, "t").unwrap();
        let text = format!(
            "history: {{path: {0}/new/deep/history.db}}\ncontrol: {{socket: {0}/run/s}}\nsinks: \
             [{{name: h, type: webhook, url: 'https://h/', spool: {0}/new/spool.db, token_file: \
             {0}/token}}]",
            dir.path().display()
        );
        let config = Config::from_outlet_yaml(&text).unwrap();
        let refused = |part: &str| {
            let why = Places::refusal(&config, account).unwrap_or_default();
            assert!(why.contains(part), "{part}: {why}");
        };
        refused("make it first");
        fs::create_dir(dir.path().join("run")).unwrap();
        Places::of(&config).make(Some(account));
        let meta = fs::metadata(dir.path().join("new/deep")).unwrap();
        assert_eq!(
            (meta.uid(), meta.gid(), meta.mode() & 0o7777),
            (0, 65_432, SHARED)
        );
        // What is there stays as it is.
        refused("/run: closed to the outlet");
        fchown(
            File::open(dir.path().join("run")).unwrap(),
            Some(account.uid),
            None,
        )
        .unwrap();
        fs::set_permissions(&token, Permissions::from_mode(0o600)).unwrap();
        // It is above another one, so it was there when its turn came.
        fchown(
            File::open(dir.path().join("new")).unwrap(),
            Some(account.uid),
            None,
        )
        .unwrap();
        fs::set_permissions(dir.path().join("new"), Permissions::from_mode(0o700)).unwrap();
        refused("/token: closed to the outlet");
        fs::set_permissions(&token, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(Places::refusal(&config, account), None);
    }
}
