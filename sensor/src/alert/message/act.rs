//! Sentences about files and connects.

use sensor_common::record::FileAction;

use super::{actor, enumerate, name, steps};
use crate::{
    detect::protocol_name,
    event::{File, Socket},
    lineage::{Part, Subject},
};

/// Who acts: a process of the service itself, or a program it started, or a stranger.
pub(super) fn who(subject: &Subject) -> String {
    let lineage = &subject.lineage.ancestors;
    let own = lineage.last();
    if let (Some(service), Some(own)) = (&subject.service, own)
        && own.part != Part::Descendant
    {
        let part = match own.part {
            Part::Master => " master",
            Part::Worker => " worker",
            Part::Both | Part::Descendant => "",
        };
        return format!("{}{part} (pid {})", service.kind.name(), own.id.tgid);
    }
    let mut program = name(subject.program.image.name());
    if program.is_empty() {
        "a process".clone_into(&mut program);
    }
    let mut who = format!("{program} (pid {})", subject.process.tgid);
    if subject.service.is_some() {
        let (actor, below) = actor(subject);
        who.push_str(", started by ");
        who.push_str(&actor);
        let steps = steps(below);
        if !steps.is_empty() {
            who.push_str(" through ");
            who.push_str(&enumerate(&steps));
        }
        who.push(',');
    }
    who
}

/// What a process does that goes on.
pub(super) const OUTLIVES: &str = "still runs, a minute after what spawned it has ended,";

pub(super) fn file(file: &File) -> String {
    let path = name(&file.path);
    let other = file.other.as_ref().map_or_else(String::new, |it| name(it));
    match file.action {
        FileAction::Write if file.creates() => format!("created {path}"),
        FileAction::Write => format!("opened {path} for writing"),
        FileAction::Read => format!("opened {path} for reading"),
        FileAction::Rename => format!("renamed {other} to {path}"),
        FileAction::Exchange => format!("exchanged {other} and {path}"),
        FileAction::Link => format!("gave {other} the further name {path}"),
        FileAction::Symlink => format!("made {path} a link to {other}"),
        FileAction::Chmod => format!(
            "changed the mode of {path} to {:04o}",
            file.argument & 0o7777
        ),
    }
}

pub(super) fn socket(socket: &Socket) -> String {
    let to = socket
        .remote
        .map_or_else(|| "an unknown address".to_owned(), |it| it.to_string());
    match protocol_name(socket.protocol) {
        Some(protocol) => format!("connected to {to} ({protocol})"),
        None => format!("connected to {to} (protocol {})", socket.protocol),
    }
}
