//! A closer look at one process. For services that the configuration declares: what it
//! runs, and of which image its container is. For an Apache: what it is set up to do.
//!
//! Reads `/proc` and what container runtimes leave on disk, so it is not for the loop.
//! There is no asking a runtime or a registry: an image whose name no file tells is not
//! known (`CRI-O` and containerd below another root directory, rootless podman).

mod apache;
mod container;

use std::sync::Arc;

pub use self::{
    apache::apache,
    container::{Described, described},
};
use crate::{
    clock,
    event::{ProcessId, Program},
    scan,
    service::container_id,
};

/// What a look found.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// The process.
    pub process: ProcessId,
    /// What it runs.
    pub program: Arc<Program>,
    /// Image of its container.
    pub image: Option<String>,
}

/// Looks at `process`; `None` when it is gone.
#[must_use]
pub fn inspect(process: ProcessId) -> Option<Inspected> {
    let program = scan::program(process, clock::boottime_ns())?;
    Some(Inspected {
        process,
        image: image(&program),
        program,
    })
}

/// Name of the image of the container that a program runs in.
#[must_use]
pub fn image(program: &Program) -> Option<String> {
    described(container_id(&program.cgroup.path)?).image
}
