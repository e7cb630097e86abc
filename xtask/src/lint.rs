//! `cargo xtask lint`: formatting, clippy, dependencies.
//!
//! The BPF crate is linted by the clippy of the compiler that builds it: any other
//! would not find that compiler's `core`.

use std::process::{ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::{
    apt, command, probe, setup,
    toolchain::{LINKED, Toolchain},
};

const DENY_VERSION: &str = "0.20.2";

/// Every check runs, so that one push can mend everything that is wrong.
pub(crate) fn task() -> Result<ExitCode> {
    let toolchain = setup::ensure()?;
    let checks = [
        ("formatting (cargo fmt --all mends it)", formatting()),
        ("clippy", host_clippy()),
        ("clippy of the BPF crate", bpf_clippy(toolchain)),
        ("dependencies", dependencies()),
        ("advisories", advisories()),
    ];
    let mut failed = Vec::new();
    for (name, outcome) in checks {
        if let Err(error) = outcome {
            eprintln!("lint: {name}: {error:#}");
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("lint failed: {}", failed.join(", "));
    }
    eprintln!("lint: clean");
    Ok(ExitCode::SUCCESS)
}

fn formatting() -> Result<()> {
    command::run(command::cargo().args(["fmt", "--all", "--check"]))
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

/// Duplicates, licences and sources, as deny.toml has them.
fn dependencies() -> Result<()> {
    ensure_deny()?;
    command::run(
        command::cargo().args(["deny", "--locked", "check", "bans", "licenses", "sources"]),
    )
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
