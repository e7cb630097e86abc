//! `cargo xtask lab`: attacks and ordinary work on real servers, as a table.
//!
//! The cases and the sensor are in the live tests (`sensor/tests/live/lab`); this picks
//! them, shows what they print, and counts them for `cargo xtask test --full`.

use std::{
    io::{self, Write as _},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    apt,
    artifact::{self, Artifact},
    command, setup,
    suite::{self, Outcome},
    tally::Tally,
    test,
};

/// The test that is the lab.
pub(crate) const FILTER: &str = "lab::";
/// Begins the line that sums the lab up.
const SUM: &str = "lab: ";
/// First column of the table.
const HEAD: &str = "CASE ";

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask lab\n  \
    cargo xtask lab --only EV12\n  \
    cargo xtask lab --only B13 --stack mod_php\n  \
    cargo xtask lab --json | jq '.rows[] | select(.failure)'")]
pub(crate) struct Args {
    /// Only cases of this id: M01 to M21, EV01 to EV26, B01 to B28
    #[arg(long, value_name = "ID")]
    only: Option<String>,
    /// Only cases on stacks whose name contains this
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn task(args: &Args) -> Result<ExitCode> {
    setup::ensure()?;
    apt::ensure(&test::PACKAGES, "the lab")?;
    let live = build()?;
    let mut lab = test_of(&live, args)?;
    let output = lab
        .stderr(Stdio::inherit())
        .output()
        .context("run the lab")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let Some(report) = report(&said, args.json) else {
        io::stdout().write_all(&output.stdout).context("write")?;
        if let Some(why) = Tally::read(&said).skipped.first() {
            bail!("the lab cannot run here: {why}");
        }
        bail!("the lab did not come to its end: {}", output.status);
    };
    io::stdout().write_all(report.as_bytes()).context("write")?;
    Ok(if output.status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The lab as a suite of `cargo xtask test`: each case counts.
pub(crate) fn suite(live: &Artifact) -> Result<Outcome> {
    let everything = Args {
        only: None,
        stack: None,
        json: false,
    };
    let (outcome, said) = suite::listen(&mut test_of(live, &everything)?)?;
    Ok(match said.lines().find_map(counts) {
        Some((passed, failed)) => Outcome {
            tally: Tally {
                passed,
                failed,
                ..Tally::default()
            },
            ..outcome
        },
        None => outcome,
    })
}

fn build() -> Result<Artifact> {
    let mut cargo = command::cargo();
    cargo.args([
        "test", "--no-run", "--locked", "-p", "sensor", "--test", "live",
    ]);
    let built = artifact::build(&mut cargo)?;
    let mut live = built.into_iter().filter(suite::is_live);
    live.next().context("cargo built no live tests")
}

fn test_of(live: &Artifact, args: &Args) -> Result<Command> {
    let json = args.json.then(|| "1".to_owned());
    let variables = [
        ("ONLY", &args.only),
        ("STACK", &args.stack),
        ("JSON", &json),
    ];
    let variables = variables.into_iter().filter_map(|(name, value)| {
        let value = value.as_ref()?;
        Some(format!("LINEAGE_LAB_{name}={value}"))
    });
    let variables: Vec<String> = variables.collect();
    suite::command(live, &variables, &[FILTER.into()])
}

/// What the lab printed between its table's head and its last line; `None` when it did not
/// come so far.
fn report(said: &str, json: bool) -> Option<String> {
    let first = if json { "{" } else { HEAD };
    // libtest may have begun the line.
    let begin = said.lines().position(|line| line.contains(first))?;
    let lines = said.lines().skip(begin);
    let mut report = String::new();
    for line in lines {
        if json && !line.contains('{') {
            continue;
        }
        report += line.get(line.find(first).filter(|_| report.is_empty()).unwrap_or(0)..)?;
        report.push('\n');
        if json || line.starts_with(SUM) {
            return Some(report);
        }
    }
    None
}

/// Cases that passed and failed, of the line that sums up.
fn counts(line: &str) -> Option<(usize, usize)> {
    let sum = line.strip_prefix(SUM)?;
    let before = |word: &str| {
        let words: Vec<&str> = sum
            .split([' ', ',', ';', ':'])
            .filter(|it| !it.is_empty())
            .collect();
        let mut pairs = words.windows(2);
        // The last one: "alerted" is also what a benign case must not be.
        let found = pairs.rfind(|pair| matches!(pair, [_, is] if *is == word))?;
        found.first()?.parse::<usize>().ok()
    };
    let (attacks, missed) = (before("attacks")?, before("missed")?);
    let (silent, alerted, unproven) = (before("silent")?, before("alerted")?, before("unproven")?);
    let (known, otherwise) = (before("known")?, before("otherwise")?);
    let passed = attacks.checked_sub(missed)? + silent + known.checked_sub(otherwise)?;
    Some((passed, missed + alerted + unproven + otherwise))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "lab: 63 attacks: 60 alerted, 3 missed; 47 benign: 44 silent, 1 alerted, \
                        2 unproven; 4 known to alert: 1 otherwise; learned profile: silences 0 of \
                        63, and 5 of 5 cases that alert until they are learnt";

    #[test]
    fn the_last_line_is_counted() {
        assert_eq!(counts(LINE), Some((107, 7)));
        assert_eq!(counts("lab: nothing"), None);
        assert_eq!(counts("test result: ok. 1 passed"), None);
    }

    #[test]
    fn the_report_is_what_lies_between_head_and_sum() {
        let said =
            format!("\nrunning 1 test\ntest lab::x ... CASE  STACK\nM01   php\n{LINE}\nok\n");
        let expected = format!("CASE  STACK\nM01   php\n{LINE}\n");
        assert_eq!(report(&said, false), Some(expected));
        assert_eq!(report("running 1 test\nCASE  STACK\n", false), None);
        let said = format!("test lab::x ... {{\"rows\":[]}}\n{LINE}\n");
        assert_eq!(report(&said, true).as_deref(), Some("{\"rows\":[]}\n"));
    }
}
