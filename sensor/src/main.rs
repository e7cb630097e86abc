//! `lineage-sensor`: reads the command line and hands over.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser as _;
use sensor::{
    app,
    cli::{self, Cli, Command, command},
    exit::{self, Exit, Failure},
    probe,
};

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|arg| arg == probe::HELPER_ARG) {
        probe::helper();
        return Exit::Ok.into();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return cli::refuse(&error),
    };
    match dispatch(&cli.command).and_then(|text| exit::print(&text)) {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => failure.report(),
    }
}

fn dispatch(command: &Command) -> Result<String, Failure> {
    match command {
        Command::Config(args) => command::config_command(args),
        Command::Tree(args) => command::tree_command(args),
        Command::Run(args) => app::run(args).map(|()| String::new()),
        Command::Doctor(_) | Command::Rules(_) => Err(Failure::new(Exit::Internal, "not yet")),
    }
}
