//! A subject as Sigma sees it: fields by name, made when a rule asks for them.
//!
//! Nothing here decides anything. Bytes become text by replacing what is not UTF-8;
//! what costs an allocation is made once per event.

use std::{borrow::Cow, cell::OnceCell, collections::HashMap, sync::Arc};

use bstr::ByteSlice;
use rsigma_eval::{Event, EventValue};
use serde_json::Value;

use super::{
    field,
    memory::{Memory, Noted},
    past::Past,
    reading::Reading,
    setting::Setting,
};
use crate::{
    event::{Program, Written},
    lineage::{Service, Subject},
};

/// User names by uid.
pub type Users = HashMap<u32, String>;

/// What was found out about a subject beyond its own record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Evidence {
    /// The executable is a known shell under a foreign name; `None` while unknown.
    pub(super) shell: Option<bool>,
    /// Content of the executable.
    pub(super) sha256: Option<[u8; 32]>,
    /// How long ago the service connected to a directory server, ns.
    pub(super) jndi_age_ns: Option<u64>,
    /// A directory is moved that holds a script which a service made.
    pub(super) moves_scripts: bool,
    /// Who wrote a library that a variable of the exec names.
    pub(super) preload: Option<Written>,
    /// What it is in the light of earlier acts.
    pub(super) noted: Noted,
}

/// One subject, ready to be matched.
pub(super) struct View<'s> {
    pub(super) subject: &'s Subject,
    pub(super) evidence: Evidence,
    pub(super) memory: &'s Memory,
    /// What it is set in.
    pub(super) setting: Setting<'s>,
    past: OnceCell<Past>,
    pub(super) kinds: OnceCell<u32>,
    pub(super) places: OnceCell<u32>,
}

impl<'s> View<'s> {
    pub(super) fn new(
        subject: &'s Subject,
        (users, memory): (&'s Arc<Users>, &'s Memory),
        evidence: Evidence,
    ) -> Self {
        let reading = Reading::new(&subject.program, subject.own_image);
        Self {
            subject,
            evidence,
            memory,
            setting: Setting::new(subject, users, reading),
            past: OnceCell::new(),
            kinds: OnceCell::new(),
            places: OnceCell::new(),
        }
    }

    pub(super) fn program(&self) -> &'s Program {
        &self.subject.program
    }

    pub(super) fn parent(&self) -> Option<&'s Program> {
        self.setting.parent()
    }

    pub(super) fn service(&self) -> Option<&'s Service> {
        self.setting.service()
    }

    /// What rules see of time, processes and earlier acts.
    pub(super) fn past(&self) -> &Past {
        let past = || Past::of(self.subject, &self.evidence, self.memory);
        self.past.get_or_init(past)
    }

    pub(super) fn program_name(&self) -> &str {
        self.setting.reading.name()
    }

    /// Every text by itself, then all of them as one: a keyword may stand anywhere in an
    /// event, and a list of which all must be there may be spread over its fields.
    fn visit(&self, visit: &mut dyn FnMut(&str)) {
        let mut whole = String::new();
        let mut each = |text: &str| {
            visit(text);
            whole.push_str(text);
            whole.push(BETWEEN);
        };
        for field in field::all() {
            if let Some(found) = field.get(self) {
                each_text(&found, &mut each);
            }
        }
        for (_, variable) in &self.program().env {
            each_text(&text(variable), &mut each);
        }
        visit(&whole);
    }
}

/// Stands between the texts of an event taken as one: no keyword is typed with it, and a
/// wildcard does not stop at it.
const BETWEEN: char = '\u{1f}';

fn each_text(value: &EventValue<'_>, visit: &mut dyn FnMut(&str)) {
    match value {
        EventValue::Str(text) => visit(text),
        EventValue::Array(members) => {
            for member in members {
                each_text(member, visit);
            }
        }
        _ => {}
    }
}

/// Text of bytes, what is not UTF-8 replaced.
pub(super) fn text(bytes: &[u8]) -> EventValue<'_> {
    offer(bytes.to_str_lossy())
}

/// A text as rules may match it. A wildcard, as rsigma compiles it, stops at a newline,
/// which whoever types argv can put anywhere: such a text is offered twice, the second
/// time in one line, and a rule matches when either does.
pub(super) fn offer(text: Cow<'_, str>) -> EventValue<'_> {
    if !text.as_bytes().contains_str("\n") {
        return EventValue::Str(text);
    }
    let one_line = text.replace('\n', " ");
    EventValue::Array(vec![
        EventValue::Str(text),
        EventValue::Str(one_line.into()),
    ])
}

impl Event for View<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        match field::find(path) {
            Some(field) => field.get(self),
            None => self
                .setting
                .reading
                .variable(path.strip_prefix(field::ENV)?),
        }
    }

    fn any_string_value(&self, pred: &dyn Fn(&str) -> bool) -> bool {
        let mut any = false;
        self.visit(&mut |text| any = any || pred(text));
        any
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        let mut all = Vec::new();
        self.visit(&mut |text| all.push(Cow::Owned(text.to_owned())));
        all
    }

    fn visit_string_values(&self, visit: &mut dyn FnMut(&str)) {
        self.visit(visit);
    }

    /// Off the hot path: only rsigma's own diagnostics ask for it.
    fn to_json(&self) -> Value {
        let fields = field::all();
        let known = fields.filter_map(|f| Some((f.name.to_owned(), f.get(self)?.to_json())));
        Value::Object(known.collect())
    }

    fn field_keys(&self) -> Vec<Cow<'_, str>> {
        let set = field::all().filter(|field| field.get(self).is_some());
        set.map(|field| Cow::Borrowed(field.name)).collect()
    }
}
