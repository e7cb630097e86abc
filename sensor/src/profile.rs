//! Profiles: what a service may spawn, and what that silences.
//!
//! A profile is a list of chains of programs with argument templates, learnt from what a
//! service did and reviewed by people. The judge compares an exec with it before the
//! rules see it; afterwards a match of a rule that may be learnt is silenced when the
//! profile knows the chain. No lock, file or clock here, except in `lock::file`, which
//! commands and start-up use.

mod chain;
mod class;
mod command;
mod date;
mod judge;
mod key;
mod lack;
mod learn;
pub mod lock;
mod policy;
mod refusal;
mod shipped;
mod step;
mod table;
mod template;
#[cfg(test)]
mod tests;
mod token;
mod tool;

pub use self::{
    chain::Chain,
    class::PLACEHOLDERS,
    date::Day,
    judge::{Judge, Profiles, SIMULATION, Settled, hash, verdict},
    key::{Key, Place},
    lack::Lack,
    learn::Learner,
    lock::{Lock, Seen},
    policy::{Choice, Policy},
    refusal::Refusal,
    shipped::{Product, check, products},
    step::Step,
    tool::Review,
};
