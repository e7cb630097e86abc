//! An act as it may be shown.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use bstr::ByteSlice as _;

use super::{Redactor, mark};
use crate::{
    event::Program,
    lineage::{Ancestor, Judgement, Subject},
};

/// Secrets of one act that are looked for in the values of fields.
const SECRETS: usize = 64;
/// Fewest bytes of one: what is shorter stands in any text.
const SHORTEST: usize = 4;
/// Bytes by which one is found that was cut.
const BEGIN: usize = 24;

/// An act, and the secrets that were in it.
#[derive(Debug)]
pub struct Shown<'s> {
    /// The act without its secrets.
    pub subject: Cow<'s, Subject>,
    /// Arguments and variables with a secret that was replaced, now or when they were
    /// recorded, of all its processes.
    pub replaced: u64,
    /// Longest first, each with its mark.
    secrets: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Redactor {
    /// Replaces the secrets in the programs of an act and of all its processes.
    #[must_use]
    pub fn subject<'s>(&self, subject: &'s Subject) -> Shown<'s> {
        let mut clean = Cleaning {
            redactor: self,
            programs: HashMap::new(),
            secrets: Vec::new(),
            replaced: 0,
        };
        if !self.shows_all {
            programs(subject, &mut |program| clean.look_at(program));
        }
        let Cleaning {
            programs,
            mut secrets,
            replaced,
            ..
        } = clean;
        secrets.sort_by_key(|(secret, _)| std::cmp::Reverse(secret.len()));
        let mut shown = Cow::Borrowed(subject);
        if programs.values().any(Option::is_some) {
            replace(shown.to_mut(), &programs);
        }
        let mut shown = Shown {
            subject: shown,
            replaced,
            secrets,
        };
        if !self.shows_all {
            shown.clean_reason(self);
        }
        shown
    }
}

impl Shown<'_> {
    /// Names and values of fields that were made of the act, without its secrets.
    #[must_use]
    pub fn fields<'f>(
        &self,
        redactor: &Redactor,
        fields: &'f [(String, String)],
    ) -> Cow<'f, [(String, String)]> {
        if redactor.shows_all {
            return Cow::Borrowed(fields);
        }
        let clean = |(name, value): &(String, String)| (name.clone(), self.value(redactor, value));
        Cow::Owned(fields.iter().map(clean).collect())
    }

    /// What the profile says of an act names its arguments.
    fn clean_reason(&mut self, redactor: &Redactor) {
        let Some(Judgement::Unknown(reason)) =
            self.subject.profile.as_deref().map(|it| &it.judgement)
        else {
            return;
        };
        let clean = self.value(redactor, reason);
        if clean != *reason
            && let Some(standing) = &mut self.subject.to_mut().profile
        {
            Arc::make_mut(standing).judgement = Judgement::Unknown(clean);
        }
    }

    fn value(&self, redactor: &Redactor, value: &str) -> String {
        let mut text = Cow::Borrowed(value.as_bytes());
        for (secret, mark) in &self.secrets {
            // Values are cut: what is left of it counts as well.
            let begin = secret.get(..BEGIN).unwrap_or(secret);
            if text.contains_str(begin) {
                text = Cow::Owned(without(&text, (secret, begin), mark));
            }
        }
        redactor.text(&text).to_str_lossy().into_owned()
    }
}

/// The text with a mark for each place where the secret, or what was left of it, begins.
fn without(text: &[u8], (secret, begin): (&[u8], &[u8]), mark: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(begin) {
        let (before, found) = rest.split_at(at);
        let same = found.iter().zip(secret).take_while(|(one, two)| one == two);
        out.extend_from_slice(before);
        out.extend_from_slice(mark);
        rest = found.get(same.count()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

/// Programs by address, each looked at once: processes share them.
type Programs = HashMap<*const Program, Option<Arc<Program>>>;

struct Cleaning<'r> {
    redactor: &'r Redactor,
    programs: Programs,
    secrets: Vec<(Vec<u8>, Vec<u8>)>,
    replaced: u64,
}

impl Cleaning<'_> {
    fn look_at(&mut self, program: &Arc<Program>) {
        let key = self.redactor.key.as_ref();
        let (secrets, replaced) = (&mut self.secrets, &mut self.replaced);
        self.programs
            .entry(Arc::as_ptr(program))
            .or_insert_with(|| {
                let mut hear = |secret: &[u8]| {
                    let known = secrets.iter().any(|(it, _)| it == secret);
                    if !known && secret.len() >= SHORTEST && secrets.len() < SECRETS {
                        secrets.push((secret.to_vec(), mark::of(secret, key)));
                    }
                };
                let (clean, _) = self.redactor.heard(program, &mut hear);
                *replaced += marks(clean.as_ref().unwrap_or(program));
                clean
            });
    }
}

/// Arguments and variables with a mark.
fn marks(program: &Program) -> u64 {
    let values = program.env.iter().map(|(_, value)| value);
    let all = program
        .args
        .head
        .iter()
        .chain(&program.args.tail)
        .chain(values);
    all.map(|text| u64::from(mark::is_within(text))).sum()
}

fn programs(subject: &Subject, each: &mut dyn FnMut(&Arc<Program>)) {
    each(&subject.program);
    subject.previous.iter().for_each(&mut *each);
    let ancestors = subject.lineage.ancestors.iter().chain(&subject.creator);
    for ancestor in ancestors {
        ancestor.program.iter().for_each(&mut *each);
        ancestor.chain.iter().for_each(&mut *each);
    }
}

fn replace(subject: &mut Subject, programs: &Programs) {
    let put = |program: &mut Arc<Program>| {
        if let Some(Some(clean)) = programs.get(&Arc::as_ptr(program)) {
            *program = Arc::clone(clean);
        }
    };
    put(&mut subject.program);
    subject.previous.iter_mut().for_each(put);
    let each = |ancestor: &mut Ancestor| {
        ancestor.program.iter_mut().for_each(put);
        ancestor.chain.iter_mut().for_each(put);
    };
    subject.lineage.ancestors.iter_mut().for_each(each);
    subject.creator.iter_mut().for_each(each);
}
