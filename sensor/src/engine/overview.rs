//! Everything in numbers, for who watches: what was seen, what was lost, what each service
//! did. Rates are for the asker to make, of two answers.

use serde::Serialize;
use serde_json::{Value, json};

use super::Engine;
use crate::{
    event::{Event, RingKind},
    tree::LEVELS,
};

/// Services of one answer.
const SERVICES: usize = 1_024;

/// What has come in and gone out so far.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Seen {
    execs: u64,
    forks: u64,
    exits: u64,
    files: u64,
    sockets: u64,
    lost: u64,
    lost_files: u64,
    /// Alerts by level, least first.
    pub(super) alerts: [u64; LEVELS],
}

impl Seen {
    pub(super) fn count(&mut self, event: &Event) {
        match event {
            Event::Exec(_) => self.execs += 1,
            Event::Fork(_) => self.forks += 1,
            Event::Exit(_) => self.exits += 1,
            Event::File(_) => self.files += 1,
            Event::Socket(_) => self.sockets += 1,
            Event::Lost(lost) => match lost.ring {
                RingKind::Lifecycle => self.lost = self.lost.saturating_add(lost.count),
                RingKind::File => self.lost_files = self.lost_files.saturating_add(lost.count),
            },
        }
    }
}

impl Engine {
    /// The answer to `top`.
    pub(super) fn overview(&self) -> Value {
        let tree = self.tree.stats();
        let (services, all) = self.tree.load(SERVICES);
        json!({
            "now_ns": self.now_ns,
            "realtime_minus_boottime_ns": self.host.realtime_minus_boottime_ns,
            "host": self.host.name,
            "seen": self.seen,
            "processes": {"live": tree.live, "exited": tree.exited, "evicted": tree.evicted},
            "incidents": self.incidents.stats().open,
            "degraded": self.degraded,
            "services": services,
            "services_total": all,
        })
    }
}
