//! bpf-linker, pinned.
//!
//! Other releases have produced objects that do not load, and from 0.11 on it wants
//! LLVM 23, which neither compiler we use has.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::command;

pub(crate) const VERSION: &str = "0.10.3";

/// Installs the pinned bpf-linker unless it is there; true when it did.
pub(crate) fn ensure() -> Result<bool> {
    let found = version();
    if found.as_deref() == Some(VERSION) {
        return Ok(false);
    }
    let found = found.unwrap_or_else(|| "none".to_owned());
    eprintln!("setup: installing bpf-linker {VERSION} (found: {found}); about two minutes");
    command::run(command::cargo().args([
        "install",
        "bpf-linker",
        "--version",
        VERSION,
        "--locked",
    ]))
    .with_context(|| {
        format!("install it by hand: cargo install bpf-linker --version {VERSION} --locked")
    })?;
    let now = version().context(
        "bpf-linker is installed but cannot be started: put cargo's bin directory on PATH",
    )?;
    anyhow::ensure!(
        now == VERSION,
        "bpf-linker {now} comes before the pinned {VERSION} on PATH: remove it"
    );
    Ok(true)
}

fn version() -> Option<String> {
    let text = command::output(Command::new("bpf-linker").arg("--version")).ok()?;
    Some(text.split_whitespace().nth(1)?.to_owned())
}
