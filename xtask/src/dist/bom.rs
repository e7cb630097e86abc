//! The bill of materials: every crate that is compiled into the program, as `CycloneDX`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{DATE, tool};
use crate::{command, vm};

/// The version that is asked for; it changes only with this line.
const CARGO_CYCLONEDX: &str = "0.5.9";
/// What knows the standard's schema.
pub(super) const VALIDATOR: [&str; 2] = ["cyclonedx-python-lib==11.6.0", "jsonschema==4.26.0"];
const CHECK: &str = include_str!("bom_check.py");
/// cargo-cyclonedx writes beside each manifest of the workspace, under this name.
const NAME: &str = "lineage-sensor-bom";

/// Writes it to `to`.
pub(super) fn write(to: &Path) -> Result<PathBuf> {
    let tool = tool::ensure("cargo-cyclonedx", CARGO_CYCLONEDX)?;
    let mut cyclonedx = Command::new(tool);
    // Without it the document has the time and a random number of this run.
    cyclonedx.env("SOURCE_DATE_EPOCH", DATE);
    cyclonedx.args(["cyclonedx", "--format", "json", "--spec-version", "1.5"]);
    cyclonedx.args(["--target", vm::TARGET, "--override-filename", NAME]);
    cyclonedx.arg("--manifest-path");
    cyclonedx.arg(command::root().join("sensor/Cargo.toml"));
    command::run(&mut cyclonedx)?;
    for package in fs::read_dir(command::root()).context("list the workspace")? {
        let package = package.context("list the workspace")?;
        let written = package.path().join(format!("{NAME}.json"));
        if !written.exists() {
            continue;
        }
        if package.file_name() == "sensor" {
            let text = fs::read_to_string(&written).context("read the bill of materials")?;
            // The workspace's own crates are named by where they lie on this machine.
            let root = command::root()
                .canonicalize()
                .context("find the workspace")?;
            let text = text.replace(&root.display().to_string(), "");
            fs::write(to, text).context("write the bill of materials")?;
        }
        fs::remove_file(&written).context("remove a bill of materials")?;
    }
    Ok(to.to_owned())
}

/// The program that checks one, as a file.
pub(super) fn check() -> Result<PathBuf> {
    scratch("bom_check.py", CHECK)
}

/// What cargo itself says is compiled into the program, a line `name vVERSION` each.
pub(super) fn tree() -> Result<PathBuf> {
    let mut tree = command::cargo();
    tree.args([
        "tree",
        "--locked",
        "--package",
        "sensor",
        "--edges",
        "normal",
    ]);
    tree.args(["--target", vm::TARGET, "--prefix", "none"]);
    tree.args(["--format", "{p}", "--no-dedupe"]);
    scratch("bom-tree.txt", &command::output(&mut tree)?)
}

fn scratch(name: &str, content: &str) -> Result<PathBuf> {
    let path = command::scratch()?.join(name);
    fs::write(&path, content).with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}
