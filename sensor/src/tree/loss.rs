//! Losses, said: records are missing while a service lives, so what was done meanwhile may
//! not have been seen. At once, and from then on once a minute with what came on top.

use super::{Effects, Tree};
use crate::{event::Lost, lineage::Subject};

/// Least time between two subjects about losses, ns.
pub(super) const INTERVAL_NS: u64 = 60_000_000_000;

/// Losses that nothing was said about yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unsaid {
    records: u64,
    /// When something was said last, ns.
    said_ns: Option<u64>,
}

impl Tree {
    pub(super) fn lose(&mut self, lost: &Lost, effects: &mut Effects) {
        self.lost = self.lost.saturating_add(lost.count);
        self.unsaid.records = self.unsaid.records.saturating_add(lost.count);
        self.say_losses(lost.time_ns, effects);
    }

    /// Says what was lost, when it is time and somebody can be concerned.
    pub(super) fn say_losses(&mut self, now_ns: u64, effects: &mut Effects) {
        let Unsaid { records, said_ns } = self.unsaid;
        let due = said_ns.is_none_or(|said| now_ns.saturating_sub(said) >= INTERVAL_NS);
        let concerns = self.table.services().any(|(_, entry)| entry.live > 0);
        if records == 0 || !due || !concerns {
            return;
        }
        self.unsaid = Unsaid {
            records: 0,
            said_ns: Some(now_ns),
        };
        effects.subjects.push(Subject::of_nobody(records, now_ns));
    }
}
