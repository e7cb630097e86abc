//! `cargo xtask test`: every test, counted, with one summary line at the end.
//!
//! Order: unit and property tests, integration tests, documentation tests, then the
//! live suites. A suite that fails does not stop the others.

use std::{ffi::OsString, io::Write as _, time::Instant};

use anyhow::{Context as _, Result, bail};

use crate::{
    apt,
    artifact::{self, Artifact},
    command, setup,
    suite::{self, Outcome},
    tally::Tally,
};

/// Real servers, a load generator, and the tools that check what deploy/ holds.
const PACKAGES: [&str; 9] = [
    "apache2",
    "cron",
    "curl",
    "default-jdk-headless",
    "libapache2-mod-php",
    "nginx-light",
    "php-fpm",
    "systemd",
    "wrk",
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only suites whose name contains this
    #[arg(long, value_name = "NAME")]
    suite: Option<String>,
    /// Arguments for the test executables, after `--`
    #[arg(last = true)]
    libtest: Vec<OsString>,
}

/// All suites so far.
#[derive(Default)]
struct Report {
    tally: Tally,
    /// `name: why` of each failed suite.
    failed: Vec<String>,
}

pub(crate) fn task(args: &Args) -> Result<()> {
    setup::ensure()?;
    if let Err(error) = apt::ensure(&PACKAGES, "the live tests") {
        eprintln!("test: {error:#}\ntest: going on; tests that need them will be skipped");
    }
    let mut suites = build()?;
    suites.sort_by_key(|suite| {
        (
            suite::is_live(suite),
            suite.package.clone(),
            suite.target.clone(),
        )
    });
    let started = Instant::now();
    let mut report = Report::default();
    let wanted = |name: &str| {
        args.suite
            .as_ref()
            .is_none_or(|part| name.contains(part.as_str()))
    };
    let (live, others): (Vec<_>, Vec<_>) = suites
        .iter()
        .filter(|suite| wanted(&suite.target))
        .partition(|suite| suite::is_live(suite));
    for suite in others {
        report.take(suite, suite::run(suite, &args.libtest));
    }
    if args.suite.is_none() {
        report.take_docs();
    }
    for suite in live {
        report.take(suite, suite::run(suite, &args.libtest));
    }
    report.finish(started)
}

fn build() -> Result<Vec<Artifact>> {
    let mut cargo = command::cargo();
    cargo.args([
        "test",
        "--no-run",
        "--locked",
        "--workspace",
        "--exclude",
        "sensor-ebpf",
    ]);
    let mut built = artifact::build(&mut cargo)?;
    built.retain(|artifact| artifact.is_test);
    Ok(built)
}

impl Report {
    fn take(&mut self, suite: &Artifact, outcome: Result<Outcome>) {
        self.record(&format!("{} {}", suite.package, suite.target), outcome);
    }

    fn take_docs(&mut self) {
        let mut cargo = command::cargo();
        cargo.args([
            "test",
            "--doc",
            "--locked",
            "-p",
            "sensor-common",
            "-p",
            "sensor",
        ]);
        self.record("documentation", suite::follow(&mut cargo));
    }

    fn record(&mut self, name: &str, outcome: Result<Outcome>) {
        match outcome {
            Ok(Outcome { tally, failure }) => {
                self.tally.add(tally);
                self.failed
                    .extend(failure.map(|why| format!("{name}: {why}")));
            }
            Err(error) => self.failed.push(format!("{name}: {error:#}")),
        }
    }

    /// Lists what was skipped and what failed; the summary is the last line.
    fn finish(self, started: Instant) -> Result<()> {
        let mut out = std::io::stdout().lock();
        let mut say = |line: String| writeln!(out, "{line}").context("write to standard output");
        for skipped in &self.tally.skipped {
            say(format!("skipped: {skipped}"))?;
        }
        for failed in &self.failed {
            say(format!("failed suite: {failed}"))?;
        }
        let skips = self.tally.skipped.len();
        let refused = command::is_ci() && skips > 0;
        if refused {
            say("CI=true: a skipped test is a failure".to_owned())?;
        }
        say(format!(
            "test: {} passed, {} failed, {skips} skipped in {} s",
            self.tally.passed,
            self.tally.failed,
            started.elapsed().as_secs()
        ))?;
        if refused || !self.failed.is_empty() {
            bail!("tests failed");
        }
        Ok(())
    }
}
