//! `cargo xtask dist`: what is handed to others, under `<target directory>/packages`.

mod deb;
mod image;
mod tarball;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;

use crate::{artifact, command, setup, vm};

#[derive(Subcommand)]
pub(crate) enum Task {
    /// The container image, as an OCI archive
    Image,
    /// The Debian package
    Deb {
        /// Ask lintian, then install, upgrade, remove and purge it in a root of its own
        #[arg(long)]
        check: bool,
    },
    /// Program, unit, configuration and pages as a tarball; and the sums of all packages
    Tarball,
}

pub(crate) fn task(task: &Task) -> Result<ExitCode> {
    match task {
        Task::Deb { check: true } => {
            if let Some(failure) = deb::suite()?.failure {
                bail!("{failure}");
            }
            return Ok(ExitCode::SUCCESS);
        }
        Task::Deb { check: false } => deb::build()?,
        Task::Image => image::build()?,
        Task::Tarball => tarball::build()?,
    };
    Ok(ExitCode::SUCCESS)
}

pub(crate) use self::{deb::suite as deb_suite, image::build as image};

/// Where results go.
fn directory() -> Result<PathBuf> {
    let scratch = command::scratch()?;
    let target = scratch.parent().context("xtask has no target directory")?;
    let directory = target.join("packages");
    fs::create_dir_all(&directory).context("make the directory of results")?;
    Ok(directory)
}

const PROGRAM: &str = "lineage-sensor";
/// The version of the workspace, which is that of xtask.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The static program, optimised, without debug information.
fn program() -> Result<PathBuf> {
    setup::ensure()?;
    let mut cargo = vm::static_cargo("dist");
    cargo.args(["-p", "sensor", "--bin", PROGRAM]);
    let program = artifact::find(artifact::build(&mut cargo)?, PROGRAM)?;
    refuse_dynamic(&program)?;
    Ok(program)
}

/// In an image FROM scratch there is nobody to link it.
fn refuse_dynamic(program: &Path) -> Result<()> {
    let headers = command::output(
        std::process::Command::new("readelf")
            .args(["--program-headers", "--wide"])
            .arg(program),
    )?;
    if headers.contains("INTERP") {
        bail!("{} is not static", program.display());
    }
    Ok(())
}
