//! What rules ask of an act on a file or a socket, and of the process that acts, beyond
//! what records say: kinds and places of paths, who wrote a file, how a process came to
//! where it stands.

use super::{
    filetype, interpreter,
    memory::Memory,
    place, program,
    setting::{self, Links, Setting, is_one_of},
    view::View,
};
use crate::{
    event::{File, FileAction, Inode, Socket, Written},
    lineage::{Act, Part, Subject},
};

/// Package managers, by the names of their executables.
const PACKAGE_MANAGERS: &[&str] = &[
    "dpkg",
    "apt",
    "apt-get",
    "aptitude",
    "unattended-upgrade",
    "rpm",
    "dnf",
    "dnf5",
    "microdnf",
    "yum",
    "zypper",
    "apk",
    "pacman",
    "packagekitd",
];

/// Programs through which people come in, or become root.
const ENTRANCES: &[&str] = &[
    "sshd",
    "sshd-session",
    "login",
    "sudo",
    "sudo-rs",
    "su",
    "doas",
    "pkexec",
    "agetty",
];

/// Programs that run jobs of users.
const SCHEDULERS: &[&str] = &["cron", "crond", "anacron", "atd", "fcron"];

/// A process this old, ns, was not forked to exec at once.
const SETTLED_NS: u64 = 1_000_000_000;

impl<'s> View<'s> {
    pub(super) fn file(&self) -> Option<&'s File> {
        match &self.subject.act {
            Act::File(file) => Some(file),
            _ => None,
        }
    }

    pub(super) fn socket(&self) -> Option<&'s Socket> {
        match &self.subject.act {
            Act::Socket(socket) => Some(socket),
            _ => None,
        }
    }

    /// The name the act is about. Of two that were exchanged, the one that says more.
    pub(super) fn target(&self) -> Option<&'s [u8]> {
        let file = self.file()?;
        let other = file
            .other
            .as_ref()
            .filter(|_| file.action == FileAction::Exchange);
        let telling = |path: &[u8]| filetype::kinds(program::basename(path)) != 0;
        Some(match other {
            Some(other) if !telling(&file.path) && telling(other) => other,
            _ => &file.path,
        })
    }

    /// Last component of [`View::target`].
    pub(super) fn target_name(&self) -> Option<&'s [u8]> {
        self.target().map(program::basename)
    }

    pub(super) fn kinds(&self) -> u32 {
        *self
            .kinds
            .get_or_init(|| self.target_name().map_or(0, filetype::kinds))
    }

    pub(super) fn places(&self) -> u32 {
        *self.places.get_or_init(|| {
            let (Some(file), Some(path)) = (self.file(), self.target()) else {
                return 0;
            };
            let told = place::places(path);
            // A root that a name tells has its caches told by narrower names.
            if told & (place::bit::WEB_ROOT | place::bit::UPLOAD) != 0 {
                return told;
            }
            told | self.memory.roots.places(file.mount_ns, path)
        })
    }

    /// The act made this name: a new file, a rename, a link.
    pub(super) fn makes_name(&self) -> Option<bool> {
        let file = self.file()?;
        Some(match file.action {
            FileAction::Write => file.creates(),
            FileAction::Rename | FileAction::Exchange | FileAction::Link | FileAction::Symlink => {
                true
            }
            FileAction::Read | FileAction::Chmod => false,
        })
    }

    /// The file is the script its reader runs.
    pub(super) fn is_own_script(&self) -> Option<bool> {
        let path = &self.file()?.path;
        let script = interpreter::script(self.program(), self.program_name().as_bytes());
        Some(script.is_some_and(|script| *script == **path))
    }

    /// Who wrote the file acted on.
    pub(super) fn target_written(&self) -> Option<Written> {
        self.file()?.written
    }

    /// The user as whom the process that answers requests runs owns the file acted on.
    pub(super) fn is_owned_by_service(&self) -> Option<bool> {
        let inode = self.file()?.inode.as_ref()?;
        self.service()?;
        let ancestors = self.subject.lineage.ancestors.iter().rev();
        let mut serving = ancestors.filter(|it| it.part != Part::Descendant);
        let serving = serving.next()?;
        Some(serving.uid != 0 && serving.uid == inode.owner)
    }

    /// How long ago the service's root began, ns.
    pub(super) fn service_age_ns(&self) -> Option<u64> {
        let began = self.service()?.id.start_ns;
        Some(self.subject.stamp.time_ns.saturating_sub(began))
    }
}

impl Setting<'_> {
    /// Root works through a package manager, outside every service.
    pub(super) fn is_packaging(&self) -> bool {
        let own = &self.program().image;
        self.service().is_none()
            && self.uid() == 0
            && (self.has_ancestor(PACKAGE_MANAGERS)
                || is_one_of(own.name(), PACKAGE_MANAGERS) && own.path.starts_with(b"/usr/"))
    }

    /// Somebody who came in by a login works, outside every service.
    pub(super) fn is_administering(&self) -> bool {
        self.service().is_none() && self.has_ancestor(ENTRANCES)
    }
}

/// Who wrote what an exec runs: the executable, or its script.
#[inline]
pub(super) fn program_written(subject: &Subject) -> Option<Written> {
    let both = match (subject.program.written, subject.script_written) {
        (None, None) => return None,
        (executable, script) => [executable, script],
    };
    let mut both = both.into_iter().flatten();
    let first = both.clone().next();
    both.find(|it| is_same(subject, *it)).or(first)
}

/// Written by the service it happened under.
pub(super) fn is_same(subject: &Subject, written: Written) -> bool {
    let ancestors = &subject.lineage.ancestors;
    let service = subject.service.as_ref();
    service.is_some_and(|it| it.id == written.root)
        || ancestors.iter().any(|it| it.id == written.root)
}

/// How long ago a service touched the table of cron by which this job runs, ns.
#[inline]
pub(super) fn service_cron_ns(subject: &Subject, memory: &Memory) -> Option<u64> {
    let links = Links::of(&subject.lineage.ancestors);
    if subject.service.is_some() || !links.have_above(SCHEDULERS) {
        return None;
    }
    memory.spool_age(setting::uid(subject), subject.stamp.time_ns)
}

/// Only root can have written the file. Images of containers let the group of root write.
pub(super) const fn is_protected(inode: &Inode) -> bool {
    let by_group = inode.mode & 0o020 != 0 && inode.group != 0;
    inode.owner == 0 && inode.mode & 0o002 == 0 && !by_group
}

/// Its creator had ended, and another process was its parent, when it exec'ed.
#[inline]
pub(super) fn is_reparented(subject: &Subject) -> bool {
    let Some(creator) = &subject.creator else {
        return false;
    };
    creator.exit.is_some() && subject.parent.is_some_and(|parent| parent != creator.id)
}

/// Orphaned on purpose: its creator was forked only to fork it and end, or it is in a
/// session of its own by `setsid`.
#[inline]
pub(super) fn is_daemonised(subject: &Subject) -> bool {
    let Some(creator) = subject.creator.as_ref().filter(|_| is_reparented(subject)) else {
        return false;
    };
    let own = subject.lineage.ancestors.last();
    let chain = own.map_or(&[][..], |own| &own.chain);
    let by_setsid = chain.iter().any(|it| it.image.name() == "setsid");
    by_setsid || creator.chain.is_empty() && chain.len() <= 1
}

/// A process of the service itself became another program, without a fork for it.
///
/// Masters fork their workers, which exec nothing; a helper that a master forks execs at
/// once, as the user the master is.
#[inline]
pub(super) fn is_in_place(subject: &Subject) -> bool {
    let Some(service) = &subject.service else {
        return false;
    };
    if subject.own_image || subject.spawn_root != subject.process {
        return false;
    }
    let own = subject.lineage.ancestors.last();
    if subject.process == service.id {
        return own.is_some_and(|own| own.part == Part::Descendant);
    }
    let first = own.is_none_or(|own| own.chain.len() <= 1);
    let age = subject
        .stamp
        .time_ns
        .saturating_sub(subject.process.start_ns);
    subject.creator.as_ref().is_some_and(|creator| {
        let dropped = creator.uid == 0 && subject.program.cred.uid != 0;
        creator.part == Part::Master && first && (dropped || age >= SETTLED_NS)
    })
}
