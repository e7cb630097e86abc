//! What the verifier has to do for each kernel program, on this kernel.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use sensor::{
    probe::{KERNEL_BTF, Options, Probe},
    service,
};
use serde::Serialize;

use crate::answer;

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
    let options = Options {
        btf: KERNEL_BTF.into(),
        host_scope: false,
        rung: None,
        overrides: Vec::new(),
        names: service::names().collect(),
        log: None,
    };
    for cost in Probe::costs(&options).context("prepare the kernel programs")? {
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
