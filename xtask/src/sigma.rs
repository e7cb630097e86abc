//! The catalogue as the reference implementation of Sigma sees it: pySigma.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{command, python, suite::Outcome, tally::Tally};

/// The version that is asked for; it changes only with this line.
const PYSIGMA: &str = "pysigma==2.0.1";
const PARSE: &str = include_str!("sigma_parse.py");

/// Parses every shipped rule; counts as one test.
pub(crate) fn suite() -> Result<Outcome> {
    let python = python::environment("pysigma", &[PYSIGMA])?;
    let rules = command::root().join("sensor/rules");
    let output = Command::new(python)
        .args(["-c", PARSE])
        .arg(&rules)
        .output()
        .context("run pySigma")?;
    let said = String::from_utf8_lossy(&output.stdout);
    eprint!("{said}{}", String::from_utf8_lossy(&output.stderr));
    let last = said.lines().last().unwrap_or("nothing said").to_owned();
    let good = output.status.success();
    Ok(Outcome {
        tally: Tally {
            passed: usize::from(good),
            failed: usize::from(!good),
            ..Tally::default()
        },
        failure: (!good).then_some(last),
        slowest: Vec::new(),
    })
}
