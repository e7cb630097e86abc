//! The command line: commands, options and their help.
//!
//! Only what works in this version is here. Bad usage exits 64 like a bad configuration;
//! clap's own 2 is for nobody to remember.

pub mod command;
mod draft;
mod explain;
mod help;
pub mod history;
pub mod page;
mod profile;
mod quiet;
pub mod rules;
mod score;
mod terminal;
mod why_not;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

pub use self::profile::{CheckArgs, LearnArgs, ProfileCommand, ShowArgs};
use clap::{Args, Parser, Subcommand, ValueEnum, error::ErrorKind};

pub use self::history::{AlertsArgs, ExplainArgs, WhyNotArgs};
pub use self::page::{CompletionsArgs, ManArgs};
pub use self::terminal::{TailArgs, TopArgs, TreeArgs};
use crate::{
    config::{Effective, Format, Scope, environment},
    exit::{Exit, Failure},
};

/// Watches the process trees of web servers and reports what should not run there.
#[derive(Debug, Parser)]
#[command(name = "lineage-sensor", version, long_about = help::LONG, after_help = help::TOP)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch this machine and write alerts to standard output
    #[command(long_about = help::RUN_LONG, after_help = help::RUN)]
    Run(RunArgs),
    /// Watch like `run`, and write down what is seen, to be judged again
    #[command(long_about = help::RECORD_LONG, after_help = help::RECORD)]
    Record(RecordArgs),
    /// Judge a recording again and write its alerts to standard output
    #[command(long_about = help::REPLAY_LONG, after_help = help::REPLAY)]
    Replay(ReplayArgs),
    /// Show the live process trees of the services
    #[command(long_about = help::TREE_LONG, after_help = help::TREE)]
    Tree(TreeArgs),
    /// Follow the alerts of the running sensor
    #[command(long_about = help::TAIL_LONG, after_help = help::TAIL)]
    Tail(TailArgs),
    /// Show services, rates and the last alerts on a full screen
    #[command(long_about = help::TOP_LONG, after_help = help::TOP_EXAMPLES)]
    Top(TopArgs),
    /// List alerts of the history
    #[command(long_about = help::ALERTS_LONG, after_help = help::ALERTS)]
    Alerts(AlertsArgs),
    /// Tell why an alert was raised: rule, fields, evidence, what belongs to it
    #[command(long_about = help::EXPLAIN_LONG, after_help = help::EXPLAIN)]
    Explain(ExplainArgs),
    /// Tell why a process did not alert
    #[command(long_about = help::WHY_NOT_LONG, after_help = help::WHY_NOT)]
    WhyNot(WhyNotArgs),
    /// Tell whether the sensor can work on this machine, and what is degraded
    #[command(long_about = help::DOCTOR_LONG, after_help = help::DOCTOR)]
    Doctor(DoctorArgs),
    /// Prove the running sensor: harmless chains that must alert, rule by rule
    #[command(long_about = help::SIMULATE_LONG, after_help = help::SIMULATE)]
    Simulate(SimulateArgs),
    /// Check, test, list and draft detection rules
    #[command(subcommand, after_help = help::RULES)]
    Rules(RulesCommand),
    /// Learn, show, compare and check what services may spawn
    #[command(subcommand, long_about = help::PROFILE_LONG, after_help = help::PROFILE)]
    Profile(ProfileCommand),
    /// Check and show the configuration
    #[command(subcommand, after_help = help::CONFIG)]
    Config(ConfigCommand),
    /// Print a completion script for a shell
    #[command(after_help = help::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Write the man pages
    #[command(after_help = help::MAN)]
    Man(ManArgs),
}

/// Where the configuration file is.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigArgs {
    /// Configuration file [default: /etc/lineage-sensor/config.yaml, where it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl ConfigArgs {
    /// Defaults, file and this process's environment.
    ///
    /// # Errors
    /// [`Exit::Usage`] when the configuration is refused.
    pub fn load(&self) -> Result<Effective, Failure> {
        Ok(Effective::load(
            self.config.as_deref(),
            &environment::variables(),
        )?)
    }
}

/// Options of `run`.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// How alerts are written: a tree, JSON lines, or what fits standard output
    #[arg(long, value_name = "FORMAT")]
    pub output: Option<Format>,
    /// Load the Sigma rules in DIR too, besides the built-in and configured ones (repeatable)
    #[arg(long, value_name = "DIR")]
    pub rules: Vec<PathBuf>,
    /// The profile of what services may spawn, in place of the configured one
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Follow the process trees of services, or every process of the host
    #[arg(long)]
    pub scope: Option<Scope>,
    /// Leave nothing behind in /sys/fs/bpf; this version never does, with or without it
    #[arg(long)]
    pub no_pin: bool,
    /// Kernel type information (BTF).
    #[command(flatten)]
    pub btf: BtfArgs,
    /// Force the way process hooks attach; for tests
    #[arg(long, hide = true, value_enum, default_value_t)]
    pub rung: Rung,
    /// Force the way file hooks attach; for tests
    #[arg(long, hide = true, value_enum, default_value_t)]
    pub file_rung: FileRung,
    /// Replace an offset found in BTF; for the test of the self-test
    #[arg(long, hide = true, value_name = "NAME=VALUE", value_parser = offset)]
    pub override_offset: Vec<(String, u64)>,
}

impl RunArgs {
    /// The configuration with this command line on top.
    ///
    /// # Errors
    /// [`Exit::Usage`] when the configuration is refused.
    pub fn effective(&self) -> Result<Effective, Failure> {
        let mut effective = self.config.load()?;
        if let Some(format) = self.output {
            effective.override_by("--output", "output.format", |config| {
                config.output.format = format;
            });
        }
        if let Some(scope) = self.scope {
            effective.override_by("--scope", "scope", |config| config.scope = scope);
        }
        set_profile(&mut effective, self.profile.as_deref())?;
        add_rules(&mut effective, &self.rules)?;
        Ok(effective)
    }
}

/// Options of `record`.
#[derive(Args, Debug)]
pub struct RecordArgs {
    /// File to be made; must not exist yet
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Keep passwords, tokens and keys in arguments, so that a replay is equal in every byte
    #[arg(long)]
    pub raw: bool,
    /// Options of `run`.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Options of `replay`.
#[derive(Args, Debug)]
pub struct ReplayArgs {
    /// A recording
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// `max`, or how many times faster than it happened: 1 is as it happened
    #[arg(long, value_name = "SPEED", value_parser = speed, default_value = "max")]
    pub speed: Speed,
    /// How alerts are written: a tree, JSON lines, or what fits standard output
    #[arg(long, value_name = "FORMAT")]
    pub output: Option<Format>,
    /// Load the Sigma rules in DIR too, besides the built-in and configured ones (repeatable)
    #[arg(long, value_name = "DIR")]
    pub rules: Vec<PathBuf>,
    /// The profile of what services may spawn, in place of the configured one
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Configuration file: takes the place of what was recorded of the configuration
    #[command(flatten)]
    pub config: ConfigArgs,
}

impl ReplayArgs {
    /// The configuration of this machine with this command line on top.
    ///
    /// # Errors
    /// [`Exit::Usage`] when the configuration is refused.
    pub fn effective(&self) -> Result<Effective, Failure> {
        let mut effective = self.config.load()?;
        if let Some(format) = self.output {
            effective.override_by("--output", "output.format", |config| {
                config.output.format = format;
            });
        }
        set_profile(&mut effective, self.profile.as_deref())?;
        add_rules(&mut effective, &self.rules)?;
        Ok(effective)
    }
}

/// How fast a recording is replayed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// As fast as it goes.
    Max,
    /// So many times faster than it happened.
    Times(f64),
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    let times = text.parse().ok();
    let times = times.filter(|&times: &f64| (0.001..=1_000_000.0).contains(&times));
    times
        .map(Speed::Times)
        .ok_or_else(|| "expected `max` or a number from 0.001 to 1000000".to_owned())
}

/// Puts `--profile`, made absolute, in the place of the configured file.
fn set_profile(effective: &mut Effective, profile: Option<&Path>) -> Result<(), Failure> {
    let Some(profile) = profile else {
        return Ok(());
    };
    let path = std::path::absolute(profile).map_err(|error| {
        Failure::new(
            Exit::Usage,
            format_args!("--profile {}: {error}", profile.display()),
        )
    })?;
    effective.override_by("--profile", "profiles.file", |config| {
        config.profiles.file = path;
    });
    Ok(())
}

/// Adds `--rules` directories to the configured ones, made absolute.
fn add_rules(effective: &mut Effective, rules: &[PathBuf]) -> Result<(), Failure> {
    for directory in rules {
        let path = std::path::absolute(directory).map_err(|error| {
            Failure::new(
                Exit::Usage,
                format_args!("--rules {}: {error}", directory.display()),
            )
        })?;
        effective.override_by("--rules", "rules.directories", |config| {
            config.rules.directories.push(path);
        });
    }
    Ok(())
}

/// How process hooks attach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Rung {
    /// The best the kernel takes.
    #[default]
    Auto,
    /// BTF-typed raw tracepoints.
    #[value(name = "tp_btf")]
    TpBtf,
    /// Raw tracepoints.
    #[value(name = "raw_tp")]
    RawTp,
}

/// How file hooks attach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FileRung {
    /// The best the kernel takes, each hook for itself.
    #[default]
    Auto,
    /// Trampolines at kernel functions.
    Fentry,
    /// LSM hooks.
    Lsm,
    /// Breakpoints at kernel functions.
    Kprobe,
    /// Tracepoints of the system calls.
    Syscall,
}

/// Where the kernel's type information is.
#[derive(Args, Clone, Debug, Default)]
pub struct BtfArgs {
    /// Kernel type information to use instead of /sys/kernel/btf/vmlinux
    #[arg(long, value_name = "FILE")]
    pub btf: Option<PathBuf>,
}

/// Options of `simulate`.
#[derive(Args, Debug)]
pub struct SimulateArgs {
    /// Directory in which the simulation makes, and removes, one of its own
    #[arg(long, value_name = "DIR", default_value = "/tmp")]
    pub directory: PathBuf,
    /// Only this rule
    #[arg(long, value_name = "NAME")]
    pub rule: Option<String>,
    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Options of `doctor`.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Kernel type information (BTF).
    #[command(flatten)]
    pub btf: BtfArgs,
}

/// `rules ...`
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Check every rule in a directory, or the built-in ones, and name each fault by file
    #[command(after_help = help::RULES_CHECK)]
    Check {
        /// Directory of Sigma rules (*.yml, *.yaml) [default: the built-in rules]
        #[arg(value_name = "DIR")]
        directory: Option<PathBuf>,
    },
    /// Run the examples of every rule, measure its cost, and count its alerts in recordings
    #[command(long_about = help::RULES_TEST_LONG, after_help = help::RULES_TEST)]
    Test(RulesTestArgs),
    /// List the rules that `run` would load
    #[command(after_help = help::RULES_LIST)]
    List(RulesListArgs),
    /// Draft a rule, or an exception, from an alert
    #[command(long_about = help::RULES_NEW_LONG, after_help = help::RULES_NEW)]
    New(RulesNewArgs),
}

/// Options of `rules test`.
#[derive(Args, Debug)]
pub struct RulesTestArgs {
    /// Directory of Sigma rules (*.yml, *.yaml) [default: the built-in rules]
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Count the alerts of each rule in this recording (repeatable)
    #[arg(long, value_name = "FILE")]
    pub recording: Vec<PathBuf>,
    /// The same for a recording of ordinary life, in which an alert is a failure (repeatable)
    #[arg(long, value_name = "FILE")]
    pub benign: Vec<PathBuf>,
}

/// Options of `rules new`.
#[derive(Args, Debug)]
pub struct RulesNewArgs {
    /// File with one alert as JSON; `-` is standard input
    #[arg(long, value_name = "ALERT")]
    pub from: PathBuf,
    /// Draft an exception for the configuration instead of a rule
    #[arg(long)]
    pub exception: bool,
}

/// Options of `rules list`.
#[derive(Args, Debug)]
pub struct RulesListArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Load the Sigma rules in DIR too (repeatable)
    #[arg(long, value_name = "DIR")]
    pub rules: Vec<PathBuf>,
    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigArgs,
}

impl RulesListArgs {
    /// The configuration with this command line on top.
    ///
    /// # Errors
    /// [`Exit::Usage`] when the configuration is refused.
    pub fn effective(&self) -> Result<Effective, Failure> {
        let mut effective = self.config.load()?;
        add_rules(&mut effective, &self.rules)?;
        Ok(effective)
    }
}

/// `config ...`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check a configuration file and the environment; changes nothing
    #[command(after_help = help::CONFIG_CHECK)]
    Check {
        /// File [default: /etc/lineage-sensor/config.yaml, where it exists]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Print the configuration in force, each value with where it came from
    #[command(after_help = help::CONFIG_SHOW)]
    Show {
        /// All that is in force, defaults included: what is shown also without this
        #[arg(long)]
        effective: bool,
        /// Configuration file.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Print the JSON Schema of the configuration file, for editors
    #[command(after_help = help::CONFIG_SCHEMA)]
    Schema,
}

fn offset(text: &str) -> Result<(String, u64), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let value = value
        .parse()
        .map_err(|error| format!("`{value}`: {error}"))?;
    Ok((name.to_owned(), value))
}

/// Prints what clap has to say (help and version to standard output, usage errors to
/// standard error) and gives the exit code.
#[must_use]
pub fn refuse(error: &clap::Error) -> ExitCode {
    // Nobody listening is no reason for another exit code.
    drop(error.print());
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Ok.into(),
        _ => Exit::Usage.into(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn clap_accepts_the_definition() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_command_line_wins_and_rules_add_up() {
        let line = "lineage-sensor run --output json --rules r --scope host --no-pin --rung raw_tp \
                    --override-offset task_pid=12 --btf /b";
        let Command::Run(run) = Cli::try_parse_from(line.split_whitespace())
            .unwrap()
            .command
        else {
            panic!("not run");
        };
        assert_eq!((run.rung, run.no_pin), (Rung::RawTp, true));
        assert_eq!(run.override_offset, [("task_pid".to_owned(), 12)]);
        let mut effective = Effective::default();
        add_rules(&mut effective, &run.rules).unwrap();
        let directories = effective.rule_directories();
        assert_eq!(directories.len(), 2);
        assert!(directories[1].required && directories[1].path.is_absolute());
    }
}
