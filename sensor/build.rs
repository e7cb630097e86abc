//! Compiles the kernel programs into `$OUT_DIR/sensor-ebpf`.
//!
//! It only looks for what `cargo xtask setup` makes ready, in setup's order; it must
//! never install anything.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, bail};
use aya_build::{Package, Toolchain, build_ebpf};
use object::build::elf::{Builder, SectionData};

/// rustup's name for Debian's compiler, which brings `core` for BPF.
const LINKED: &str = "lineage-bpf";

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without anyhow's backtrace, the sentence that matters stands alone.
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<()> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    // aya-build watches sensor-ebpf; the contract and the versions count as well.
    for path in ["sensor-common", "Cargo.toml", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={root}/{path}");
    }
    println!("cargo:rerun-if-changed=build.rs");
    if is_static() {
        // The program that is shipped carries its relocations, 700 KB of them; packed they
        // are a tenth. Nobody else's dynamic linker has to understand them.
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    if output("bpf-linker", &["--version"]).is_none() {
        bail!("bpf-linker is not on PATH: run `cargo xtask setup`");
    }
    let Some(toolchain) = toolchain() else {
        bail!("no compiler for the kernel programs: run `cargo xtask setup`");
    };
    let root_dir = format!("{root}/sensor-ebpf");
    let package = Package {
        name: "sensor-ebpf",
        root_dir: &root_dir,
        ..Package::default()
    };
    build_ebpf([package], toolchain)?;
    let object = results()?.join("sensor-ebpf");
    strip(&object).with_context(|| format!("strip {}", object.display()))
}

/// The C library is linked in.
#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells it in a variable, which is no setting of the sensor"
)]
fn is_static() -> bool {
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    features.split(',').any(|feature| feature == "crt-static")
}

/// Where cargo wants what a build script makes.
#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells it in a variable, which is no setting of the sensor"
)]
fn results() -> Result<PathBuf> {
    let directory = env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?;
    Ok(directory.into())
}

/// Takes out what only a debugger reads, four fifths of the file, which would be in every
/// program that is shipped. The kernel's type and line information (BTF) stays.
fn strip(object: &Path) -> Result<()> {
    let whole = fs::read(object)?;
    let mut builder = Builder::read(whole.as_slice())?;
    for section in &mut builder.sections {
        let name = section.name.as_slice();
        section.delete = name.starts_with(b".debug_") || name.starts_with(b".rel.debug_");
    }
    builder.delete_orphans();
    // The linker keeps names of sections and symbols in one table; this writer wants two.
    let names = builder.sections.add();
    names.name = b".shstrtab".as_slice().into();
    names.sh_type = object::elf::SHT_STRTAB;
    names.data = SectionData::SectionString;
    let mut rest = Vec::new();
    builder.write(&mut rest)?;
    Ok(fs::write(object, rest)?)
}

fn toolchain() -> Option<Toolchain<'static>> {
    let list = output("rustup", &["toolchain", "list"])?;
    if list.split_whitespace().any(|name| name == LINKED) {
        return Some(Toolchain::Custom(LINKED));
    }
    let sysroot = output("rustup", &["run", "nightly", "rustc", "--print", "sysroot"])?;
    let core = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core/Cargo.toml");
    core.is_file().then_some(Toolchain::Nightly)
}

/// Standard output of a command that succeeds.
fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
