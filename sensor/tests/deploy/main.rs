//! What `deploy/` holds for Prometheus, Grafana and Kubernetes is true: every query names metrics,
//! labels and values that the sensor exports, every alert is tested and has an entry in
//! the runbook, and the commands there exist.
//!
//! What is exported is read from docs/metrics.md, which the suite `docs` keeps equal to the
//! code.

mod dashboards;
mod exported;
mod kubernetes;
mod promql;
mod promtool;
mod rules;
mod runbook;
mod seccomp;

use std::path::{Path, PathBuf};

/// A path in the repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// A file of the repository.
fn file(name: &str) -> String {
    let path = path(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
