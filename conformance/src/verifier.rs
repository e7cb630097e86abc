//! What the verifier has to do for each kernel program, on this kernel.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use sensor::probe::Probe;
use serde::Serialize;

use crate::{answer, rung};

/// What is printed.
#[derive(Serialize)]
struct Row {
    program: String,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Loaded { instructions: u64, states: u64 },
    Refused { error: String },
}

pub(crate) fn task() -> Result<ExitCode> {
    for cost in Probe::costs(&rung::options(None)).context("prepare the kernel programs")? {
        let outcome = match cost.result {
            Ok((instructions, states)) => Outcome::Loaded {
                instructions,
                states,
            },
            Err(error) => Outcome::Refused { error },
        };
        answer(&Row {
            program: cost.program,
            outcome,
        })?;
    }
    Ok(ExitCode::SUCCESS)
}
