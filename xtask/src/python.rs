//! Tools from `PyPI`, each set in a virtual environment of xtask's own.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::command;

/// The Python that has exactly these `name==version`; made when it is not there.
pub(crate) fn environment(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let directory = command::scratch()?.join(name);
    let python = directory.join("bin/python");
    if packages.iter().all(|package| has(&python, package)) {
        return Ok(python);
    }
    eprintln!("setup: {} from PyPI", packages.join(", "));
    command::run(Command::new("python3").args(["-m", "venv"]).arg(&directory))
        .context("make a virtual environment: needs python3-venv")?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    command::run(Command::new(&python).args(pip).args(packages))
        .with_context(|| format!("install {} from PyPI", packages.join(", ")))?;
    Ok(python)
}

/// The environment has the version that is asked for.
fn has(python: &Path, package: &str) -> bool {
    let name = package.split_once("==").map_or(package, |(name, _)| name);
    let version =
        format!("import importlib.metadata as m; print('{name}==' + m.version('{name}'))");
    command::output(Command::new(python).args(["-c", &version]))
        .is_ok_and(|version| version.trim() == package)
}
