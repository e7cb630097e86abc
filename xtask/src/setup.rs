//! `cargo xtask setup`: after it, `cargo build --release -p sensor` works.
//!
//! A choice of compiler counts only once a program has been linked with it. What
//! was found to work is written to a stamp, so that the next call is quick.

use std::{
    fs,
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::{
    command, linker, probe,
    toolchain::{self, LINKED, NIGHTLY, Toolchain},
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which compiler builds the kernel programs
    #[arg(long, value_enum, default_value_t = Compiler::Auto)]
    compiler: Compiler,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Compiler {
    /// What works already, else Debian's, else rustup's nightly with rust-src added
    Auto,
    /// rustup's nightly with rust-src
    Nightly,
    /// Debian's rustc-web
    Debian,
}

impl Compiler {
    fn accepts(self, toolchain: Toolchain) -> bool {
        match self {
            Self::Auto => true,
            Self::Nightly => toolchain.name == NIGHTLY,
            Self::Debian => toolchain.name == LINKED,
        }
    }
}

pub(crate) fn task(args: &Args) -> Result<ExitCode> {
    setup(args.compiler)?;
    Ok(ExitCode::SUCCESS)
}

/// Set-up as the other tasks want it.
pub(crate) fn ensure() -> Result<Toolchain> {
    setup(Compiler::Auto)
}

fn setup(wanted: Compiler) -> Result<Toolchain> {
    toolchain::require_rustup()?;
    let installed = linker::ensure()?;
    let scratch = command::scratch()?;
    let stamp = scratch.join("setup.stamp");
    let present = toolchain::current()?.filter(|&found| wanted.accepts(found));
    if let Some(found) = present
        && fs::read_to_string(&stamp)
            .is_ok_and(|old| fingerprint(found).is_ok_and(|new| old == new))
    {
        let did = if installed { "done" } else { "nothing to do" };
        eprintln!(
            "setup: {did}: {}, bpf-linker {}",
            found.describe(),
            linker::VERSION
        );
        return Ok(found);
    }
    let chosen = choose(wanted, present, &scratch)?;
    if stamp.exists() {
        forget_kernel_programs()?;
    }
    fs::write(&stamp, fingerprint(chosen)?).context("write the set-up stamp")?;
    eprintln!(
        "setup: done: {}, bpf-linker {}",
        chosen.describe(),
        linker::VERSION
    );
    Ok(chosen)
}

/// Makes the next build compile the kernel programs again: cargo does not know that
/// a build script's outcome depends on a compiler it was not told about.
fn forget_kernel_programs() -> Result<()> {
    eprintln!("setup: the compiler changed; the kernel programs will be built again");
    for profile in ["dev", "release"] {
        let args = [
            "clean",
            "--quiet",
            "--package",
            "sensor",
            "--profile",
            profile,
        ];
        command::output(command::cargo().args(args))?;
    }
    Ok(())
}

/// The first compiler that links, made ready where it can be.
fn choose(wanted: Compiler, present: Option<Toolchain>, scratch: &Path) -> Result<Toolchain> {
    let mut refused = Vec::new();
    for attempt in attempts(wanted) {
        let tried = match attempt {
            Attempt::Present => match present {
                Some(found) => Ok(found),
                None => continue,
            },
            Attempt::Debian => toolchain::debian(),
            Attempt::Nightly => toolchain::nightly(),
        };
        match tried.and_then(|found| prove(found, scratch)) {
            Ok(found) => return Ok(found),
            Err(error) => {
                eprintln!("setup: not that way: {error:#}");
                refused.push(format!("  {error:#}"));
            }
        }
    }
    bail!(
        "no compiler for BPF here; one of these is needed, then run this again:\n\
         \x20 Debian or Ubuntu: apt-get install rustc-web libstd-rust-web-dev-bpf\n\
         \x20 elsewhere: rustup toolchain install nightly --component rust-src \
         (with LLVM 22, for bpf-linker {})\nwhat was tried:\n{}",
        linker::VERSION,
        refused.join("\n")
    )
}

enum Attempt {
    Present,
    Debian,
    Nightly,
}

/// Debian's compiler comes before changing somebody's nightly: its version stands
/// still, while a nightly moves to an LLVM the pinned bpf-linker cannot read.
fn attempts(wanted: Compiler) -> Vec<Attempt> {
    match wanted {
        Compiler::Auto => vec![Attempt::Present, Attempt::Debian, Attempt::Nightly],
        Compiler::Nightly => vec![Attempt::Nightly],
        Compiler::Debian => vec![Attempt::Debian],
    }
}

fn prove(found: Toolchain, scratch: &Path) -> Result<Toolchain> {
    eprintln!("setup: linking a probe with {}", found.describe());
    probe::link(found, scratch)
        .with_context(|| format!("{} and bpf-linker do not work together", found.name))?;
    if found.name == NIGHTLY {
        toolchain::unlink()?;
    }
    Ok(found)
}

/// Everything the probe's outcome depends on; the host's rustc brings the libLLVM.
fn fingerprint(found: Toolchain) -> Result<String> {
    let host = command::output(Command::new("rustc").arg("-vV"))?;
    Ok(format!(
        "{}\n{}\n{host}\nbpf-linker {}\n",
        found.name,
        found.identity()?,
        linker::VERSION
    ))
}
