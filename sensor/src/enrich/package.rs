//! Which package a file belongs to: by rpm's database, or by an index of what dpkg has
//! installed, made when it is first asked and again when dpkg has changed something. No
//! program is run.
//!
//! Paths are kept as hashes, some four megabytes for a large system.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use bstr::ByteSlice as _;

use super::rpm;

/// Paths indexed; beyond that nothing is known of what is not found.
const PATHS: usize = 2_000_000;

/// Where the lists of packages are: of dpkg, whose one is empty where it is a guest, and
/// of rpm.
const DPKG: &str = "/var/lib/dpkg/status";
const RPM: &[&str] = &[
    "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    "/var/lib/rpm/rpmdb.sqlite",
];

/// See the module.
#[derive(Debug)]
pub(super) struct Packages {
    /// dpkg's directory, or rpm's database.
    directory: PathBuf,
    /// Path that every process has which sees the same packages.
    list: &'static str,
    /// When dpkg last changed something, as of the index.
    changed: Option<SystemTime>,
    names: Vec<String>,
    /// Hash of a path, place in `names`; in order of the hashes.
    paths: Vec<(u64, u32)>,
}

/// Whom a path belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// There is no list of packages.
    Unknown,
    /// No package has it.
    Nobody,
    /// This package.
    Package(String),
}

impl Packages {
    /// The packages of this machine, as its init sees them, or as the sensor does.
    pub(super) fn of_host() -> Self {
        let lists = std::iter::once(&DPKG).chain(RPM);
        let lists = lists.flat_map(|list| [("/proc/1/root", *list), ("", *list)]);
        let mut there = lists.filter_map(|(root, list)| {
            let path = PathBuf::from(format!("{root}{list}"));
            let full = path.metadata().is_ok_and(|it| it.len() > 0);
            full.then_some((path, list))
        });
        match there.next() {
            Some((path, DPKG)) => Self::at(path.parent().unwrap_or(Path::new("/"))),
            Some((database, list)) => Self {
                list,
                ..Self::at(&database)
            },
            None => Self::at(Path::new("/var/lib/dpkg")),
        }
    }

    /// dpkg's directory.
    pub(super) fn at(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            list: DPKG,
            changed: None,
            names: Vec::new(),
            paths: Vec::new(),
        }
    }

    /// The file that tells who has this list of packages: its path for everybody, its
    /// device and inode.
    pub(super) fn list(&self) -> Option<(&'static str, (u64, u64))> {
        let file = match self.list {
            DPKG => self.directory.join("status"),
            _ => self.directory.clone(),
        };
        let metadata = fs::metadata(file).ok()?;
        Some((self.list, (metadata.dev(), metadata.ino())))
    }

    /// The package that owns `path`.
    pub(super) fn owner(&mut self, path: &[u8]) -> Owner {
        if self.list == DPKG {
            return self.dpkg(path);
        }
        match rpm::owner(&self.directory, path) {
            Ok(owner) => owner.map_or(Owner::Nobody, Owner::Package),
            Err(_) => Owner::Unknown,
        }
    }

    fn dpkg(&mut self, path: &[u8]) -> Owner {
        let status = fs::metadata(self.directory.join("status"));
        let Ok(changed) = status.and_then(|status| status.modified()) else {
            return Owner::Unknown;
        };
        if self.changed != Some(changed) {
            self.read();
            self.changed = Some(changed);
        }
        if self.paths.is_empty() || self.paths.len() >= PATHS {
            return Owner::Unknown;
        }
        // dpkg lists what stood in /bin before /bin became a link into /usr.
        let merged = [&b"/usr/bin/"[..], b"/usr/sbin/", b"/usr/lib"];
        let before = merged.iter().any(|it| path.starts_with(it));
        let before = path.strip_prefix(b"/usr").filter(|_| before);
        let owner = self.find(path).or_else(|| self.find(before?));
        owner.map_or(Owner::Nobody, |package| Owner::Package(package.to_owned()))
    }

    fn find(&self, path: &[u8]) -> Option<&str> {
        let wanted = hash(path);
        let at = self.paths.binary_search_by_key(&wanted, |(hash, _)| *hash);
        let (_, name) = self.paths.get(at.ok()?)?;
        self.names
            .get(usize::try_from(*name).ok()?)
            .map(String::as_str)
    }

    fn read(&mut self) {
        (self.names, self.paths) = (Vec::new(), Vec::new());
        let Ok(entries) = fs::read_dir(self.directory.join("info")) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".list")) else {
                continue;
            };
            let Ok(list) = fs::read(entry.path()) else {
                continue;
            };
            let package = name.split(':').next().unwrap_or(name);
            let index = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
            self.names.push(package.to_owned());
            let lines = list.lines().filter(|line| line.len() > 2);
            let room = PATHS.saturating_sub(self.paths.len());
            self.paths
                .extend(lines.take(room).map(|line| (hash(line), index)));
        }
        self.paths.sort_unstable();
        self.paths.shrink_to_fit();
    }
}

fn hash(path: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn owners_are_found_also_from_before_usr_was_merged() {
        let directory = tempfile::tempdir().unwrap();
        let info = directory.path().join("info");
        fs::create_dir(&info).unwrap();
        let status = directory.path().join("status");
        fs::write(&status, "").unwrap();
        let mut packages = Packages::at(directory.path());
        assert_eq!(packages.owner(b"/bin/sh"), Owner::Unknown, "no list at all");
        fs::write(info.join("dash.list"), "/.\n/bin\n/bin/dash\n").unwrap();
        fs::write(info.join("libc6:amd64.list"), "/usr/lib/libc.so.6\n").unwrap();
        let later = SystemTime::now() + Duration::from_secs(5);
        fs::File::open(&status)
            .unwrap()
            .set_modified(later)
            .unwrap();
        let mut owner = |path: &str| packages.owner(path.as_bytes());
        let package = |name: &str| Owner::Package(name.to_owned());
        assert_eq!(owner("/bin/dash"), package("dash"));
        assert_eq!(owner("/usr/bin/dash"), package("dash"));
        assert_eq!(owner("/usr/lib/libc.so.6"), package("libc6"));
        assert_eq!(owner("/tmp/dash"), Owner::Nobody);
        assert_eq!(owner("/usr/local/bin/dash"), Owner::Nobody);
    }
}
