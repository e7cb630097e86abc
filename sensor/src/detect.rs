//! Detection: Sigma rules over typed subjects.
//!
//! An exec comes in as a [`Subject`](crate::lineage::Subject) and leaves as the rules
//! that match it. Conditions speak of structure (role, part, own image, file identity);
//! nothing an attacker types can excuse him. The evaluation path does no I/O, reads no
//! clock and takes no lock; only `source` touches files, when rules are loaded.

mod analysis;
mod check;
mod command;
mod detector;
mod example;
mod field;
mod masquerade;
mod program;
mod rule;
mod ruleset;
mod scene;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod view;

pub use self::{
    check::{CheckReport, check},
    detector::{Detector, Fact, MAX_WAIT_NS, MAX_WAITING, Match, Request, Verdicts},
    field::{ENV, ENV_ABOUT, FIELDS, Field, Kind},
    masquerade::KnownShell,
    rule::{Level, Need, Rule},
    ruleset::{LoadError, RuleSet, Skipped},
    source::Problem,
    view::Users,
};
