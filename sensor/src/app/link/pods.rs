//! What one outlet says of this node's pods: rationed, since a list may be long.

use crate::{
    kubernetes::{Change, Hearing, Lie, Pods},
    wire,
};

/// See the module.
pub(super) struct Heard {
    pods: Pods,
    hearing: Hearing,
    room: usize,
}

impl Heard {
    /// Of an outlet that begins.
    pub(super) fn new(pods: &Pods) -> Self {
        Self {
            pods: pods.clone(),
            hearing: pods.hearing(),
            room: wire::PODS_ROOM,
        }
    }

    /// Takes what it says; for how many pods there was no room.
    ///
    /// # Errors
    /// When an outlet does not say that: why.
    pub(super) fn hear(&mut self, changes: Vec<Change>) -> Result<usize, &'static str> {
        let weight = changes.iter().map(Change::weight).sum();
        let room = self.room.checked_sub(weight);
        self.room = room.ok_or("it floods with pods")?;
        let heard = self.hearing.hear(changes);
        heard.map_err(|Lie| "it names a pod whose names or labels are none")
    }

    /// How many pods are known.
    pub(super) fn count(&self) -> usize {
        self.pods.count()
    }

    /// More may be said.
    pub(super) const fn beat(&mut self) {
        self.room = wire::PODS_ROOM;
    }
}
