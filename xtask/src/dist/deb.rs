//! The Debian package: cargo-deb puts it together from `[package.metadata.deb]` of the
//! sensor, and what has been put together is installed, upgraded and purged for a test.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use super::{DATE, VERSION, directory, pages, program, tarball, tool};
use crate::{
    apt, command,
    suite::{self, Outcome},
    vm,
};

/// The version that is asked for; it changes only with this line.
const CARGO_DEB: &str = "3.8.0";
const CHECK: &str = include_str!("deb_check.sh");

/// Builds the program and packs it; the path of the package.
pub(crate) fn build() -> Result<PathBuf> {
    pages::write(&program()?)?;
    let tool = cargo_deb()?;
    let package = directory()?.join(format!("lineage-sensor_{VERSION}-1_amd64.deb"));
    pack(&tool, &package, "1")?;
    tarball::sums(&directory()?)?;
    eprintln!("package: {}", package.display());
    Ok(package)
}

/// Lintian, and the life of the package in a root of its own.
pub(crate) fn suite() -> Result<Outcome> {
    apt::ensure(&["lintian"], "the test of the package")?;
    let package = build()?;
    let newer = command::scratch()?.join("lineage-sensor_newer.deb");
    pack(&cargo_deb()?, &newer, "2")?;
    let mut check = command::as_root("sh")?;
    check.args(["-c", CHECK, "deb_check"]);
    suite::follow(check.arg(package).arg(newer))
}

fn pack(tool: &Path, package: &Path, revision: &str) -> Result<()> {
    let mut pack = Command::new(tool);
    pack.current_dir(command::root());
    // The time of the build would make another package of the same program.
    pack.env("SOURCE_DATE_EPOCH", DATE);
    pack.args(["--package", "sensor", "--no-build", "--no-strip", "--quiet"]);
    pack.args(["--profile", "dist", "--target", vm::TARGET]);
    pack.args(["--deb-version", &format!("{VERSION}-{revision}")]);
    command::run(pack.arg("--output").arg(package))
}

fn cargo_deb() -> Result<PathBuf> {
    tool::ensure("cargo-deb", CARGO_DEB)
}
