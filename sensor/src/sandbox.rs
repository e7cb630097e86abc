//! The sandboxes of the sensor's processes: what they may still do once they have opened
//! what they need.
//!
//! The outlet's, in this order: no gain of privilege by what is executed, no capability, no
//! file outside its [`Places`] (Landlock, as far as the kernel has it), no system call that
//! is not on a list. All of it is a matter of the thread and of those that it starts: it is
//! closed while there is one.

pub mod calls;
mod file;
mod places;

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fmt,
    fs::{self, File},
    path::PathBuf,
    process::Command,
};

use tracing::warn;

pub use self::{file::Files, places::Places};
use crate::privilege;

/// What the kernel has refused.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The filter of system calls.
    #[error("close the sandbox: {0}")]
    Calls(#[from] seccompiler::Error),
    /// The list of system calls makes no filter.
    #[error("close the sandbox: {0}")]
    Filter(#[from] seccompiler::BackendError),
    /// The rules for files.
    #[error("close the sandbox: {0}")]
    Files(#[from] landlock::RulesetError),
}

/// How close the outlet's sandbox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// It has no capability.
    pub powerless: bool,
    /// What holds for files.
    pub files: Files,
}

impl Closed {
    /// Each layer, and whether it holds.
    #[must_use]
    pub fn layers(self) -> Vec<(&'static str, bool)> {
        vec![
            ("capabilities", self.powerless),
            ("files", self.files != Files::Any),
            ("system_calls", true),
        ]
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.powerless {
            write!(f, "no capabilities, ")?;
        }
        write!(f, "files: {}, system calls: listed ones", self.files)
    }
}

/// First argument of a trial of the sandbox: the binary must call [`try_out`] when it sees it.
pub const TRIAL_ARG: &str = "__outlet-trial";

/// What can still be done in the very sandbox of an outlet that writes to one directory, the
/// first argument: whether each of the files named behind it can be made, and whether a
/// process can be started. One line each.
///
/// # Errors
/// When the sandbox cannot be closed.
pub fn try_out(mut args: impl Iterator<Item = OsString>) -> Result<String, SandboxError> {
    let directory = PathBuf::from(args.next().unwrap_or_default());
    let places = Places {
        write: BTreeSet::from([directory]),
        ..Places::default()
    };
    let mut said = vec![enter(&places)?.to_string()];
    for path in args {
        let made = File::create(&path).map_or_else(|error| error.to_string(), |_| "made".into());
        said.push(format!("{}: {made}", path.display()));
    }
    let started = Command::new("/proc/self/exe").arg("--version").status();
    let started = started.map_or_else(|error| error.to_string(), |status| status.to_string());
    said.push(format!("a process: {started}"));
    let written =
        fs::read("/proc/self/status").map_or_else(|error| error.to_string(), |_| "read".into());
    said.push(format!("/proc: {written}\n"));
    Ok(said.join("\n"))
}

/// Closes the sandbox of the outlet around this thread and all that it starts.
///
/// # Errors
/// When the kernel refuses what every kernel that the sensor runs on has.
pub fn enter(places: &Places) -> Result<Closed, SandboxError> {
    let shed = privilege::shed_all();
    if let Err(error) = shed {
        // A filter of the service manager; where it is, there are few to begin with.
        warn!(
            "the outlet keeps its capabilities: {error}; allow capset(2) in the filter of system \
             calls it is started with"
        );
    }
    let files = file::restrict(places)?;
    calls::outlet()?;
    Ok(Closed {
        powerless: shed.is_ok(),
        files,
    })
}
