//! `cargo xtask lint`: formatting, clippy, dependencies.
//!
//! The BPF crate is linted by the clippy of the compiler that builds it: any other
//! would not find that compiler's `core`.

use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use crate::{
    apt, command, probe, setup,
    toolchain::{LINKED, Toolchain},
};

const DENY_VERSION: &str = "0.20.2";

pub(crate) fn task() -> Result<()> {
    command::run(command::cargo().args(["fmt", "--all", "--check"]))
        .context("formatting differs: cargo fmt --all")?;
    let toolchain = setup::ensure()?;
    host_clippy()?;
    bpf_clippy(toolchain)?;
    ensure_deny()?;
    command::run(
        command::cargo().args(["deny", "--locked", "check", "bans", "licenses", "sources"]),
    )?;
    advisories()?;
    eprintln!("lint: clean");
    Ok(())
}

fn host_clippy() -> Result<()> {
    command::run(command::cargo().args([
        "clippy",
        "--locked",
        "--workspace",
        "--exclude",
        "sensor-ebpf",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

fn bpf_clippy(toolchain: Toolchain) -> Result<()> {
    if toolchain.name == LINKED {
        apt::ensure(&["rust-web-clippy"], "linting the BPF crate")?;
    }
    let mut clippy = toolchain.command("cargo-clippy");
    clippy.args(["clippy", "--locked", "-p", "sensor-ebpf"]);
    probe::for_bpf(&mut clippy, toolchain);
    // Apart from the host's: other flags, other compiler.
    clippy
        .arg("--target-dir")
        .arg(command::scratch()?.join("bpf-clippy"));
    clippy.args(["--", "-D", "warnings"]);
    // cargo sets CARGO for xtask; clippy would take the host's cargo for its own.
    clippy.env_remove("CARGO").env_remove("CARGO_TERM_QUIET");
    command::run(clippy.current_dir(command::root()))
}

fn ensure_deny() -> Result<()> {
    let found = command::output(command::cargo().args(["deny", "--version"]));
    if found.is_ok_and(|found| found.trim() == format!("cargo-deny {DENY_VERSION}")) {
        return Ok(());
    }
    eprintln!("lint: installing cargo-deny {DENY_VERSION}; about three minutes");
    command::run(command::cargo().args([
        "install",
        "cargo-deny",
        "--version",
        DENY_VERSION,
        "--locked",
    ]))
    .context("install it by hand: cargo install cargo-deny --locked")
}

/// Known vulnerabilities, where the database can be had.
fn advisories() -> Result<()> {
    let mut deny = command::cargo();
    deny.args(["deny", "--locked", "check", "advisories"]);
    eprintln!("+ {}", command::line(&deny));
    let output = deny
        .stdin(Stdio::null())
        .output()
        .context("start cargo deny")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        return Ok(());
    }
    if said.contains("failed to fetch advisory database") {
        eprintln!("lint: advisories not checked: the advisory database cannot be reached");
        return Ok(());
    }
    eprint!("{said}");
    bail!("cargo deny found advisories")
}
