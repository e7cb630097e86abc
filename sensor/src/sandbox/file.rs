//! Landlock: the files that the outlet can open, as far as the running kernel can tell.

use std::{
    fmt, fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd,
    Ruleset, RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError,
    RulesetStatus, Scope,
};

use super::Places;

/// What the rules are written for; older kernels take of them what they know.
const WRITTEN_FOR: ABI = ABI::V6;

/// What names and certificates are looked up in, and what the C library may load for that.
/// Directories, where a file is replaced by another of its name.
const PUBLIC: &[&str] = &[
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/share/zoneinfo",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
];

/// Single files of that kind.
const FILES: &[&str] = &[
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/ld.so.cache",
    "/dev/urandom",
    "/dev/null",
];

/// How far files are closed off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// All that the rules say holds.
    Listed,
    /// Most of it: the kernel is older than the rules.
    Mostly,
    /// Nothing: the kernel has no Landlock, or it is switched off.
    Any,
}

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Listed => "listed directories",
            Self::Mostly => "listed directories, as far as this kernel's Landlock goes",
            Self::Any => "any, for lack of Landlock",
        })
    }
}

/// Whether files can be closed off at all here.
#[must_use]
pub fn restricts_files() -> bool {
    let rules = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let rules = rules.handle_access(AccessFs::from_all(ABI::V1));
    rules.and_then(Ruleset::create).is_ok()
}

/// Which files and directories the rules are about: they hold for those that are there when
/// the sandbox is closed, and not for others of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing(Vec<Option<(u64, u64)>>);

impl Standing {
    /// Device and inode of each, as it is now.
    #[must_use]
    pub fn of(places: &Places) -> Self {
        let all = FILES.iter().chain(PUBLIC).map(Path::new);
        let places = places.read.iter().chain(&places.write);
        let all = all.chain(places.map(PathBuf::as_path));
        let identity = |path: &Path| fs::metadata(path).ok().map(|it| (it.dev(), it.ino()));
        Self(all.map(identity).collect())
    }
}

/// Closes off all files but those of the places, for this thread and those that it starts.
/// A place that is not there gives nothing: what appears there later is out of reach.
///
/// # Errors
/// When a kernel that has Landlock refuses.
pub(super) fn restrict(places: &Places) -> Result<Files, RulesetError> {
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(WRITTEN_FOR))?
        .scope(Scope::Signal)?
        .create()?;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    for path in FILES {
        rules = allow(rules, Path::new(path), AccessFs::ReadFile.into())?;
    }
    for path in PUBLIC {
        rules = allow(rules, Path::new(path), read)?;
    }
    for path in &places.read {
        rules = allow(rules, path, read)?;
    }
    for path in &places.write {
        rules = allow(rules, path, read | own())?;
    }
    let status = rules.restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Files::Listed,
        RulesetStatus::PartiallyEnforced => Files::Mostly,
        RulesetStatus::NotEnforced => Files::Any,
    })
}

/// What is done in a directory of one's own: neither devices nor links are made there.
fn own() -> BitFlags<AccessFs> {
    AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::MakeSock
        | AccessFs::RemoveFile
}

fn allow(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    match PathFd::new(path) {
        Ok(file) => rules.add_rule(PathBeneath::new(file, access)),
        Err(_missing) => Ok(rules),
    }
}
