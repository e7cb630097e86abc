//! The closed loop: every input of the agent goes in, everything it has to say comes
//! out, in order.
//!
//! One task owns it. No lock, no clock, no file, no `/proc`: time arrives with the
//! inputs, so that the same inputs give the same outputs, byte for byte.

mod overview;
mod own;
mod place;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::overview::Seen;
use crate::{
    alert::{Alert, Closed, Finding, Host, Inquest, Level, Notice, RuleInfo},
    context::Context,
    control::{Query, QueryKind},
    decision::{Decisions, Outcome, Verdict},
    detect::{
        Detector, Examine, Examined, Excepted, Exception, Fact, Locate, Match, MemoStats, Request,
        Rule, RuleSet, Silence, Tuning, Verdicts,
    },
    event::{Event, Membership, ProcessId, Program, Snapshot},
    incident::{self, Folded, Incidents},
    inquiry::Inquiry,
    lineage::{Service, Subject},
    profile::{Judge, Lock, Policy, Profiles, Settled, verdict},
    redact::Redactor,
    reload::{Parts, Reload},
    service::Apache,
    tally::{self, Cause, Tally},
    tree::{Effects, Stats, Tree},
    workload::Workloads,
};

/// What the engine consumes. A recording is a sequence of these.
#[derive(Debug, Serialize, Deserialize)]
pub enum Input {
    /// A record of the ring, or a gap between two.
    Event(Event),
    /// The processes a scan found.
    Snapshot(Snapshot),
    /// Something enrichment found out.
    Fact(Fact),
    /// Time goes on: `CLOCK_BOOTTIME`, ns.
    Tick(u64),
    /// What the sensor cannot see at present.
    Degraded(Vec<String>),
    /// A process that was to be looked at: what it runs, and its container's image.
    Inspected(ProcessId, Arc<Program>, Option<String>),
    /// A process that was to become a service has ended unseen.
    Gone(ProcessId),
    /// Roots of the snapshot that follows which are services because they listen.
    Listening(Vec<ProcessId>),
    /// What the modules of an Apache are.
    Apache(Apache),
    /// The sensor stops: what is open is closed.
    Stop,
    /// Other rules, profiles and services take the place of those in force.
    Reload(Box<Reload>),
    /// The self-test of this process, the sensor's own, has failed: when, `CLOCK_BOOTTIME`
    /// ns, and why.
    Unproven(ProcessId, u64, String),
    /// Somebody asks. Changes nothing, so it is not recorded; the last, because a skipped
    /// variant before another would shift the numbers of those behind it.
    #[serde(skip)]
    Query(Query),
}

/// What the engine says.
#[derive(Clone, Debug)]
pub enum Output {
    /// An alert.
    Alert(Arc<Alert>),
    /// A word about an incident.
    Notice(Arc<Notice>),
    /// A service began, or became known for what it is.
    Started(Arc<Service>),
    /// The root is no server, or its service has ended: its marks in the kernel go.
    Retired(ProcessId),
    /// The root is no server as far as is known: the kernel shall tell when it listens.
    Demoted(ProcessId),
    /// The root is a server after all: what it has forked are members.
    Promoted(ProcessId),
    /// The process may be a declared service: it is to be looked at.
    Inspect(ProcessId),
    /// The master of an Apache is to be looked at.
    Examine(ProcessId),
    /// The processes are to be scanned: some have been forked by what is a service only
    /// now.
    Survey,
    /// A process belongs to a service and the kernel did not mark it.
    Adopted(ProcessId, Membership),
    /// A rule matched, and a profile silenced it: `subject.profile` says why.
    Silenced(Box<Match>),
    /// A fact is wanted.
    Request(Request),
    /// A rule matched and an exception excuses it.
    Excepted(Box<Excepted>),
    /// An exception has ended.
    Ended(Arc<Exception>),
    /// A file that an alert names is to be looked at.
    Inquire(Examine),
    /// A container is to be named.
    Locate(Locate),
    /// What did not alert since the last of these, for the history.
    Quiet(Arc<[tally::Count]>),
}

/// What became of a rule.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Count {
    /// Alerts raised, below the threshold of sinks too.
    alerts: u64,
    /// Matches that an exception or a profile excused.
    excused: u64,
}

/// See the module.
pub struct Engine {
    tree: Tree,
    detector: Detector,
    judge: Judge,
    incidents: Incidents,
    decisions: Decisions,
    tally: Tally,
    context: Context,
    inquiry: Inquiry,
    workloads: Workloads,
    redactor: Arc<Redactor>,
    rules: HashMap<String, RuleInfo>,
    /// Alerts and excused matches of each rule so far.
    counts: BTreeMap<String, Count>,
    host: Host,
    degraded: Vec<String>,
    seen: Seen,
    /// Alerts and notices so far.
    sequence: u64,
    /// Time of the latest input that has one, ns.
    now_ns: u64,
}

impl Engine {
    /// An engine that has seen nothing yet.
    #[must_use]
    pub fn new(tree: Tree, detector: Detector, host: Host) -> Self {
        let rules = infos(detector.rules());
        let counts = rules.keys().map(|name| (name.clone(), Count::default()));
        let judge = Judge::new(
            Policy::default(),
            &Lock::default(),
            host.realtime_minus_boottime_ns,
        );
        Self {
            counts: counts.collect(),
            tree,
            detector,
            judge,
            incidents: Incidents::default(),
            decisions: Decisions::default(),
            tally: Tally::default(),
            context: Context::default(),
            inquiry: Inquiry::default(),
            workloads: Workloads::default(),
            redactor: Arc::default(),
            rules,
            host,
            degraded: Vec::new(),
            seen: Seen::default(),
            sequence: 0,
            now_ns: 0,
        }
    }

    /// The same with other profiles than the built-in base.
    #[must_use]
    pub fn with_profiles(mut self, profiles: Profiles) -> Self {
        self.judge.replace(profiles);
        self
    }

    /// The same with another idea of what is secret.
    #[must_use]
    pub fn with_redactor(mut self, redactor: Arc<Redactor>) -> Self {
        self.judge.set_redactor(Arc::clone(&redactor));
        self.redactor = redactor;
        self
    }

    /// The profiles in force, and what has been learnt.
    #[must_use]
    pub const fn profiles(&self) -> &Judge {
        &self.judge
    }

    /// The same, to be told more before the first input.
    pub const fn profiles_mut(&mut self) -> &mut Judge {
        &mut self.judge
    }

    /// Takes one input and appends what follows from it to `out`.
    pub fn step(&mut self, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Event(event) => {
                self.now_ns = self.now_ns.max(event.time_ns());
                self.seen.count(&event);
                let effects = self.tree.apply(&event);
                self.judge(effects, out);
            }
            Input::Snapshot(snapshot) => {
                // The first one comes before any tick: what it has asked for must not be late.
                self.now_ns = self.now_ns.max(snapshot.time_ns);
                let effects = self.tree.seed(&snapshot);
                self.judge(effects, out);
            }
            Input::Inspected(process, program, image) => {
                let effects = self.tree.inspected(process, &program, image.as_deref());
                self.judge(effects, out);
            }
            Input::Apache(found) => self.tree.apache(&found),
            Input::Listening(roots) => self.tree.listening(roots),
            Input::Gone(process) => self.tree.gone(process, self.now_ns),
            Input::Fact(Fact::Examined(examined)) => self.examined(&examined, out),
            Input::Fact(Fact::Located(located)) => self.located(*located, out),
            Input::Fact(fact) => {
                let verdicts = self.detector.fact(fact, self.now_ns);
                self.late(verdicts, out);
            }
            Input::Tick(now_ns) => self.tick(now_ns, out),
            Input::Stop => {
                let closed = self.incidents.stop(self.now_ns);
                self.close(&closed, out);
                out.extend(self.tally.take(&self.redactor).map(Output::Quiet));
            }
            Input::Degraded(degraded) => self.degraded = degraded,
            Input::Reload(reload) => self.reload(*reload),
            Input::Unproven(process, time_ns, why) => self.unproven(process, time_ns, &why, out),
            Input::Query(query) => self.answer(query),
        }
    }

    /// Names and levels of the rules that come with the sensor.
    pub fn shipped_rules(&self) -> impl Iterator<Item = (&str, Level)> {
        let rules = self.detector.rules().list().iter();
        rules
            .filter(|rule| rule.is_shipped())
            .map(|rule| (rule.name.as_str(), level(rule.level)))
    }

    /// Numbers for the metrics.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.tree.stats()
    }

    /// Numbers of incidents for the metrics.
    #[must_use]
    pub fn incidents(&self) -> incident::Stats {
        self.incidents.stats()
    }

    /// What alerted before keeps its number; incidents go on.
    fn reload(&mut self, reload: Reload) {
        let Some(parts) = reload.into_parts() else {
            return;
        };
        let Parts {
            rules,
            exceptions,
            profiles,
            catalogue,
        } = parts;
        self.rules = infos(&rules);
        for name in self.rules.keys() {
            self.counts.entry(name.clone()).or_default();
        }
        let tuning = Tuning::new(&exceptions, self.host.realtime_minus_boottime_ns);
        self.detector.replace(rules, tuning);
        self.judge.replace(profiles);
        self.tree.set_catalogue(catalogue);
    }

    /// Numbers of the memo of verdicts for the metrics.
    #[must_use]
    pub fn memo(&self) -> MemoStats {
        self.detector.rules().memo()
    }

    fn tick(&mut self, now_ns: u64, out: &mut Vec<Output>) {
        self.now_ns = self.now_ns.max(now_ns);
        let effects = self.tree.expire(self.now_ns);
        self.judge(effects, out);
        let verdicts = self.detector.tick(self.now_ns);
        self.late(verdicts, out);
        let ended = self.detector.ended(self.now_ns);
        out.extend(ended.into_iter().map(Output::Ended));
        let due = self.inquiry.tick(self.now_ns);
        out.extend(due.into_iter().map(Output::Inquire));
        let due = self.workloads.tick(self.now_ns);
        out.extend(due.into_iter().map(Output::Locate));
        let tree = &self.tree;
        let closed = self.incidents.tick(self.now_ns, |id| tree.has_ended(id));
        self.close(&closed, out);
        let counts = self.tally.tick(self.now_ns, &self.redactor);
        out.extend(counts.map(Output::Quiet));
    }

    /// What a file that an alert names was found to be.
    fn examined(&mut self, examined: &Examined, out: &mut Vec<Output>) {
        let Some(inquest) = self.inquiry.answered(examined) else {
            return;
        };
        self.sequence += 1;
        let notice = Notice::examined(&inquest, examined, &self.host, self.now_ns, self.sequence);
        out.push(Output::Notice(Arc::new(notice)));
    }

    fn judge(&mut self, effects: Effects, out: &mut Vec<Output>) {
        for service in effects.started {
            let root = service.id;
            out.push(Output::Started(service));
            self.locate(root, out);
        }
        out.extend(effects.retired.into_iter().map(Output::Retired));
        out.extend(effects.demoted.into_iter().map(Output::Demoted));
        out.extend(effects.promoted.into_iter().map(Output::Promoted));
        out.extend(effects.inspect.into_iter().map(Output::Inspect));
        out.extend(effects.examine.into_iter().map(Output::Examine));
        out.extend(effects.survey.then_some(Output::Survey));
        let adopted = effects.adopted.into_iter();
        out.extend(adopted.map(|(process, membership)| Output::Adopted(process, membership)));
        for mut subject in effects.subjects {
            self.context.note(&subject);
            subject.profile = self.judge.stand(&subject).map(Arc::new);
            let subject = Arc::new(subject);
            let verdicts = self.detector.evaluate(Arc::clone(&subject), self.now_ns);
            let Verdicts {
                matches,
                excepted,
                requests,
            } = verdicts;
            let settled = self.judge.settle(&subject, matches);
            let mut verdicts = self.deliver(Some(&subject), settled, excepted, out);
            if !requests.is_empty() {
                verdicts.push(Verdict::waits());
            }
            self.decisions.note(&subject, verdicts);
            out.extend(requests.into_iter().map(Output::Request));
        }
    }

    /// Matches that had to wait for a fact.
    fn late(&mut self, verdicts: Verdicts, out: &mut Vec<Output>) {
        let settled = self.judge.settle_late(verdicts.matches);
        self.deliver(None, settled, verdicts.excepted, out);
    }

    /// Says what alerts and what was excused. What became of the act `about` comes back;
    /// of older ones, which waited, it is noted.
    fn deliver(
        &mut self,
        about: Option<&Arc<Subject>>,
        settled: Settled,
        excepted: Vec<Excepted>,
        out: &mut Vec<Output>,
    ) -> Vec<Verdict> {
        let is_own = |subject: &Arc<Subject>| about.is_some_and(|own| Arc::ptr_eq(own, subject));
        let (own, older): (Vec<_>, Vec<_>) = settled
            .alerts
            .into_iter()
            .partition(|found| is_own(&found.subject));
        self.alert(&older, out);
        let mut verdicts = self.tell(&own, out);
        let silenced = settled.silenced.into_iter().map(|found| {
            let reason = found.subject.profile.as_ref();
            let reason = reason.map(|it| it.judgement.reason().clone());
            let said = (
                found.rule.clone(),
                Silence::Profile,
                reason.unwrap_or_default(),
            );
            (
                found.subject.clone(),
                said,
                Output::Silenced(Box::new(found)),
            )
        });
        let excepted = excepted.into_iter().map(|found| {
            let reason = found.exception.to_string();
            let said = (found.rule.clone(), Silence::Exception, reason);
            (
                found.subject.clone(),
                said,
                Output::Excepted(Box::new(found)),
            )
        });
        for (subject, (rule, silence, reason), output) in silenced.chain(excepted) {
            let verdict = self.excuse(&subject, &rule, silence, reason);
            if is_own(&subject) {
                verdicts.push(verdict);
            } else {
                self.decisions.note(&subject, vec![verdict]);
            }
            out.push(output);
        }
        verdicts
    }

    /// Counts a match that was excused.
    fn excuse(
        &mut self,
        subject: &Subject,
        rule: &Rule,
        silence: Silence,
        reason: String,
    ) -> Verdict {
        let cause = match silence {
            Silence::Exception => Cause::Exception,
            Silence::Profile => Cause::Profile,
        };
        let offset = self.host.realtime_minus_boottime_ns;
        self.tally
            .note(subject, (&rule.name, cause), &reason, offset);
        if let Some(count) = self.counts.get_mut(&rule.name) {
            count.excused += 1;
        }
        Verdict {
            rule: rule.name.clone(),
            outcome: Outcome::Silenced(silence, reason),
        }
    }

    /// Tells what rules found long after the act.
    fn alert(&mut self, matches: &[Match], out: &mut Vec<Output>) {
        for found in matches {
            let verdicts = self.tell(std::slice::from_ref(found), out);
            self.decisions.note(&found.subject, verdicts);
        }
    }

    /// Makes alerts of matches, or counts them; what became of each.
    fn tell(&mut self, matches: &[Match], out: &mut Vec<Output>) -> Vec<Verdict> {
        let (mut closed, mut verdicts) = (Vec::new(), Vec::new());
        for found in matches {
            let Some(rule) = self.rules.get(&found.rule.name) else {
                continue;
            };
            let incidents = &mut self.incidents;
            let admitted = incidents.admit(
                &found.subject,
                (rule, of_update(found, rule.level)),
                &self.host,
                &mut closed,
            );
            let standing = match admitted {
                Ok(standing) => standing,
                Err(Folded(incident)) => {
                    let offset = self.host.realtime_minus_boottime_ns;
                    let by = (rule.name.as_str(), Cause::Folded);
                    self.tally.note(&found.subject, by, &incident, offset);
                    verdicts.push(Verdict::folded(rule, incident));
                    continue;
                }
            };
            let shown = self.redactor.subject(&found.subject);
            let script = self.context.script(&shown.subject);
            let placed = self.workloads.of(&found.subject);
            let fields = shown.fields(&self.redactor, &found.fields);
            let finding = Finding {
                subject: &shown.subject,
                redacted: shown.replaced,
                rule,
                fields: &fields,
                would_silence: verdict(found).is_some(),
                incomplete: &found.incomplete,
                degraded: &self.degraded,
                standing: Some(&standing),
                script: script.as_ref(),
                placed: placed.as_deref(),
            };
            self.sequence += 1;
            if let Some(count) = self.counts.get_mut(&found.rule.name) {
                count.alerts += 1;
            }
            let alert = Alert::new(&finding, &self.host, self.sequence);
            self.seen.alerts[alert.rule.level as usize] += 1;
            if let Some(service) = &found.subject.service {
                self.tree.count_alert(service.id, alert.rule.level as usize);
            }
            incidents.describe(&found.subject, &alert.message);
            verdicts.push(Verdict::alerted(rule, &alert));
            let inquest = inquest(found, standing.id, &alert);
            out.push(Output::Alert(Arc::new(alert)));
            self.told(&found.subject, &inquest, out);
            let examine = self.inquiry.begin(&found.subject, &inquest);
            out.extend(examine.into_iter().map(Output::Inquire));
        }
        self.close(&closed, out);
        verdicts
    }

    fn close(&mut self, closed: &[Closed], out: &mut Vec<Output>) {
        for closed in closed {
            self.sequence += 1;
            let notice = Notice::closed(closed, &self.host, self.sequence);
            out.push(Output::Notice(Arc::new(notice)));
        }
    }

    fn answer(&self, query: Query) {
        let value = match query.kind {
            QueryKind::Tree => json!({ "services": self.services() }),
            QueryKind::TreeOf(pid) => json!({ "services": self.service_of(pid) }),
            QueryKind::Top => self.overview(),
            QueryKind::Rules => json!({ "rules": self.counts }),
            QueryKind::Profile => self.judge.view(),
            QueryKind::WhyNot(pid) => {
                let mut answer = self.decisions.of(pid, &self.redactor);
                answer["processes"] = json!(self.tree.known(pid));
                answer["realtime_minus_boottime_ns"] = json!(self.host.realtime_minus_boottime_ns);
                answer
            }
        };
        // The asker may have gone.
        drop::<Result<(), Value>>(query.reply.send(value));
    }
}

/// It is one of the many files of an update, and nothing grave: only then may it be told by
/// number alone. Where an update is unpacked is known to everybody, so what is grave is
/// always told.
fn of_update(found: &Match, level: Level) -> bool {
    found.updates && level <= Level::Medium
}

/// What a notice about the files of an alert will need.
fn inquest(found: &Match, incident: String, alert: &Alert) -> Inquest {
    Inquest {
        incident,
        alert: alert.event.id.clone(),
        level: alert.rule.level,
        // The alert has been told; what its file is stands in the history.
        expected: found.updates,
        service: found.subject.service.clone(),
        spawn_root: found.subject.spawn_root,
    }
}

/// Rules as alerts present them, by name.
fn infos(rules: &RuleSet) -> HashMap<String, RuleInfo> {
    let rules = rules.list().iter();
    rules.map(|rule| (rule.name.clone(), info(rule))).collect()
}

/// A rule as alerts present it.
fn info(rule: &Rule) -> RuleInfo {
    RuleInfo {
        name: rule.name.clone(),
        uuid: rule.id.clone(),
        title: rule.title.clone(),
        level: level(rule.level),
        techniques: rule.techniques.clone(),
        description: rule.description.clone(),
        triage: rule.triage.clone(),
        falsepositives: rule.falsepositives.clone(),
    }
}

const fn level(level: crate::detect::Level) -> Level {
    use crate::detect::Level as Sigma;
    match level {
        Sigma::Informational => Level::Informational,
        Sigma::Low => Level::Low,
        Sigma::Medium => Level::Medium,
        Sigma::High => Level::High,
        Sigma::Critical => Level::Critical,
    }
}
