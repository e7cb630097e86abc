//! The commands that answer and end: `config`, `rules`, `tree`, `doctor`.
//!
//! Each returns what standard output shall say.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{ConfigArgs, ConfigCommand, DoctorArgs, RulesCommand, TreeArgs};
use crate::{
    config::{DEFAULT_FILE, Effective, profiles::DEFAULT_LOCK},
    control::{self, render},
    detect::{self, Rule, RuleSet},
    doctor,
    exit::{Exit, Failure},
    printable::escape,
    probe::{KERNEL_BTF, Options},
    profile::{Lock, lock},
    service,
};

/// `config check` and `config show`.
///
/// # Errors
/// [`Exit::Usage`] when the configuration is refused.
pub fn config_command(command: &ConfigCommand) -> Result<String, Failure> {
    match command {
        ConfigCommand::Show(args) => Ok(args.load()?.to_yaml()),
        ConfigCommand::Check { file } => {
            let effective = ConfigArgs {
                config: file.clone(),
            }
            .load()?;
            effective.check_paths()?;
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
/// [`Exit::Internal`] when the findings cannot be printed as JSON.
pub fn doctor_command(args: &DoctorArgs) -> Result<(String, Exit), Failure> {
    let report = doctor::examine(&Options {
        btf: args.btf.btf.clone().unwrap_or_else(|| KERNEL_BTF.into()),
        host_scope: false,
        rungs: crate::probe::Forced::default(),
        files: true,
        classes: crate::watch::classes(),
        directories: Vec::new(),
        overrides: Vec::new(),
        names: service::names().collect(),
        log: None,
    });
    let text = if args.json {
        to_json(&report)?
    } else {
        report.to_string()
    };
    Ok((text, report.exit))
}

/// `rules check`, whose exit code tells whether anything is wrong, and `rules list`.
///
/// # Errors
/// [`Exit::Usage`] when the configuration or a rule to be listed is refused, or the
/// directory to be checked cannot be read.
pub fn rules_command(command: &RulesCommand) -> Result<(String, Exit), Failure> {
    match command {
        RulesCommand::Check { directory } => {
            let directory = directory.as_deref();
            directory.map_or(Ok(()), readable)?;
            let report = detect::check(directory);
            let exit = if report.errors() > 0 {
                Exit::Usage
            } else {
                Exit::Ok
            };
            Ok((escape_lines(&report.to_string()), exit))
        }
        RulesCommand::List(args) => {
            let rules = effective_rules(&args.effective()?)?;
            let listed: Vec<Value> = rules.list().iter().map(|rule| listed(rule)).collect();
            let text = if args.json {
                to_json(&listed)?
            } else {
                escape_lines(&rules.to_string())
            };
            Ok((text, Exit::Ok))
        }
    }
}

/// Refuses a directory of rules that cannot be read at all.
fn readable(directory: &Path) -> Result<(), Failure> {
    let Err(error) = fs::read_dir(directory) else {
        return Ok(());
    };
    let remedy = match error.kind() {
        ErrorKind::NotFound => "give a directory that exists, or none to check the built-in rules",
        ErrorKind::NotADirectory => "give the directory that holds the file",
        ErrorKind::PermissionDenied => "run as a user who may read it",
        _ => "give another directory, or none to check the built-in rules",
    };
    let directory = directory.display();
    Err(Failure::new(
        Exit::Usage,
        format_args!("read rules in {directory}: {error}; {remedy}"),
    ))
}

/// A rule of `rules list --json`.
fn listed(rule: &Rule) -> Value {
    json!({
        "id": rule.name,
        "uuid": rule.id,
        "title": rule.title,
        "level": rule.level.as_str(),
        "techniques": rule.techniques,
        "catalogue": rule.catalogue,
        "learnable": rule.learnable.name(),
        "category": rule.category.name(),
        "hooks": rule.hooks.events,
        "remembers": rule.hooks.memory,
        "description": rule.description,
        "triage": rule.triage,
        "falsepositives": rule.falsepositives,
        "file": rule.file,
    })
}

/// The rules that `run` loads with this configuration.
///
/// # Errors
/// [`Exit::Usage`], naming every rule that cannot be used.
pub fn effective_rules(effective: &Effective) -> Result<RuleSet, Failure> {
    let directories: Vec<_> = effective
        .rule_directories()
        .into_iter()
        .filter(|directory| directory.required || directory.path.exists())
        .map(|directory| directory.path)
        .collect();
    RuleSet::load(&directories).map_err(|error| Failure::new(Exit::Usage, error))
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

/// Each line made safe for a terminal: rules are text from outside.
fn escape_lines(text: &str) -> String {
    text.lines()
        .map(|line| escape(line).into_owned() + "\n")
        .collect()
}

fn to_json(value: &impl serde::Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value);
    text.map(|text| text + "\n")
        .map_err(|error| Failure::new(Exit::Internal, error))
}

/// `tree`: asks the running sensor.
///
/// # Errors
/// [`Exit::Usage`] when the configuration is refused, [`Exit::Unavailable`] when no sensor
/// answers, [`Exit::Privilege`] when it may not be asked.
pub fn tree_command(args: &TreeArgs) -> Result<String, Failure> {
    let socket = args.config.load()?.config.control.socket;
    let reply = control::ask(&socket, &json!({"query": "tree"}))?;
    if !args.json {
        return Ok(render::tree(&reply));
    }
    to_json(&reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(directory: Option<&Path>) -> Result<(String, Exit), Failure> {
        rules_command(&RulesCommand::Check {
            directory: directory.map(Path::to_owned),
        })
    }

    #[test]
    fn without_a_directory_the_shipped_rules_are_checked() {
        let (text, exit) = check(None).unwrap();
        assert_eq!(exit, Exit::Ok);
        assert!(text.ends_with(" 0 skipped, 0 errors\n"), "{text}");
        assert!(!text.starts_with("0 rules"), "{text}");
    }

    #[test]
    fn a_directory_that_cannot_be_read_has_a_remedy() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("rule.yml");
        fs::write(&file, "").unwrap();
        for (path, remedy) in [
            (
                &directory.path().join("absent"),
                "or none to check the built-in rules",
            ),
            (&file, "give the directory that holds the file"),
        ] {
            let failure = check(Some(path)).unwrap_err();
            assert_eq!(failure.code, Exit::Usage);
            assert!(failure.message.contains(remedy), "{failure}");
        }
        assert_eq!(check(Some(directory.path())).unwrap().1, Exit::Usage);
    }
}
