//! Tools of cargo that put packages together, below xtask's own directory.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::command;

/// `name` of exactly this version; built when it is not there.
pub(super) fn ensure(name: &str, version: &str) -> Result<PathBuf> {
    let root = command::scratch()?.join("tools");
    let tool = root.join("bin").join(name);
    if tool.exists() && has(&root, name, version) {
        return Ok(tool);
    }
    eprintln!("setup: installing {name} {version}; some minutes");
    fs::create_dir_all(&root).context("make the directory of tools")?;
    let mut install = command::cargo();
    install.args(["install", name, "--locked", "--version", version]);
    command::run(install.arg("--root").arg(&root))?;
    Ok(tool)
}

/// What cargo has written down of its installations; not every tool says its version.
fn has(root: &Path, name: &str, version: &str) -> bool {
    let line = format!("\"{name} {version} (");
    fs::read_to_string(root.join(".crates.toml")).is_ok_and(|text| text.contains(&line))
}
