//! `cargo xtask conformance`: what programs did against what the sensor saw, as a table
//! of program, kernel and rung.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    process::{ExitCode, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{
    command, setup,
    tally::Tally,
    vm::{self, Answer},
};

/// The task in a virtual machine: everything.
pub(crate) const IN_VM: &str = "run --vm --dir /tmp";
/// This machine's kernel.
pub(crate) const HOST: &str = "host";

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask conformance\n  \
    cargo xtask conformance --kernel 6.1 --rung raw_tp\n  \
    cargo xtask conformance --only vfork --only thread_exec")]
pub(crate) struct Args {
    /// Kernel: this machine's, or one in emulation
    #[arg(long, default_value = HOST, value_parser = [HOST, vm::KERNELS[0], vm::KERNELS[1]])]
    kernel: String,
    /// Only this rung (default: each)
    #[arg(long)]
    rung: Option<String>,
    /// Only this program; can be repeated (`conformance list` names them)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
}

pub(crate) fn task(args: &Args) -> Result<ExitCode> {
    setup::ensure()?;
    let mut words = Vec::new();
    for (flag, values) in [
        ("--rung", args.rung.as_slice()),
        ("--only", args.only.as_slice()),
    ] {
        words.extend(
            values
                .iter()
                .flat_map(|value| [flag.to_owned(), value.clone()]),
        );
    }
    let mut table = Table::default();
    if args.kernel == HOST {
        table.add(HOST, &on_host(&words)?)?;
    } else {
        let task = [vec![IN_VM.to_owned()], words].concat().join(" ");
        for answer in vm::run(&args.kernel, &[task])? {
            table.add(&args.kernel, &answer)?;
        }
    }
    Ok(if table.finish()? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Refuses where the programs cannot run on `kernel` at all, saying why.
pub(crate) fn ready(kernel: &str) -> Result<()> {
    if kernel == HOST {
        command::as_root("true").map(drop)
    } else {
        vm::ready()
    }
}

/// Every program on every rung of `kernel`, and what its verifier says.
pub(crate) fn all(kernel: &str) -> Result<(Answer, Answer)> {
    let verifier = "verifier".to_owned();
    if kernel == HOST {
        return Ok((on_host(&[])?, host_task(&[verifier])?));
    }
    let mut answers = vm::run(kernel, &[IN_VM.to_owned(), verifier])?.into_iter();
    match (answers.next(), answers.next()) {
        (Some(programs), Some(costs)) => Ok((programs, costs)),
        _ => bail!("kernel {kernel} did not answer both tasks"),
    }
}

/// Runs the programs on this machine, as root.
pub(crate) fn on_host(words: &[String]) -> Result<Answer> {
    host_task(&[&["run".to_owned()], words].concat())
}

/// Runs one task of the static `conformance` on this machine, as root.
pub(crate) fn host_task(words: &[String]) -> Result<Answer> {
    let mut run = command::as_root(vm::program(vm::CONFORMANCE)?)?;
    run.args(words);
    let line = command::line(&run);
    eprintln!("+ {line}");
    let mut child = run
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {line}"))?;
    let stdout = child.stdout.take().context("no standard output")?;
    let lines: std::io::Result<_> = BufReader::new(stdout).lines().collect();
    let status = child.wait().with_context(|| format!("wait for {line}"))?;
    Ok(Answer {
        lines: lines.context("read the answer")?,
        code: status.code().unwrap_or(-1),
    })
}

/// How one program fared on one kernel and rung.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cell {
    Pass,
    Fail,
    NotVisible,
    Skip,
}

impl Cell {
    const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::NotVisible => "not visible",
            Self::Skip => "skip",
        }
    }
}

/// All answers so far.
#[derive(Default)]
pub(crate) struct Table {
    /// `kernel/rung`, in the order of coming.
    columns: Vec<String>,
    /// Programs in the order of coming, with a cell for some columns.
    programs: Vec<String>,
    cells: BTreeMap<(String, String), Cell>,
    /// What failed and how, and what was not looked at and why.
    failures: Vec<String>,
    skips: BTreeMap<String, String>,
}

impl Table {
    /// Takes the answer of one `conformance run`.
    pub(crate) fn add(&mut self, kernel: &str, answer: &Answer) -> Result<()> {
        let mut rows = 0;
        for line in &answer.lines {
            let row: Value = serde_json::from_str(line)
                .with_context(|| format!("{kernel} answered what is no row: {line}"))?;
            self.row(kernel, &row)
                .with_context(|| format!("a row of {kernel}: {line}"))?;
            rows += 1;
        }
        let failed = self
            .failures
            .iter()
            .any(|failure| failure.starts_with(kernel));
        if rows == 0 || answer.code != 0 && !failed {
            bail!(
                "conformance on {kernel} ended with {} after {rows} rows",
                answer.code
            );
        }
        Ok(())
    }

    fn row(&mut self, kernel: &str, row: &Value) -> Result<()> {
        let text = |key: &str| row[key].as_str().context("a field is missing");
        let (program, rung) = (text("program")?, text("rung")?);
        let cell = match text("verdict")? {
            "pass" => Cell::Pass,
            "not_visible" => Cell::NotVisible,
            "skip" => Cell::Skip,
            _ => Cell::Fail,
        };
        let column = format!("{kernel}/{rung}");
        if cell == Cell::Fail {
            let details = row["detail"].as_array().into_iter().flatten();
            let details: Vec<&str> = details.filter_map(Value::as_str).collect();
            self.failures
                .push(format!("{column} {program}: {}", details.join("; ")));
        } else if cell == Cell::Skip {
            let reason = row["reason"].as_str().unwrap_or_default();
            self.skips
                .insert(program.to_owned(), format!("{column}: {reason}"));
        }
        for (list, name) in [
            (&mut self.columns, &column),
            (&mut self.programs, &program.to_owned()),
        ] {
            if !list.contains(name) {
                list.push(name.clone());
            }
        }
        self.cells.insert((program.to_owned(), column), cell);
        Ok(())
    }

    fn count(&self, wanted: Cell) -> usize {
        self.cells.values().filter(|cell| **cell == wanted).count()
    }

    /// A program that passes on another kernel or rung is not skipped: this one just
    /// cannot do what the program does.
    fn skipped(&self) -> impl Iterator<Item = (&String, &String)> {
        self.skips.iter().filter(|(program, _)| {
            let mut cells = self.cells.iter().filter(|((name, _), _)| name == *program);
            !cells.any(|(_, cell)| *cell == Cell::Pass)
        })
    }

    /// What the table adds to a run of all tests.
    pub(crate) fn tally(&self) -> Tally {
        Tally {
            passed: self.count(Cell::Pass),
            failed: self.count(Cell::Fail),
            skipped: self
                .skipped()
                .map(|(program, why)| format!("conformance {program}: {why}"))
                .collect(),
            failures: self.failures.clone(),
            results: 1,
        }
    }

    /// Prints the table and its summary; `true` when nothing failed.
    pub(crate) fn finish(&self) -> Result<bool> {
        let mut out = std::io::stdout().lock();
        let mut say = |line: String| writeln!(out, "{}", line.trim_end()).context("write");
        let width = self.programs.iter().map(String::len).max().unwrap_or(0);
        let widths = self
            .columns
            .iter()
            .map(|column| column.len().max("not visible".len()));
        let widths: Vec<usize> = widths.collect();
        let row = |name: &str, cells: &[&str]| {
            let cells = cells.iter().zip(&widths);
            let cells: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            format!("{name:width$}  {}", cells.join("  "))
        };
        let heads: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        say(row("program", &heads))?;
        for program in &self.programs {
            let cell = |column: &String| self.cells.get(&(program.clone(), column.clone()));
            let cells = self
                .columns
                .iter()
                .map(|column| cell(column).map_or("-", |cell| cell.word()));
            say(row(program, &cells.collect::<Vec<_>>()))?;
        }
        for (program, why) in &self.skips {
            say(format!("skip: {program}: {why}"))?;
        }
        for failure in &self.failures {
            say(format!("FAIL: {failure}"))?;
        }
        say(format!(
            "conformance: {} passed, {} failed, {} not visible on their rung, {} skipped",
            self.count(Cell::Pass),
            self.count(Cell::Fail),
            self.count(Cell::NotVisible),
            self.count(Cell::Skip)
        ))?;
        Ok(self.failures.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(lines: &[&str], code: i32) -> Answer {
        Answer {
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            code,
        }
    }

    #[test]
    fn a_skip_counts_only_where_nothing_else_passes() {
        let mut table = Table::default();
        let rows = [
            r#"{"program":"a","rung":"x","verdict":"skip","reason":"no"}"#,
            r#"{"program":"b","rung":"x","verdict":"skip","reason":"no"}"#,
        ];
        table.add("host", &answer(&rows, 0)).unwrap();
        let rows = [r#"{"program":"a","rung":"x","verdict":"pass"}"#];
        table.add("6.1", &answer(&rows, 0)).unwrap();
        let tally = table.tally();
        assert_eq!((tally.passed, tally.failed), (1, 0));
        assert_eq!(tally.skipped, ["conformance b: host/x: no"]);
    }

    #[test]
    fn failures_and_sudden_ends_are_told() {
        let mut table = Table::default();
        let rows = [r#"{"program":"a","rung":"x","verdict":"fail","detail":["p","q"]}"#];
        table.add("host", &answer(&rows, 1)).unwrap();
        assert_eq!(table.tally().failures, ["host/x a: p; q"]);
        let mut table = Table::default();
        assert!(table.add("host", &answer(&[], 0)).is_err());
        let rows = [r#"{"program":"a","rung":"x","verdict":"pass"}"#];
        assert!(table.add("host", &answer(&rows, 101)).is_err());
        assert!(table.add("host", &answer(&["panic"], 0)).is_err());
    }
}
