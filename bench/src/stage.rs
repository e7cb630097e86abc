//! The stages one by one: the engine's own steps, each over a whole repetition before
//! the next, so that the clock is read rarely.

use std::{collections::HashMap, sync::Arc};

use sensor::{
    alert::{Alert, Finding, Host, Level, RuleInfo},
    decode::decode,
    detect::{Detector, Fact, Match, RuleSet},
    event::Event,
    lineage::Subject,
    record::Header,
    redact::Redactor,
    service::Catalogue,
    tree::{Limits, Scope, Tree},
};

use super::{
    clock,
    stream::{Item, Other},
};

/// Names of the stages, in order.
pub(super) const STAGES: [&str; 4] = ["decode", "tree", "detect", "alert"];

/// See the module.
pub(super) struct Stages {
    /// Time spent in each.
    pub(super) seconds: [f64; 4],
    tree: Tree,
    detector: Detector,
    rules: HashMap<String, RuleInfo>,
    host: Host,
    redactor: Redactor,
    /// Time of the latest tick that the tree has seen, and that the rules have, ns.
    tree_ns: u64,
    now_ns: u64,
    sequence: u64,
}

/// A decoded step.
enum Step {
    Event(Event),
    Other(Other),
}

/// What the tree hands to the rules.
enum Judge {
    Subject(Arc<Subject>),
    Tick(u64),
    Fact(Fact),
}

impl Stages {
    pub(super) fn new(header: &Header, rules: RuleSet) -> Self {
        let infos = rules.list().iter().map(|rule| {
            let info = RuleInfo {
                name: rule.name.clone(),
                uuid: rule.id.clone(),
                title: rule.title.clone(),
                level: Level::Medium,
                techniques: rule.techniques.clone(),
                description: rule.description.clone(),
                triage: rule.triage.clone(),
                falsepositives: rule.falsepositives.clone(),
            };
            (rule.name.clone(), info)
        });
        let scope = if header.config.contains("scope: host") {
            Scope::Host
        } else {
            Scope::Services
        };
        Self {
            seconds: [0.0; 4],
            rules: infos.collect(),
            tree: Tree::new(Limits::default(), scope, Catalogue::new(&[])),
            detector: Detector::new(rules, header.host.users.clone()),
            host: header.host.clone(),
            redactor: Redactor::default(),
            tree_ns: 0,
            now_ns: 0,
            sequence: 0,
        }
    }

    pub(super) fn run(&mut self, items: &[Item]) {
        let steps = self.timed(0, |_| items.iter().map(decoded).collect::<Vec<_>>());
        let judged = self.timed(1, |stages| stages.grow(steps));
        let matches = self.timed(2, |stages| stages.judge(judged));
        self.timed(3, |stages| stages.alert(&matches));
    }

    fn timed<T>(&mut self, stage: usize, run: impl FnOnce(&mut Self) -> T) -> T {
        let began = clock::seconds();
        let result = run(self);
        self.seconds[stage] += clock::seconds() - began;
        result
    }

    fn grow(&mut self, steps: Vec<Step>) -> Vec<Judge> {
        let mut out = Vec::new();
        for step in steps {
            let effects = match step {
                Step::Event(event) => self.tree.apply(&event),
                Step::Other(Other::Tick(now_ns)) => {
                    let effects = self.tree.expire(now_ns);
                    self.tree_ns = now_ns;
                    out.push(Judge::Tick(now_ns));
                    effects
                }
                Step::Other(Other::Fact(fact)) => {
                    out.push(Judge::Fact(fact));
                    continue;
                }
                Step::Other(Other::Inspected(process, program, image)) => {
                    self.tree.inspected(process, &program, image.as_deref())
                }
                Step::Other(Other::Gone(process)) => {
                    self.tree.gone(process, self.tree_ns);
                    continue;
                }
                Step::Other(Other::Listening(roots)) => {
                    self.tree.listening(roots);
                    continue;
                }
            };
            out.extend(
                effects
                    .subjects
                    .into_iter()
                    .map(Arc::new)
                    .map(Judge::Subject),
            );
        }
        out
    }

    fn judge(&mut self, judged: Vec<Judge>) -> Vec<Match> {
        let mut matches = Vec::new();
        for judge in judged {
            match judge {
                Judge::Subject(subject) => {
                    let verdicts = self.detector.evaluate(subject, self.now_ns);
                    matches.extend(verdicts.matches);
                }
                Judge::Tick(now_ns) => {
                    self.now_ns = now_ns;
                    matches.extend(self.detector.tick(now_ns).matches);
                }
                Judge::Fact(fact) => matches.extend(self.detector.fact(fact, self.now_ns).matches),
            }
        }
        matches
    }

    fn alert(&mut self, matches: &[Match]) {
        for found in matches {
            let shown = self.redactor.subject(&found.subject);
            let fields = shown.fields(&self.redactor, &found.fields);
            let finding = Finding {
                subject: &shown.subject,
                redacted: shown.replaced,
                rule: &self.rules[&found.rule.name],
                fields: &fields,
                would_silence: false,
                incomplete: &found.incomplete,
                degraded: &[],
                standing: None,
                script: None,
                placed: None,
            };
            self.sequence += 1;
            let alert = Alert::new(&finding, &self.host, self.sequence);
            std::hint::black_box(alert.to_json());
        }
    }
}

fn decoded(item: &Item) -> Step {
    match item {
        Item::Record(bytes) => Step::Event(decode(bytes).expect("an encoded record")),
        Item::Input(other) => Step::Other(other.clone()),
    }
}
