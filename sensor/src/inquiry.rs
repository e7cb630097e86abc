//! Facts about files that alerts name, asked for after the alert: it never waits for them.
//!
//! Each file once for an incident. An executable is asked about at once, since its process
//! may end; a file that was written a little later, when its content is there. Answers
//! become one notice of the incident. Bounded; what is not answered is forgotten.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use bstr::ByteSlice as _;

use crate::{
    alert::Inquest,
    detect::{Examine, Examined, FileRole},
    event::{FileAction, ProcessId},
    lineage::{Act, Subject},
};

/// Questions that wait to be asked, and that wait for an answer, each.
pub const WAITING: usize = 1_024;
/// How long after the act a written file is looked at, ns.
pub const WRITTEN_NS: u64 = 2_000_000_000;
/// How long an answer is waited for, ns.
const PATIENCE_NS: u64 = 60_000_000_000;
/// Files remembered as asked about, in all incidents together; then all are forgotten.
const ASKED: usize = 16_384;

/// See the module.
#[derive(Debug, Default)]
pub struct Inquiry {
    /// Hashes of incident and path: a path's length must cost nothing.
    asked: BTreeSet<u64>,
    /// By the time when they are to be asked.
    later: VecDeque<(u64, Examine)>,
    /// By number, with what the notice will need.
    open: BTreeMap<u64, (u64, Inquest)>,
    number: u64,
}

impl Inquiry {
    /// An alert was raised: what is to be asked now. The rest is asked by
    /// [`Inquiry::tick`].
    pub fn begin(&mut self, subject: &Subject, inquest: &Inquest) -> Vec<Examine> {
        let now_ns = subject.stamp.time_ns;
        let mut now = Vec::new();
        for (role, path, file) in files(subject) {
            let key = hash(&inquest.incident, path);
            let full = self.open.len() >= WAITING || self.later.len() >= WAITING;
            if full || self.asked.contains(&key) {
                continue;
            }
            if self.asked.len() >= ASKED {
                self.asked.clear();
            }
            self.asked.insert(key);
            self.number += 1;
            self.open.insert(
                self.number,
                (now_ns.saturating_add(PATIENCE_NS), inquest.clone()),
            );
            let examine = Examine {
                number: self.number,
                role,
                path: path.into(),
                file,
                processes: witnesses(subject),
                mount_ns: mount_ns(subject),
            };
            if role == FileRole::Written {
                let due_ns = now_ns.saturating_add(WRITTEN_NS);
                self.later.push_back((due_ns, examine));
            } else {
                now.push(examine);
            }
        }
        now
    }

    /// What is to be asked by now; forgets what was not answered.
    pub fn tick(&mut self, now_ns: u64) -> Vec<Examine> {
        let mut due = Vec::new();
        while let Some((_, examine)) = self.later.pop_front_if(|(due_ns, _)| *due_ns <= now_ns) {
            due.push(examine);
        }
        // Numbers and deadlines rise together, but for acts that come late.
        while let Some(first) = self.open.first_entry()
            && first.get().0 <= now_ns
        {
            first.remove();
        }
        due
    }

    /// The alert that an answer belongs to.
    pub fn answered(&mut self, examined: &Examined) -> Option<Inquest> {
        let (_, inquest) = self.open.remove(&examined.number)?;
        Some(inquest)
    }
}

fn hash(incident: &str, path: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (incident, path).hash(&mut hasher);
    hasher.finish()
}

type Wanted<'s> = (FileRole, &'s [u8], Option<crate::event::FileId>);

/// The files that an act is about.
fn files(subject: &Subject) -> Vec<Wanted<'_>> {
    let program = &subject.program;
    match &subject.act {
        Act::Exec => {
            let image = &program.image;
            let mut files = vec![(FileRole::Executable, &image.path[..], Some(image.file))];
            let script = program.script().filter(|script| script.starts_with(b"/"));
            files.extend(script.map(|script| (FileRole::Script, script.as_bytes(), None)));
            files.retain(|(_, path, _)| !path.is_empty());
            files
        }
        Act::File(file) if file.action == FileAction::Read || file.path.is_empty() => Vec::new(),
        Act::File(file) => {
            let inode = file.inode.map(|inode| inode.file);
            vec![(FileRole::Written, &file.path[..], inode)]
        }
        Act::Socket(_) | Act::Outlive | Act::Lose(_) => Vec::new(),
    }
}

/// Processes through whose root the path can be followed: itself, then its service.
fn witnesses(subject: &Subject) -> Vec<ProcessId> {
    let service = subject.service.as_ref().map(|service| service.id);
    let mut witnesses = vec![subject.process];
    witnesses.extend(service.filter(|&service| service != subject.process));
    witnesses
}

fn mount_ns(subject: &Subject) -> u32 {
    match &subject.act {
        Act::File(file) => file.mount_ns,
        _ => subject.program.ns.mount,
    }
}
