//! What is told and what is left out, in event time.

use proptest::prelude::*;

use super::*;
use crate::alert::sample::{Sample, sample};

const S: u64 = 1_000_000_000;

/// An incident table, fed with one subject at given times.
struct Bench {
    incidents: Incidents,
    sample: Sample,
    closed: Vec<Closed>,
    /// What comes is part of an update.
    updates: bool,
}

impl Bench {
    fn new() -> Self {
        Self {
            incidents: Incidents::default(),
            sample: sample(),
            closed: Vec::new(),
            updates: false,
        }
    }

    fn alert(&mut self, seconds: u64, rule: &str, level: Level) -> Option<Standing> {
        self.sample.subject.stamp.time_ns = seconds * S;
        self.sample.rule.name = rule.to_owned();
        self.sample.rule.level = level;
        let Sample {
            subject,
            rule,
            host,
            ..
        } = &self.sample;
        let admitted = self
            .incidents
            .admit(subject, (rule, self.updates), host, &mut self.closed);
        admitted.ok()
    }

    fn tick(&mut self, seconds: u64, gone: bool) -> Vec<Closed> {
        self.incidents.tick(seconds * S, |_| gone)
    }
}

#[test]
fn of_an_update_each_rule_tells_one_file_and_what_is_none_is_told() {
    let mut bench = Bench::new();
    bench.updates = true;
    let told = |bench: &mut Bench, rule| bench.alert(100, rule, Level::Medium).is_some();
    assert_eq!(
        ["a", "a", "b", "a", "b"].map(|rule| told(&mut bench, rule)),
        [true, false, true, false, false]
    );
    bench.updates = false;
    assert!(told(&mut bench, "a"), "no file of the update: told");
    bench.updates = true;
    assert!(
        bench.alert(100 + 3_600, "a", Level::Medium).is_none(),
        "nor an hour later"
    );
    let closed = bench.tick(100 + 3_600 + 6, true);
    assert_eq!((closed[0].alerts, closed[0].folded), (3, 4));
}

#[test]
fn alerts_of_one_spawn_root_are_one_incident() {
    let mut bench = Bench::new();
    let first = bench.alert(100, "a", Level::Medium).unwrap();
    assert!(first.opens && !first.raised && first.alerts == 1);
    bench.sample.subject.process = ProcessId::new(901, 5);
    let second = bench.alert(101, "b", Level::Low).unwrap();
    assert_eq!(
        (second.id.as_str(), second.opens),
        (first.id.as_str(), false)
    );
    assert_eq!((second.alerts, second.level), (2, Level::Medium));
    bench.sample.subject.spawn_root = ProcessId::new(902, 5);
    let other = bench.alert(101, "a", Level::Medium).unwrap();
    assert!(other.opens && other.id != first.id);
    assert_eq!(bench.incidents.stats().open, 2);
}

#[test]
fn different_rules_raise_and_repetition_does_not() {
    let mut bench = Bench::new();
    for _ in 0..4 {
        let alert = bench.alert(100, "a", Level::Medium).unwrap();
        assert_eq!((alert.level, alert.raised), (Level::Medium, false));
    }
    bench.alert(100, "i", Level::Informational).unwrap();
    assert!(!bench.alert(100, "b", Level::Medium).unwrap().raised);
    let third = bench.alert(100, "c", Level::Low).unwrap();
    assert_eq!((third.level, third.raised), (Level::High, true));
    for rule in ["d", "e"] {
        assert!(!bench.alert(100, rule, Level::Low).unwrap().raised);
    }
    let sixth = bench.alert(100, "f", Level::Low).unwrap();
    assert_eq!((sixth.level, sixth.raised), (Level::Critical, true));
    let top = bench.alert(100, "g", Level::Critical).unwrap();
    assert_eq!((top.level, top.raised), (Level::Critical, false));
}

#[test]
fn a_flood_is_counted_and_said_with_the_next_alert() {
    let mut bench = Bench::new();
    let told = (0..100).filter_map(|_| bench.alert(100, "a", Level::Medium));
    assert_eq!(told.count() as u64, BURST);
    // Another rule is not held back, and speaks for the one that was.
    let other = bench.alert(101, "b", Level::Medium).unwrap();
    let left_out = 100 - BURST;
    let said = Suppressed {
        rule: "a".to_owned(),
        count: left_out,
        since_ns: 100 * S,
    };
    assert_eq!((other.folded, other.suppressed), (left_out, vec![said]));
    let next = bench.alert(102, "b", Level::Medium).unwrap();
    assert!(next.suppressed.is_empty(), "said once");
    assert!(bench.alert(110, "a", Level::Medium).is_none());
    let closed = bench.tick(200, true);
    let [closed] = &closed[..] else {
        panic!("{closed:?}");
    };
    assert_eq!(closed.suppressed[0].count, 1);
    assert_eq!(closed.suppressed[0].since_ns, 110 * S);
    assert_eq!((closed.alerts, closed.folded), (BURST + 2, left_out + 1));
    assert_eq!(bench.incidents.stats().suppressed, left_out + 1);
}

#[test]
fn closed_when_ended_or_quiet_and_not_before() {
    let mut bench = Bench::new();
    let id = bench.alert(100, "a", Level::Medium).unwrap().id;
    bench.incidents.describe(&bench.sample.subject, "first");
    bench.incidents.describe(&bench.sample.subject, "second");
    assert_eq!(bench.tick(104, true), [], "facts may still come");
    assert_eq!(bench.tick(106, false), []);
    let closed = bench.tick(107, true);
    assert_eq!((closed[0].reason, &closed[0].id), (Reason::Ended, &id));
    assert_eq!(
        (closed[0].opened_ns, closed[0].closed_ns),
        (100 * S, 107 * S)
    );
    assert_eq!(closed[0].what, "first");
    // The same spawn root again: another incident.
    let again = bench.alert(200, "a", Level::Medium).unwrap();
    assert!(again.opens && again.id != id);
    let quiet = 200 + QUIET_NS / S;
    assert_eq!(bench.tick(quiet, false), []);
    assert_eq!(bench.tick(quiet + 2, false)[0].reason, Reason::Quiet);
    assert_eq!(bench.incidents.stats().closed, [1, 1, 0, 0]);
}

#[test]
fn the_table_is_bounded_and_the_quietest_gives_way() {
    let mut bench = Bench::new();
    for index in 0..OPEN as u64 {
        bench.sample.subject.spawn_root = ProcessId::new(7, index);
        bench.alert(100 + index, "a", Level::Medium).unwrap();
    }
    // The oldest becomes the latest.
    bench.sample.subject.spawn_root = ProcessId::new(7, 0);
    bench.alert(9_000, "a", Level::Medium).unwrap();
    bench.sample.subject.spawn_root = ProcessId::new(8, 0);
    assert!(bench.alert(9_001, "a", Level::Medium).unwrap().opens);
    let [closed] = &bench.closed[..] else {
        panic!("{:?}", bench.closed);
    };
    assert_eq!(closed.reason, Reason::Evicted);
    assert_eq!(closed.spawn_root, ProcessId::new(7, 1));
    assert_eq!(bench.incidents.stats().open, OPEN as u64);
    assert_eq!(bench.incidents.by_time.len(), OPEN);
    assert_eq!(bench.incidents.stop(9_002 * S).len(), OPEN);
    assert_eq!(bench.incidents.by_time.len(), 0);
}

#[test]
fn rules_of_one_incident_are_bounded() {
    let mut bench = Bench::new();
    for index in 0..3 * RULES {
        bench.alert(100, &format!("rule_{index:03}"), Level::Low);
        bench.alert(100, &format!("rule_{index:03}"), Level::Low);
    }
    for _ in 0..20 {
        for index in 0..RULES {
            bench.alert(101, &format!("rule_{index:03}"), Level::Low);
        }
    }
    let closed = bench.incidents.stop(200 * S).remove(0);
    assert_eq!(closed.rules.len(), RULES + 1);
    assert_eq!(closed.suppressed.len(), NAMED);
    let total: u64 = closed.suppressed.iter().map(|it| it.count).sum();
    assert!(total <= closed.folded && closed.suppressed[NAMED - 1].rule == OTHER);
    assert_eq!(
        closed.alerts + closed.folded,
        6 * RULES as u64 + 20 * RULES as u64
    );
}

proptest! {
    /// Whatever comes: every match is told or counted, every count is said once, and the
    /// first of an incident is told.
    #[test]
    fn nothing_is_lost_silently(
        acts in proptest::collection::vec((0_u64..40, 0_u8..4, 0_u64..3, any::<bool>()), 1..300)
    ) {
        let mut bench = Bench::new();
        let (mut now, mut told, mut said) = (100, 0, 0);
        let mut over = Vec::new();
        for (step, rule, root, gone) in &acts {
            now += step;
            bench.sample.subject.spawn_root = ProcessId::new(7, *root);
            let known = bench.incidents.open.contains_key(&key(&bench.sample.subject));
            let alert = bench.alert(now, &format!("rule_{rule}"), Level::Medium);
            prop_assert!(known || alert.as_ref().is_some_and(|it| it.opens));
            if let Some(alert) = alert {
                told += 1;
                said += alert.suppressed.iter().map(|it| it.count).sum::<u64>();
            }
            over.extend(bench.tick(now, *gone));
        }
        over.extend(bench.incidents.stop(now * S));
        said += over.iter().flat_map(|it| &it.suppressed).map(|it| it.count).sum::<u64>();
        prop_assert_eq!(told + said, acts.len() as u64);
        prop_assert_eq!(over.iter().map(|it| it.alerts).sum::<u64>(), told);
        prop_assert_eq!(over.iter().map(|it| it.folded).sum::<u64>(), said);
        prop_assert!(bench.incidents.by_time.is_empty() && bench.incidents.open.is_empty());
    }
}
