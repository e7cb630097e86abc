//! Detection: Sigma rules over typed subjects.
//!
//! An act (an exec, a file written, a connect) comes in as a
//! [`Subject`](crate::lineage::Subject) and leaves as the rules that match it. Conditions speak of structure (role, part, own image, file identity);
//! nothing an attacker types can excuse him. The evaluation path does no I/O, reads no
//! clock and takes no lock; only `source` touches files, when rules are loaded.

mod analysis;
mod category;
mod check;
mod command;
mod deed;
mod detector;
mod dialect;
mod example;
mod fact;
mod field;
mod filetype;
mod hook;
mod interactive;
mod interpreter;
mod masquerade;
mod memo;
mod memory;
mod past;
mod place;
mod preload;
mod program;
mod reading;
mod root;
mod rule;
mod ruleset;
mod scene;
mod setting;
mod silence;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod trial;
mod tuning;
mod view;

pub use self::{
    category::Category,
    check::{CheckReport, check},
    detector::{Detector, Excepted, MAX_WAIT_NS, MAX_WAITING, Match, Verdicts},
    fact::{
        Examine, Examined, Fact, FileRole, Locate, Located, Peer, Placed, PodFacts, Request, Whose,
    },
    field::{ENV, ENV_ABOUT, Field, Kind, all as fields},
    hook::{Hooks, Shortage},
    masquerade::KnownShell,
    memo::MemoStats,
    rule::{Learnable, Level, Need, Rule},
    ruleset::{LoadError, RuleSet, Skipped},
    silence::Silence,
    source::{Problem, Source, places},
    trial::{Trial, Tried, trial},
    tuning::{
        Adjustment, Exception, Pattern, Tuning, exception_fields, is_exception_field,
        nearest_exception_field,
    },
    view::Users,
};
pub(crate) use self::{
    category::name as action_name,
    filetype::extension as file_extension,
    interpreter::{Run, is_interpreter, run, script},
    preload::{is_function, is_telling as loads},
    program::{is_loader, is_multicall, is_shell, name as program_name, stem},
    table::network::protocol as protocol_name,
};
