//! The user-space agent of the lineage sensor.
//!
//! Modules stand in the order in which an event travels; each names only what
//! stands before it and `sensor_common`. See ARCHITECTURE.md.
#![deny(unsafe_code, reason = "only `ring` talks to the kernel without a safe wrapper")]

pub mod btf;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod decode;
pub mod event;
pub mod exit;
pub mod lineage;
pub mod logging;
pub mod printable;
pub mod probe;
pub mod ring;
pub mod scan;
