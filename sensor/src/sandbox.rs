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
    io,
    net::{TcpListener, UdpSocket},
    os::unix::net::UnixDatagram,
    path::PathBuf,
    process::Command,
};

use tracing::warn;

pub use self::{
    file::{Files, Standing, restricts_files},
    places::Places,
};
use crate::privilege;

/// Why there is no filter of system calls.
#[derive(Debug, thiserror::Error)]
pub enum CallsError {
    /// The kernel refuses.
    #[error(transparent)]
    Refused(#[from] seccompiler::Error),
    /// The list makes no filter.
    #[error(transparent)]
    Filter(#[from] seccompiler::BackendError),
}

/// How close the outlet's sandbox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// It has no capability.
    pub powerless: bool,
    /// What holds for files.
    pub files: Files,
    /// Only listed system calls are let through.
    pub filtered: bool,
}

impl Closed {
    /// Each layer, and whether it holds.
    #[must_use]
    pub fn layers(self) -> Vec<(&'static str, bool)> {
        vec![
            ("capabilities", self.powerless),
            ("files", self.files != Files::Any),
            ("system_calls", self.filtered),
        ]
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let powers = if self.powerless { "none" } else { "as given" };
        let calls = if self.filtered { "listed ones" } else { "any" };
        let files = self.files;
        write!(
            f,
            "capabilities: {powers}, files: {files}, system calls: {calls}"
        )
    }
}

/// First argument of a trial of the sandbox: the binary must call [`try_out`] when it sees it.
pub const TRIAL_ARG: &str = "__outlet-trial";

/// What can still be done in the very sandbox of an outlet that writes to one directory, the
/// first argument: whether each of the files named behind it can be made, and whether a
/// process can be started. One line each.
#[must_use]
pub fn try_out(mut args: impl Iterator<Item = OsString>) -> String {
    let directory = PathBuf::from(args.next().unwrap_or_default());
    let places = Places {
        write: BTreeSet::from([directory]),
        ..Places::default()
    };
    let mut said = vec![enter(&places).to_string()];
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
    said.join("\n")
}

/// First argument of a trial of the collector's filters: the binary must call
/// [`try_out_collector`] when it sees it.
pub const COLLECTOR_TRIAL_ARG: &str = "__collector-trial";

/// Whether sockets can be opened behind the filters of the collector, one line each.
#[must_use]
pub fn try_out_collector() -> String {
    let filtered = calls::collector().map_or_else(|error| error.to_string(), |()| "on".into());
    let opened = |what: &str, socket: io::Result<()>| {
        let came = socket.map_or_else(|error| error.to_string(), |()| "opened".into());
        format!("{what}: {came}")
    };
    let said = [
        format!("filters: {filtered}"),
        opened("tcp", TcpListener::bind("127.0.0.1:0").map(drop)),
        opened("udp", UdpSocket::bind("127.0.0.1:0").map(drop)),
        opened("unix", UnixDatagram::unbound().map(drop)),
    ];
    said.join("\n") + "\n"
}

/// Closes the sandbox of the outlet around this thread and all that it starts. What the
/// kernel, or a filter that the outlet was started with, does not let it close stays open and
/// is said: alerts are to go out all the same.
pub fn enter(places: &Places) -> Closed {
    let shed = privilege::shed_all();
    if let Err(error) = &shed {
        warn!("the outlet keeps its capabilities: {error}; {REMEDY}");
    }
    let files = file::restrict(places).unwrap_or_else(|error| {
        warn!("what the outlet may open is not restricted: {error}; {REMEDY}");
        Files::Any
    });
    let calls = calls::outlet();
    if let Err(error) = &calls {
        warn!("the outlet's system calls are not filtered: {error}; {REMEDY}");
    }
    Closed {
        powerless: shed.is_ok(),
        files,
        filtered: calls.is_ok(),
    }
}

/// For who has a filter of system calls of his own.
const REMEDY: &str = "allow capset, seccomp and landlock_* in the filter of system calls that the \
                      sensor is started with";
