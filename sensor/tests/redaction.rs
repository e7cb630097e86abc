//! Attacks that were recorded on real servers, with secrets put into every command line and
//! request: nothing that the engine says has one in it, whoever asks.

mod recorded;

use std::{collections::BTreeSet, fs::File, path::Path, sync::Arc};

use sensor::{
    alert::Document,
    app::{self, Replay},
    config::Config,
    control::{Query, QueryKind},
    engine::{Input, Output},
    event::{Event, Program, Snapshot},
    profile::Lock,
    record::{Core, Header, Options, Reader, Tape},
    redact::{Key, Redactor},
};
use tokio::sync::oneshot;

use self::recorded::{golden, rules};

/// Stands in no recording, no rule and no path.
const SECRET: &str = "Tr0ub4dor&3 horse";

/// Attacks over CGI (an environment), on php-fpm (shells), with files, by an uploaded ELF.
const ATTACKS: &[&str] = &[
    "cgi-prefork-attack",
    "nginx-php-fpm-attack",
    "php-files-attack",
    "jvm-tomcat-attack",
    "node-single-attack",
];

/// The recording, with secrets.
fn spoilt_golden(name: &str) -> (Header, Vec<Input>) {
    let (header, inputs) = golden(name);
    (header, inputs.into_iter().map(spoilt).collect())
}

/// The same input with secrets.
fn spoilt(input: Input) -> Input {
    match input {
        Input::Event(Event::Exec(mut exec)) => {
            exec.program = with_secrets(&exec.program);
            Input::Event(Event::Exec(exec))
        }
        Input::Snapshot(Snapshot {
            time_ns,
            mut processes,
        }) => {
            for row in &mut processes {
                row.program = row.program.as_ref().map(with_secrets);
            }
            Input::Snapshot(Snapshot { time_ns, processes })
        }
        other => other,
    }
}

fn with_secrets(program: &Arc<Program>) -> Arc<Program> {
    let mut program = Program::clone(program);
    let args = &mut program.args;
    let reads = args.head.iter().position(|arg| *arg == "-c");
    if let Some(line) = reads.and_then(|at| args.head.get_mut(at + 1)) {
        line.extend_from_slice(format!("; PGPASSWORD='{SECRET}' :").as_bytes());
    } else {
        args.head.push(format!("--password={SECRET}").into());
        args.head.push("--token".into());
        args.head.push(SECRET.into());
        args.argc += 3;
    }
    for (name, value) in &mut program.env {
        if *name == "REQUEST_URI" {
            value.extend_from_slice(b"?api_key=");
            value.extend_from_slice(SECRET.replace(['&', ' '], "").as_bytes());
        }
    }
    Arc::new(program)
}

/// Everything that is said: alerts and notices first, then what else leaves the engine.
struct Said {
    documents: Vec<String>,
    rest: Vec<String>,
}

fn run(header: &Header, inputs: &[Input], redactor: Redactor, tape: Option<&Path>) -> Said {
    let config = Config::from_core_yaml(&header.config).expect("it was made here");
    let redactor = Arc::new(redactor);
    let engine = app::engine(&config, rules(), &Lock::default(), header.host.clone());
    let tape = tape.map(|path| {
        let options = Options {
            redactor: Some(Arc::clone(&redactor)),
        };
        let file = File::create(path).expect("a new file");
        Tape::start(file, header, options).expect("a new recording")
    });
    let mut core = Core {
        engine: engine.with_redactor(redactor),
        tape,
    };
    let mut said = Said {
        documents: Vec::new(),
        rest: Vec::new(),
    };
    let mut out = Vec::new();
    for input in inputs {
        let asks = matches!(input, Input::Event(Event::Exit(_)));
        core.step(copy(input), &mut out);
        if asks {
            said.rest.extend(ask(&mut core, QueryKind::Tree));
        }
    }
    let pids: BTreeSet<u32> = inputs.iter().filter_map(pid).collect();
    for pid in pids {
        said.rest.extend(ask(&mut core, QueryKind::WhyNot(pid)));
    }
    core.step(Input::Stop, &mut out);
    for output in out {
        match output {
            Output::Alert(alert) => said.documents.push(alert.to_json()),
            Output::Notice(notice) => said.documents.push(notice.to_json()),
            Output::Quiet(counts) => said.rest.push(format!("{counts:?}")),
            _ => {}
        }
    }
    if let Some(tape) = core.tape {
        let summary = tape.finish().expect("a whole recording");
        assert!(summary.redacted > 0);
    }
    said
}

/// Inputs are read once, and used twice.
fn copy(input: &Input) -> Input {
    let bytes = postcard::to_allocvec(input).expect("it was read from bytes");
    postcard::from_bytes(&bytes).expect("it was written here")
}

fn pid(input: &Input) -> Option<u32> {
    match input {
        Input::Event(Event::Exec(exec)) => Some(exec.process.tgid),
        _ => None,
    }
}

fn ask(core: &mut Core, kind: QueryKind) -> Option<String> {
    let (reply, mut answer) = oneshot::channel();
    core.step(Input::Query(Query { kind, reply }), &mut Vec::new());
    answer.try_recv().ok().map(|value| value.to_string())
}

fn leaks(lines: &[String]) -> Option<&String> {
    let parts = ["Tr0ub4dor", "horse"];
    lines
        .iter()
        .find(|line| parts.iter().any(|part| line.contains(part)))
}

#[test]
fn nothing_that_is_said_has_a_secret_in_it() {
    for name in ATTACKS {
        let (header, inputs) = spoilt_golden(name);
        let key = Key::random().expect("random numbers");
        let redactor = Redactor::default().with_key(key);
        let said = run(&header, &inputs, redactor, None);
        assert!(said.documents.len() > 1 && said.rest.len() > 1, "{name}");
        assert_eq!(leaks(&said.documents), None, "{name}");
        assert_eq!(leaks(&said.rest), None, "{name}");
        let marked = said.documents.iter().filter(|it| it.contains("[REDACTED#"));
        assert!(marked.count() > 0, "{name}");
        assert!(said.documents.iter().any(|it| it.contains("\"redacted\":")));
        // The test sees what it looks for.
        let all = run(
            &header,
            &inputs,
            Redactor::default().showing_all(true),
            None,
        );
        assert!(leaks(&all.documents).is_some() && leaks(&all.rest).is_some());
        assert_eq!(all.documents.len(), said.documents.len(), "{name}");
    }
}

#[test]
fn a_recording_without_secrets_replays_to_the_same_lines() {
    for name in ATTACKS {
        let (header, inputs) = spoilt_golden(name);
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("recording");
        let key = Key::random().expect("random numbers");
        let redactor = Redactor::default().with_key(key);
        let live = run(&header, &inputs, redactor, Some(&path));
        let file = File::open(&path).expect("it was made here");
        let mut core = Replay::new(&header, rules()).expect("it was made here");
        let mut said = Vec::new();
        for input in Reader::new(file).expect("it was made here") {
            let input = input.expect("it was made here");
            let documents = core.step(input).expect("it was made here");
            said.extend(documents.map(|document| match document {
                Document::Alert(alert) => alert.to_json(),
                Document::Notice(notice) => notice.to_json(),
            }));
        }
        assert_eq!(said, live.documents, "{name}");
    }
}
