//! The commands that need no kernel: `config check`, `config show` and `tree`.
//!
//! Each returns what standard output shall say.

use serde_json::json;

use super::{ConfigArgs, ConfigCommand, TreeArgs};
use crate::{
    config::DEFAULT_FILE,
    control::{self, render},
    exit::{Exit, Failure},
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
            Ok(match effective.file {
                Some(path) => format!("{}: valid\n", path.display()),
                None => format!("no {DEFAULT_FILE}: defaults and environment are valid\n"),
            })
        }
    }
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
    let text = serde_json::to_string_pretty(&reply);
    text.map(|text| text + "\n")
        .map_err(|error| Failure::new(Exit::Internal, error))
}
