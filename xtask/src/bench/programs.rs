//! `cargo xtask bench --programs`: ns of each kernel program for each kind of act, by a
//! member of a service and by a stranger, from the kernel's own counts (`bpf_stats`).

use std::{collections::BTreeMap, io::Write as _, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::conformance;

/// What `conformance cost` prints: see there.
#[derive(Debug, Deserialize, PartialEq)]
struct Row {
    work: String,
    member: bool,
    program: String,
    runs: f64,
    ns: f64,
    least: f64,
    most: f64,
}

pub(super) fn task() -> Result<ExitCode> {
    let answer = conformance::host_task(&["cost".to_owned()])?;
    if answer.code != 0 || answer.lines.is_empty() {
        bail!("conformance cost ended with {}", answer.code);
    }
    let rows: Vec<Row> = answer
        .lines
        .iter()
        .map(|line| serde_json::from_str(line).with_context(|| format!("no row: {line}")))
        .collect::<Result<_>>()?;
    let mut out = std::io::stdout().lock();
    write!(out, "{}", table(&rows)).context("write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

/// A line for each act and program: ns by a member and by a stranger.
fn table(rows: &[Row]) -> String {
    let mut lines: BTreeMap<(usize, &str), [Option<&Row>; 2]> = BTreeMap::new();
    let mut works: Vec<&str> = Vec::new();
    for row in rows {
        let work = works.iter().position(|work| *work == row.work);
        let work = work.unwrap_or_else(|| {
            works.push(&row.work);
            works.len() - 1
        });
        let cells = lines.entry((work, &row.program)).or_default();
        cells[usize::from(!row.member)] = Some(row);
    }
    let mut text = format!(
        "{:28} {:18} {:>28} {:>28}\n",
        "act", "program", "member, ns (least-most)", "stranger, ns (least-most)"
    );
    for ((work, program), [member, stranger]) in &lines {
        let line = format!(
            "{:28} {program:18} {:>28} {:>28}",
            works[*work],
            cell(*member),
            cell(*stranger)
        );
        text += &(line + "\n");
    }
    text
}

/// `1200 (1100-1500)`, with the runs of one act where it is not one.
fn cell(row: Option<&Row>) -> String {
    let Some(row) = row else {
        return "-".to_owned();
    };
    let ns = format!("{:.0} ({:.0}-{:.0})", row.ns, row.least, row.most);
    if row.runs.round() > 1.0 {
        format!("{:.0} x {ns}", row.runs)
    } else {
        ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(work: &str, member: bool, runs: f64) -> Row {
        Row {
            work: work.to_owned(),
            member,
            program: "open_syscall".to_owned(),
            runs,
            ns: 51.4,
            least: 40.0,
            most: 99.9,
        }
    }

    #[test]
    fn members_and_strangers_stand_side_by_side() {
        let table = table(&[
            row("write", true, 1.0),
            row("write", false, 1.0),
            row("read", false, 3.1),
        ]);
        let lines: Vec<Vec<&str>> = table
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            lines,
            [
                vec!["write", "open_syscall", "51", "(40-100)", "51", "(40-100)"],
                vec!["read", "open_syscall", "-", "3", "x", "51", "(40-100)"],
            ]
        );
    }
}
