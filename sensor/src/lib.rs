//! The user-space agent of the lineage sensor.
//!
//! Modules stand in the order in which an event travels; each names only what
//! stands before it and `sensor_common`. See ARCHITECTURE.md.
#![forbid(unsafe_code)]

pub mod alert;
pub mod btf;
pub mod decode;
pub mod event;
pub mod http;
pub mod lineage;
pub mod metrics;
pub mod sink;
