//! The user-space agent of the lineage sensor.
//!
//! Modules stand in the order in which an event travels; each names only what
//! stands before it and `sensor_common`. See ARCHITECTURE.md.
#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod control;
pub mod event;
pub mod exit;
pub mod lineage;
pub mod logging;
pub mod printable;
