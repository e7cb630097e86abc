//! `cargo xtask vm`: Debian's kernels in emulation, and what runs in them.
//!
//! A machine is a kernel, an initramfs whose only program is the static `conformance`,
//! and a list of tasks; it answers on a serial line and powers off. No network, no disk.

mod guest;
mod initramfs;
mod kernel;

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::Result;

use crate::{
    apt, artifact, command,
    conformance::{self, Table},
    setup, verifier,
};

pub(crate) use self::guest::Answer;

/// Emulator, and what unpacks kernels and modules.
const PACKAGES: [&str; 2] = ["qemu-system-x86", "xz-utils"];

/// Kernels that can be booted, oldest first.
pub(crate) const KERNELS: [&str; 2] = ["6.1", "6.12"];

/// What runs in a machine.
pub(crate) const CONFORMANCE: &str = "conformance";

/// The target whose static C library rustup brings along.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-gnu";

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask vm\n  cargo xtask vm --kernel 6.1")]
pub(crate) struct Args {
    /// Only this kernel (default: each)
    #[arg(long, value_parser = KERNELS)]
    kernel: Option<String>,
}

/// The conformance programs on every rung of each kernel, and what the verifier says.
pub(crate) fn task(args: &Args) -> Result<ExitCode> {
    setup::ensure()?;
    let kernels = KERNELS.into_iter().filter(|kernel| {
        args.kernel
            .as_deref()
            .is_none_or(|wanted| wanted == *kernel)
    });
    let mut table = Table::default();
    let mut failed = Vec::new();
    for kernel in kernels {
        let (programs, costs) = conformance::all(kernel)?;
        table.add(kernel, &programs)?;
        failed.extend(verifier::check(kernel, &costs)?);
    }
    for failure in &failed {
        eprintln!("verifier: {failure}");
    }
    let good = table.finish()? && failed.is_empty();
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Installs what virtual machines need.
pub(crate) fn ready() -> Result<()> {
    apt::ensure(&PACKAGES, "virtual machines")
}

/// Boots `kernel` and runs the tasks, each a command line of `conformance`.
pub(crate) fn run(kernel: &str, tasks: &[String]) -> Result<Vec<Answer>> {
    ready()?;
    let program = program(CONFORMANCE)?;
    let kernel = kernel::ensure(kernel)?;
    guest::run(&kernel, &program, tasks)
}

/// Builds the static programs and returns the one named.
///
/// They are built by one command, whichever is wanted: with other packages cargo would
/// choose other features of what they share, and build all of it once more.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    let mut cargo = static_cargo("vm");
    cargo.args(["-p", "bench", "-p", CONFORMANCE]);
    artifact::find(artifact::build(&mut cargo)?, name)
}

/// A cargo that builds static programs with this profile.
pub(crate) fn static_cargo(profile: &str) -> Command {
    let mut cargo = command::cargo();
    cargo.args([
        "build",
        "--locked",
        "--profile",
        profile,
        "--target",
        TARGET,
    ]);
    // The inner BPF build sets flags of its own.
    cargo.env("RUSTFLAGS", "-C target-feature=+crt-static");
    cargo
}
