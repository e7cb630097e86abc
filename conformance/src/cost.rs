//! What each program costs the processes it watches: the kernel's own count of runs and
//! nanoseconds (`bpf_stats`), for a member and for a stranger doing the same.
//!
//! Wall-clock time of such short acts says nothing on a busy machine; this does. Other
//! processes' runs are in it too: the work is repeated until they do not matter.

use std::{
    fs::{self, File, OpenOptions},
    net::UdpSocket,
    path::Path,
    process::{Command, ExitCode, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use aya::sys::{Stats, enable_stats};
use sensor::probe::{Found, Judge, Options, Probe, RunTime};
use serde::Serialize;

use crate::{answer, program::SERVER, rung};

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
            child.args(["work", "nothing"]).stdin(Stdio::null());
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
    /// Runs for each time the work was done.
    runs: f64,
    /// Mean of one run.
    ns: f64,
}

/// Measures every kind of work and prints one JSON line for each program that ran.
pub(crate) fn task() -> Result<ExitCode> {
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
    let dir = tempfile_in(Path::new("/tmp"))?;
    let _stats = enable_stats(Stats::RunTime).context("switch bpf_stats on")?;
    for (member, name) in [(true, SERVER), (false, "stranger")] {
        let program = dir.join(name);
        fs::copy("/proc/self/exe", &program).context("copy this executable")?;
        for work in WORKS {
            let before = counters.run_times();
            let mut child = Command::new(&program)
                .args(["work", work.name])
                .current_dir(&dir)
                .spawn()
                .context("start the work")?;
            // Nobody may be woken for a reader that is not there, nor may a ring fill up.
            let status = loop {
                while ring.step().is_some() || file_ring.step().is_some() {}
                if let Some(status) = child.try_wait().context("wait for the work")? {
                    break status;
                }
                thread::sleep(Duration::from_millis(2));
            };
            if !status.success() {
                bail!("{}: {status}", work.name);
            }
            report(work, member, &before, &counters.run_times())?;
        }
    }
    fs::remove_dir_all(&dir).with_context(|| format!("remove {}", dir.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn report(work: &Work, member: bool, before: &[RunTime], after: &[RunTime]) -> Result<()> {
    for (before, after) in before.iter().zip(after) {
        let runs = after.runs - before.runs;
        let per_time = ratio(runs, u64::from(work.times));
        // Others' runs.
        if per_time < 0.5 {
            continue;
        }
        answer(&Row {
            work: work.name,
            member,
            program: after.program,
            runs: per_time,
            ns: ratio(after.ns - before.ns, runs),
        })?;
    }
    Ok(())
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
    let parent_is_at_it = Path::new("page.php").exists() && name == "nothing";
    if !parent_is_at_it {
        for file in ["page.html", "page.php", "log.txt", "a.txt"] {
            fs::write(file, "").with_context(|| format!("write {file}"))?;
        }
    }
    let times = if parent_is_at_it { 1 } else { work.times };
    for round in 0..times {
        (work.act)(round)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A new directory in which anybody may work.
fn tempfile_in(parent: &Path) -> Result<std::path::PathBuf> {
    let dir = parent.join(format!("lineage-cost-{}", std::process::id()));
    fs::create_dir(&dir).with_context(|| format!("create {}", dir.display()))?;
    Ok(dir)
}
