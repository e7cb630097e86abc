//! `cargo xtask bench`: what a record costs on its way through the agent, and the
//! budget of instructions that `cargo xtask test` holds it to.
//!
//! Time depends on the machine and is only told; it is taken of the release build.
//! Instructions, counted by callgrind, do not, so they are compared with a checked-in
//! number; they are those of the static build that virtual machines get too, since one
//! more build of everything would take minutes of every `cargo xtask test`.

mod programs;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::{apt, artifact, command, setup, suite::Outcome, tally::Tally, vm};

/// The bench.
const PIPELINE: &str = "pipeline";
/// Instructions may differ from the budget by this much, per cent. Two counts of the same
/// program differ by about 0.01 %.
const TOLERANCE: u64 = 2;
/// The functions that count, in `bench/src/main.rs`.
const MEASURED: &str = "pipeline::measured*";
/// Recordings with a budget of their own.
const RECORDINGS: [&str; 4] = [
    "nginx-php-fpm-attack",
    "nginx-php-fpm-benign",
    "php-files-attack",
    "python-gunicorn-benign",
];
/// What is made up with a budget of its own, and what the bench calls it: a busy host,
/// a thousand verdicts that are remembered and a thousand that are not.
const MADE: [(&str, &str); 3] = [
    ("busy-host", "busy"),
    ("verdicts-remembered", "hit"),
    ("verdicts-anew", "miss"),
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Count instructions instead of time, and compare with the budget
    #[arg(long)]
    callgrind: bool,
    /// Write the instructions counted as the new budget
    #[arg(long)]
    update: bool,
    /// Measure what each kernel program costs members and strangers, ns, as root
    #[arg(long, conflicts_with_all = ["callgrind", "update", "bench"])]
    programs: bool,
    /// Arguments for the bench itself, after `--`: recordings, `--records N`
    #[arg(last = true)]
    bench: Vec<OsString>,
}

pub(crate) fn task(args: &Args) -> Result<ExitCode> {
    setup::ensure()?;
    if args.programs {
        return programs::task();
    }
    if !(args.callgrind || args.update) {
        return timed(Command::new(timed_build()?).args(&args.bench));
    }
    apt::ensure(&["valgrind"], "counting instructions")?;
    let counted = count(&vm::program(PIPELINE)?)?;
    if args.update {
        return write(&counted).map(|()| ExitCode::SUCCESS);
    }
    let wrong = compare(&counted, &budget()?);
    for complaint in &wrong {
        eprintln!("bench: {complaint}");
    }
    Ok(if wrong.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The budget as a suite of `cargo xtask test`: one test for each recording, and for each
/// of [`MADE`].
pub(crate) fn suite() -> Result<Outcome> {
    apt::ensure(&["valgrind"], "counting instructions")?;
    let wrong = compare(&count(&vm::program(PIPELINE)?)?, &budget()?);
    let tally = Tally {
        passed: RECORDINGS.len() + MADE.len() - wrong.len(),
        failed: wrong.len(),
        failures: wrong.clone(),
        results: 1,
        ..Tally::default()
    };
    let failure = (!wrong.is_empty()).then(|| wrong.join("; "));
    Ok(Outcome {
        tally,
        failure,
        slowest: Vec::new(),
    })
}

/// Runs the bench; it fails when a gate is not reached, which its last lines say.
fn timed(bench: &mut Command) -> Result<ExitCode> {
    command::run(bench).context("a gate was not reached, or the bench broke")?;
    Ok(ExitCode::SUCCESS)
}

/// What is timed.
fn timed_build() -> Result<PathBuf> {
    let mut cargo = command::cargo();
    cargo.args(["build", "--locked", "--release", "-p", "bench"]);
    artifact::find(artifact::build(&mut cargo)?, PIPELINE)
}

/// Instructions for each of [`RECORDINGS`] and [`MADE`].
///
/// Some hash maps are seeded with addresses, and where the stack begins depends on
/// variables and arguments: there are none of the first, and the names in the latter are
/// the same on every machine.
fn count(pipeline: &Path) -> Result<Vec<(&'static str, u64)>> {
    let directory = command::scratch()?.join("callgrind");
    fs::create_dir_all(&directory).with_context(|| format!("make {}", directory.display()))?;
    copy(pipeline, &directory.join(PIPELINE))?;
    let mut jobs = Vec::new();
    for name in RECORDINGS {
        let file = format!("{name}.rec");
        let golden = command::root().join("sensor/tests/golden").join(&file);
        copy(&golden, &directory.join(&file))?;
        jobs.push((name, vec![file]));
    }
    let made = MADE.iter();
    jobs.extend(made.map(|(name, made)| (*name, vec!["--made".to_owned(), (*made).to_owned()])));
    side_by_side(&directory, &jobs)
}

/// Counts as many at once as there are processors: what is counted hangs on none of it.
fn side_by_side(
    directory: &Path,
    jobs: &[(&'static str, Vec<String>)],
) -> Result<Vec<(&'static str, u64)>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mine = std::iter::from_fn(|| jobs.get(next.fetch_add(1, Ordering::Relaxed)));
        mine.map(|(name, args)| Ok((*name, once(directory, name, args)?)))
            .collect::<Result<Vec<_>>>()
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let counted = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let joined = workers.into_iter().map(|it| {
            it.join()
                .unwrap_or_else(|_| bail!("a thread that counts instructions has failed"))
        });
        joined.collect::<Result<Vec<_>>>()
    });
    Ok(counted?.into_iter().flatten().collect())
}

/// Instructions that the bench takes for `name`.
fn once(directory: &Path, name: &str, args: &[String]) -> Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(format!("--toggle-collect={MEASURED}"))
        .args(["./pipeline", "--once"])
        .args(args);
    valgrind.env_clear().current_dir(directory);
    let instructions = instructions(&mut valgrind)?;
    eprintln!("bench: {name}: {instructions} instructions");
    Ok(instructions)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = fs::copy(from, to);
    copied
        .map(drop)
        .with_context(|| format!("copy {} to {}", from.display(), to.display()))
}

/// Runs callgrind; what it has counted.
fn instructions(valgrind: &mut Command) -> Result<u64> {
    let line = command::line(valgrind);
    eprintln!("+ {line}");
    let output = valgrind
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start {line}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{line}: {}\n{}", output.status, said.trim_end());
    }
    collected(&said).with_context(|| format!("no count in\n{said}"))
}

/// The number behind `Collected :`.
fn collected(said: &str) -> Option<u64> {
    let (_, number) = said.split_once("Collected : ")?;
    let number = number.split_whitespace().next()?.parse().ok()?;
    // Nothing collected means that the function has another name.
    (number > 0).then_some(number)
}

fn budget_file() -> PathBuf {
    command::root().join("bench/instructions.json")
}

fn budget() -> Result<Value> {
    let path = budget_file();
    let text = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("read {}", path.display()))
}

fn write(counted: &[(&'static str, u64)]) -> Result<()> {
    let entries = counted
        .iter()
        .map(|(name, count)| ((*name).to_owned(), json!(count)));
    let text = serde_json::to_string_pretty(&Value::Object(entries.collect()))?;
    let path = budget_file();
    fs::write(&path, text + "\n").with_context(|| format!("write {}", path.display()))
}

/// One sentence for each recording that is not within its budget.
fn compare(counted: &[(&'static str, u64)], budget: &Value) -> Vec<String> {
    let remedy = "`cargo xtask bench --update` after a change that is meant";
    let complaints = counted.iter().filter_map(|&(name, count)| {
        let Some(budget) = budget[name].as_u64() else {
            return Some(format!("{name} has no budget: {remedy}"));
        };
        let margin = budget / 100 * TOLERANCE;
        let what = if count > budget + margin {
            "more than"
        } else if count + margin < budget {
            "less than"
        } else {
            return None;
        };
        Some(format!(
            "{name} takes {count} instructions, {TOLERANCE} % {what} the budget of {budget}: {remedy}"
        ))
    });
    complaints.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_and_nothing_is_no_count() {
        assert_eq!(collected("==1== Collected : 398 \n"), Some(398));
        assert_eq!(collected("==1== Collected : 0\n"), None);
        assert_eq!(collected("==1== Events : Ir\n"), None);
    }

    #[test]
    fn a_bench_that_fails_is_a_failure() {
        let shell = |command| timed(Command::new("sh").args(["-c", command]));
        assert!(shell("exit 0").is_ok());
        let error = shell("echo gate: x: FAIL >&2; exit 1").unwrap_err();
        assert!(
            format!("{error:#}").contains("a gate was not reached"),
            "{error:#}"
        );
    }

    #[test]
    fn both_too_much_and_too_little_are_named() {
        let budget = json!({"a": 1_000, "b": 1_000, "c": 1_000});
        let counted = [("a", 1_020), ("b", 1_021), ("c", 979), ("d", 1)];
        let wrong = compare(&counted, &budget);
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert!(wrong[0].starts_with("b takes 1021 instructions, 2 % more than"));
        assert!(wrong[1].starts_with("c takes 979 instructions, 2 % less than"));
        assert!(wrong[2].starts_with("d has no budget"));
    }
}
