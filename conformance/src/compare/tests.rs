//! The harness must notice: a matching stream passes, and each kind of lie is told.

use std::sync::Arc;

use sensor::event::{Exec, Exit, ExitStatus, Faults, File, Fork, Image, Inode, Program as Runs};
use sensor_common::record::{FileAction, PathSource};

use super::*;
use crate::{
    ledger::{self, Argv, FileId, FileKind},
    program::ALL,
};

const ROOT: ProcessId = ProcessId::new(7, 7 * TICK_NS);
const CHILD: ProcessId = ProcessId::new(8, 8 * TICK_NS + 5);
const MEMBER: Option<Membership> = Some(Membership {
    root: ROOT,
    depth: 1,
});

/// A fork, an exec and an exit, as done and as seen.
fn run() -> Run {
    let (root, child) = (who(ROOT), who(CHILD));
    let file = FileId { dev: 3, ino: 4 };
    let exec = ledger::Exec {
        who: child,
        file,
        nlink: 1,
        argv: Argv::of_strings(&["sh", "-c"]),
        filename: "./sh".to_owned(),
        path: Some("/bin/sh".to_owned()),
        uid: 0,
        interp: None,
    };
    let fork = Line::Fork {
        who: child,
        creator: root,
        parent: root,
    };
    let exit = Line::Exit {
        who: child,
        status: 1 << 8,
    };
    Run {
        ledger: vec![fork, Line::Exec(exec), exit, Line::Done],
        events: vec![forked(ROOT), Event::Exec(executed()), exited()],
        lost: 0,
        ring_full: 0,
        root: ROOT.tgid,
    }
}

fn forked(creator: ProcessId) -> Event {
    Event::Fork(Fork {
        stamp: sensor::event::Stamp::default(),
        child: CHILD,
        membership: MEMBER,
        creator,
        creator_tid: creator.tgid,
        parent: ROOT,
        uid: 0,
    })
}

fn executed() -> Exec {
    let image = Image {
        path: "/bin/sh".into(),
        file: sensor::event::FileId { dev: 3, ino: 4 },
        nlink: 1,
        ..Image::default()
    };
    let program = Runs {
        image,
        filename: "./sh".into(),
        args: sensor::decode::args(b"sh\0-c\0", b"", 2, 6),
        ..Runs::default()
    };
    Exec {
        stamp: sensor::event::Stamp::default(),
        process: CHILD,
        membership: MEMBER,
        recognised: false,
        candidate: false,
        parent: ROOT,
        program: Arc::new(program),
    }
}

fn exited() -> Event {
    Event::Exit(Exit {
        stamp: sensor::event::Stamp::default(),
        process: CHILD,
        membership: MEMBER,
        status: ExitStatus::Code(1),
    })
}

/// What is told when the stream is as `change` leaves it; empty for a pass.
fn told(change: impl FnOnce(&mut Run)) -> String {
    let mut run = run();
    change(&mut run);
    let vfork = ALL.iter().find(|program| program.name == "vfork").unwrap();
    match compare(vfork, Rung::TpBtf, &run) {
        Verdict::Pass => String::new(),
        Verdict::Fail { detail } => detail.join("; "),
        Verdict::NotVisible | Verdict::Skip { .. } => "neither pass nor fail".to_owned(),
    }
}

fn lie(change: impl FnOnce(&mut Runs)) -> String {
    told(|run| {
        let mut exec = executed();
        change(Arc::make_mut(&mut exec.program));
        run.events[1] = Event::Exec(exec);
    })
}

#[test]
fn what_was_done_and_seen_passes() {
    assert_eq!(told(|_| ()), "");
}

#[test]
fn each_field_of_an_image_counts() {
    assert!(lie(|program| program.image.file.ino = 5).contains("file of"));
    assert!(lie(|program| program.image.file.dev = 5).contains("file of"));
    assert!(lie(|program| program.image.nlink = 0).contains("links of"));
    assert!(lie(|program| program.image.path = "/bin/ls".into()).contains("path of"));
    assert!(lie(|program| program.image.unlinked = true).contains("unlinked of"));
    assert!(lie(|program| program.filename = "sh".into()).contains("filename of"));
    assert!(lie(|program| program.cred.uid = 33).contains("uid of"));
    let args = || sensor::decode::args(b"sh\0-x\0", b"", 2, 6);
    assert!(lie(|program| program.args = args()).contains("argv of"));
}

#[test]
fn what_is_missing_invented_or_seen_twice_is_told() {
    for index in 0..3 {
        let missing = told(|run| drop(run.events.remove(index)));
        assert!(missing.contains("not seen: "), "{missing}");
        assert!(missing.contains("1 records are missing, 0 by their numbers"));
    }
    assert!(told(|run| run.events.push(Event::Exec(executed()))).contains("seen, not done"));
    assert!(told(|run| run.events.push(exited())).contains("2 exits"));
    assert!(told(|run| run.events[0] = forked(CHILD)).contains("creator of"));
    assert!(told(|run| drop(run.ledger.pop())).contains("did not come to its end"));
    assert!(told(|run| run.ring_full = 1).contains("1 by the counter"));
}

#[test]
fn events_of_others_are_not_looked_at() {
    let stranger = |event: &mut Exec| event.membership = None;
    let mut exec = executed();
    stranger(&mut exec);
    assert_eq!(told(|run| run.events.push(Event::Exec(exec))), "");
}

#[test]
fn long_arguments_are_known_by_their_ends() {
    let words: Vec<String> = (0..2_000).map(|number| number.to_string()).collect();
    let mut bytes = words.join("\0").into_bytes();
    bytes.push(0);
    let (head, tail) = (&bytes[..2_048], &bytes[bytes.len() - 1_024..]);
    let seen = sensor::decode::args(head, tail, 2_000, bytes.len() as u64);
    let done = Argv::of_strings(&words);
    assert_eq!(lifecycle::argv(&seen), done);
    let lie = sensor::decode::args(head, &tail.to_ascii_uppercase()[1..], 2_000, 8_890);
    assert_ne!(lifecycle::argv(&lie), done);
}

fn opened(path: &str, ino: u64) -> Event {
    let inode = Inode {
        file: sensor::event::FileId { dev: 3, ino },
        mode: 0o100_600,
        ..Inode::default()
    };
    Event::File(Arc::new(File {
        stamp: sensor::event::Stamp::default(),
        process: CHILD,
        membership: MEMBER,
        action: FileAction::Write,
        path: path.into(),
        source: PathSource::Object,
        other: None,
        inode: Some(inode),
        created: true,
        argument: 0,
        class: 0,
        in_watched_directory: false,
        attempt: false,
        io_uring: false,
        written: None,
        actor: None,
        uid: 0,
        euid: 0,
        mount_ns: 0,
        rung: Rung::Fentry,
        faults: Faults::default(),
    }))
}

#[test]
fn acts_on_files_are_compared_both_ways() {
    let did = |path: &str| {
        Line::File(ledger::File {
            who: who(CHILD),
            kind: FileKind::Open,
            path: Some(path.to_owned()),
            other: None,
            id: Some(FileId { dev: 3, ino: 9 }),
            mode: 0o100_600,
            before: None,
            created: Some(true),
        })
    };
    let outcome = |line: Line, events: Vec<Event>| {
        let mut run = run();
        run.ledger.push(line);
        run.events.extend(events);
        let mut differences = Vec::new();
        let unseen = file::compare(&run, &mut differences);
        (unseen.len(), differences.join("; "))
    };
    assert_eq!(
        outcome(did("/a"), vec![opened("/a", 9)]),
        (0, String::new())
    );
    assert!(
        outcome(did("/a"), vec![opened("/b", 9)])
            .1
            .contains("path of")
    );
    assert_eq!(outcome(did("/a"), Vec::new()).0, 1);
    let (unseen, told) = outcome(did("/a"), vec![opened("/a", 8)]);
    assert!(unseen == 1 && told.contains("seen, not done"), "{told}");
    let twice = outcome(did("/a"), vec![opened("/a", 9), opened("/a", 9)]);
    assert!(twice.1.contains("seen, not done"));
}
