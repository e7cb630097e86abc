//! Conformance: small programs that do what sensors miss, and a harness that compares
//! what they did with what the sensor saw.
//!
//! One static executable, so that the same bytes run on this machine and as `/init` of a
//! virtual one. `program NAME` and `step` are run by the harness, and by programs that
//! execute themselves; their arguments may be anything, so they are not clap's.

mod compare;
mod cost;
mod harness;
mod init;
mod ledger;
mod program;
mod rung;
mod step;
mod sys;
mod verifier;

use std::{ffi::OsString, io::Write as _, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    about = "Programs that do what sensors miss, compared with what the sensor saw",
    after_help = "Examples:\n  \
        conformance list\n  \
        conformance run --rung raw_tp --only vfork\n  \
        conformance verifier\n\n\
        Ordinarily run by cargo xtask conformance, vm and verifier. Prints JSON lines."
)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Names the programs
    List,
    /// Runs programs and compares; one JSON line for each program and rung
    Run(harness::Args),
    /// Loads every program of the sensor; one JSON line for each: instructions, states
    Verifier,
    /// Measures each program's nanoseconds, for members and strangers; one JSON line each
    Cost,
    /// Does one of the works that are measured; for the measurement itself
    #[command(hide = true)]
    Work {
        /// Its name
        name: String,
    },
}

/// Writes a line of the answer.
fn answer(line: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string(line).context("write JSON")?;
    writeln!(std::io::stdout(), "{text}").context("write to standard output")
}

fn main() -> ExitCode {
    let argv: Vec<OsString> = std::env::args_os().collect();
    let done = match argv.get(1).and_then(|word| word.to_str()) {
        Some("program") => return program::main(&argv),
        // The kernel's first process; not the first of a namespace, which is told.
        None if std::process::id() == 1 => init::main(),
        Some("step") | None => return step::main(&argv),
        Some(sensor::probe::HELPER_ARG) => {
            sensor::probe::helper();
            Ok(ExitCode::SUCCESS)
        }
        Some(_) => dispatch(Args::parse().task),
    };
    done.unwrap_or_else(|error| {
        eprintln!("conformance: {error:#}");
        ExitCode::FAILURE
    })
}

fn dispatch(task: Task) -> Result<ExitCode> {
    match task {
        Task::List => {
            for program in program::ALL {
                answer(&program.name)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Task::Run(args) => harness::task(&args),
        Task::Verifier => verifier::task(),
        Task::Cost => cost::task(),
        Task::Work { name } => cost::work(&name),
    }
}
