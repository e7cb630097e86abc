//! How xtask starts other programs: announced, checked, through sudo where needed.
//!
//! It owns the environment those programs get and must never hide their output: a
//! long step is followed through the child's own progress.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a directory of the workspace")
}

/// Where xtask keeps its own files: `<target directory>/xtask`.
pub(crate) fn scratch() -> Result<PathBuf> {
    let text = output(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text).context("read cargo metadata")?;
    let target = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target directory")?;
    Ok(Path::new(target).join("xtask"))
}

/// A cargo that shows its progress, in the repository's root.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root());
    talkative(&mut command);
    command
}

pub(crate) fn rustup() -> Command {
    let mut command = Command::new("rustup");
    talkative(&mut command);
    command
}

/// Takes off what `.cargo/config.toml` sets to keep the inner BPF build quiet.
fn talkative(command: &mut Command) {
    command.env_remove("CARGO_TERM_QUIET");
    command.env_remove("RUSTUP_LOG");
}

/// `program` as root: as it is, or through sudo.
pub(crate) fn as_root(program: impl AsRef<OsStr>) -> Result<Command> {
    if is_root() {
        return Ok(Command::new(program));
    }
    if !exists("sudo") {
        bail!(
            "{} needs root, and there is no sudo: run this as root",
            program.as_ref().display()
        );
    }
    let mut command = Command::new("sudo");
    command.arg(program);
    Ok(command)
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether `program` can be started.
pub(crate) fn exists(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

/// Whether `CI=true` is set: then a skipped test is a failure.
#[expect(
    clippy::disallowed_methods,
    reason = "the one variable xtask reads; it has no configuration"
)]
pub(crate) fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

/// Shows the command, runs it, and fails when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    eprintln!("+ {line}");
    let status = command.status().with_context(|| format!("start {line}"))?;
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(())
}

/// Standard output of a command that is not worth showing.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = line(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start {line}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{line}: {}\n{}", output.status, said.trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("output of {line}"))
}

/// The command as a person would type it, for messages.
pub(crate) fn line(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| {
        let word = word.to_string_lossy();
        if word.contains([' ', '"', '\n']) {
            format!("{word:?}")
        } else {
            word.into_owned()
        }
    }));
    words.join(" ")
}
