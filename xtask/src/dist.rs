//! `cargo xtask dist`: what is handed to others, under `<target directory>/packages`.

mod bom;
mod deb;
mod image;
mod pages;
mod rpm;
mod tarball;
mod tool;
mod walkthrough;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
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
    /// The Debian package, installed, attacked, alerted, scraped: deploy/walkthrough in
    /// mounts of its own
    Walkthrough,
    /// The RPM package
    Rpm {
        /// Inspect it, then install, upgrade and erase it in a root of its own
        #[arg(long)]
        check: bool,
    },
    /// Program, unit, configuration and pages as a tarball, its bill of materials
    /// of crates, and the sums of all packages
    Tarball {
        /// Unpack it and compare sums, program and bill of materials
        #[arg(long)]
        check: bool,
    },
}

pub(crate) fn task(task: &Task) -> Result<ExitCode> {
    let suite = match task {
        Task::Deb { check: true } => deb::suite()?,
        Task::Walkthrough => walkthrough::suite()?,
        Task::Rpm { check: true } => rpm::suite()?,
        Task::Tarball { check: true } => tarball::suite()?,
        Task::Deb { check: false } => return built(deb::build()),
        Task::Rpm { check: false } => return built(rpm::build()),
        Task::Tarball { check: false } => return built(tarball::build()),
        Task::Image => return built(image::build()),
    };
    match suite.failure {
        Some(failure) => bail!("{failure}"),
        None => Ok(ExitCode::SUCCESS),
    }
}

fn built(package: Result<PathBuf>) -> Result<ExitCode> {
    package.map(|_| ExitCode::SUCCESS)
}

pub(crate) use self::{
    deb::suite as deb_suite, image::build as image, rpm::suite as rpm_suite,
    tarball::suite as tarball_suite, walkthrough::suite as walkthrough,
};

/// Where results go.
fn directory() -> Result<PathBuf> {
    let scratch = command::scratch()?;
    let target = scratch.parent().context("xtask has no target directory")?;
    let directory = target.join("packages");
    fs::create_dir_all(&directory).context("make the directory of results")?;
    Ok(directory)
}

const PROGRAM: &str = "lineage-sensor";
/// Time of all files in packages, s since the epoch: that of deploy/debian/changelog.
const DATE: &str = "1795305600";
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
        Command::new("readelf")
            .args(["--program-headers", "--wide"])
            .arg(program),
    )?;
    if headers.contains("INTERP") {
        bail!("{} is not static", program.display());
    }
    Ok(())
}

/// A file or a directory, with `cp`, which keeps modes.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let Some(parent) = to.parent() else {
        bail!("{} has no directory", to.display());
    };
    fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
    let mut cp = Command::new("cp");
    command::output(cp.arg("--recursive").arg(from).arg(to))?;
    Ok(())
}
