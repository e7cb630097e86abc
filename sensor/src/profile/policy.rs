//! What the configuration says about profiles: modes, products, expiry.

use super::key::{Key, Place};
use crate::lineage::Mode;

/// Which services a mode is for; all that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Kind of server.
    pub kind: Option<String>,
    /// systemd unit.
    pub unit: Option<String>,
    /// Name by which it is declared.
    pub name: Option<String>,
    /// uid of its workers.
    pub uid: Option<u32>,
}

impl Choice {
    fn holds(&self, key: &Key) -> bool {
        let unit = matches!(&key.place, Place::Unit(unit) if Some(unit) == self.unit.as_ref());
        let name = matches!(&key.place, Place::Name(name) if Some(name) == self.name.as_ref());
        self.kind.as_deref().is_none_or(|kind| kind == key.kind)
            && (self.unit.is_none() || unit)
            && (self.name.is_none() || name)
            && self.uid.is_none_or(|uid| uid == key.uid)
    }
}

/// What the configuration says about profiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Mode of services for which nothing else is said.
    pub mode: Mode,
    /// Modes of some; the first that holds counts.
    pub services: Vec<(Choice, Mode)>,
    /// Built-in profiles besides the base.
    pub products: Vec<String>,
    /// Days after which an entry that was not used counts no more; 0 for never.
    pub expire_days: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: Mode::Learn,
            services: Vec::new(),
            products: Vec::new(),
            expire_days: 90,
        }
    }
}

impl Policy {
    pub(super) fn mode(&self, key: &Key) -> Mode {
        let own = self.services.iter().find(|(choice, _)| choice.holds(key));
        own.map_or(self.mode, |(_, mode)| *mode)
    }
}
