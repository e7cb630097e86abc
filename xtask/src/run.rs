//! `cargo xtask run`: the sensor on this machine, in this terminal.

use std::{ffi::OsString, os::unix::process::CommandExt as _, process::ExitCode};

use anyhow::{Context as _, Result};

use crate::{artifact, command, setup};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Arguments for `lineage-sensor run`, after `--`
    #[arg(last = true)]
    sensor: Vec<OsString>,
}

/// Builds the sensor and becomes it, so that signals and the exit code are its own.
pub(crate) fn task(args: &Args) -> Result<ExitCode> {
    setup::ensure()?;
    let built =
        artifact::build(command::cargo().args(["build", "--release", "--locked", "-p", "sensor"]))?;
    let sensor = built
        .into_iter()
        .find(|artifact| artifact.target == "lineage-sensor")
        .context("cargo built no lineage-sensor")?;
    let mut run = command::as_root(&sensor.executable)?;
    run.arg("run").args(&args.sensor);
    eprintln!("+ {}", command::line(&run));
    let error = run.exec();
    Err(error).with_context(|| format!("start {}", command::line(&run)))
}
