//! Forks, execs and exits: each that was done was seen once, and no other was seen.

use std::collections::{BTreeMap, BTreeSet};

use sensor::event::{Args, Event, Exec as Seen, ExitStatus, Fork as SeenFork};
use sensor_common::limit::{ARGS_HEAD, ARGS_TAIL};

use super::{field, subject, who};
use crate::{
    harness::Run,
    ledger::{self, Argv, Exec, Line, Who},
};

/// What was seen of a service, by process, in the order of the stream.
#[derive(Default)]
pub(super) struct View<'a> {
    forks: BTreeMap<Who, Vec<&'a SeenFork>>,
    execs: BTreeMap<Who, Vec<&'a Seen>>,
    exits: BTreeMap<Who, Vec<i32>>,
}

impl<'a> View<'a> {
    pub(super) fn new(run: &'a Run) -> Self {
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
                Event::File(_) | Event::Socket(_) | Event::Lost(_) => {}
            }
        }
        view
    }

    /// Compares; `missing` counts what was done and not seen at all.
    pub(super) fn compare(&self, run: &Run, differences: &mut Vec<String>, missing: &mut u64) {
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
                Line::File(_) | Line::Socket(_) | Line::Skip { .. } | Line::Done => {}
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
pub(super) fn argv(args: &Args) -> Argv {
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
