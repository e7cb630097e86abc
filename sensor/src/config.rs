//! The configuration: typed values, their defaults, and where each came from.
//!
//! Precedence: defaults < file < environment < command line. [`key`] is the one table of
//! keys; file, environment, `config show` and the annotated default are all checked
//! against it. Only this module reads environment variables.

mod core;
pub mod declare;
pub mod effective;
pub mod environment;
pub mod error;
pub mod file;
pub mod form;
pub mod key;
mod kubernetes;
mod outlet;
pub mod profiles;
mod redact;
pub mod schema;
pub mod sinks;
mod successor;
mod tuning;
mod user;
mod yaml;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use clap::ValueEnum;
use serde::Serialize;

pub use self::{
    effective::Effective, error::ConfigError, form::Bounded, kubernetes::Kubernetes,
    profiles::Profiles, redact::Redact, user::OutletUser,
};
use crate::{
    detect::{Adjustment, Exception},
    service::Declaration,
};

/// Read when no `--config` is given; may be missing.
pub const DEFAULT_FILE: &str = "/etc/lineage-sensor/config.yaml";
/// Default rule directory; the only one that may be missing.
pub const DEFAULT_RULES: &str = "/etc/lineage-sensor/rules.d";

/// Every setting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Config {
    /// Which processes are followed.
    pub scope: Scope,
    /// Alerts on standard output.
    pub output: Output,
    /// Where alerts go besides.
    pub sinks: Vec<sinks::Sink>,
    /// Detection rules.
    pub rules: Rules,
    /// What services may spawn.
    pub profiles: Profiles,
    /// Metrics and health.
    pub http: Http,
    /// The unix socket that `tree` asks.
    pub control: Control,
    /// Alerts kept on this machine.
    pub history: History,
    /// The process that talks to the outside.
    pub outlet: Outlet,
    /// Secrets in what is shown.
    pub redact: Redact,
    /// What counts as a server.
    pub services: Services,
    /// Names and labels of pods.
    pub kubernetes: Kubernetes,
    /// What is captured.
    pub capture: Capture,
    /// What is watched besides the services.
    pub watch: Watch,
    /// Logs on standard error.
    pub log: Log,
    /// Bounds on memory.
    pub limits: Limits,
}

/// Which processes are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Process trees of recognised servers.
    #[default]
    Services,
    /// Every process of the machine.
    Host,
}

/// Alerts on standard output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Output {
    /// Tree or JSON lines.
    pub format: Format,
    /// Alerts below this level are not written.
    pub level: Level,
    /// Colours in the tree.
    pub color: Color,
}

/// How alerts are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `pretty` on a terminal, `json` otherwise.
    #[default]
    Auto,
    /// A tree for people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Severity of an alert: Sigma's levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Context only.
    Informational,
    /// Rarely worth a look alone.
    Low,
    /// To be looked at.
    #[default]
    Medium,
    /// To be looked at now.
    High,
    /// Almost certainly an intrusion.
    Critical,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether to use colours on an output that is a terminal or not.
    #[must_use]
    pub const fn on(self, terminal: bool) -> bool {
        match self {
            Self::Auto => terminal,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// Detection rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rules {
    /// Directories of Sigma rules, on top of the built-in ones.
    pub directories: Vec<PathBuf>,
    /// Rules that are off or have another level.
    pub adjust: Vec<Adjustment>,
    /// What rules shall not alert on.
    pub exceptions: Vec<Exception>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            directories: vec![DEFAULT_RULES.into()],
            adjust: Vec::new(),
            exceptions: Vec::new(),
        }
    }
}

/// Metrics and health over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Http {
    /// Serve `/metrics`, `/livez` and `/readyz`.
    pub enabled: bool,
    /// Address and port.
    pub listen: SocketAddr,
}

impl Http {
    /// The port, when only the privileged may listen on it.
    #[must_use]
    pub fn low_port(&self) -> Option<u16> {
        let port = self.listen.port();
        (self.enabled && (1..1_024).contains(&port)).then_some(port)
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: (Ipv4Addr::LOCALHOST, 9753).into(),
        }
    }
}

/// The control socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Control {
    /// Its path.
    pub socket: PathBuf,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            socket: "/run/lineage-sensor/control.sock".into(),
        }
    }
}

/// The process that has sinks, history, HTTP and the control socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outlet {
    /// Whom it runs as.
    pub user: OutletUser,
}

/// Alerts kept on this machine, of all levels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct History {
    /// Keep them.
    pub enabled: bool,
    /// The file.
    pub path: PathBuf,
    /// Bytes it may have.
    pub max_bytes: Bounded<1_048_576, 17_179_869_184>,
    /// Days after which alerts go.
    pub max_age_days: Bounded<1, 3_650>,
}

impl Default for History {
    fn default() -> Self {
        Self {
            enabled: true,
            path: "/var/lib/lineage-sensor/history.db".into(),
            max_bytes: Bounded::new(67_108_864),
            max_age_days: Bounded::new(30),
        }
    }
}

/// What counts as a server beyond what is built in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Services {
    /// Java virtual machines.
    pub java: Java,
    /// Services of which the sensor does not know.
    pub declare: Vec<Declaration>,
}

/// Which Java programs are servers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Java {
    /// Extra main classes or jar file names.
    pub main_classes: Vec<String>,
}

/// What is captured besides processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Capture {
    /// Files and connections.
    pub files: bool,
}

impl Default for Capture {
    fn default() -> Self {
        Self { files: true }
    }
}

/// What is watched besides the services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Watch {
    /// Directories, with `*` for any one component, in which writes by anyone are recorded.
    pub directories: Vec<PathBuf>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            directories: crate::watch::default_directories(),
        }
    }
}

/// Logs on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Log {
    /// The agent's own messages.
    pub level: LogLevel,
    /// Text or JSON.
    pub format: LogFormat,
    /// Messages of the kernel programs.
    pub kernel: KernelLog,
}

/// Least severe message that is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Errors only.
    Error,
    /// And warnings.
    Warn,
    /// And what happens in ordinary operation.
    #[default]
    Info,
    /// And details.
    Debug,
    /// And everything.
    Trace,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `text` on a terminal, `json` otherwise.
    #[default]
    Auto,
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Least severe message of the kernel programs that is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum KernelLog {
    /// None; costs nothing.
    #[default]
    Off,
    /// Errors only.
    Error,
    /// And warnings.
    Warn,
    /// And information.
    Info,
    /// And details.
    Debug,
    /// And everything.
    Trace,
}

/// Bounds on memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Processes remembered, exited ancestors included.
    pub processes: Bounded<1_024, 4_194_304>,
    /// Seconds for which an exited process without living descendants is remembered.
    pub exited_grace_seconds: Bounded<0, 86_400>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            processes: Bounded::new(262_144),
            exited_grace_seconds: Bounded::new(60),
        }
    }
}
