//! What cargo built, read from its JSON messages.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::command;

/// An executable cargo built.
pub(crate) struct Artifact {
    pub(crate) package: String,
    pub(crate) target: String,
    pub(crate) is_test: bool,
    pub(crate) executable: PathBuf,
    pub(crate) manifest_dir: PathBuf,
}

/// Runs a cargo build and returns its executables; cargo's progress is shown.
pub(crate) fn build(cargo: &mut Command) -> Result<Vec<Artifact>> {
    cargo.arg("--message-format=json-render-diagnostics");
    let line = command::line(cargo);
    eprintln!("+ {line}");
    let mut child = cargo
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {line}"))?;
    let stdout = child
        .stdout
        .take()
        .context("cargo has no standard output")?;
    let mut artifacts = Vec::new();
    for message in BufReader::new(stdout).lines() {
        let message = message.context("read cargo's messages")?;
        artifacts.extend(parse(&message));
    }
    let status = child.wait().with_context(|| format!("wait for {line}"))?;
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(artifacts)
}

/// The executable of the target named.
pub(crate) fn find(built: Vec<Artifact>, target: &str) -> Result<PathBuf> {
    let found = built.into_iter().find(|built| built.target == target);
    let found = found.with_context(|| format!("cargo built no {target}"))?;
    Ok(found.executable)
}

/// One message; `None` for what is not an executable.
fn parse(message: &str) -> Option<Artifact> {
    let message: Value = serde_json::from_str(message).ok()?;
    let executable = PathBuf::from(message["executable"].as_str()?);
    let manifest_dir = Path::new(message["manifest_path"].as_str()?)
        .parent()?
        .to_owned();
    Some(Artifact {
        package: manifest_dir.file_name()?.to_str()?.to_owned(),
        target: message["target"]["name"].as_str()?.to_owned(),
        is_test: message["profile"]["test"].as_bool()?,
        executable,
        manifest_dir,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_executable_is_read() {
        let message = r#"{"reason":"compiler-artifact","manifest_path":"/r/sensor/Cargo.toml",
            "target":{"kind":["test"],"name":"live_nginx"},"profile":{"test":true},
            "executable":"/r/target/debug/deps/live_nginx-1"}"#;
        let artifact = parse(message).unwrap();
        assert_eq!(artifact.package, "sensor");
        assert_eq!(artifact.target, "live_nginx");
        assert!(artifact.is_test);
        assert_eq!(artifact.manifest_dir, Path::new("/r/sensor"));
    }

    #[test]
    fn libraries_and_noise_are_passed_over() {
        let library = r#"{"reason":"compiler-artifact","manifest_path":"/r/sensor/Cargo.toml",
            "target":{"name":"sensor"},"profile":{"test":false},"executable":null}"#;
        assert!(parse(library).is_none());
        assert!(parse("not JSON").is_none());
    }
}
