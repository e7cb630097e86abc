//! `cargo xtask chart`: deploy/kubernetes as Helm and the schemas of Kubernetes see it. No
//! cluster and no helm binary: Helm is a library from `PyPI`.

use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::{
    command, python,
    suite::{self, Outcome},
};

/// Helm 4 as a library, and the schemas. Versions change only with these lines.
const PACKAGES: [&str; 2] = ["helm-python-sdk==0.2.2", "kubernetes-validate==1.37.0"];
const CHECK: &str = include_str!("chart_check.py");

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask chart\n  cargo xtask chart --update")]
pub(crate) struct Args {
    /// Write deploy/kubernetes/base anew from the chart
    #[arg(long)]
    update: bool,
}

pub(crate) fn task(args: &Args) -> Result<ExitCode> {
    let more: &[&str] = if args.update { &["--update"] } else { &[] };
    match check(more)?.failure {
        Some(failure) => bail!("{failure}"),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Lints, renders and validates the chart, and compares the base with it.
pub(crate) fn suite() -> Result<Outcome> {
    check(&[])
}

fn check(args: &[&str]) -> Result<Outcome> {
    let python = python::environment("kubernetes", &PACKAGES)?;
    let mut check = Command::new(python);
    check
        .args(["-c", CHECK])
        .arg(command::root().join("deploy"))
        .args(args);
    suite::follow(&mut check)
}
