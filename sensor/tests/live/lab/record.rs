//! What the sensor recorded of a round, cut into the turns of its cases: each lies between
//! two fences, which are in the recording like everything else.

use std::{collections::HashMap, fs::File, path::Path, sync::Arc};

use ::sensor::{
    engine::Input,
    event::{
        Args, Event, Exec, Exit, ExitStatus, FileAction, Membership, ProcessId, Program, Stamp,
    },
    record::Reader,
};

use super::{
    proof::{Act, Proof, Trace},
    round,
};

/// A shell's exit statuses for what it could not run, or did not find.
const NOT_RUN: [u8; 2] = [126, 127];
/// SIGTERM and SIGKILL, by which cases end servers.
const ENDED: [u8; 2] = [15, 9];

/// A recording of a round.
#[derive(Default)]
pub(crate) struct Record {
    seen: Vec<Seen>,
    /// When and how processes ended.
    ended: HashMap<ProcessId, (u64, ExitStatus)>,
    /// When each fence was put, ns; the first has number 1.
    fences: Vec<u64>,
}

/// One event.
struct Seen {
    time_ns: u64,
    process: ProcessId,
    root: Option<u32>,
    what: What,
}

enum What {
    Ran {
        /// The name by which it was executed.
        name: String,
        args: Vec<String>,
    },
    Wrote(String),
    Forked,
    Connected(u16),
}

impl Record {
    pub(crate) fn read(path: &Path) -> Self {
        let mut record = Self::default();
        let file = File::open(path).expect("open a recording");
        for input in Reader::new(file).expect("a recording") {
            if let Input::Event(event) = input.expect("a whole recording") {
                record.take(&event);
            }
        }
        record
    }

    fn take(&mut self, event: &Event) {
        let (stamp, process, membership, what) = match event {
            Event::Exec(exec) => {
                let what = ran(exec);
                if let What::Ran { args, .. } = &what
                    && args.iter().any(|arg| round::is_word_of_fence(arg))
                {
                    self.fences.push(exec.stamp.time_ns);
                }
                (exec.stamp, exec.process, exec.membership, what)
            }
            Event::Fork(fork) => (fork.stamp, fork.child, fork.membership, What::Forked),
            Event::File(file) if file.action != FileAction::Read => {
                let what = What::Wrote(file.path.to_string());
                (file.stamp, file.process, file.membership, what)
            }
            Event::Socket(socket) => {
                let Some(remote) = socket.remote else {
                    return;
                };
                let what = What::Connected(remote.port());
                (socket.stamp, socket.process, socket.membership, what)
            }
            Event::Exit(exit) => {
                let ended = (exit.stamp.time_ns, exit.status);
                self.ended.insert(exit.process, ended);
                return;
            }
            Event::File(_) | Event::Lost(_) => return,
        };
        self.seen.push(Seen {
            time_ns: stamp.time_ns,
            process,
            root: membership.map(|Membership { root, .. }| root.tgid),
            what,
        });
    }

    /// What of this is not in the turn that ended with the fence of this number; `None` when
    /// all is.
    pub(crate) fn lacks(&self, fence: usize, proofs: &[Proof]) -> Option<String> {
        let (begin, end) = (self.fences[fence - 2], self.fences[fence - 1]);
        let turn = || {
            let seen = self.seen.iter();
            seen.filter(|seen| (begin + 1..end).contains(&seen.time_ns))
        };
        let traces = proofs.iter().filter_map(|proof| match proof {
            Proof::Recorded(trace) => Some(trace),
            Proof::Seen(_) => None,
        });
        let lacking: Vec<String> = traces
            .filter(|trace| !turn().any(|seen| self.is(trace, seen, end)))
            .map(ToString::to_string)
            .collect();
        let all = || turn().map(|seen| self.told(seen)).collect::<Vec<_>>();
        (!lacking.is_empty()).then(|| {
            let (lacking, all) = (lacking.join("; "), all().join("\n  "));
            format!("not played, for it is not recorded that it {lacking}; recorded:\n  {all}")
        })
    }

    fn is(&self, trace: &Trace, seen: &Seen, end: u64) -> bool {
        let same = match (&trace.act, &seen.what) {
            (Act::Ran(words), What::Ran { name, args }) => {
                is_called(name, &words[0])
                    && args.ends_with(&words[1..])
                    && self.has_run(seen.process, end)
            }
            (Act::Wrote(path), What::Wrote(seen)) => *path == Path::new(seen),
            (Act::Forked, What::Forked) => true,
            (Act::Connected(port), What::Connected(seen)) => port == seen,
            _ => false,
        };
        same && trace.root.is_none_or(|root| seen.root == Some(root))
    }

    /// It has not ended until then, or neither because it found nothing to run nor because
    /// it crashed.
    fn has_run(&self, process: ProcessId, until_ns: u64) -> bool {
        match self.ended.get(&process) {
            Some((at, _)) if *at >= until_ns => true,
            Some((_, ExitStatus::Code(code))) => !NOT_RUN.contains(code),
            Some((_, ExitStatus::Signal(signal))) => ENDED.contains(signal),
            None => true,
        }
    }

    /// For messages.
    fn told(&self, seen: &Seen) -> String {
        let (pid, root) = (seen.process.tgid, seen.root.unwrap_or_default());
        let what = match &seen.what {
            What::Ran { name, args } => {
                format!("ran {name} {args:?}, {:?}", self.ended.get(&seen.process))
            }
            What::Wrote(path) => format!("wrote {path}"),
            What::Forked => "forked".to_owned(),
            What::Connected(port) => format!("connected to port {port}"),
        };
        format!("{pid} below {root}: {what}")
    }
}

/// argv, without the `--` that newer C libraries put behind `sh -c`.
fn ran(exec: &Exec) -> What {
    let mut args: Vec<String> = exec.program.args.iter().map(ToString::to_string).collect();
    if args.get(1).is_some_and(|arg| arg == "-c") && args.get(2).is_some_and(|arg| arg == "--") {
        args.remove(2);
    }
    What::Ran {
        name: exec.program.filename.to_string(),
        args,
    }
}

/// A program executed as `/usr/bin/git` is called `git` and `/usr/bin/git`.
fn is_called(filename: &str, word: &str) -> bool {
    if word.contains('/') {
        return filename == word;
    }
    Path::new(filename)
        .file_name()
        .is_some_and(|name| name == word)
}

/// Events of two turns, each ended by a fence: a shell that found no program, then a program.
fn of_two_turns() -> Record {
    let mut record = Record::default();
    let fence = [b"sh".as_slice(), b"-c", b": 'x' fence-1-"];
    for (time_ns, pid, args, code) in [
        (10, 2, &fence[..], 0),
        (20, 3, &[b"sh", b"-c", b"--", b"git --version"], 127),
        (30, 4, &fence, 0),
        (40, 5, &[b"git", b"--version"], 128),
        (50, 6, &fence, 0),
    ] {
        record.take(&executed(time_ns, pid, args));
        record.take(&ended(time_ns + 5, pid, code));
    }
    record
}

fn executed(time_ns: u64, pid: u32, args: &[&[u8]]) -> Event {
    let program = Program {
        filename: format!("/usr/bin/{}", String::from_utf8_lossy(args[0])).into(),
        args: Args {
            head: args.iter().map(|&arg| arg.into()).collect(),
            ..Args::default()
        },
        ..Program::default()
    };
    let root = ProcessId::new(1, 1);
    Event::Exec(Exec {
        stamp: at(time_ns),
        process: ProcessId::new(pid, 1),
        membership: Some(Membership { root, depth: 2 }),
        recognised: false,
        candidate: false,
        parent: root,
        program: Arc::new(program),
    })
}

fn ended(time_ns: u64, pid: u32, code: u8) -> Event {
    Event::Exit(Exit {
        stamp: at(time_ns),
        process: ProcessId::new(pid, 1),
        membership: None,
        status: ExitStatus::Code(code),
    })
}

fn at(time_ns: u64) -> Stamp {
    Stamp {
        time_ns,
        ..Stamp::default()
    }
}

#[test]
fn a_trace_is_looked_for_in_its_own_turn_and_below_its_own_server() {
    let record = of_two_turns();
    let found = |fence: usize, root: Option<u32>, words: &[&str]| {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        let act = Act::Ran(words);
        let lacks = record.lacks(fence, &[Proof::Recorded(Trace { root, act })]);
        lacks.is_none()
    };
    // The shell did run, and did not find what it was to run.
    assert!(!found(2, Some(1), &["sh", "-c", "git --version"]));
    assert!(
        !found(2, Some(1), &["git", "--version"]),
        "a turn too early"
    );
    assert!(found(3, Some(1), &["git", "--version"]));
    assert!(found(3, Some(1), &["/usr/bin/git", "--version"]));
    assert!(found(3, None, &["git", "--version"]));
    assert!(!found(3, Some(2), &["git", "--version"]), "of another");
    assert!(!found(3, Some(1), &["git", "version"]));
    assert!(!found(3, Some(1), &["/bin/git", "--version"]));
    assert_eq!(record.lacks(2, &[Proof::Seen("it".to_owned())]), None);
}
