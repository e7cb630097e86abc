//! The core made from a configuration: the same for a live run and for a replay.

use crate::{
    alert::Host,
    config::{Config, Declared, Scope, declare},
    detect::{Detector, RuleSet},
    engine::Engine,
    lineage::{Role, ServiceKind},
    profile::Lock,
    service::{Catalogue, Declaration},
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
    let detector = Detector::new(rules, host.users.clone());
    let tree = Tree::new(limits, scope, catalogue(config));
    Engine::new(tree, detector, host).with_profiles(config.profiles.policy(), lock)
}

/// The list of servers, with those that the configuration adds.
pub(super) fn catalogue(config: &Config) -> Catalogue {
    let declared = config.services.declare.iter().map(declaration).collect();
    Catalogue::new(&config.services.java.main_classes).declare(declared)
}

/// A declared service as the catalogue has it.
fn declaration(declared: &Declared) -> Declaration {
    let mut kinds = ServiceKind::ALL.iter().copied();
    let kind = kinds.find(|kind| Some(kind.name()) == declared.kind.as_deref());
    Declaration {
        name: declared.name.clone(),
        exe: declared.exe.clone(),
        argv: declared.argv.clone(),
        unit: declared.unit.clone(),
        image: declared.image.clone(),
        role: match declared.role {
            declare::Role::Edge => Role::Edge,
            declare::Role::App => Role::App,
            declare::Role::Cgi => Role::Cgi,
            declare::Role::Db => Role::Db,
            declare::Role::Ci => Role::Ci,
        },
        kind: kind.unwrap_or(ServiceKind::Declared),
    }
}
