//! What each program costs the processes it watches: the kernel's own count of runs and
//! nanoseconds (`bpf_stats`), for a member and for a stranger doing the same.
//!
//! Wall-clock time of such short acts says nothing on a busy machine; this does. Other
//! processes' runs are in it too: the work is repeated until they do not matter, and done
//! in rounds, member and stranger in turn, of which the median is told.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    net::UdpSocket,
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, Result, bail};
use aya::sys::{Stats, enable_stats};
use sensor::probe::{Found, Judge, Options, Probe, RunTime};
use serde::Serialize;

use crate::{answer, harness, program::SERVER, rung};

/// Times that everything is measured: odd, so that one is in the middle.
const ROUNDS: usize = 9;
/// Fewer runs for each time a work was done are others' runs.
const OWN: f64 = 0.5;

/// One kind of work.
struct Work {
    name: &'static str,
    /// How often it is done: less of what fills the rings.
    times: u32,
    act: fn(u32) -> Result<()>,
}

const WORKS: &[Work] = &[
    Work {
        name: "nothing",
        times: 20_000,
        act: |_| {
            std::hint::black_box(rustix::process::getppid());
            Ok(())
        },
    },
    Work {
        name: "spawn",
        times: 300,
        act: |_| {
            let mut child = Command::new("/proc/self/exe");
            child.args(["step", "code", "0"]);
            child.stdin(Stdio::null()).stdout(Stdio::null());
            let status = child.status().context("start a child")?;
            if !status.success() {
                bail!("the child ended with {status}");
            }
            Ok(())
        },
    },
    Work {
        name: "open to read",
        times: 20_000,
        act: |_| File::open("page.html").map(drop).context("open page.html"),
    },
    Work {
        name: "open a script to read, again",
        times: 20_000,
        act: |_| File::open("page.php").map(drop).context("open page.php"),
    },
    Work {
        name: "open to write",
        times: 5_000,
        act: |_| {
            let mut write = OpenOptions::new();
            write.write(true);
            write.open("log.txt").map(drop).context("open log.txt")
        },
    },
    Work {
        name: "open a device to write",
        times: 20_000,
        act: |_| {
            let mut write = OpenOptions::new();
            write.write(true);
            write.open("/dev/null").map(drop).context("open /dev/null")
        },
    },
    Work {
        name: "rename",
        times: 2_000,
        act: |round| {
            let names = ["a.txt", "b.txt"];
            let (from, to) = (round % 2, (round + 1) % 2);
            fs::rename(names[from as usize], names[to as usize]).context("rename")
        },
    },
    Work {
        name: "connect",
        times: 2_000,
        act: |_| {
            let socket = UdpSocket::bind("127.0.0.1:0").context("bind")?;
            socket.connect("127.0.0.1:9").context("connect")
        },
    },
];

/// What one program took for one kind of work.
#[derive(Serialize)]
struct Row {
    work: &'static str,
    /// By a member of a service; else by a stranger.
    member: bool,
    program: &'static str,
    /// Runs for each time the work was done: median of the rounds.
    runs: f64,
    /// Mean of one run, ns: median of the rounds, and the least and most of them.
    ns: f64,
    least: f64,
    most: f64,
}

/// Work by index, member or stranger, program.
type Key = (usize, bool, &'static str);
/// Runs for each time the work was done, and ns of each, by round.
type Rounds = BTreeMap<Key, Vec<(f64, f64)>>;

/// Measures every kind of work and prints one JSON line for each program that ran.
pub(crate) fn task() -> Result<ExitCode> {
    let _lock = harness::lock()?;
    let options = Options {
        classes: sensor::watch::classes(),
        ..rung::options(None)
    };
    let mut probe = Probe::start(&options).context("attach the sensor")?;
    let judge = Judge {
        look: &|_| Found::Other,
        same: &|_, _| false,
        all: false,
    };
    probe.seed(false, &judge).context("seed the sensor")?;
    let counters = probe.counters();
    let (mut ring, mut file_ring, _attached) = probe.split();
    let dir = tempfile::tempdir().context("create a directory")?;
    for name in [SERVER, STRANGER] {
        fs::copy("/proc/self/exe", dir.path().join(name)).context("copy this executable")?;
    }
    let _stats = enable_stats(Stats::RunTime).context("switch bpf_stats on")?;
    let mut rounds = Rounds::new();
    for _ in 0..ROUNDS {
        for (index, work) in WORKS.iter().enumerate() {
            for (member, name) in [(true, SERVER), (false, STRANGER)] {
                let before = counters.run_times();
                done(dir.path(), name, work)?;
                let after = counters.run_times();
                // What one work leaves is far less than a ring, so no record is refused.
                while ring.step().is_some() || file_ring.step().is_some() {}
                note(&mut rounds, (index, member), &before, &after);
            }
        }
    }
    for (key, seen) in &rounds {
        report(*key, seen)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Name of an executable that no service has.
const STRANGER: &str = "stranger";

/// Has a process called `name` do `work`, to its end.
fn done(dir: &Path, name: &str, work: &Work) -> Result<()> {
    let status = Command::new(dir.join(name))
        .args(["work", work.name])
        .current_dir(dir)
        .status()
        .context("start the work")?;
    if status.success() {
        Ok(())
    } else {
        bail!("{}: {status}", work.name)
    }
}

/// Takes down what each program did between `before` and `after`.
fn note(rounds: &mut Rounds, of: (usize, bool), before: &[RunTime], after: &[RunTime]) {
    let times = WORKS.get(of.0).map_or(1, |work| work.times);
    for (before, after) in before.iter().zip(after) {
        let runs = after.runs - before.runs;
        let taken = (
            ratio(runs, u64::from(times)),
            ratio(after.ns - before.ns, runs.max(1)),
        );
        let key = (of.0, of.1, after.program);
        rounds.entry(key).or_default().push(taken);
    }
}

fn report((work, member, program): Key, seen: &[(f64, f64)]) -> Result<()> {
    let (runs, ns): (Vec<f64>, Vec<f64>) = seen.iter().copied().unzip();
    let ([_, runs, _], [least, ns, most]) = (spread(runs), spread(ns));
    let Some(work) = WORKS.get(work).filter(|_| runs >= OWN) else {
        return Ok(());
    };
    answer(&Row {
        work: work.name,
        member,
        program,
        runs,
        ns,
        least,
        most,
    })
}

/// The least, the median and the most.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    [
        at(0),
        at(values.len() / 2),
        at(values.len().saturating_sub(1)),
    ]
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of one measurement, far below 2^52"
)]
fn ratio(part: u64, whole: u64) -> f64 {
    (part as f64 / whole as f64 * 10.0).round() / 10.0
}

/// Does the work called `name`, in the working directory.
pub(crate) fn work(name: &str) -> Result<ExitCode> {
    let work = WORKS.iter().find(|work| work.name == name);
    let work = work.with_context(|| format!("no work {name}"))?;
    for file in ["page.html", "page.php", "log.txt", "a.txt"] {
        fs::write(file, "").with_context(|| format!("write {file}"))?;
    }
    for round in 0..work.times {
        (work.act)(round)?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_told_with_its_spread() {
        let told = spread(vec![5.0, 1.0, 9.0, 2.0, 3.0]).map(f64::to_bits);
        assert_eq!(told, [1.0, 3.0, 9.0].map(f64::to_bits));
        assert_eq!(ratio(10, 4).to_bits(), 2.5_f64.to_bits());
    }
}
