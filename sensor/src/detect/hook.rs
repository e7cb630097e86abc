//! Which capture hooks a rule needs, told from its category, the acts it can match and
//! the fields it reads.
//!
//! Hooks go by the names that `probe` attaches them under; forks and exits, which every
//! rule needs, are left out.

use std::fmt;

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

impl Hooks {
    /// What becomes of the rule without the hooks `missing`.
    fn without(&self, missing: &[&str]) -> Option<Want> {
        let is_missing = |hook: &&&str| missing.contains(*hook);
        let lost = self.events.iter().filter(is_missing).count();
        if lost > 0 && lost == self.events.len() {
            Some(Want::Off)
        } else if lost > 0 || self.memory.iter().any(|hook| missing.contains(hook)) {
            Some(Want::Less)
        } else {
            None
        }
    }
}

enum Want {
    Off,
    Less,
}

/// Rules that want hooks which are not attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// The hooks that some rule wants.
    pub hooks: Vec<String>,
    /// Rules that never match.
    pub off: Vec<String>,
    /// Rules that miss some acts, or know less about them.
    pub less: Vec<String>,
}

impl Shortage {
    /// What `rules`, by name and needs, lose without `missing`; `None` when nothing.
    pub fn of<'a>(
        rules: impl IntoIterator<Item = (&'a str, &'a Hooks)>,
        missing: &[&str],
    ) -> Option<Self> {
        let mut shortage = Self {
            hooks: Vec::new(),
            off: Vec::new(),
            less: Vec::new(),
        };
        for (name, hooks) in rules {
            let list = match hooks.without(missing) {
                Some(Want::Off) => &mut shortage.off,
                Some(Want::Less) => &mut shortage.less,
                None => continue,
            };
            list.push(name.to_owned());
            let wanted = hooks.events.iter().chain(&hooks.memory);
            let wanted = wanted.filter(|hook| missing.contains(hook));
            shortage.hooks.extend(wanted.map(|&hook| hook.to_owned()));
        }
        shortage.hooks.sort_unstable();
        shortage.hooks.dedup();
        (!shortage.hooks.is_empty()).then_some(shortage)
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "without {}", self.hooks.join(", "))?;
        let lists = [(&self.off, "are off"), (&self.less, "match less")];
        let lists = lists.into_iter().filter(|(rules, _)| !rules.is_empty());
        for (index, (rules, how)) in lists.enumerate() {
            let between = if index == 0 { " " } else { "; " };
            write!(f, "{between}these rules {how}: {}", rules.join(", "))?;
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(events: &[&'static str], memory: &[&'static str]) -> Hooks {
        Hooks {
            events: events.to_vec(),
            memory: memory.to_vec(),
        }
    }

    #[test]
    fn a_missing_hook_names_the_rules_that_want_it() {
        let rules = [
            ("connects", rule(&["connect"], &[])),
            ("drops", rule(&["open", "rename"], &[])),
            ("runs", rule(&[EXEC], &["connect"])),
            ("spawns", rule(&[EXEC], &[])),
        ];
        let lost = |missing: &[&str]| {
            let rules = rules.iter().map(|(name, hooks)| (*name, hooks));
            Shortage::of(rules, missing).map(|shortage| shortage.to_string())
        };
        assert_eq!(lost(&[]), None);
        assert_eq!(lost(&["io_uring"]), None);
        assert_eq!(
            lost(&["rename", "connect", "io_uring"]).as_deref(),
            Some(
                "without connect, rename these rules are off: connects; these rules match less: \
                 drops, runs"
            )
        );
        assert_eq!(
            lost(&["rename"]).as_deref(),
            Some("without rename these rules match less: drops")
        );
        assert_eq!(
            lost(&["open", "rename"]).as_deref(),
            Some("without open, rename these rules are off: drops")
        );
    }
}
