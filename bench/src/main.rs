//! Replays recordings (processes, files, sockets) through decode, tree, rules and alert on one core, and says what
//! each stage takes. Run by `cargo xtask bench`, which also says what is to be reached.
//!
//! A recording is turned back into the kernel's records and repeated, each time as
//! other processes at a later time, so that the tree does not degenerate. Making the
//! records is not timed; what is timed is what the sensor does between ring and sink.
//! Then comes what is held to a gate: a host made up to be busy, and verdicts with two
//! hundred rules. Time is what the thread ran, so that a busy machine does not make it slow.
//! `--once` runs a fixed amount through [`measured`] for callgrind.

mod busy;
mod chance;
mod clock;
mod encode;
mod gate;
mod stage;
mod stream;
mod verdict;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::Parser;
use sensor::{
    app::Replay, decode::decode, detect::RuleSet, engine::Input, event::Event, lineage::Subject,
};

use self::{
    stage::{STAGES, Stages},
    stream::{Item, Stream},
    verdict::Verdicts,
};

/// Repetitions that callgrind sees.
const ONCE: u64 = 20;
/// Verdicts that callgrind sees.
const ONCE_VERDICTS: usize = 1_000;

#[derive(Parser)]
struct Args {
    /// Recordings [default: the golden ones]
    files: Vec<PathBuf>,
    /// Records to be replayed of each
    #[arg(long, default_value_t = 200_000)]
    records: usize,
    /// Run little and print nothing: for callgrind
    #[arg(long)]
    once: bool,
    /// Take what is made up instead of recordings
    #[arg(long, value_enum, conflicts_with = "files")]
    made: Option<Made>,
}

/// What is made up.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Made {
    /// The busy host.
    Busy,
    /// Verdicts that are remembered.
    Hit,
    /// Verdicts that are not.
    Miss,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.once {
        match args.made {
            Some(made) => once_made(made),
            None => once(&args.files),
        }
        return ExitCode::SUCCESS;
    }
    let gates = args.files.is_empty();
    let files = match args.made {
        Some(_) => Vec::new(),
        None if gates => golden(),
        None => args.files,
    };
    head();
    for file in &files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let stream = Stream::read(file);
        report(&name, &stream, args.records);
        let bare = stream.of_lifes();
        if bare.records() > 0 {
            report(&format!("{name}, fork+exit"), &bare, args.records);
        }
    }
    let mut reached = Vec::new();
    if gates {
        for (host, name) in [(true, "busy host"), (false, "busy host, its services")] {
            let speed = report(name, &busy(host), args.records);
            reached.push(gate::pipeline(name, speed));
        }
    }
    say("stages in ns per record; records/s through the whole engine, alerts as JSON");
    if gates {
        reached.extend(gate::verdicts());
    }
    match gate::close(&reached, say) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn head() {
    say(&format!(
        "{:<34} {:>9} {:>6} {:>6} {:>6} {:>11}  {}",
        "recording",
        "records",
        "exec %",
        "file %",
        "alerts",
        "records/s",
        STAGES.map(|name| format!("{name:>8}")).join(" ")
    ));
}

/// Prints a row; its records a second through decode, tree and rules, and through all.
fn report(name: &str, stream: &Stream, records: usize) -> [f64; 2] {
    let repetitions = records.div_ceil(stream.records()) as u64;
    let mut core = Replay::new(&stream.header, rules()).expect("a recorded configuration");
    let mut stages = Stages::new(&stream.header, rules());
    let (mut seconds, mut count, mut alerts) = (0.0, 0, 0);
    for repetition in 0..repetitions {
        let items = stream.repeat(repetition);
        count += stream.records();
        let began = clock::seconds();
        alerts += measured(&mut core, &items);
        seconds += clock::seconds() - began;
        stages.run(&items);
    }
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let (count_f, share) = (count as f64, |part| {
        100.0 * part as f64 / stream.records() as f64
    });
    let execs = share(stream.count(|event| matches!(event, Event::Exec(_))));
    let acts = |event: &Event| matches!(event, Event::File(_) | Event::Socket(_));
    let acts = share(stream.count(acts));
    let per_stage = stages
        .seconds
        .map(|s| format!("{:>8.0}", s * 1e9 / count_f));
    say(&format!(
        "{name:<34.34} {count:>9} {execs:>6.0} {acts:>6.0} {alerts:>6} {:>11.0}  {}",
        count_f / seconds,
        per_stage.join(" ")
    ));
    let [decode, tree, rules, _] = stages.seconds;
    [count_f / (decode + tree + rules), count_f / seconds]
}

/// What callgrind counts; the name is known to `xtask`.
#[inline(never)]
fn measured(core: &mut Replay, items: &[Item]) -> usize {
    whole(core, items)
}

/// The whole way of a record.
fn whole(core: &mut Replay, items: &[Item]) -> usize {
    let mut alerts = 0;
    for item in items {
        let input = match item {
            Item::Record(bytes) => Input::Event(decode(bytes).expect("an encoded record")),
            Item::Input(input) => input.make(),
        };
        for alert in core.step(input).expect("no reload is measured") {
            std::hint::black_box(alert.to_json());
            alerts += 1;
        }
    }
    alerts
}

fn once(files: &[PathBuf]) {
    for file in files {
        repeat(&Stream::read(file), ONCE);
    }
}

fn once_made(made: Made) {
    match made {
        Made::Busy => repeat(&busy(true), 1),
        Made::Hit => {
            let mut verdicts = Verdicts::new();
            let warm = verdicts.repeated(ONCE_VERDICTS);
            verdicts.judge(&warm);
            let subjects = verdicts.repeated(ONCE_VERDICTS);
            measured_verdicts(&mut verdicts, &subjects);
        }
        Made::Miss => {
            let mut verdicts = Verdicts::new();
            let warm = verdicts.different(ONCE_VERDICTS);
            verdicts.judge(&warm);
            let subjects = verdicts.different(ONCE_VERDICTS);
            measured_verdicts(&mut verdicts, &subjects);
        }
    }
}

fn repeat(stream: &Stream, repetitions: u64) {
    let mut core = Replay::new(&stream.header, rules()).expect("a recorded configuration");
    // What is made at first use is no cost of a record.
    whole(&mut core, &stream.repeat(0));
    for repetition in 1..=repetitions {
        measured(&mut core, &stream.repeat(repetition));
    }
}

/// Like [`measured`], for verdicts.
#[inline(never)]
fn measured_verdicts(verdicts: &mut Verdicts, subjects: &[Arc<Subject>]) {
    verdicts.judge(subjects);
}

/// The busy host, on a machine like that of a recording.
fn busy(host: bool) -> Stream {
    let like = golden_directory().join("nginx-php-fpm-benign.rec");
    Stream::busy(&Stream::read(&like), host)
}

fn rules() -> RuleSet {
    RuleSet::load(&[]).expect("the built-in rules load")
}

fn golden_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sensor/tests/golden")
}

fn golden() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(golden_directory()).expect("sensor/tests/golden is there");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("list sensor/tests/golden").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rec"))
        .collect();
    files.sort();
    files
}

fn say(line: &str) {
    // A reader that is gone wants no more.
    drop(writeln!(std::io::stdout(), "{line}"));
}
