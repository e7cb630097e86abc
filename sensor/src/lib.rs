//! The user-space agent of the lineage sensor.
//!
//! One direction: decode -> ring -> service -> tree -> detect -> profile -> alert -> incident -> reload -> engine -> record -> sink.
//! On this way a module names only what stands to its left. See ARCHITECTURE.md.
#![deny(
    unsafe_code,
    reason = "only `ring` and `simulate` need what has no safe wrapper"
)]

pub mod account;
pub mod alert;
pub mod app;
pub mod btf;
pub mod cli;
pub mod clock;
pub mod config;
pub mod context;
pub mod control;
mod credential;
pub mod decision;
pub mod decode;
pub mod detect;
pub mod doctor;
pub mod engine;
pub mod enrich;
pub mod event;
pub mod exit;
pub mod history;
pub mod host;
pub mod http;
pub mod incident;
pub mod inquiry;
pub mod inspect;
pub mod kubernetes;
pub mod lineage;
pub mod logging;
pub mod metrics;
mod near;
pub mod printable;
pub mod private;
pub mod privilege;
pub mod probe;
pub mod profile;
pub mod record;
pub mod redact;
pub mod reload;
pub mod ring;
pub mod sandbox;
pub mod scan;
pub mod service;
pub mod simulate;
pub mod sink;
mod sqlite;
pub mod tally;
pub mod terminal;
pub mod tree;
pub mod watch;
pub mod wire;
pub mod workload;
