//! The memo of verdicts: it must be faster, and nothing else.

mod near;

use std::{cell::RefCell, sync::Arc};

use proptest::{prelude::*, test_runner::TestRunner};

use super::*;
use crate::{
    detect::{detector::Verdicts, memo, source},
    event::{ExitStatus, FileId, Kinds, ProcessId, Program, Source as Origin, Stamp, Written},
    lineage::{Judgement, Mode, Part, Role, Standing},
};

/// Acts that others are made of.
const BASES: &[&str] = &[
    "{image: /usr/bin/dash, argv: [sh, -c, id], uid: 33}",
    "{image: /usr/bin/convert, argv: [convert, a.png], cwd: /srv/app}",
    "{image: /usr/bin/python3.11, argv: [python3, /tmp/x.py], before: [/usr/bin/env]}",
    "{service: nginx, image: /usr/bin/id}",
    "{service: java, image: /usr/bin/dash, argv: [sh, -c, uname]}",
    "{service: none, lineage: [/usr/sbin/cron, /usr/bin/dash], image: /usr/bin/php8.2}",
    "{service: none, lineage: [/usr/sbin/sshd], image: /usr/bin/dpkg, argv: [dpkg, -i, x.deb]}",
    "{image: /tmp/x, argv: [x], file: {owner: 33, same_content: /usr/bin/dash}}",
    "{service: fcgiwrap, image: /usr/bin/perl, script: /usr/lib/cgi-bin/x.cgi}",
    "{service: postgres, image: /usr/bin/dash, argv: [sh, -c, pg_dump]}",
];

/// Acts that change what later ones are judged by.
const EARLIER: &[&str] = &[
    "{target: {path: /tmp/x.py, created: true}}",
    "{target: {path: /var/www/html/x.php, created: true}}",
    "{target: {action: read, path: /var/www/html/x.php}}",
    "{target: {path: /var/spool/cron/crontabs/www-data, created: true}}",
    "{service: java, lineage: [/usr/lib/jvm/java-17-openjdk-amd64/bin/java], connect: {ip: 203.0.113.9, port: 389}}",
];

/// Conditions over fields of every kind, whose values a key can hold.
const STEADY: &[&str] = &[
    "detection: {s: {Env.LD_PRELOAD|startswith: /tmp/}, condition: s}",
    "detection: {s: {ParentCommandLine|contains: php}, condition: s}",
    "detection: {s: {Lineage.Image|endswith: /dash}, condition: s}",
    "detection: {s: {Exec.Chain|contains: env}, condition: s}",
    "detection: {s: {Exec.WrittenAge|lt: 100}, condition: s}",
    "detection: {s: {Service.Id|exists: true, Lineage.Reparented: true}, condition: s}",
    "detection: {s: {User: www-data, Stdio.In: tty}, condition: s}",
    "detection: {s: {CurrentDirectory|fieldref: Image}, condition: s}",
    "detection: {s: {Profile.Judgement: unknown}, f: {Profile.First: true}, condition: s and not f}",
    "detection: {s: {Masquerade.Shell: true}, condition: s}\nneeds: [hash]",
    "detection: {s: {NoSuchField: null, Exec.EnvFunction: null, LogonId|gte: 1000}, condition: s}",
];

/// The same with values that hardly two acts share, and words anywhere.
const CHANGING: &[&str] = &[
    "detection: {s: {ProcessId|gt: 1001}, condition: s}",
    "detection: {s: {Exec.Program: id, ParentProcessId|lt: 1002}, condition: s}",
    "detection: {s: {Service.Age|lt: 1000000}, condition: s}",
    "detection: {s: {Exec.Program: convert}, k: [sh, LD_PRELOAD], condition: s or k}",
];

fn set(own: &[&str]) -> RuleSet {
    let own = own.iter().enumerate().map(|(index, detection)| Source {
        file: format!("{index}.yml"),
        text: format!(
            "title: r{index}\nid: 00000000-0000-4000-8000-{index:012}\nlevel: low\n\
             logsource: {{product: linux, category: process_creation}}\n{detection}\n"
        ),
    });
    let gathered = Gathered::new(source::shipped().chain(own));
    assert_eq!(gathered.problems, []);
    RuleSet::build(gathered)
}

/// What is different about an exec from the one it is made of.
#[derive(Clone, Debug)]
enum Change {
    Argument(&'static str),
    Image(&'static str),
    Directory(&'static str),
    Variable(&'static str, &'static str),
    User(u32),
    Session(u32, u64),
    Pid(u32),
    Later(u64),
    Written(u64),
    Script(u64),
    Terminal,
    Worker(bool),
    Orphan,
    Depth(u32),
    OwnImage,
    Parent(&'static str),
    Previous,
    Profile(bool, bool),
    Inode(u64),
    Size(u64),
    Faults(u32),
    Truncated,
}

fn change() -> impl Strategy<Value = Change> {
    use Change::*;
    let word = prop::sample::select(vec!["id", "-c", "curl x | sh", "/tmp/x.py", "", "\n"]);
    let path = prop::sample::select(vec!["/tmp/x", "/usr/bin/dash", "/usr/bin/php8.2", "/"]);
    prop_oneof![
        word.prop_map(Argument),
        path.clone().prop_map(Image),
        path.clone().prop_map(Directory),
        (
            prop::sample::select(vec!["LD_PRELOAD", "BASH_ENV", "HTTP_X"]),
            prop::sample::select(vec!["/tmp/x.so", "() { :; }", "/usr/lib/x.so"]),
        )
            .prop_map(|(name, value)| Variable(name, value)),
        prop::sample::select(vec![0, 33, 1_000]).prop_map(User),
        (0..3_u32, 0..3_u64).prop_map(|(pid, at)| Session(pid, at)),
        (0..4_u32).prop_map(Pid),
        (0..4_u64).prop_map(Later),
        (0..3_u64).prop_map(Written),
        (0..3_u64).prop_map(Script),
        Just(Terminal),
        any::<bool>().prop_map(Worker),
        Just(Orphan),
        (0..3_u32).prop_map(Depth),
        Just(OwnImage),
        path.prop_map(Parent),
        Just(Previous),
        any::<(bool, bool)>().prop_map(|(known, first)| Profile(known, first)),
        (0..3_u64).prop_map(Inode),
        (0..3_u64).prop_map(|size| Size(size * 62_844)),
        (0..8_u32).prop_map(|bits| Faults(bits * 3)),
        Just(Truncated),
    ]
}

const NS: u64 = 1_000_000_000;

fn apply(change: &Change, subject: &mut Subject) {
    if !of_program(change, Arc::make_mut(&mut subject.program)) {
        of_subject(change, subject);
    }
}

fn of_program(change: &Change, program: &mut Program) -> bool {
    match *change {
        Change::Argument(word) => program.args.head.push(word.into()),
        Change::Image(path) => program.image.path = path.into(),
        Change::Directory(path) => program.cwd = path.into(),
        Change::Variable(name, value) => program.env.push((name.into(), value.into())),
        Change::User(uid) => (program.cred.uid, program.cred.euid) = (uid, uid),
        Change::Session(pid, at) => {
            (program.ns.inner_pid, program.time_ns) = (pid, at);
            program.cred.login_uid = (pid > 0).then_some(pid * 1_000);
        }
        Change::Written(seconds) => {
            let (root, age_ns) = (ProcessId::new(1_000, 0), seconds * 60 * NS);
            program.written = (seconds > 0).then_some(Written { root, age_ns });
        }
        Change::Terminal => program.stdio = [crate::event::Fd::Tty; 3],
        Change::Inode(ino) => program.image.file = FileId { dev: 1, ino },
        Change::Size(size) => program.image.size = size,
        Change::Faults(bits) => program.faults.0 = bits,
        Change::Truncated => program.args.truncated = !program.args.truncated,
        _ => return false,
    }
    true
}

fn of_subject(change: &Change, subject: &mut Subject) {
    match *change {
        Change::Pid(more) => subject.process.tgid += more,
        Change::Later(minutes) => subject.stamp.time_ns += minutes * 60 * NS,
        Change::Script(seconds) => {
            let (root, age_ns) = (ProcessId::new(77, 77), seconds * NS);
            subject.script_written = (seconds > 0).then_some(Written { root, age_ns });
        }
        Change::Worker(is) => subject.origin = [Part::Master, Part::Worker][usize::from(is)],
        Change::Orphan => {
            if let Some(creator) = &mut subject.creator {
                creator.exit = Some((1, ExitStatus::Code(0)));
            }
        }
        Change::Depth(depth) => subject.depth = depth,
        Change::OwnImage => subject.own_image = !subject.own_image,
        Change::Parent(path) => {
            if let Some(program) = subject.creator.as_mut().and_then(|it| it.program.as_mut()) {
                Arc::make_mut(program).args.head.push(path.into());
                Arc::make_mut(program).image.path = path.into();
            }
        }
        Change::Previous => subject.previous = None,
        Change::Profile(known, first) => {
            let unknown = Judgement::Unknown(String::new());
            let refused = Judgement::Refused("x", String::new());
            subject.profile = Some(Arc::new(Standing {
                mode: Mode::Alert,
                judgement: if known { refused } else { unknown },
                first,
            }));
        }
        _ => {}
    }
}

fn exec() -> impl Strategy<Value = Subject> {
    let base = prop::sample::select(BASES).prop_map(subject);
    (base, prop::collection::vec(change(), 0..4)).prop_map(|(mut subject, changes)| {
        for change in &changes {
            apply(change, &mut subject);
        }
        subject
    })
}

/// Few different acts, many times.
fn acts() -> impl Strategy<Value = Vec<Subject>> {
    let some = prop::collection::vec(exec(), 1..6);
    let other = prop::collection::vec(exec(), 0..12);
    (some, other).prop_flat_map(|(some, other)| {
        let earlier = prop::sample::select(EARLIER).prop_map(subject);
        let next = prop_oneof![
            6 => prop::sample::select(some.clone()),
            2 => prop::sample::select([some, other].concat()),
            1 => earlier,
        ];
        prop::collection::vec(next, 1..60)
    })
}

fn told(verdicts: &Verdicts) -> String {
    let matches = verdicts.matches.iter();
    let matches = matches.map(|it| {
        (
            &it.rule.name,
            &it.fields,
            &it.incomplete,
            it.subject.process,
        )
    });
    format!("{:?} {:?}", matches.collect::<Vec<_>>(), verdicts.requests)
}

/// One detector with a memo and one without.
struct Pair {
    with: Detector,
    without: Detector,
    kinds: Kinds,
}

impl Pair {
    fn new(own: &[&str]) -> Self {
        Self {
            with: detector(set(own)),
            without: detector(set(own).without_memo()),
            kinds: Kinds::default(),
        }
    }

    /// Both say the same of these acts; how many verdicts were remembered. Every other act
    /// shares no program with any before it, and every fifth has programs without numbers.
    fn compare(&mut self, acts: &[Subject]) -> u64 {
        let before = self.with.rules().memo().hits;
        for detector in [&mut self.with, &mut self.without] {
            detector.forget();
        }
        for (index, act) in acts.iter().enumerate() {
            let mut act = act.clone();
            let has_numbers = index % 5 != 4;
            if index % 2 == 1 || !has_numbers {
                near::apart(&mut act);
            }
            if has_numbers {
                near::number(&mut act, &mut self.kinds);
            }
            let act = Arc::new(act);
            let now = act.stamp.time_ns;
            let expected = told(&self.without.evaluate(act.clone(), now));
            assert_eq!(told(&self.with.evaluate(act, now)), expected);
            assert_eq!(told(&self.with.tick(now)), told(&self.without.tick(now)));
        }
        assert_eq!(self.without.rules().memo().hits, 0);
        self.with.rules().memo().hits - before
    }
}

/// As many as `PROPTEST_CASES` asks for, or else so many.
fn cases(usual: u32) -> u32 {
    let asked = ProptestConfig::default().cases;
    if asked == 256 { usual } else { asked }
}

/// What is remembered stays from case to case: acts of many cases meet in one memo.
#[test]
fn with_a_memo_verdicts_are_the_same() {
    let changing = [STEADY, CHANGING].concat();
    let pairs = RefCell::new([Pair::new(STEADY), Pair::new(&changing)]);
    let config = ProptestConfig {
        cases: cases(64),
        failure_persistence: None,
        max_shrink_iters: 256,
        ..ProptestConfig::default()
    };
    let run = TestRunner::new(config).run(&acts(), |acts| {
        for pair in pairs.borrow_mut().iter_mut() {
            pair.compare(&acts);
        }
        Ok(())
    });
    run.unwrap();
    let [steady, _] = pairs.into_inner();
    let memo = steady.with.rules().memo();
    let by_key = memo.hits - memo.near;
    assert!(
        memo.near > 100 && by_key > 100,
        "{memo:?}: too few to prove anything"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(64), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fields_of_a_program_depend_on_what_the_key_holds(
        one in exec(),
        (time_ns, inner_pid, session, scan) in any::<(u64, u32, Option<u32>, bool)>(),
        changes in prop::collection::vec(change(), 0..2),
    ) {
        let mut two = one.clone();
        for change in &changes {
            apply(change, &mut two);
        }
        let program = Arc::make_mut(&mut two.program);
        program.time_ns = time_ns;
        program.source = if scan { Origin::Scan } else { Origin::Exec };
        program.ns.mount = inner_pid;
        (program.ns.inner_pid, program.ns.pid) = (inner_pid, inner_pid);
        program.cgroup.id = time_ns;
        program.cgroup.path = session.map(|it| it.to_string()).unwrap_or_default().into();
        program.cred.session_id = session;
        program.image.ctime_ns = session.map(i64::from);
        let same = memo::program_key(&one.program) == memo::program_key(&two.program);
        prop_assert_eq!(same, one.program.is_like(&two.program));
        if same {
            prop_assert_eq!(memo::program_fields(&one.program), memo::program_fields(&two.program));
        } else {
            prop_assert!(one.program != two.program);
        }
    }
}

fn exec_of(argument: &str) -> Subject {
    let mut subject = subject(BASES[1]);
    Arc::make_mut(&mut subject.program)
        .args
        .head
        .push(argument.into());
    subject
}

#[test]
fn what_comes_again_is_remembered_and_what_changes_is_not() {
    let same = vec![exec_of("x"); 10];
    assert_eq!(Pair::new(STEADY).compare(&same), 9);
    assert_eq!(Pair::new(CHANGING).compare(&same), 0, "each reads its pid");
    let mut others = same;
    for (index, subject) in others.iter_mut().enumerate() {
        let index = u64::try_from(index).unwrap();
        subject.process = ProcessId::new(7, index);
        subject.stamp = Stamp {
            seq: index,
            time_ns: subject.stamp.time_ns + index,
            cpu: 1,
        };
        Arc::make_mut(&mut subject.program).time_ns = index;
    }
    assert_eq!(
        Pair::new(STEADY).compare(&others),
        9,
        "pid and time are no difference"
    );
}

#[test]
fn each_role_and_what_waits_have_verdicts_of_their_own() {
    let mut app = exec_of("x");
    let mut detector = detector(set(&["detection: {s: {Service.Role: app}, condition: s}"]));
    let names = |detector: &mut Detector, subject: &Subject| {
        let verdicts = detector.evaluate(Arc::new(subject.clone()), 0);
        names(&verdicts.matches).contains(&"r0")
    };
    for (role, expected) in [(Role::App, true), (Role::Ci, false), (Role::App, true)] {
        let service = app.service.as_mut().map(Arc::make_mut).unwrap();
        service.role = role;
        assert_eq!(names(&mut detector, &app), expected, "{role:?}");
    }
}

#[test]
fn entries_and_bytes_are_bounded_and_the_latest_stay() {
    let bytes = 64 << 10;
    let mut detector = detector(set(&[]).with_memo(bytes));
    let mut ask = |argument: &str| {
        detector.evaluate(Arc::new(exec_of(argument)), 0);
        detector.rules().memo()
    };
    for number in 0..400 {
        let stats = ask(&number.to_string());
        assert!(stats.bytes <= bytes as u64, "{stats:?}");
        let hits = stats.hits;
        assert_eq!(ask("0").hits, hits + 1, "asked for each time, so it stays");
    }
    let stats = ask("399");
    assert!(stats.entries > 10 && stats.entries < 200, "{stats:?}");
    let misses = stats.misses;
    assert_eq!(ask("1").misses, misses + 1, "went long ago");
    let before = ask("1");
    let after = ask(&"x".repeat(memo::KEY + 1));
    assert_eq!(
        (after.unkept, after.entries),
        (before.unkept + 1, before.entries)
    );
}

#[test]
fn the_default_bounds_hold() {
    let mut detector = detector(set(&[]));
    for number in 0..memo::ENTRIES + 100 {
        detector.evaluate(Arc::new(exec_of(&number.to_string())), 0);
    }
    let stats = detector.rules().memo();
    let least = memo::BYTES as u64 / 2 / 1_024;
    assert!(
        stats.entries >= least && stats.entries <= memo::ENTRIES as u64,
        "{stats:?}"
    );
    assert!(stats.bytes <= memo::BYTES as u64, "{stats:?}");
}

#[test]
fn other_rules_begin_with_nothing_remembered() {
    let rules = set(&[]);
    let mut detector = Detector::new(rules, Users::new());
    for _ in 0..2 {
        detector.evaluate(Arc::new(exec_of("x")), 0);
    }
    assert_eq!(detector.rules().memo().hits, 1);
    assert_eq!(set(&[]).memo(), memo::MemoStats::default());
}
