//! The core made from a configuration: the same for a live run and for a replay.

use crate::{
    alert::Host,
    config::{Config, Scope},
    detect::{Detector, RuleSet, Tuning},
    engine::Engine,
    profile::Lock,
    reload::Parts,
    tree::{self, Tree},
};

/// An engine that has seen nothing yet. Of the configuration it uses what
/// [`Config::core_yaml`] writes and nothing else: a recording holds no more.
#[must_use]
pub fn engine(config: &Config, rules: RuleSet, lock: &Lock, host: Host) -> Engine {
    let limits = tree::Limits {
        processes: usize::try_from(config.limits.processes.get()).unwrap_or(usize::MAX),
        grace_ns: config
            .limits
            .exited_grace_seconds
            .get()
            .saturating_mul(1_000_000_000),
        ..tree::Limits::default()
    };
    let scope = match config.scope {
        Scope::Services => tree::Scope::Services,
        Scope::Host => tree::Scope::Host,
    };
    let parts = Parts::new(config, rules, lock);
    let tuning = Tuning::new(&parts.exceptions, host.realtime_minus_boottime_ns);
    let detector = Detector::new(parts.rules, host.users.clone()).tuned(tuning);
    let tree = Tree::new(limits, scope, parts.catalogue);
    Engine::new(tree, detector, host).with_profiles(parts.profiles)
}
