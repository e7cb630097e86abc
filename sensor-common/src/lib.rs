//! The contract between the kernel programs and the agent: record layouts, map
//! values, kernel counters, struct offsets, bounds.
//!
//! Everything here is flat integers and byte arrays with explicit padding, so that
//! both sides agree on every byte. Nothing here may allocate, panic or know how a
//! record is transported. With feature `user` (the agent), map values get `Pod`.
#![no_std]

pub mod counter;
pub mod limit;
pub mod map;
pub mod name;
pub mod offset;
pub mod record;
pub mod watch;

#[cfg(feature = "user")]
mod user;
