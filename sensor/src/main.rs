//! `lineage-sensor`: reads the command line and hands over.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser as _;
use sensor::{
    app,
    cli::{self, Cli, Command, command, history, page, rules},
    exit::{self, Exit, Failure},
    terminal,
};

fn main() -> ExitCode {
    if let Some(exit) = app::internal() {
        return exit;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return cli::refuse(&error),
    };
    match dispatch(&cli.command) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(),
    }
}

fn dispatch(command: &Command) -> Result<Exit, Failure> {
    let (text, exit) = match command {
        Command::Run(args) => return app::run(args).map(|()| Exit::Ok),
        Command::Record(args) => return app::record(args).map(|()| Exit::Ok),
        Command::Replay(args) => return app::replay(args).map(|()| Exit::Ok),
        Command::Tail(args) => return terminal::tail(args).map(|()| Exit::Ok),
        Command::Top(args) => return terminal::top(args).map(|()| Exit::Ok),
        Command::Doctor(args) => command::doctor_command(args)?,
        Command::Config(args) => (command::config_command(args)?, Exit::Ok),
        Command::Tree(args) => (command::tree_command(args)?, Exit::Ok),
        Command::Simulate(args) => command::simulate_command(args)?,
        Command::Rules(args) => rules::rules_command(args)?,
        Command::Profile(args) => app::profile(args)?,
        Command::Alerts(args) => (history::alerts_command(args)?, Exit::Ok),
        Command::Explain(args) => (history::explain_command(args)?, Exit::Ok),
        Command::Completions(args) => (page::completions(args), Exit::Ok),
        Command::Man(args) => (page::man(args)?, Exit::Ok),
        Command::WhyNot(args) => (history::why_not_command(args)?, Exit::Ok),
    };
    exit::print(&text)?;
    Ok(exit)
}
