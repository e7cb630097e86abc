//! One test executable, run and counted.
//!
//! Suites named `live*` load kernel programs: they run as root, one test at a time.

use std::{
    ffi::OsString,
    io::{Read as _, Write as _},
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::{artifact::Artifact, command, pace::Pace, tally::Tally};

/// No suite may hang a run for ever; the longest takes a few minutes.
const LIMIT: &str = "1200";
/// What coreutils' `timeout` exits with when it had to end the command.
const TIMED_OUT: i32 = 124;

/// How a suite ended.
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    /// Why the suite counts as failed.
    pub(crate) failure: Option<String>,
    /// The slowest tests, where each has the machine for itself.
    pub(crate) slowest: Vec<(String, Duration)>,
}

pub(crate) fn is_live(artifact: &Artifact) -> bool {
    artifact.package == "sensor" && artifact.target.starts_with("live")
}

/// Runs one test executable the way cargo would: in its package's directory.
pub(crate) fn run(artifact: &Artifact, args: &[OsString]) -> Result<Outcome> {
    let mut outcome = follow(&mut command(artifact, &[], args)?)?;
    if !is_live(artifact) {
        outcome.slowest.clear();
    }
    Ok(outcome)
}

/// The command that does so, with more variables (`NAME=value`).
pub(crate) fn command(
    artifact: &Artifact,
    variables: &[String],
    args: &[OsString],
) -> Result<Command> {
    let mut test = if is_live(artifact) {
        command::as_root("env")?
    } else {
        Command::new("env")
    };
    // sudo clears the environment, so what the tests may read is named.
    let mut directory = OsString::from("CARGO_MANIFEST_DIR=");
    directory.push(&artifact.manifest_dir);
    test.arg(directory);
    if command::is_ci() {
        test.arg("CI=true");
    }
    test.args(variables);
    test.args([
        "RUST_BACKTRACE=1",
        "timeout",
        "--foreground",
        "--kill-after=10",
        LIMIT,
    ]);
    test.arg(&artifact.executable).arg("--show-output");
    if is_live(artifact) {
        test.arg("--test-threads=1");
    }
    test.args(args).current_dir(&artifact.manifest_dir);
    Ok(test)
}

/// Runs a command that prints what libtest prints, shows it as it comes, counts it.
pub(crate) fn follow(suite: &mut Command) -> Result<Outcome> {
    listen(suite).map(|(outcome, _)| outcome)
}

/// Likewise; gives what was printed as well.
pub(crate) fn listen(suite: &mut Command) -> Result<(Outcome, String)> {
    let line = command::line(suite);
    let mut child = suite
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {line}"))?;
    let mut stdout = child
        .stdout
        .take()
        .context("the suite has no standard output")?;
    let mut seen = Vec::new();
    let mut pace = Pace::new(Instant::now());
    let mut chunk = vec![0; 8192];
    loop {
        let length = stdout.read(&mut chunk).context("read the suite's output")?;
        let Some(bytes @ [_, ..]) = chunk.get(..length) else {
            break;
        };
        seen.extend_from_slice(bytes);
        pace.read(bytes, Instant::now());
        let mut out = std::io::stdout().lock();
        out.write_all(bytes)
            .and_then(|()| out.flush())
            .context("write to standard output")?;
    }
    let status = child.wait().with_context(|| format!("wait for {line}"))?;
    let seen = String::from_utf8_lossy(&seen).into_owned();
    let tally = Tally::read(&seen);
    let failure = failure(status, &tally);
    let outcome = Outcome {
        tally,
        failure,
        slowest: pace.slowest(),
    };
    Ok((outcome, seen))
}

fn failure(status: ExitStatus, tally: &Tally) -> Option<String> {
    if tally.failed > 0 {
        Some(format!(
            "{} failed: {}",
            tally.failed,
            tally.failures.join(", ")
        ))
    } else if status.code() == Some(TIMED_OUT) {
        Some(format!("ended after {LIMIT} s"))
    } else if !status.success() {
        Some(status.to_string())
    } else if tally.results == 0 {
        Some("printed no test result".to_owned())
    } else {
        None
    }
}
