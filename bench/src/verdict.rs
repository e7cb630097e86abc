//! What a verdict costs with two hundred rules, remembered and come to anew.
//!
//! The rules are the shipped ones and others in their style: lists of programs, roles,
//! parts of command lines. The execs are those of members of the busy host.

use std::{fmt::Write as _, fs, hint::black_box, path::Path, sync::Arc};

use sensor::{
    detect::{Detector, RuleSet},
    event::{Event, Program},
    lineage::{Act, Subject},
    service::Catalogue,
    tree::{Limits, Scope, Tree},
};

use super::{busy, stream::Later};

/// Rules in force.
const RULES: usize = 200;

/// See the module.
pub(super) struct Verdicts {
    detector: Detector,
    days: Days,
    /// Execs that no two of are the same; made so far.
    made: u64,
}

impl Verdicts {
    pub(super) fn new() -> Self {
        let rules = rules();
        assert_eq!(rules.list().len(), RULES);
        Self {
            detector: Detector::new(rules, [(33, "www-data".to_owned())].into()),
            days: Days::new(),
            made: 0,
        }
    }

    /// So many execs as the tree hands them on: each kind comes again and again, each time
    /// in another process and with a program that was made anew.
    pub(super) fn repeated(&mut self, times: usize) -> Vec<Arc<Subject>> {
        self.days.execs(times, |_| {})
    }

    /// As many of which each has an argument that was never seen.
    pub(super) fn different(&mut self, times: usize) -> Vec<Arc<Subject>> {
        let made = &mut self.made;
        self.days.execs(times, |program| {
            *made += 1;
            program.args.head.push(format!("--job={made}").into());
        })
    }

    /// What is measured: from the tree's hands to a verdict. Not that subjects end: the
    /// engine has them longer.
    pub(super) fn judge(&mut self, subjects: &[Arc<Subject>]) {
        for subject in subjects {
            let now_ns = subject.stamp.time_ns;
            black_box(self.detector.evaluate(Arc::clone(subject), now_ns));
        }
    }

    /// Verdicts that were remembered, and that were not, so far.
    pub(super) fn counts(&self) -> (u64, u64) {
        let stats = self.detector.rules().memo();
        (stats.hits, stats.misses + stats.unkept)
    }
}

/// The busy host's services, day after day: the servers stay, what they run comes and ends.
struct Days {
    tree: Tree,
    /// Of one day, but for what was there before.
    events: Vec<Event>,
    /// The next of them, and its day.
    next: usize,
    day: u64,
}

impl Days {
    /// How long one is, ns.
    const NS: u64 = 2 * busy::SECONDS * 1_000_000_000;

    /// After so many events the tree may forget what has ended.
    const TICK: usize = 1_000;

    fn new() -> Self {
        let mut tree = Tree::new(Limits::default(), Scope::Services, Catalogue::new(&[]));
        let is_first = |event: &Event| event.time_ns() < busy::BEGIN_NS;
        let (first, events): (Vec<Event>, _) = busy::events().into_iter().partition(is_first);
        for event in first {
            drop(tree.apply(&event));
        }
        Self {
            tree,
            events,
            next: 0,
            day: 0,
        }
    }

    /// The next execs of members, without those that start servers.
    fn execs(&mut self, times: usize, mut change: impl FnMut(&mut Program)) -> Vec<Arc<Subject>> {
        let mut execs = Vec::with_capacity(times);
        while execs.len() < times {
            let event = self.event(&mut change);
            let effects = self.tree.apply(&event);
            let subjects = effects
                .subjects
                .into_iter()
                .filter(|it| it.act == Act::Exec && it.service.is_some() && !it.own_image);
            execs.extend(subjects.map(Arc::new));
        }
        execs.truncate(times);
        execs
    }

    fn event(&mut self, change: &mut impl FnMut(&mut Program)) -> Event {
        let later = Later {
            ns: self.day * Self::NS,
            seq: 0,
            since_ns: busy::BEGIN_NS,
        };
        let mut event = later.event(&self.events[self.next]);
        if let Event::Exec(exec) = &mut event {
            change(Arc::make_mut(&mut exec.program));
        }
        self.next += 1;
        if self.next.is_multiple_of(Self::TICK) {
            drop(self.tree.expire(event.time_ns()));
        }
        if self.next == self.events.len() {
            (self.next, self.day) = (0, self.day + 1);
        }
        event
    }
}

fn rules() -> RuleSet {
    let shipped = RuleSet::load(&[]).expect("the built-in rules load");
    let directory = tempfile::tempdir().expect("a directory");
    for number in shipped.list().len()..RULES {
        write(directory.path(), number);
    }
    let directories = [directory.path().to_owned()];
    RuleSet::load(&directories).unwrap_or_else(|error| panic!("{error}"))
}

/// A rule as people write them for a host of theirs.
fn write(directory: &Path, number: usize) {
    let list = |words: &[&str]| {
        let words = (0..12).map(|index| format!("{}{number}x{index}", words[index % words.len()]));
        words.collect::<Vec<_>>().join(", ")
    };
    let (role, origin) = [
        ("app", "worker"),
        ("cgi", "worker"),
        ("db", "both"),
        ("app", "both"),
    ][number % 4];
    let mut text = format!(
        "title: own {number}\nid: 00000000-0000-4000-8000-{number:012}\nlevel: low\n\
         logsource: {{product: linux, category: process_creation}}\ndetection:\n"
    );
    let programs = list(&["pack", "send", "sync", "fetch"]);
    let parts = list(&["--out=", "/srv/x", "host"]);
    let written = match number % 3 {
        0 => writeln!(
            text,
            "  programs: {{Service.Role: {role}, Exec.OwnImage: false, Exec.Program: [{programs}]}}\n  \
             known: {{CommandLine|contains: [{parts}]}}\n  condition: programs and not known"
        ),
        1 => writeln!(
            text,
            "  below: {{Service.Origin: {origin}, Exec.OwnImage: false}}\n  \
             said: {{CommandLine|contains: [{parts}]}}\n  condition: below and said"
        ),
        _ => writeln!(
            text,
            "  images: {{Image|endswith: [{parts}], Service.Worker: true}}\n  \
             parents: {{ParentImage|endswith: [{programs}]}}\n  condition: images or parents"
        ),
    };
    written.expect("text grows");
    fs::write(directory.join(format!("own{number}.yml")), text).expect("a rule is written");
}
