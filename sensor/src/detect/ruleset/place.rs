//! Where the rules for an act stand, and which of them are asked.

use super::{super::category::Stream, engines::Engines};
use crate::lineage::Role;

/// Which of a role's engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum Stage {
    /// Rules that need no fact.
    Ready,
    /// Rules that do.
    Waiting,
}

/// Where the rules for an act stand.
#[derive(Clone, Copy)]
pub(in crate::detect) struct Place<'r> {
    pub(super) engines: &'r Engines,
    pub(super) slot: usize,
    /// Verdicts on its acts are remembered.
    pub(in crate::detect) is_exec: bool,
}

impl Place<'_> {
    /// Rules wait for a fact; whether for every executable.
    pub(in crate::detect) const fn waits(self) -> (bool, bool) {
        (self.engines.waits, self.engines.hash_all)
    }

    /// Tells apart what verdicts are remembered of.
    pub(super) fn number(self, stages: &[Stage]) -> u16 {
        u16::try_from(self.slot * 4 + mask(stages)).unwrap_or(u16::MAX)
    }
}

/// Where the engines of a stream and a role stand.
pub(super) fn slot(stream: Stream, role: Option<Role>) -> usize {
    let role = role.map_or(Role::ALL.len(), |role| role as usize);
    role * Stream::ALL.len() + stream.place()
}

/// Stages as bits.
fn mask(stages: &[Stage]) -> usize {
    let bit = |stage: &Stage| match stage {
        Stage::Ready => 1,
        Stage::Waiting => 2,
    };
    stages.iter().map(bit).fold(0, |mask, bit| mask | bit)
}
