//! The catalogue as the reference implementation of Sigma sees it: pySigma, from `PyPI`, in
//! a virtual environment of xtask's own.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result};

use crate::{command, suite::Outcome, tally::Tally};

/// The version that is asked for; it changes only with this line.
const PYSIGMA: &str = "pysigma==2.0.1";
const PARSE: &str = include_str!("sigma_parse.py");

/// Parses every shipped rule; counts as one test.
pub(crate) fn suite() -> Result<Outcome> {
    let python = environment()?;
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

/// The Python that has pySigma; made when it is not there.
fn environment() -> Result<std::path::PathBuf> {
    let directory = command::scratch()?.join("pysigma");
    let python = directory.join("bin/python");
    if has(&python) {
        return Ok(python);
    }
    eprintln!("setup: {PYSIGMA} from PyPI");
    command::run(Command::new("python3").args(["-m", "venv"]).arg(&directory))
        .context("make a virtual environment: needs python3-venv")?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        PYSIGMA,
    ];
    command::run(Command::new(&python).args(pip)).context("install pySigma from PyPI")?;
    Ok(python)
}

/// The environment has the version that is asked for.
fn has(python: &Path) -> bool {
    let version = "import importlib.metadata as m; print('pysigma==' + m.version('pysigma'))";
    command::output(Command::new(python).args(["-c", version]))
        .is_ok_and(|version| version.trim() == PYSIGMA)
}
