//! What rules see of time, of processes and of earlier acts, in a few plain values.
//!
//! Fields that are made of it depend on nothing else, and verdicts are remembered on that:
//! two acts with the same [`Past`] are the same to them. So whatever such a field is made
//! of has to be put in here, as coarse as rules see it.

use super::{deed, memory::Memory, view::Evidence};
use crate::{event::pair, lineage::Subject};

const NS: u64 = 1_000_000_000;

/// See the module. Ages are whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a field that rules read"
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
    #[inline]
    pub(super) fn of(subject: &Subject, evidence: &Evidence, memory: &Memory) -> Self {
        let seconds = |ns: u64| ns / NS;
        Self {
            shell: evidence.shell,
            sha256: evidence.sha256,
            jndi_s: evidence.jndi_age_ns.map(seconds),
            recon: evidence.noted.recon,
            preload: evidence.preload.is_some(),
            written: deed::program_written(subject).map(|it| Writing {
                by_same: deed::is_same(subject, it),
                age_s: seconds(it.age_ns),
            }),
            drop_use_s: memory.drop_use_age(subject).map(seconds),
            cron_s: deed::service_cron_ns(subject, memory).map(seconds),
            is_reparented: deed::is_reparented(subject),
            is_daemonised: deed::is_daemonised(subject),
            is_in_place: deed::is_in_place(subject),
        }
    }

    /// Appends all of it as numbers: two have the same when they are equal, and no list of
    /// them begins as another does. Names are taken apart so that none can be forgotten.
    #[inline]
    pub(super) fn write(&self, numbers: &mut Vec<u64>) {
        let Self {
            shell,
            sha256,
            jndi_s,
            recon,
            preload,
            written,
            drop_use_s,
            cron_s,
            is_reparented,
            is_daemonised,
            is_in_place,
        } = *self;
        let flags = [
            shell.is_some(),
            shell == Some(true),
            sha256.is_some(),
            jndi_s.is_some(),
            recon.is_some(),
            preload,
            written.is_some(),
            written.is_some_and(|it| it.by_same),
            drop_use_s.is_some(),
            cron_s.is_some(),
            is_reparented,
            is_daemonised,
            is_in_place,
        ];
        let flags = flags
            .into_iter()
            .fold(0, |all, flag| all << 1 | u32::from(flag));
        numbers.push(pair(recon.unwrap_or(0), flags));
        let ages = [jndi_s, written.map(|it| it.age_s), drop_use_s, cron_s];
        if ages.iter().any(Option::is_some) {
            numbers.extend(ages.into_iter().flatten());
        }
        if let Some(hash) = sha256 {
            let parts = hash.as_chunks().0;
            numbers.extend(parts.iter().map(|part| u64::from_le_bytes(*part)));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn past() -> impl Strategy<Value = Past> {
        let age = || prop::option::of(0..2_u64);
        let written = (any::<bool>(), 0..2_u64);
        let written = written.prop_map(|(by_same, age_s)| Writing { by_same, age_s });
        let hash = (0..2_u8).prop_map(|byte| [byte; 32]);
        let deeds = any::<(Option<bool>, bool, bool, bool, bool)>();
        (
            (age(), age(), age(), prop::option::of(0..2_u32)),
            (prop::option::of(written), prop::option::of(hash)),
            deeds,
        )
            .prop_map(|(ages, (written, sha256), deeds)| {
                let (jndi_s, drop_use_s, cron_s, recon) = ages;
                let (shell, preload, is_reparented, is_daemonised, is_in_place) = deeds;
                Past {
                    shell,
                    sha256,
                    jndi_s,
                    recon,
                    preload,
                    written,
                    drop_use_s,
                    cron_s,
                    is_reparented,
                    is_daemonised,
                    is_in_place,
                }
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn pasts_have_the_same_numbers_when_they_are_equal(one in past(), two in past()) {
            let numbers = [one, two].map(|past| {
                let mut numbers = Vec::new();
                past.write(&mut numbers);
                numbers
            });
            prop_assert_eq!(one == two, numbers[0] == numbers[1]);
            prop_assert!(one == two || !numbers[0].starts_with(&numbers[1]));
        }
    }
}
