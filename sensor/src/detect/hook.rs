//! Which capture hooks a rule needs, told from its category, the acts it can match and
//! the fields it reads.
//!
//! Hooks go by the names that `probe` attaches them under; forks and exits, which every
//! rule needs, are left out.

use rsigma_parser::SigmaRule;

use super::{
    analysis::{self, Common},
    category::{ACTION, Category, Stream},
};
use crate::{event::FileAction, lineage::Role};

/// Hook of execs.
const EXEC: &str = "sched_process_exec";

/// Hooks of writes, as fields about who wrote a file need them.
const WRITES: &[&str] = &["open", "rename", "link", "symlink", "chmod"];

/// Fields whose value comes from other hooks than those of the act itself.
const REMEMBERED: &[(&str, &[&str])] = &[
    ("Destination.NewPort", &["connect"]),
    ("Exec.PreloadWritten", WRITES),
    ("Exec.WrittenAge", WRITES),
    ("Exec.WrittenByService", WRITES),
    ("Exec.WrittenBySame", WRITES),
    ("Lineage.DropUse", WRITES),
    ("Lineage.ServiceCron", WRITES),
    ("Service.JndiConnect", &["connect"]),
    ("Target.DroppedPage", WRITES),
    ("Target.Place", &["open"]),
    ("Target.WrittenAge", WRITES),
    ("Target.WrittenByService", WRITES),
    ("Target.WrittenBySame", WRITES),
];

/// What a rule needs of capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// Each of these brings it events; without all of them it is off.
    pub events: Vec<&'static str>,
    /// What these remember is read by it; without them it matches less.
    pub memory: Vec<&'static str>,
}

/// The hooks of a rule.
pub(super) fn hooks(category: Category, sigma: &SigmaRule) -> Hooks {
    let fields = analysis::fields(sigma);
    let asks = fields.iter().any(|field| field == ACTION);
    let seen = Stream::ALL
        .iter()
        .filter(|stream| stream.category() == category && (asks || !stream.is_extra()))
        .filter(|stream| possible(sigma, **stream));
    let mut hooks = Hooks {
        events: seen.map(|stream| hook(*stream)).collect(),
        memory: Vec::new(),
    };
    hooks.events.dedup();
    for (field, needed) in REMEMBERED {
        if fields.iter().any(|read| read == field) {
            hooks.memory.extend_from_slice(needed);
        }
    }
    hooks.memory.sort_unstable();
    hooks.memory.dedup();
    hooks.memory.retain(|hook| !hooks.events.contains(hook));
    hooks
}

/// It may match an act of this stream under some role.
fn possible(sigma: &SigmaRule, stream: Stream) -> bool {
    let roles = Role::ALL.into_iter().map(|role| Some(role.name()));
    roles.chain([None]).any(|role| {
        let action = stream.action();
        !analysis::excludes(sigma, Common { role, action })
    })
}

/// Name of the hook an act comes from.
const fn hook(stream: Stream) -> &'static str {
    match stream {
        Stream::Exec | Stream::Outlive | Stream::Lose => EXEC,
        Stream::File(FileAction::Write | FileAction::Read) => "open",
        Stream::File(FileAction::Rename | FileAction::Exchange) => "rename",
        Stream::File(FileAction::Link) => "link",
        Stream::File(FileAction::Symlink) => "symlink",
        Stream::File(FileAction::Chmod) => "chmod",
        Stream::Connect => "connect",
    }
}
