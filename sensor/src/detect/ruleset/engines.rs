//! Engines for the acts of one stream under one role: which rules go in, and what came out.

use std::{collections::HashMap, sync::Arc};

use rsigma_eval::{Engine, EvaluationResult, Event};
use serde_json::Value;

use super::{
    super::{
        analysis::{self, Common},
        category::{ACTION, Stream},
        memo::{Basis, Verdict},
    },
    Candidate, Stage, bare,
};
use crate::lineage::Role;

/// Engines for the acts of one stream under one role.
pub(super) struct Engines {
    pub(super) ready: Engine,
    pub(super) waiting: Engine,
    /// Some rule may match.
    pub(super) any: bool,
    /// Some rule waits for a fact.
    pub(super) waits: bool,
    /// Some waiting rule reads the hash itself, so every executable is hashed.
    pub(super) hash_all: bool,
    /// What all of these acts have in common.
    pub(super) common: Common,
    /// What verdicts of these rules hang on; for execs, whose verdicts are remembered.
    pub(super) basis: Basis,
    /// Rules that ask for some of it and were compiled without asking, and for what.
    pub(super) stripped: HashMap<usize, Vec<&'static str>>,
}

/// Names and values of the fields that made a rule match, by name.
pub(in crate::detect) type Fields = Arc<[(String, String)]>;

pub(super) fn engines(candidates: &[Candidate], (stream, role): (Stream, Option<Role>)) -> Engines {
    let common = Common {
        role: role.map(Role::name),
        action: stream.action(),
    };
    let mut engines = Engines {
        ready: Engine::new(),
        waiting: Engine::new(),
        any: false,
        waits: false,
        hash_all: false,
        common,
        basis: Basis::default(),
        stripped: HashMap::new(),
    };
    let mut sigmas = Vec::new();
    let mut stages = [Vec::new(), Vec::new()];
    for (index, candidate) in candidates.iter().enumerate() {
        let Candidate { rule, sigma, .. } = candidate;
        if !sees(candidate, stream) || analysis::excludes(sigma, common) {
            continue;
        }
        sigmas.push(sigma);
        let (special, stripped) = analysis::specialise(sigma, common);
        let special = rsigma_eval::compile_rule(&bare(&special)).ok();
        if !stripped.is_empty() && special.is_some() {
            engines.stripped.insert(index, stripped);
        }
        let mut compiled = special.unwrap_or_else(|| candidate.compiled.clone());
        // Results carry no index; the id, ours to choose, becomes one.
        compiled.id = Some(index.to_string());
        engines.hash_all |= rule.waits() && analysis::fields(sigma).iter().any(|f| f == "Hashes");
        stages[usize::from(rule.waits())].push(compiled);
    }
    if stream == Stream::Exec {
        engines.basis = Basis::of(sigmas);
    }
    let [ready, waiting] = stages;
    engines.ready.extend_compiled_rules(ready);
    engines.waiting.extend_compiled_rules(waiting);
    engines.waits = engines.waiting.rule_count() > 0;
    engines.any = engines.waits || engines.ready.rule_count() > 0;
    engines
}

/// The rule is of the stream's category, and asks for reads and the like by name.
fn sees(candidate: &Candidate, stream: Stream) -> bool {
    candidate.rule.category == stream.category()
        && (!stream.is_extra()
            || analysis::fields(&candidate.sigma)
                .iter()
                .any(|field| field == ACTION))
}

fn index(result: &EvaluationResult) -> Option<usize> {
    result.header.rule_id.as_ref()?.parse().ok()
}

impl Engines {
    /// Rules of these stages that match an act, in their order.
    pub(super) fn evaluate(&self, event: &impl Event, stages: &[Stage]) -> Verdict {
        let mut found = Vec::new();
        for stage in stages {
            let engine = match stage {
                Stage::Ready => &self.ready,
                Stage::Waiting => &self.waiting,
            };
            for result in engine.evaluate(event) {
                if let Some(index) = index(&result) {
                    found.push((index, self.fields(index, &result)));
                }
            }
        }
        found.sort_unstable();
        found.into()
    }

    /// What made a rule match. rsigma walks a hash map of selections, so the order is made
    /// here. What was asked for and compiled away is put back.
    fn fields(&self, rule: usize, result: &EvaluationResult) -> Fields {
        let matched = result
            .as_detection()
            .map_or(&[][..], |body| &body.matched_fields);
        let mut fields: Vec<(String, String)> = matched
            .iter()
            .map(|matched| (matched.field.clone(), shown(&matched.value)))
            .collect();
        for &field in self.stripped.get(&rule).into_iter().flatten() {
            let value = self.common.value(field).unwrap_or_default();
            fields.push((field.to_owned(), value.to_owned()));
        }
        fields.sort_unstable();
        fields.dedup();
        fields.into()
    }
}

/// A value in an alert; of a text that was offered in two forms the first.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(members) => match members.as_slice() {
            [Value::String(text), Value::String(twin)] if *twin == text.replace('\n', " ") => {
                text.clone()
            }
            _ => value.to_string(),
        },
        _ => value.to_string(),
    }
}
