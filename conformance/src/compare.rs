//! Ledger against events, field by field, both ways: what was done must have been seen,
//! and what was seen must have been done.

mod file;
mod lifecycle;
mod socket;
#[cfg(test)]
mod tests;

use anyhow::{Context as _, Result, bail};
use sensor::{
    event::{Event, Membership, ProcessId},
    probe::Rung,
};
use serde::Serialize;

use crate::{
    harness::Run,
    ledger::{Line, Who},
    program::Program,
    rung,
};

/// Nanoseconds of a clock tick, in which /proc gives start times.
const TICK_NS: u64 = 10_000_000;
/// Differences shown for one program.
const SHOWN: usize = 8;

/// How a program fared.
#[derive(Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub(crate) enum Verdict {
    Pass,
    Fail {
        detail: Vec<String>,
    },
    /// What kernel.md says cannot be seen on this rung.
    NotVisible,
    Skip {
        reason: String,
    },
}

impl Verdict {
    pub(crate) fn fail(mut detail: Vec<String>) -> Self {
        let more = detail.len().saturating_sub(SHOWN);
        detail.truncate(SHOWN);
        if more > 0 {
            detail.push(format!("and {more} more"));
        }
        Self::Fail { detail }
    }

    pub(crate) fn skip(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Skip { reason }
    }

    pub(crate) const fn is_failure(&self) -> bool {
        matches!(self, Self::Fail { .. })
    }
}

/// Reads a ledger.
pub(crate) fn parse(text: &str) -> Result<Vec<Line>> {
    text.lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("ledger line {line}")))
        .collect()
}

/// The process an event is about, and its membership.
pub(crate) fn subject(event: &Event) -> (ProcessId, Option<Membership>) {
    match event {
        Event::Fork(fork) => (fork.child, fork.membership),
        Event::Exec(exec) => (exec.process, exec.membership),
        Event::Exit(exit) => (exit.process, exit.membership),
        Event::File(file) => (file.process, file.membership),
        Event::Socket(socket) => (socket.process, socket.membership),
        Event::Lost(_) => (ProcessId::new(0, 0), None),
    }
}

fn who(process: ProcessId) -> Who {
    Who {
        pid: process.tgid,
        start: process.start_ns / TICK_NS,
    }
}

pub(crate) fn compare(program: &Program, rung: Rung, run: &Run) -> Verdict {
    if let Some(reason) = skipped(run) {
        return Verdict::skip(reason);
    }
    let mut differences = Vec::new();
    if !run.ledger.iter().any(|line| matches!(line, Line::Done)) {
        differences.push("the program did not come to its end".to_owned());
    }
    let mut missing = 0;
    lifecycle::View::new(run).compare(run, &mut differences, &mut missing);
    let mut invisible = false;
    if program.files {
        let unseen = file::compare(run, &mut differences);
        invisible = !unseen.is_empty() && rung::is_blind(program.name, rung);
        if program.flood {
            missing += unseen.len() as u64;
        } else if !invisible {
            differences.extend(unseen);
        }
    }
    socket::compare(run, rung, program.files, &mut differences);
    if let Err(error) = losses(program, run, missing) {
        differences.push(format!("{error:#}"));
    }
    if differences.is_empty() && invisible {
        Verdict::NotVisible
    } else if differences.is_empty() {
        Verdict::Pass
    } else {
        Verdict::fail(differences)
    }
}

fn skipped(run: &Run) -> Option<&str> {
    run.ledger.iter().find_map(|line| match line {
        Line::Skip { reason } => Some(reason.as_str()),
        _ => None,
    })
}

/// What is missing must be counted as lost, twice over; and it may be missing in a flood
/// alone, which must have been one.
fn losses(program: &Program, run: &Run, missing: u64) -> Result<()> {
    let (lost, full) = (run.lost, run.ring_full);
    if missing != lost || lost != full {
        bail!("{missing} records are missing, {lost} by their numbers, {full} by the counter");
    }
    match (program.flood, missing) {
        (true, 0) => bail!("nothing was lost: the flood is too small to tell anything"),
        (true, _) | (_, 0) => Ok(()),
        (false, missing) => bail!("{missing} records were lost"),
    }
}

fn field<T: PartialEq + std::fmt::Debug>(
    name: &str,
    subject: &dyn std::fmt::Debug,
    done: &T,
    seen: &T,
    differences: &mut Vec<String>,
) {
    if done != seen {
        differences.push(format!("{name} of {subject:?}: {done:?} seen as {seen:?}"));
    }
}
