//! Ledger against events, field by field, both ways: what was done must have been seen,
//! and what was seen must have been done.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use sensor::event::{Event, Exec as Seen, ExitStatus, Fork as SeenFork, Membership, ProcessId};
use sensor_common::limit::{ARGS_HEAD, ARGS_TAIL};
use serde::Serialize;

use crate::{
    harness::Run,
    ledger::{self, Argv, Exec, Line, Who},
    program::Program,
};

/// Whether the sensor reports files yet: see `files` below.
pub(crate) const FILES: bool = false;
/// Nanoseconds of a clock tick, in which /proc gives start times.
const TICK_NS: u64 = 10_000_000;
/// Differences shown for one program.
const SHOWN: usize = 8;

/// How a program fared.
#[derive(Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub(crate) enum Verdict {
    Pass,
    Fail { detail: Vec<String> },
    Skip { reason: String },
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
        Event::Lost(_) => (ProcessId::new(0, 0), None),
    }
}

fn who(process: ProcessId) -> Who {
    Who {
        pid: process.tgid,
        start: process.start_ns / TICK_NS,
    }
}

/// What was seen of a service, by process, in the order of the stream.
#[derive(Default)]
struct View<'a> {
    forks: BTreeMap<Who, Vec<&'a SeenFork>>,
    execs: BTreeMap<Who, Vec<&'a Seen>>,
    exits: BTreeMap<Who, Vec<i32>>,
}

pub(crate) fn compare(program: &Program, run: &Run) -> Verdict {
    if let Some(reason) = skipped(run) {
        return Verdict::skip(reason);
    }
    let mut differences = Vec::new();
    if !run.ledger.iter().any(|line| matches!(line, Line::Done)) {
        differences.push("the program did not come to its end".to_owned());
    }
    let view = View::new(run);
    let mut missing = 0;
    view.lifecycle(run, &mut differences, &mut missing);
    if let Err(error) = losses(program, run, missing) {
        differences.push(format!("{error:#}"));
    }
    if differences.is_empty() {
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
    match (program.name, missing) {
        ("flood", 0) => bail!("nothing was lost: the flood is too small to tell anything"),
        ("flood", _) | (_, 0) => Ok(()),
        (_, missing) => bail!("{missing} records were lost"),
    }
}

impl<'a> View<'a> {
    fn new(run: &'a Run) -> Self {
        let mut view = Self::default();
        for event in &run.events {
            let (process, membership) = subject(event);
            if membership.is_none_or(|member| member.root.tgid != run.root) {
                continue;
            }
            let who = who(process);
            match event {
                Event::Fork(fork) => view.forks.entry(who).or_default().push(fork),
                Event::Exec(exec) => view.execs.entry(who).or_default().push(exec),
                Event::Exit(exit) => {
                    let status = match exit.status {
                        ExitStatus::Code(code) => i32::from(code) << 8,
                        ExitStatus::Signal(signal) => i32::from(signal),
                    };
                    view.exits.entry(who).or_default().push(status);
                }
                Event::Lost(_) => {}
            }
        }
        view
    }

    /// Compares; `missing` counts what was done and not seen at all.
    fn lifecycle(&self, run: &Run, differences: &mut Vec<String>, missing: &mut u64) {
        let mut execs: BTreeMap<Who, Vec<&Exec>> = BTreeMap::new();
        let mut known = BTreeSet::new();
        let flooded = run.ring_full > 0;
        let mut miss = |what: String, differences: &mut Vec<String>| {
            *missing += 1;
            if !flooded {
                differences.push(format!("not seen: {what}"));
            }
        };
        for line in &run.ledger {
            match line {
                Line::Fork {
                    who,
                    creator,
                    parent,
                } => {
                    known.insert(*who);
                    match self.forks.get(who).map(Vec::as_slice) {
                        Some([seen]) => forks(*who, *creator, *parent, seen, differences),
                        Some(seen) => differences.push(format!("{} forks of {who:?}", seen.len())),
                        None => miss(format!("fork of {who:?}"), differences),
                    }
                }
                Line::Exec(exec) => {
                    known.insert(exec.who);
                    execs.entry(exec.who).or_default().push(exec);
                }
                Line::Exit { who, status } => match self.exits.get(who).map(Vec::as_slice) {
                    Some([seen]) => field("status", who, &(status & 0xff7f), seen, differences),
                    Some(seen) => differences.push(format!("{} exits of {who:?}", seen.len())),
                    None => miss(format!("exit of {who:?}"), differences),
                },
                Line::File(_) | Line::Skip { .. } | Line::Done => {}
            }
        }
        for (who, done) in &execs {
            let seen = self.execs.get(who).map_or(&[][..], Vec::as_slice);
            for exec in done.iter().skip(seen.len()) {
                miss(format!("exec of {who:?}: {}", exec.filename), differences);
            }
            for (done, seen) in done.iter().zip(seen) {
                images(done, seen, differences);
            }
        }
        self.invented(&known, &execs, flooded, differences);
    }

    /// What was seen and not done; and each process that was seen ends exactly once.
    fn invented(
        &self,
        known: &BTreeSet<Who>,
        execs: &BTreeMap<Who, Vec<&Exec>>,
        flooded: bool,
        differences: &mut Vec<String>,
    ) {
        for (who, seen) in &self.execs {
            let done = execs.get(who).map_or(0, Vec::len);
            for exec in seen.iter().skip(done) {
                let path = &exec.program.image.path;
                differences.push(format!("seen, not done: exec of {who:?}: {path}"));
            }
        }
        for who in self.forks.keys().filter(|who| !known.contains(*who)) {
            differences.push(format!("seen, not done: fork of {who:?}"));
        }
        for who in known.iter().filter(|_| !flooded) {
            let exits = self.exits.get(who).map_or(0, Vec::len);
            if exits != 1 {
                differences.push(format!("{exits} exits of {who:?}"));
            }
        }
    }
}

fn forks(child: Who, creator: Who, parent: Who, seen: &SeenFork, differences: &mut Vec<String>) {
    field("creator", &child, &creator, &who(seen.creator), differences);
    field("parent", &child, &parent, &who(seen.parent), differences);
}

/// An image the program knows and the one that was seen.
fn images(done: &Exec, seen: &Seen, differences: &mut Vec<String>) {
    let program = &seen.program;
    let image = &program.image;
    let subject = done.who;
    let mut same = |name, done: &dyn std::fmt::Debug, seen: &dyn std::fmt::Debug| {
        let (done, seen) = (format!("{done:?}"), format!("{seen:?}"));
        field(name, &subject, &done, &seen, differences);
    };
    let file = ledger::FileId {
        dev: image.file.dev,
        ino: image.file.ino,
    };
    same("file", &done.file, &file);
    same("links", &done.nlink, &u64::from(image.nlink));
    same("argv", &done.argv, &argv(&program.args));
    same("filename", &done.filename, &program.filename.to_string());
    same("uid", &done.uid, &program.cred.uid);
    if let Some(path) = &done.path {
        same("path", path, &image.path.to_string());
    }
    if let Some(interp) = &done.interp {
        same("interp", interp, &program.interp.to_string());
    }
    same("unlinked", &(done.nlink == 0), &image.unlinked);
}

/// argv as it was seen, in the ledger's numbers.
fn argv(args: &sensor::event::Args) -> Argv {
    let join = |parts: &[_]| -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in parts {
            bytes.extend_from_slice(AsRef::<[u8]>::as_ref(part));
            bytes.push(0);
        }
        bytes
    };
    let mut bytes = join(&args.head);
    if args.truncated {
        // The last of the head may be cut, the last of the tail is whole.
        bytes.resize(ARGS_HEAD, 0);
        let tail = join(&args.tail);
        bytes.extend_from_slice(&tail[tail.len().saturating_sub(ARGS_TAIL)..]);
    }
    Argv {
        total: args.total,
        argc: u64::from(args.argc),
        hash: ledger::fnv(&bytes),
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
