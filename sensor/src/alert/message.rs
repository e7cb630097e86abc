//! The one sentence of an alert: who did what, through what, as whom, where.

mod act;

use super::{build::user_name, escape, finding::Host};
use crate::{
    event::Program,
    lineage::{Act, Ancestor, Part, Subject},
};

/// Bytes of JSON given to each name in the sentence: it stays below 1.5 KiB.
const NAME: usize = 160;
/// Programs named after "through".
const STEPS: usize = 3;

pub(super) fn message(subject: &Subject, host: &Host) -> String {
    let (deed, euid) = match &subject.act {
        Act::Exec => return exec(subject, host),
        Act::File(file) => (act::file(file), file.euid),
        Act::Socket(socket) => (act::socket(socket), socket.uid),
        Act::Lose(records) => {
            return format!(
                "the sensor lost {records} records while services ran: lineages may lack \
                 processes, and acts may have gone unseen"
            );
        }
        Act::Outlive => (act::OUTLIVES.to_owned(), subject.program.cred.euid),
    };
    let mut sentence = format!("{} {deed} as ", act::who(subject));
    sentence.push_str(&user(host, euid));
    sentence
}

fn user(host: &Host, uid: u32) -> String {
    user_name(&host.users, uid).unwrap_or_else(|| format!("uid {uid}"))
}

fn exec(subject: &Subject, host: &Host) -> String {
    let program = &*subject.program;
    let (actor, below) = actor(subject);
    let mut sentence = format!("{actor} ran {}", what(program));
    let steps = steps(below);
    if !steps.is_empty() {
        sentence.push_str(" through ");
        sentence.push_str(&enumerate(&steps));
    }
    sentence.push_str(" as ");
    sentence.push_str(&user(host, program.cred.euid));
    if !program.cwd.is_empty() {
        sentence.push_str(" in ");
        sentence.push_str(&name(&program.cwd));
    }
    sentence
}

/// The process that answers for the exec, and the lineage below it.
fn actor(subject: &Subject) -> (String, &[Ancestor]) {
    let lineage = &subject.lineage.ancestors[..];
    let above = lineage.split_last().map_or(&[][..], |(_, above)| above);
    let served = above
        .iter()
        .rposition(|ancestor| ancestor.part != Part::Descendant);
    if let (Some(service), Some(index)) = (&subject.service, served) {
        let process = &above[index];
        let part = match process.part {
            Part::Master => " master",
            Part::Worker => " worker",
            Part::Both | Part::Descendant => "",
        };
        let pid = process.id.tgid;
        return (
            format!("{}{part} (pid {pid})", service.kind.name()),
            &lineage[index + 1..],
        );
    }
    let below = &lineage[above.len()..];
    let Some(creator) = &subject.creator else {
        return (format!("process {}", subject.process.tgid), below);
    };
    let program = creator
        .program
        .as_ref()
        .map_or_else(Default::default, |it| name(it.image.name()));
    let program = if program.is_empty() {
        "process"
    } else {
        program.as_str()
    };
    (format!("{program} (pid {})", creator.id.tgid), below)
}

fn what(program: &Program) -> String {
    let mut what = name(&program.image.path);
    if what.is_empty() {
        what.push_str("an unknown program");
    }
    if program.image.unlinked {
        what.push_str(if program.image.is_memfd() {
            ", held in memory,"
        } else {
            ", deleted,"
        });
    }
    if let Some(script) = program.script() {
        what = format!("{} with {what}", name(script));
    } else if program.args.argc > 1 {
        what = format!("{what} ({})", name(&program.args.command_line()));
    }
    what
}

/// Programs exec'ed between the service and the process, the last image apart.
fn steps(below: &[Ancestor]) -> Vec<String> {
    let mut programs = below
        .iter()
        .flat_map(|ancestor| &ancestor.chain)
        .collect::<Vec<_>>();
    if below.last().is_some_and(|this| !this.chain.is_empty()) {
        programs.pop();
    }
    let mut steps = programs
        .iter()
        .map(|it| name(&it.image.path))
        .collect::<Vec<_>>();
    steps.dedup();
    steps
}

fn enumerate(steps: &[String]) -> String {
    let (named, more) = match steps.len() {
        count if count > STEPS => (&steps[..STEPS - 1], count - STEPS + 1),
        _ => (steps, 0),
    };
    match (named.split_last(), more) {
        (_, 1..) => format!("{} and {more} more", named.join(", ")),
        (Some((last, [])), _) => last.clone(),
        (Some((last, first)), _) => format!("{} and {last}", first.join(", ")),
        (None, _) => String::new(),
    }
}

fn name(bytes: &[u8]) -> String {
    let mut name = escape::escape(bytes).into_owned();
    escape::clip(&mut name, NAME);
    name
}
