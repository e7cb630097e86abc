//! What was done to files: each act was seen once, by the right process, with the file
//! the kernel resolved.

use sensor::event::{Event, File as Seen};
use sensor_common::record::{FileAction, PathSource};

use super::{field, who};
use crate::{
    harness::Run,
    ledger::{File, FileId, FileKind, Line},
};

const fn action(kind: FileKind) -> FileAction {
    match kind {
        FileKind::Open => FileAction::Write,
        FileKind::Rename => FileAction::Rename,
        FileKind::Exchange => FileAction::Exchange,
        FileKind::Link => FileAction::Link,
        FileKind::Symlink => FileAction::Symlink,
        FileKind::Chmod => FileAction::Chmod,
    }
}

/// Bits that `chmod` sets.
const BITS: u32 = 0o7777;

/// Compares; returns what was not seen at all.
pub(super) fn compare(run: &Run, differences: &mut Vec<String>) -> Vec<String> {
    let mut left: Vec<&Seen> = run
        .events
        .iter()
        .filter_map(|event| of(run, event))
        .collect();
    let mut unseen = Vec::new();
    for line in &run.ledger {
        let Line::File(done) = line else { continue };
        // In the order of the stream: one process may do the same to a file twice.
        let found = left.iter().position(|seen| is_same(done, seen));
        match found {
            Some(index) => fields(done, left.remove(index), differences),
            None => unseen.push(format!("not seen: {done:?}")),
        }
    }
    differences.extend(left.iter().map(|seen| {
        format!(
            "seen, not done: {:?} {} by {}",
            seen.action, seen.path, seen.process.tgid
        )
    }));
    unseen
}

/// A change made below the program's root; what is only read is no program's business.
fn of<'a>(run: &Run, event: &'a Event) -> Option<&'a Seen> {
    let Event::File(seen) = event else {
        return None;
    };
    let member = seen.membership?;
    (member.root.tgid == run.root && seen.action != FileAction::Read).then_some(seen)
}

fn id(seen: &Seen) -> Option<FileId> {
    let inode = seen.inode.as_ref()?;
    Some(FileId {
        dev: inode.file.dev,
        ino: inode.file.ino,
    })
}

/// The same act: by the file where the hook knows it, else by the path.
fn is_same(done: &File, seen: &Seen) -> bool {
    let same_file = match (done.id, id(seen)) {
        (Some(done), Some(seen)) => done == seen,
        _ => done.path.as_deref() == Some(&*seen.path.to_string()),
    };
    who(seen.process) == done.who && seen.action == action(done.kind) && same_file
}

fn fields(done: &File, seen: &Seen, differences: &mut Vec<String>) {
    let subject = (done.kind, done.who.pid);
    let mut same = |name, done: &dyn std::fmt::Debug, seen: &dyn std::fmt::Debug| {
        let (done, seen) = (format!("{done:?}"), format!("{seen:?}"));
        field(name, &subject, &done, &seen, differences);
    };
    if let Some(path) = &done.path {
        same("path", path, &seen.path.to_string());
    }
    if let Some(other) = &done.other {
        let seen = seen.other.as_ref().map(ToString::to_string);
        same("other path", other, &seen.unwrap_or_default());
    }
    if let Some(created) = done.created {
        same("created", &created, &seen.created);
    }
    if matches!(done.kind, FileKind::Chmod) {
        same(
            "mode asked for",
            &(done.mode & BITS),
            &(seen.argument & BITS),
        );
    }
    if let Some(inode) = &seen.inode {
        // What is only asked for has not come to pass.
        let mode = done.before.filter(|_| seen.attempt).unwrap_or(done.mode);
        same("mode", &mode, &inode.mode);
    }
    // A name may not be known to be a file yet, nor what io_uring is asked for where
    // requests are all there is to see; what has been opened is.
    let requested = seen.io_uring && seen.source == PathSource::Joined;
    if matches!(done.kind, FileKind::Open) && done.id.is_some() && !requested {
        same("file known", &true, &seen.inode.is_some());
    }
}
