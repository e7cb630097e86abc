//! Whether a compiler and bpf-linker work together, found by linking a program.
//!
//! Versions do not tell: bpf-linker loads whichever libLLVM comes first on the
//! library path, and reads bitcode another LLVM wrote. The compiler is called as
//! aya-build calls it from `sensor/build.rs`.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};

use crate::{command, toolchain::Toolchain};

pub(crate) const TARGET: &str = "bpfel-unknown-none";

const MANIFEST: &str = "[package]\nname = \"probe\"\nedition = \"2024\"\n\n[workspace]\n";
const PROGRAM: &str = r#"#![no_std]
#![no_main]
#[unsafe(link_section = "raw_tp")]
#[unsafe(no_mangle)]
extern "C" fn probe(_: *const u8) -> i32 {
    0
}
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
"#;

/// Builds and links a BPF program that does nothing.
pub(crate) fn link(toolchain: Toolchain, scratch: &Path) -> Result<()> {
    let dir = scratch.join("probe");
    fs::create_dir_all(dir.join("src")).context("make the probe's directory")?;
    fs::write(dir.join("Cargo.toml"), MANIFEST).context("write the probe")?;
    fs::write(dir.join("src/main.rs"), PROGRAM).context("write the probe")?;
    // Left-overs would let a broken linker pass.
    let target = dir.join("target");
    if target.exists() {
        fs::remove_dir_all(&target).context("clear the probe")?;
    }
    let mut build = toolchain.command("cargo");
    build.args(["build", "--release"]).current_dir(&dir);
    for_bpf(&mut build, toolchain);
    build.arg("--target-dir").arg(&target);
    command::output(&mut build).map(drop)
}

/// Target, flags and `core`, as aya-build passes them.
pub(crate) fn for_bpf(cargo: &mut Command, toolchain: Toolchain) {
    cargo.args(["--target", TARGET]);
    if toolchain.builds_core() {
        cargo.args(["-Z", "build-std=core"]);
    }
    let arch = std::env::consts::ARCH;
    cargo.env(
        "CARGO_ENCODED_RUSTFLAGS",
        format!("--cfg=bpf_target_arch=\"{arch}\"\x1f-Cdebuginfo=2\x1f-Clink-arg=--btf"),
    );
}
