//! What rules see of time, of processes and of earlier acts, in a few plain values.
//!
//! Fields that are made of it depend on nothing else, and verdicts are remembered on that:
//! two acts with the same [`Past`] are the same to them. So whatever such a field is made
//! of has to be put in here, as coarse as rules see it.

use super::{deed, view::View};

const NS: u64 = 1_000_000_000;

/// See the module. Ages are whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is the value of a field"
)]
pub(super) struct Past {
    /// The executable is a known shell under a foreign name; `None` while unknown.
    pub(super) shell: Option<bool>,
    /// Content of the executable.
    pub(super) sha256: Option<[u8; 32]>,
    /// Since the service connected to a directory server.
    pub(super) jndi_s: Option<u64>,
    /// Different reconnaissance tools of the last minute, when this one is new among them.
    pub(super) recon: Option<u32>,
    /// A service wrote a library that a variable of the exec names.
    pub(super) preload: bool,
    /// A service wrote what runs.
    pub(super) written: Option<Writing>,
    /// Since this lineage read a script that a service had dropped.
    pub(super) drop_use_s: Option<u64>,
    /// Since a service touched the table of cron whose job this is.
    pub(super) cron_s: Option<u64>,
    pub(super) is_reparented: bool,
    pub(super) is_daemonised: bool,
    pub(super) is_in_place: bool,
}

/// Who wrote what runs, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Writing {
    /// The service it happens under.
    pub(super) by_same: bool,
    pub(super) age_s: u64,
}

impl Past {
    pub(super) fn of(view: &View<'_>) -> Self {
        let (subject, evidence) = (view.subject, &view.evidence);
        let seconds = |ns: u64| ns / NS;
        Self {
            shell: evidence.shell,
            sha256: evidence.sha256,
            jndi_s: evidence.jndi_age_ns.map(seconds),
            recon: evidence.noted.recon,
            preload: evidence.preload.is_some(),
            written: view.program_written().map(|it| Writing {
                by_same: view.is_same(it),
                age_s: seconds(it.age_ns),
            }),
            drop_use_s: view.memory.drop_use_age(subject).map(seconds),
            cron_s: view.service_cron_ns().map(seconds),
            is_reparented: deed::is_reparented(subject),
            is_daemonised: deed::is_daemonised(subject),
            is_in_place: deed::is_in_place(subject),
        }
    }
}
