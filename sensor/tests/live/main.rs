//! Live tests: the real sensor, the running kernel, real servers.
//!
//! They need root and the Debian packages that `cargo xtask test` installs, and they run
//! one after another. Each sets up its own servers in a temporary directory, on free
//! loopback ports, and ends them by pid, also when it fails. Payloads are harmless. A
//! test that cannot run here says `SKIP name: reason` on standard error.

mod fixture;

mod fixtures;
