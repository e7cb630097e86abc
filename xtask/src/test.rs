//! `cargo xtask test`: every test, counted, with one summary line at the end.
//!
//! Order: unit and property tests, integration tests, documentation tests when all is asked
//! for, the budget of instructions, the live suites, the lab, then the kernels: conformance and verifier here and in
//! emulation. A suite that fails does not stop the others. The summary says what each
//! took.

use std::{
    ffi::OsString,
    io::Write as _,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::{
    apt,
    artifact::{self, Artifact},
    bench, chart, command,
    conformance::{self, HOST, Table},
    dist, lab, python, setup, sigma,
    suite::{self, Outcome},
    tally::Tally,
    verifier, vm,
};

/// Real servers, a load generator, and the tools that check what deploy/ holds.
pub(crate) const PACKAGES: [&str; 45] = [
    "apache2",
    "busybox",
    "cron",
    "curl",
    "default-jdk-headless",
    "diffutils",
    "ed",
    "fcgiwrap",
    "gcc",
    "gdb",
    "git",
    "gpg",
    "gunicorn",
    "haproxy",
    "libapache2-mod-php",
    "libjemalloc2",
    "lighttpd",
    "make",
    "mariadb-server",
    "nginx-light",
    "nodejs",
    "openssh-client",
    "openssl",
    "php-fpm",
    "podman",
    "postgresql",
    "prometheus",
    "prometheus-alertmanager",
    "puma",
    "python3",
    "python3-venv",
    "redis-server",
    "rsync",
    "rsyslog",
    "ruby",
    "runc",
    "socat",
    "systemd",
    "tmux",
    "tomcat10",
    "uvicorn",
    "uwsgi",
    "uwsgi-plugin-python3",
    "vim",
    "wrk",
];

/// A collector of OpenTelemetry, of this version.
const ROTEL: &str = "rotel==0.0.1a15";

/// Live tests of a full run alone: the second rung, what runs the container image, what
/// waits for a minute of a rule, of cron or of the self-test, and the longest of the rest.
const FULL_ONLY: [&str; 14] = [
    "raw_tp::",
    "server::image::",
    "rows_that_take_their_time",
    "a_job_left_behind_is_seen_once",
    "soak::",
    "the_self_test_is_made_again_and_its_failure_is_said",
    "an_outlet_that_hangs_is_replaced",
    "an_outlet_of_its_own_user",
    "the_self_test_finds_wrong_offsets",
    "a_storm_of_requests_is_silent",
    "the_doctor_names_each_hook",
    "a_storm_of_static_files_costs_no_events",
    "a_service_declared_by_its_image_runs_a_shell",
    "outage::",
];
/// A live test that is asked for by name alone.
const AN_HOUR: &str = "soak::idle_for_an_hour_it_does_not_grow";
/// Name of the suites that [`Report::take_kernel`] runs.
const KERNELS: &str = "kernel";
/// The kernel in emulation that is always tested: its verifier takes a third of the time
/// of the older one's, and emulation takes twenty times that of a machine.
const QUICK: &str = vm::KERNELS[1];

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask test\n  \
    cargo xtask test --full\n  \
    cargo xtask test --suite live -- attack\n  \
    cargo xtask test --suite kernel")]
pub(crate) struct Args {
    /// Only suites whose name contains this; `kernel` is conformance and verifier
    #[arg(long, value_name = "NAME")]
    suite: Option<String>,
    /// Every kernel, not only this machine's and one in emulation, the live tests on raw
    /// tracepoints too, and the lab
    #[arg(long)]
    full: bool,
    /// Arguments for the test executables, after `--`
    #[arg(last = true)]
    libtest: Vec<OsString>,
}

impl Args {
    /// Tests with this in their names are among those that are run.
    fn wants(&self, name: &str) -> bool {
        self.libtest.is_empty()
            || self
                .libtest
                .iter()
                .any(|arg| arg.to_string_lossy().contains(name))
    }
}

/// All suites so far.
struct Report {
    started: Instant,
    tally: Tally,
    /// `name: why` of each failed suite.
    failed: Vec<String>,
    /// What each part took, in order.
    took: Vec<(String, Duration)>,
    /// The slowest of the tests that run one at a time.
    slowest: Vec<(String, Duration)>,
}

pub(crate) fn task(args: &Args) -> Result<ExitCode> {
    setup::ensure()?;
    if let Err(error) = apt::ensure(&PACKAGES, "the live tests") {
        eprintln!("test: {error:#}\ntest: going on; tests that need them will be skipped");
    }
    if let Err(error) = python::environment("rotel", &[ROTEL]) {
        eprintln!("test: {error:#}\ntest: going on; the test of the collector will be skipped");
    }
    let mut report = Report::new();
    let mut suites = report.timed("build of the tests", |_| build())?;
    if let Some(part) = &args.suite {
        suites.retain(|suite| suite.target.contains(part.as_str()));
    }
    let (live, others): (Vec<_>, Vec<_>) = suites.iter().partition(|suite| suite::is_live(suite));
    for suite in others {
        report.take(suite, &args.libtest);
    }
    if args.suite.is_none() {
        if args.full {
            report.take_docs();
            report.suite("Debian package", dist::deb_suite);
            report.suite("first alert from the package", dist::walkthrough);
            report.suite("RPM package", dist::rpm_suite);
            report.suite("tarball", dist::tarball_suite);
        }
        report.suite("catalogue in pySigma", sigma::suite);
        report.suite("Helm chart", chart::suite);
        report.build_static();
        report.suite("instructions of the pipeline", bench::suite);
    }
    if args.full && !live.is_empty() && args.wants("image") {
        report.take_image();
    }
    for suite in live {
        report.take_live(suite, args);
    }
    if args
        .suite
        .as_deref()
        .is_none_or(|part| KERNELS.contains(part))
    {
        report.take_kernels(args.full)?;
    }
    report.finish()
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
    built.sort_by(|a, b| (&a.package, &a.target).cmp(&(&b.package, &b.target)));
    Ok(built)
}

impl Report {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            tally: Tally::default(),
            failed: Vec::new(),
            took: Vec::new(),
            slowest: Vec::new(),
        }
    }

    /// Notes how long a part takes.
    fn timed<T>(&mut self, name: &str, part: impl FnOnce(&mut Self) -> T) -> T {
        eprintln!("== {name}");
        let began = Instant::now();
        let result = part(self);
        self.took.push((name.to_owned(), began.elapsed()));
        result
    }

    fn suite(&mut self, name: &str, run: impl FnOnce() -> Result<Outcome>) {
        self.timed(name, |report| report.record(name, run()));
    }

    fn take(&mut self, suite: &Artifact, args: &[OsString]) {
        let name = format!("{} {}", suite.package, suite.target);
        self.suite(&name, || suite::run(suite, args));
    }

    /// What the suites of instructions and kernels run; built here so that it is not
    /// counted as theirs.
    fn build_static(&mut self) {
        let name = "build of the static programs";
        let built = self.timed(name, |_| vm::program(vm::CONFORMANCE));
        if let Err(error) = built {
            self.failed.push(format!("{name}: {error:#}"));
        }
    }

    /// The lab is a suite of its own, and for a full run.
    fn take_live(&mut self, suite: &Artifact, args: &Args) {
        let skip = |names: &[&str]| -> Vec<OsString> {
            let words = names.iter().flat_map(|name| ["--skip", *name]);
            words.map(OsString::from).collect()
        };
        match (args.libtest.is_empty(), args.full) {
            (false, _) => self.take(suite, &args.libtest),
            (true, false) => {
                let names = [&[lab::FILTER, AN_HOUR], FULL_ONLY.as_slice()].concat();
                self.take(suite, &skip(&names));
            }
            (true, true) => {
                self.take(suite, &skip(&[lab::FILTER, AN_HOUR]));
                self.suite("lab", || lab::suite(suite));
            }
        }
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
        self.suite("documentation", || suite::follow(&mut cargo));
    }

    /// A live test runs the image. Without one it is skipped, so a failure here is enough.
    fn take_image(&mut self) {
        self.timed("container image", |report| {
            if let Err(why) = dist::image() {
                report.failed.push(format!("container image: {why:#}"));
            }
        });
    }

    /// Conformance and verifier on this machine and in emulation, as one table.
    fn take_kernels(&mut self, full: bool) -> Result<()> {
        let mut table = Table::default();
        for kernel in [&[HOST], vm::KERNELS.as_slice()].concat() {
            if !(full || kernel == HOST || kernel == QUICK) {
                continue;
            }
            let name = format!("{KERNELS} {kernel}");
            self.timed(&name, |report| {
                if let Err(why) = conformance::ready(kernel) {
                    report.tally.skipped.push(format!("{name}: {why:#}"));
                } else if let Err(why) = report.take_kernel(kernel, &mut table) {
                    report.tally.failed += 1;
                    report.failed.push(format!("{name}: {why:#}"));
                }
            });
        }
        if !table.finish()? {
            self.failed.push("conformance: see the table".to_owned());
        }
        self.tally.add(table.tally());
        Ok(())
    }

    /// The verifier's cost of all programs counts as one test.
    fn take_kernel(&mut self, kernel: &str, table: &mut Table) -> Result<()> {
        let (programs, costs) = conformance::all(kernel)?;
        table.add(kernel, &programs)?;
        let grown = verifier::check(kernel, &costs)?;
        if grown.is_empty() {
            self.tally.passed += 1;
        } else {
            self.tally.failed += 1;
            let why = grown.into_iter().map(|why| format!("verifier: {why}"));
            self.failed.extend(why);
        }
        Ok(())
    }

    fn record(&mut self, name: &str, outcome: Result<Outcome>) {
        match outcome {
            Ok(outcome) => {
                self.tally.add(outcome.tally);
                self.failed
                    .extend(outcome.failure.map(|why| format!("{name}: {why}")));
                let slowest = outcome.slowest.into_iter();
                self.slowest
                    .extend(slowest.map(|(test, took)| (format!("{name} {test}"), took)));
            }
            Err(error) => self.failed.push(format!("{name}: {error:#}")),
        }
    }

    /// Lists what each part took, what was skipped and what failed; the summary is the
    /// last line.
    fn finish(self) -> Result<ExitCode> {
        let mut out = std::io::stdout().lock();
        let mut say = |line: String| writeln!(out, "{line}").context("write to standard output");
        for (name, took) in &self.took {
            say(format!("time: {:>5.0} s  {name}", took.as_secs_f64()))?;
        }
        for (name, took) in &self.slowest {
            say(format!("slow: {:>5.1} s  {name}", took.as_secs_f64()))?;
        }
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
            self.started.elapsed().as_secs()
        ))?;
        Ok(if refused || !self.failed.is_empty() {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}
