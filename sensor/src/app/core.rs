//! The core made from a configuration: the same for a live run and for a replay.

use crate::{
    alert::Host,
    config::{Config, Scope},
    detect::{Detector, RuleSet, Tuning},
    engine::Engine,
    profile::Lock,
    service::Catalogue,
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
    let tuning = Tuning::new(&config.rules.exceptions, host.realtime_minus_boottime_ns);
    let rules = rules.adjusted(&config.rules.adjust);
    let detector = Detector::new(rules, host.users.clone()).tuned(tuning);
    let tree = Tree::new(limits, scope, catalogue(config));
    Engine::new(tree, detector, host).with_profiles(config.profiles.policy(), lock)
}

/// The list of servers, with those that the configuration adds.
pub(super) fn catalogue(config: &Config) -> Catalogue {
    let declared = config.services.declare.clone();
    Catalogue::new(&config.services.java.main_classes).declare(declared)
}
