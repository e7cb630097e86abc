//! A configuration read while another one is in force: what of it can take effect, and
//! what it is called.

use sha2::{Digest as _, Sha256};

use super::{
    Effective,
    effective::render,
    key::{KEYS, Key},
};

/// Keys, and sections ending with a dot, that take effect without a restart.
const LIVE: &[&str] = &[
    "log.level",
    "output.level",
    "sinks",
    "rules.",
    "profiles.",
    "services.",
    "watch.",
];

impl Key {
    /// It takes effect without a restart.
    #[must_use]
    pub fn is_live(&self) -> bool {
        let mut live = LIVE.iter();
        live.any(|live| *live == self.path || live.ends_with('.') && self.path.starts_with(live))
    }
}

impl Effective {
    /// This configuration as it can follow `running`: what cannot change while the sensor
    /// runs stays as it is. Those keys come second.
    #[must_use]
    pub fn after(mut self, running: &Self) -> (Self, Vec<&'static str>) {
        let mut kept = Vec::new();
        for key in KEYS.iter().filter(|key| !key.is_live()) {
            let value = (key.get)(&running.config);
            if value != (key.get)(&self.config) {
                // What a configuration writes, another one takes.
                (key.set)(&mut self.config, &value);
                self.take_origin(key.path, running);
                kept.push(key.path);
            }
        }
        (self, kept)
    }

    /// SHA-256, in hex, of every value together with what stands in other files: `rules`
    /// and `profile` are hashes of them.
    #[must_use]
    pub fn hash(&self, rules: &str, profile: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(render(&self.config, KEYS, |_| None));
        hash.update(rules);
        hash.update(profile);
        format!("{:x}", hash.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Bounded, Level, Scope};

    #[test]
    fn what_cannot_change_stays_and_is_named() {
        let running = Effective::default();
        let mut next = Effective::default();
        next.config.scope = Scope::Host;
        next.config.limits.processes = Bounded::new(2_048);
        next.config.output.level = Level::Low;
        let (after, kept) = next.after(&running);
        assert_eq!(kept, ["scope", "limits.processes"]);
        assert_eq!(after.config.scope, Scope::Services);
        assert_eq!(after.config.limits, running.config.limits);
        assert_eq!(after.config.output.level, Level::Low);
    }

    #[test]
    fn the_hash_is_of_values_rules_and_profile() {
        let one = Effective::default();
        let mut other = Effective::default();
        assert_eq!(one.hash("r", "p"), other.hash("r", "p"));
        assert_ne!(one.hash("r", "p"), one.hash("q", "p"));
        assert_ne!(one.hash("r", "p"), one.hash("r", "q"));
        other.config.output.level = Level::Low;
        assert_ne!(one.hash("r", "p"), other.hash("r", "p"));
    }

    #[test]
    fn every_live_name_is_one() {
        for live in LIVE {
            assert!(
                KEYS.iter()
                    .any(|key| key.is_live() && key.path.starts_with(live)),
                "{live}"
            );
        }
    }
}
