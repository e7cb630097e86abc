//! The commands that answer and end: `config`, `tree`, `doctor`; `rules` has its own file.
//!
//! Each returns what standard output shall say.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{
    ConfigArgs, ConfigCommand, DoctorArgs, SimulateArgs, TreeArgs, rules::effective_rules,
};
use crate::{
    app::sinks,
    config::{DEFAULT_FILE, Effective, profiles::DEFAULT_LOCK, schema},
    control::{self, render},
    doctor,
    exit::{Exit, Failure},
    probe::{KERNEL_BTF, Options},
    profile::{Lock, lock},
    service, simulate, terminal,
};

/// `config check`, `config show` and `config schema`.
///
/// # Errors
/// [`Exit::Usage`] when the configuration is refused.
pub fn config_command(command: &ConfigCommand) -> Result<String, Failure> {
    match command {
        ConfigCommand::Show { config, .. } => Ok(config.load()?.to_yaml()),
        ConfigCommand::Schema => Ok(schema::text()),
        ConfigCommand::Check { file } => {
            let effective = ConfigArgs {
                config: file.clone(),
            }
            .load()?;
            effective.check_paths()?;
            sinks::check(&effective.config)?;
            effective_rules(&effective)?;
            effective_lock(&effective)?;
            Ok(match effective.file {
                Some(path) => format!("{}: valid\n", path.display()),
                None => format!("no {DEFAULT_FILE}: defaults and environment are valid\n"),
            })
        }
    }
}

/// `doctor`: what it found, and the exit code that `run` would end with.
///
/// # Errors
/// [`Exit::Usage`] when the configuration or a rule is refused, [`Exit::Internal`] when
/// the findings cannot be printed as JSON.
pub fn doctor_command(args: &DoctorArgs) -> Result<(String, Exit), Failure> {
    let rules = effective_rules(&ConfigArgs::default().load()?)?;
    let options = Options {
        btf: args.btf.btf.clone().unwrap_or_else(|| KERNEL_BTF.into()),
        host_scope: false,
        rungs: crate::probe::Forced::default(),
        files: true,
        classes: crate::watch::classes(),
        directories: Vec::new(),
        overrides: Vec::new(),
        names: service::names().collect(),
        log: None,
    };
    let report = doctor::examine(&options, &rules);
    let text = if args.json {
        to_json(&report)?
    } else {
        report.to_string()
    };
    Ok((text, report.exit))
}

/// The configuration with rules of a command line on top.
///
/// # Errors
/// [`Exit::Usage`] when the configuration is refused.
pub fn with_rules(config: &ConfigArgs, rules: &[PathBuf]) -> Result<Effective, Failure> {
    let mut effective = config.load()?;
    super::add_rules(&mut effective, rules)?;
    Ok(effective)
}

/// The profile that `run` loads with this configuration; empty when only the default
/// file is named and there is none.
///
/// # Errors
/// [`Exit::Usage`] when the file is missing, may not be believed or is no profile.
pub fn effective_lock(effective: &Effective) -> Result<Lock, Failure> {
    let path = &effective.config.profiles.file;
    let lock = lock::read(path).map_err(|error| Failure::new(Exit::Usage, error))?;
    match lock {
        Some(lock) => Ok(lock),
        None if path == Path::new(DEFAULT_LOCK) => Ok(Lock::default()),
        None => Err(Failure::new(
            Exit::Usage,
            format_args!("profiles.file {}: no such file", path.display()),
        )),
    }
}

pub(super) fn to_json(value: &impl serde::Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value);
    text.map(|text| text + "\n")
        .map_err(|error| Failure::new(Exit::Internal, error))
}

/// `tree`: asks the running sensor, with `--watch` again and again.
///
/// # Errors
/// [`Exit::Usage`] when the configuration is refused, [`Exit::Unavailable`] when no sensor
/// answers, [`Exit::Privilege`] when it may not be asked.
pub fn tree_command(args: &TreeArgs) -> Result<String, Failure> {
    if let Some(every) = args.watch {
        return terminal::watch(args, every).map(|()| String::new());
    }
    let socket = args.config.load()?.config.control.socket;
    let reply = control::ask(&socket, &json!({"query": "tree"}))?;
    if !args.json {
        return Ok(render::tree(&reply));
    }
    to_json(&reply)
}

/// `simulate`: asks the running sensor what it has seen.
///
/// # Errors
/// [`Exit::Usage`] when the configuration is refused or there is no such rule or
/// directory, [`Exit::Unavailable`] when no sensor answers.
pub fn simulate_command(args: &SimulateArgs) -> Result<(String, Exit), Failure> {
    let socket = args.config.load()?.config.control.socket;
    simulate::simulate(&socket, &args.directory, args.rule.as_deref())
}
