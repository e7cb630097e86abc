//! What was decided about each act, and why nothing was said: the last ten thousand
//! execs and fewer other acts, in memory, for `why-not`.
//!
//! One text of bounded length for each, so that nobody can fill memory with arguments.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use bstr::ByteSlice as _;
use serde_json::{Value, json};

use crate::{
    alert::{Alert, Level, RuleInfo},
    detect::{Silence, action_name},
    event::ProcessId,
    lineage::{Act, Subject},
    redact::Redactor,
};

/// Execs remembered.
pub const EXECS: usize = 10_000;
/// Other acts remembered: a busy site writes many files, which must not push out execs.
pub const OTHERS: usize = 2_000;
/// Bytes kept of an executable's or a file's path, its end; and of arguments, their begin.
const PATH: usize = 160;
const ARGS: usize = 200;
/// Decisions told of one pid, the latest.
const TOLD: usize = 100;
/// Rules named by one decision.
const NAMED: usize = 16;

/// What became of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It alerted: level, id of the alert.
    Alerted(Level, String),
    /// It matched and was left out, its spawn root having alerted by it too often: id of
    /// the incident.
    Folded(Level, String),
    /// It matched, or would have, and something silenced it: what, and in which words.
    Silenced(Silence, String),
    /// It waits for a fact; a later decision tells the end.
    Waits,
}

/// One rule of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Name of the rule; empty when it is about all.
    pub rule: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// One act, and what became of it.
#[derive(Clone, Debug)]
struct Decision {
    time_ns: u64,
    process: ProcessId,
    act: &'static str,
    service: &'static str,
    text: Box<[u8]>,
    verdicts: Vec<Verdict>,
}

/// The acts remembered.
#[derive(Debug, Default)]
pub struct Decisions {
    execs: VecDeque<Decision>,
    others: VecDeque<Decision>,
}

impl Decisions {
    /// Remembers what became of an act. Acts other than execs only when a rule has
    /// something to do with them.
    pub fn note(&mut self, subject: &Subject, mut verdicts: Vec<Verdict>) {
        let is_exec = subject.act == Act::Exec;
        if !is_exec && verdicts.is_empty() {
            return;
        }
        verdicts.truncate(NAMED);
        let (list, most) = if is_exec {
            (&mut self.execs, EXECS)
        } else {
            (&mut self.others, OTHERS)
        };
        if list.len() >= most {
            list.pop_front();
        }
        list.push_back(Decision::new(subject, verdicts));
    }

    /// What is remembered of a pid, as JSON, oldest first; and since when anything is.
    #[must_use]
    pub fn of(&self, pid: u32, redactor: &Redactor) -> Value {
        let all = self.execs.iter().chain(&self.others);
        let mut found: Vec<_> = all.filter(|it| it.process.tgid == pid).collect();
        found.sort_by_key(|it| it.time_ns);
        let told = found.len().saturating_sub(TOLD);
        let decisions: Vec<_> = found
            .iter()
            .skip(told)
            .map(|it| it.value(redactor))
            .collect();
        json!({
            "decisions": decisions,
            "elided": told,
            "remembered": self.execs.len() + self.others.len(),
            "since_ns": self.execs.front().map(|it| it.time_ns),
        })
    }
}

impl Decision {
    fn new(subject: &Subject, verdicts: Vec<Verdict>) -> Self {
        let (act, text) = text(subject);
        Self {
            time_ns: subject.stamp.time_ns,
            process: subject.process,
            act,
            service: subject.service.as_ref().map_or("", |it| it.kind.name()),
            text: text.into_boxed_slice(),
            verdicts,
        }
    }

    fn value(&self, redactor: &Redactor) -> Value {
        let verdicts: Vec<_> = self.verdicts.iter().map(Verdict::value).collect();
        json!({
            "time_ns": self.time_ns,
            "pid": self.process.tgid,
            "start_ns": self.process.start_ns,
            "act": self.act,
            "service": self.service,
            "what": line(&self.text, redactor),
            "verdicts": verdicts,
        })
    }
}

impl Verdict {
    /// A rule that alerted.
    #[must_use]
    pub fn alerted(rule: &RuleInfo, alert: &Alert) -> Self {
        Self {
            rule: rule.name.clone(),
            outcome: Outcome::Alerted(rule.level, alert.event.id.clone()),
        }
    }

    /// A rule that was left out, in this incident.
    #[must_use]
    pub fn folded(rule: &RuleInfo, incident: String) -> Self {
        Self {
            rule: rule.name.clone(),
            outcome: Outcome::Folded(rule.level, incident),
        }
    }

    /// Some rules wait for a fact.
    #[must_use]
    pub const fn waits() -> Self {
        Self {
            rule: String::new(),
            outcome: Outcome::Waits,
        }
    }

    fn value(&self) -> Value {
        let rule = &self.rule;
        match &self.outcome {
            Outcome::Alerted(level, id) => {
                json!({"rule": rule, "outcome": "alerted", "level": level, "alert": id})
            }
            Outcome::Folded(level, id) => {
                json!({"rule": rule, "outcome": "folded", "level": level, "incident": id})
            }
            Outcome::Silenced(silence, text) => {
                json!({"rule": rule, "outcome": silence.name(), "text": text})
            }
            Outcome::Waits => json!({"rule": rule, "outcome": "waits"}),
        }
    }
}

/// Word for an act, and what it was about, in bounded length: arguments joined by NUL, to
/// be shown as [`line`].
pub(crate) fn text(subject: &Subject) -> (&'static str, Vec<u8>) {
    let mut text = Vec::with_capacity(PATH / 2 + ARGS / 2);
    let act = match &subject.act {
        Act::Exec => {
            text.extend_from_slice(end(&subject.program.image.path));
            for arg in subject.program.args.iter() {
                let room = (PATH + ARGS).saturating_sub(text.len() + 1);
                text.push(0);
                let Some(cut) = arg.get(..room).filter(|_| room <= arg.len()) else {
                    text.extend_from_slice(arg);
                    continue;
                };
                // Half a word may be half a secret, of which the end would tell.
                let whole = cut.rfind_byteset(b" \t\n").unwrap_or_default();
                text.extend_from_slice(cut.get(..whole).unwrap_or_default());
                text.extend_from_slice(b"...");
                break;
            }
            "exec"
        }
        Act::File(file) => {
            text.extend_from_slice(end(&file.path));
            action_name(file.action)
        }
        Act::Socket(socket) => {
            let to = socket.remote.map(|to| to.to_string());
            text.extend_from_slice(to.unwrap_or_default().as_bytes());
            "connect"
        }
        Act::Outlive => {
            text.extend_from_slice(end(&subject.program.image.path));
            "outlive"
        }
        Act::Lose(records) => {
            text.extend_from_slice(records.to_string().as_bytes());
            "lose"
        }
    };
    (act, text)
}

/// What [`text`] has put together, without secrets.
pub(crate) fn line(text: &[u8], redactor: &Redactor) -> String {
    let shown = redactor.text(text);
    shown.to_str_lossy().replace('\0', " ")
}

/// The end of a path.
fn end(path: &[u8]) -> &[u8] {
    path.get(path.len().saturating_sub(PATH)..).unwrap_or(path)
}
