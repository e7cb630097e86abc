//! The compilers that can build for `bpfel-unknown-none`.
//!
//! Two kinds: a rustup nightly with rust-src, whose `core` cargo builds, and Debian's
//! rustc-web, which brings `core` ready made and is linked into rustup under
//! [`LINKED`]. `sensor/build.rs` looks for them in the order of [`current`].

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{apt, command};

/// rustup's name for Debian's compiler; `sensor/build.rs` knows it too.
pub(crate) const LINKED: &str = "lineage-bpf";
pub(crate) const NIGHTLY: &str = "nightly";

/// Debian's compiler and its `core` for BPF.
const PACKAGES: [&str; 2] = ["rustc-web", "libstd-rust-web-dev-bpf"];

/// A compiler for BPF, by its name in rustup.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Toolchain {
    pub(crate) name: &'static str,
}

impl Toolchain {
    /// What `rustc -vV` says: version, commit, LLVM.
    pub(crate) fn identity(self) -> Result<String> {
        command::output(self.command("rustc").arg("-vV"))
    }

    /// One line for a person.
    pub(crate) fn describe(self) -> String {
        let version = self.identity().unwrap_or_default();
        let version = version
            .lines()
            .next()
            .unwrap_or("unknown version")
            .to_owned();
        format!("{} ({version})", self.name)
    }

    /// Whether this compiler's cargo builds `core` itself, as aya-build decides it.
    pub(crate) fn builds_core(self) -> bool {
        self.identity()
            .is_ok_and(|identity| identity.contains("-nightly"))
    }

    /// `program` of this toolchain, in the environment a build script would have.
    pub(crate) fn command(self, program: &str) -> Command {
        let mut command = Command::new("rustup");
        command.args(["run", self.name, program]);
        command
    }
}

pub(crate) fn require_rustup() -> Result<()> {
    if command::exists("rustup") {
        return Ok(());
    }
    bail!("rustup is not on PATH: install it (https://rustup.rs), then run this again")
}

/// The compiler `sensor/build.rs` would use now, working or not.
pub(crate) fn current() -> Result<Option<Toolchain>> {
    if is_installed(LINKED)? {
        return Ok(Some(Toolchain { name: LINKED }));
    }
    if is_installed(NIGHTLY)? && nightly_has_rust_src() {
        return Ok(Some(Toolchain { name: NIGHTLY }));
    }
    Ok(None)
}

fn is_installed(name: &str) -> Result<bool> {
    let list = command::output(command::rustup().args(["toolchain", "list"]))?;
    Ok(list.split_whitespace().any(|found| is(found, name)))
}

/// `nightly-x86_64-unknown-linux-gnu` is `nightly`; `nightly-2026-05-20-...` is not.
fn is(found: &str, name: &str) -> bool {
    found == name
        || name == NIGHTLY
            && found
                .strip_prefix("nightly-")
                .is_some_and(|host| !host.starts_with(|first: char| first.is_ascii_digit()))
}

fn nightly_has_rust_src() -> bool {
    let nightly = Toolchain { name: NIGHTLY };
    command::output(nightly.command("rustc").args(["--print", "sysroot"])).is_ok_and(|sysroot| {
        Path::new(sysroot.trim())
            .join("lib/rustlib/src/rust/library/core/Cargo.toml")
            .is_file()
    })
}

/// rustup's nightly, with rust-src added where it is missing.
pub(crate) fn nightly() -> Result<Toolchain> {
    if !is_installed(NIGHTLY)? {
        bail!("there is no nightly: rustup toolchain install nightly --component rust-src");
    }
    if !nightly_has_rust_src() {
        eprintln!("setup: adding rust-src to rustup's nightly");
        command::run(command::rustup().args([
            "component",
            "add",
            "rust-src",
            "--toolchain",
            NIGHTLY,
        ]))?;
    }
    Ok(Toolchain { name: NIGHTLY })
}

/// Debian's compiler, installed and linked.
pub(crate) fn debian() -> Result<Toolchain> {
    apt::ensure(&PACKAGES, "the BPF compiler")?;
    let linked = Toolchain { name: LINKED };
    if !(is_installed(LINKED)? && linked.identity().is_ok()) {
        eprintln!("setup: linking Debian's rustc into rustup as {LINKED}");
        command::run(command::rustup().args(["toolchain", "link", LINKED, "/usr"]))
            .context("link Debian's rustc")?;
    }
    Ok(linked)
}

/// Removes the link to Debian's compiler, so that nightly is used.
pub(crate) fn unlink() -> Result<()> {
    if is_installed(LINKED)? {
        eprintln!("setup: removing rustup's link {LINKED}, so that nightly is used");
        command::run(command::rustup().args(["toolchain", "uninstall", LINKED]))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dated_nightly_is_not_the_nightly() {
        assert!(is("nightly-x86_64-unknown-linux-gnu", NIGHTLY));
        assert!(!is("nightly-2026-05-20-x86_64-unknown-linux-gnu", NIGHTLY));
        assert!(is("lineage-bpf", LINKED));
        assert!(!is("stable-x86_64-unknown-linux-gnu", NIGHTLY));
    }
}
