//! Golden recordings: each server stack, attacked and in peace, as the kernel told it;
//! a replay gives the alerts beside the recording, byte for byte.
//!
//! `UPDATE_GOLDEN=1 cargo test -p sensor --test golden` writes the alerts anew, after a
//! change of rules or of the alert. The recordings themselves come from live servers:
//! see `tests/live/fixture/golden.rs`.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs::{self, File},
    iter,
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex},
    thread::{self, ScopedJoinHandle},
};

use sensor::{
    alert::{Alert, Level},
    app,
    config::Config,
    control::{Query, QueryKind},
    detect::RuleSet,
    engine::{Engine, Input, Output},
    event::Event,
    lineage::ServiceKind,
    profile::Lock,
    record::{Header, Reader},
    service::{Evidence, SERVERS},
    tree::LEVELS,
};
use serde_json::Value;
use tokio::sync::oneshot;

/// Largest recording kept in the repository, bytes: a new cluster of `PostgreSQL` is 3,500
/// files.
const LARGEST: u64 = 100 << 10;
/// Kinds that are tested live and have no server of their own to record.
const NAMELESS: [ServiceKind; 2] = [
    // The configuration names it.
    ServiceKind::Declared,
    // Of a service whose records were lost.
    ServiceKind::Unknown,
];

/// A recording and what came of it.
struct Golden {
    name: String,
    path: PathBuf,
    header: Header,
    /// Services that began, by kind.
    services: BTreeSet<ServiceKind>,
    /// Services with an alert of level medium or above, by kind.
    alerted: BTreeSet<&'static str>,
    /// The alerts, one line each.
    lines: String,
    /// Files and sockets among the records.
    acts: (usize, usize),
    /// Execs among the records.
    execs: u64,
    /// Alerts by level, least first.
    levels: [u64; LEVELS],
    /// What `top` was told at the end.
    top: Value,
    /// Alerts that `top` counted for their service at once, and those it had to.
    counted: (u64, u64),
    /// Everything recorded, for people.
    text: String,
}

impl Golden {
    fn is_attack(&self) -> bool {
        self.name.ends_with("-attack")
    }

    /// Replays a recording.
    fn read(path: PathBuf) -> Self {
        let reader = Reader::new(File::open(&path).expect("open a golden file"));
        let reader = reader.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let header = reader.header().clone();
        let name = path.file_stem().expect("it has a name").to_string_lossy();
        let mut golden = Self {
            name: name.into_owned(),
            header,
            services: BTreeSet::new(),
            alerted: BTreeSet::new(),
            lines: String::new(),
            acts: (0, 0),
            execs: 0,
            levels: [0; LEVELS],
            top: Value::Null,
            counted: (0, 0),
            text: String::new(),
            path,
        };
        let rules = RuleSet::load(&[]).expect("the built-in rules load");
        let config = Config::from_core_yaml(&golden.header.config).expect("a configuration");
        let mut engine = app::engine(&config, rules, &Lock::default(), golden.header.host.clone());
        let mut out = Vec::new();
        for input in reader {
            let input = input.unwrap_or_else(|error| panic!("{}: {error}", golden.path.display()));
            golden.note(&input);
            engine.step(input, &mut out);
            for output in std::mem::take(&mut out) {
                golden.take(&output);
                if let Output::Alert(alert) = &output {
                    golden.count(alert, &top(&mut engine));
                }
            }
        }
        golden.top = top(&mut engine);
        golden
    }

    /// The service of an alert has one more of its level.
    fn count(&mut self, alert: &Alert, top: &Value) {
        let level = alert.rule.level as usize;
        self.levels[level] += 1;
        let Some(root) = alert.lineage.first().filter(|_| alert.service.is_some()) else {
            return;
        };
        let services = top["services"].as_array().expect("a list of services");
        let service = services.iter().find(|it| it["pid"] == root.pid);
        // It may have ended before its alert came.
        if let Some(service) = service {
            let has = service["alerts"][level].as_u64().is_some_and(|it| it > 0);
            let (counted, all) = self.counted;
            self.counted = (counted + u64::from(has), all + 1);
        }
    }

    fn note(&mut self, input: &Input) {
        match input {
            Input::Event(Event::Exec(_)) => self.execs += 1,
            Input::Event(Event::File(_)) => self.acts.0 += 1,
            Input::Event(Event::Socket(_)) => self.acts.1 += 1,
            _ => {}
        }
        writeln!(self.text, "{input:?}").expect("a String takes everything");
    }

    fn take(&mut self, output: &Output) {
        match output {
            Output::Alert(alert) => {
                self.lines += &alert.to_json();
                self.lines.push('\n');
                let service = alert.service.as_ref().map(|service| service.kind);
                let loud = alert.rule.level >= Level::Medium;
                self.alerted.extend(service.filter(|_| loud));
            }
            Output::Started(service) => {
                self.services.insert(service.kind);
            }
            _ => {}
        }
    }
}

/// What `top` would be told now.
fn top(engine: &mut Engine) -> Value {
    let (reply, mut answer) = oneshot::channel();
    let kind = QueryKind::Top;
    engine.step(Input::Query(Query { kind, reply }), &mut Vec::new());
    answer.try_recv().expect("the core answers at once")
}

/// Every recording, in order of names, replayed once for all tests.
static GOLDEN: LazyLock<Vec<Golden>> = LazyLock::new(|| {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = fs::read_dir(directory).expect("tests/golden is there");
    let paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("list tests/golden").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rec"))
        .collect();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let left = Mutex::new(paths.into_iter());
    let next = || left.lock().expect("no reader panicked").next();
    let mut read: Vec<Golden> = thread::scope(|scope| {
        let readers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| iter::from_fn(next).map(Golden::read).collect::<Vec<_>>()))
            .collect();
        let read = readers.into_iter().map(ScopedJoinHandle::join);
        read.flat_map(|read| read.expect("each recording can be replayed"))
            .collect()
    });
    read.sort_by(|a, b| a.path.cmp(&b.path));
    read
});

#[expect(
    clippy::disallowed_methods,
    reason = "a switch of the test, no setting of the sensor"
)]
fn update() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1")
}

#[test]
fn replays_give_the_alerts_they_gave() {
    for golden in GOLDEN.iter() {
        let (found, expected) = (&golden.lines, golden.path.with_extension("jsonl"));
        if update() {
            fs::write(&expected, found).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        let differing = found.lines().zip(expected.lines()).find(|(a, b)| a != b);
        assert!(
            *found == expected,
            "{}: {} alerts, expected {}; first difference: {differing:#?}\n\
             after a wanted change: UPDATE_GOLDEN=1 cargo test -p sensor --test golden",
            golden.name,
            found.lines().count(),
            expected.lines().count(),
        );
    }
}

/// Numbers of `top` are those of what was recorded and told.
#[test]
fn top_counts_what_happened() {
    for golden in GOLDEN.iter() {
        let (name, seen) = (&golden.name, &golden.top["seen"]);
        assert_eq!(seen["execs"], golden.execs, "{name}");
        assert_eq!(seen["files"], golden.acts.0, "{name}");
        assert_eq!(seen["sockets"], golden.acts.1, "{name}");
        assert_eq!(seen["alerts"], serde_json::json!(golden.levels), "{name}");
        let (counted, all) = golden.counted;
        assert_eq!(counted, all, "{name}");
        assert!(
            all > 0 || !golden.is_attack(),
            "{name}: no service of an alert was told"
        );
    }
}

#[test]
fn every_list_of_alerts_has_its_recording() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.with_extension("rec").exists(), "{}", path.display());
    }
}

/// At level medium, which is the default of `output.level`.
#[test]
fn peace_is_silent_and_attacks_are_not() {
    for golden in GOLDEN.iter() {
        let name = &golden.name;
        assert!(golden.is_attack() || name.ends_with("-benign"), "{name}");
        let silent = golden.alerted.is_empty();
        assert_eq!(!silent, golden.is_attack(), "{name}: {}", golden.lines);
    }
}

#[test]
fn every_server_tested_live_is_recorded_attacked_and_in_peace() {
    let live = SERVERS
        .iter()
        .filter(|server| server.evidence == Evidence::Live && !NAMELESS.contains(&server.kind));
    let mut missing = Vec::new();
    for kind in live.map(|server| server.kind) {
        let attacked = |golden: &&Golden| golden.alerted.contains(kind.name());
        if !GOLDEN.iter().any(|golden| attacked(&golden)) {
            missing.push(format!("{} attacked", kind.name()));
        }
        let mut peaceful = GOLDEN.iter().filter(|golden| !golden.is_attack());
        if !peaceful.any(|golden| golden.services.contains(&kind)) {
            missing.push(format!("{} in peace", kind.name()));
        }
    }
    assert!(missing.is_empty(), "not recorded: {missing:?}");
}

#[test]
fn every_attack_has_its_peace() {
    for golden in GOLDEN.iter().filter(|golden| golden.is_attack()) {
        let peace = golden.name.replace("-attack", "-benign");
        let peace = GOLDEN.iter().find(|golden| golden.name == peace);
        assert!(peace.is_some(), "{}", golden.name);
    }
}

/// Not only processes are recorded. An interpreter has read its libraries before it is
/// known to serve, so that not each recording has files.
#[test]
fn recordings_hold_files_and_sockets() {
    let with = |acts: fn(&Golden) -> usize| GOLDEN.iter().filter(|it| acts(it) > 0).count();
    let (files, sockets) = (with(|golden| golden.acts.0), with(|golden| golden.acts.1));
    assert!(4 * files > 3 * GOLDEN.len(), "{files}");
    assert!(2 * sockets > GOLDEN.len(), "{sockets}");
}

/// What must not be in a repository: names and places of the machine that recorded.
#[test]
fn nothing_of_the_recording_machine_is_kept() {
    for golden in GOLDEN.iter() {
        let size = golden.path.metadata().unwrap().len();
        assert!(size <= LARGEST, "{} has {size} bytes", golden.name);
        assert_eq!(golden.header.host.name, "web-1");
        assert_eq!(golden.header.host.users.len(), 2);
        // Paths from the root, as they are printed; and anywhere.
        for word in ["\"/root/", "\"/home/", "\"/work/", "cargo", "rustup"] {
            assert!(!golden.text.contains(word), "{}: {word}", golden.name);
        }
    }
}
