//! What was done with sockets: each listen and each connect was seen once, with both ends.

use sensor::{
    event::{Event, Socket as Seen},
    probe::Rung,
};
use sensor_common::record::SocketAction;

use super::{field, who};
use crate::{
    harness::Run,
    ledger::{Line, Socket, SocketKind},
};

const fn action(kind: SocketKind) -> SocketAction {
    match kind {
        SocketKind::Connect => SocketAction::Connect,
        SocketKind::Listen => SocketAction::Listen,
    }
}

/// Compares. Connects belong to the rungs of files, which `files` says are in question;
/// listening has those of processes.
pub(super) fn compare(run: &Run, rung: Rung, files: bool, differences: &mut Vec<String>) {
    let asked = |action| files || action == SocketAction::Listen;
    let mut left: Vec<&Seen> = run
        .events
        .iter()
        .filter_map(|event| of(run, event))
        .filter(|seen| asked(seen.action))
        .collect();
    for line in &run.ledger {
        let Line::Socket(done) = line else { continue };
        if !asked(action(done.kind)) {
            continue;
        }
        match left.iter().position(|seen| is_same(done, seen)) {
            Some(index) => fields(done, left.remove(index), rung, differences),
            None => differences.push(format!("not seen: {done:?}")),
        }
    }
    differences.extend(left.iter().map(|seen| format!("seen, not done: {seen:?}")));
}

/// Below the program's root.
fn of<'a>(run: &Run, event: &'a Event) -> Option<&'a Seen> {
    let Event::Socket(seen) = event else {
        return None;
    };
    let member = seen.membership?;
    (member.root.tgid == run.root).then_some(seen)
}

/// The same act, in the order of the stream.
fn is_same(done: &Socket, seen: &Seen) -> bool {
    who(seen.process) == done.who && seen.action == action(done.kind)
}

fn fields(done: &Socket, seen: &Seen, rung: Rung, differences: &mut Vec<String>) {
    let subject = (done.kind, done.who.pid);
    let mut same = |name, done: &dyn std::fmt::Debug, seen: &dyn std::fmt::Debug| {
        let (done, seen) = (format!("{done:?}"), format!("{seen:?}"));
        field(name, &subject, &done, &seen, differences);
    };
    same("protocol", &done.protocol, &seen.protocol);
    same("remote", &done.remote, &seen.remote);
    same("uid", &done.uid, &seen.uid);
    same("network namespace", &done.net_ns, &seen.net_ns);
    let connect = matches!(done.kind, SocketKind::Connect);
    same("attempt", &(connect && rung == Rung::Lsm), &seen.attempt);
    if !seen.attempt {
        same("result", &done.result, &seen.result);
        if let Some(local) = done.local {
            same("local", &local, &seen.local);
        }
    }
    // The hooks of listening and of permission have no descriptor, only the socket.
    let knows = connect && rung != Rung::Lsm;
    same("fd", &knows.then_some(done.fd), &seen.fd);
}
