//! Runs programs under the sensor and prints a row for each.
//!
//! The sensor is its library, in this process: programs attached on one rung, the ring
//! read here. A program is over when no descendant is left, and since the kernel makes
//! its records before a process can be waited for, the ring then holds all of them.

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use sensor::{
    event::{Event, Lost},
    probe::{Attached, Counters, Found, Judge, Probe, ProbeError, Rung},
    ring::{Read, Ring},
};
use sensor_common::counter::Counter;
use serde::Serialize;

use crate::{
    answer,
    compare::{self, Verdict},
    ledger::{Line, Who},
    program::{ALL, Program, SERVER},
    rung, sys,
};

/// Held while sensors of tests run: they would see each other's servers.
const LOCK: &str = "/run/lineage-sensor-live-tests.lock";
/// A program that takes longer is ended.
const PATIENCE: Duration = Duration::from_mins(3);
/// Longest time between looks at the ring, so that no program fills it but the flood.
const PAUSE: Duration = Duration::from_millis(2);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this rung (default: each)
    #[arg(long, value_parser = crate::rung::parse)]
    rung: Option<Rung>,
    /// Only programs of this name; can be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Not programs of this name; can be repeated
    #[arg(long, value_name = "NAME")]
    except: Vec<String>,
    /// Where programs get a directory each (default: the directory for temporary files)
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Also what changes the whole machine: for a virtual one
    #[arg(long)]
    vm: bool,
}

/// What is printed.
#[derive(Serialize)]
struct Row<'a> {
    program: &'a str,
    rung: &'static str,
    #[serde(flatten)]
    verdict: Verdict,
    seconds: f32,
}

/// What one program did, and what was seen of it.
pub(crate) struct Run {
    pub(crate) ledger: Vec<Line>,
    pub(crate) events: Vec<Event>,
    /// Records known to be missing, by the gaps in their numbers.
    pub(crate) lost: u64,
    /// The same, by the kernel's own count.
    pub(crate) ring_full: u64,
    /// pid of the service's root.
    pub(crate) root: u32,
}

/// The directory of a run, removed at its end.
struct Base(PathBuf);

impl Base {
    fn new(place: Option<PathBuf>) -> Result<Self> {
        let place = place.unwrap_or_else(std::env::temp_dir);
        let path = place.join(format!("lineage-conformance-{}", std::process::id()));
        let mut builder = fs::DirBuilder::new();
        // Another's directory is no place for programs that run as root.
        builder
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("create {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// The attached sensor.
struct Sensor {
    rings: [Ring; 2],
    attached: Attached,
    counts: std::sync::Arc<Counters>,
    events: Vec<Event>,
    lost: u64,
}

pub(crate) fn task(args: &Args) -> Result<ExitCode> {
    let chosen = choose(args)?;
    let _lock = lock()?;
    sys::hold_child_signal().context("hold SIGCHLD")?;
    let base = Base::new(args.dir.clone())?;
    // Orphans of a program come here, so that its end can be waited for.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .context("become a subreaper")?;
    let server = base.0.join(SERVER);
    fs::copy("/proc/self/exe", &server).context("copy this executable")?;
    let (files, processes): (Vec<_>, Vec<_>) =
        chosen.into_iter().partition(|program| program.files);
    let mut good = true;
    for (rungs, programs) in [(rung::PROCESS, processes), (rung::FILE, files)] {
        for rung in rungs {
            if args.rung.is_none_or(|wanted| wanted == *rung) && !programs.is_empty() {
                match Sensor::start(*rung)? {
                    Ok(sensor) => good &= on_rung(sensor, *rung, &programs, &server)?,
                    Err(why) => {
                        eprintln!("conformance: this kernel has no rung {rung}: {why}");
                        // In a virtual machine every rung must work; so must one asked for.
                        good &= !args.vm && args.rung.is_none();
                    }
                }
            }
        }
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Waits for the sensors of other tests to end, and keeps them from starting.
pub(crate) fn lock() -> Result<File> {
    let lock = File::create(LOCK).with_context(|| format!("create {LOCK}"))?;
    lock.lock().with_context(|| format!("lock {LOCK}"))?;
    Ok(lock)
}

fn choose(args: &Args) -> Result<Vec<&'static Program>> {
    for name in args.only.iter().chain(&args.except) {
        if !ALL.iter().any(|program| program.name == name) {
            bail!("there is no program {name}: `conformance list` names them");
        }
    }
    let wanted = |program: &&Program| {
        let named = args.only.iter().any(|name| name == program.name);
        let excepted = args.except.iter().any(|name| name == program.name);
        let allowed = args.vm || !program.vm_only;
        allowed && !excepted && (named || args.only.is_empty())
    };
    Ok(ALL.iter().filter(wanted).collect())
}

/// `true` when nothing failed.
fn on_rung(
    mut sensor: Sensor,
    rung: Rung,
    programs: &[&'static Program],
    server: &Path,
) -> Result<bool> {
    let mut good = true;
    for program in programs {
        let started = Instant::now();
        let verdict = match sensor.run(program, server) {
            Ok(run) => compare::compare(program, rung, &run),
            Err(error) => Verdict::fail(vec![format!("{error:#}")]),
        };
        good &= !verdict.is_failure();
        answer(&Row {
            program: program.name,
            rung: rung.name(),
            verdict,
            seconds: started.elapsed().as_secs_f32(),
        })?;
    }
    Ok(good)
}

impl Sensor {
    /// Attaches on this rung, or says why this kernel has no such rung.
    fn start(on: Rung) -> Result<Result<Self, String>> {
        let mut probe = match Probe::start(&rung::options(Some(on))) {
            Ok(probe) => probe,
            Err(refused @ ProbeError::Hook { .. }) => return Ok(Err(refused.to_string())),
            Err(error) => return Err(error).context("attach the sensor"),
        };
        probe.self_test().context("the sensor's self-test")?;
        // Servers of others are not followed: nobody looks at their records.
        let judge = Judge {
            look: &|_| Found::Other,
            same: &|_, _| false,
            all: false,
        };
        probe.seed(false, &judge).context("seed the sensor")?;
        let counts = probe.counters();
        let (ring, file_ring, attached) = probe.split();
        Ok(Ok(Self {
            rings: [ring, file_ring],
            attached,
            counts,
            events: Vec::new(),
            lost: 0,
        }))
    }

    fn drain(&mut self) {
        for ring in &mut self.rings {
            while let Some(read) = ring.step() {
                if let Read::Event(event, lost) = read {
                    self.lost += lost.map_or(0, |Lost { count, .. }| count);
                    self.events.push(event);
                }
            }
        }
    }

    fn ring_full(&self) -> Result<u64> {
        let sum = |counter| self.counts.sum(counter);
        let both = sum(Counter::RingFull).and_then(|one| Ok(one + sum(Counter::FileRingFull)?));
        both.context("read the sensor's counters")
    }

    fn run(&mut self, program: &Program, server: &Path) -> Result<Run> {
        let home = server.with_file_name(program.name);
        prepare(&home, server)?;
        self.drain();
        self.events.clear();
        self.lost = 0;
        let full_before = self.ring_full()?;
        let (ledger, root) = self.watch(program, &home)?;
        let ring_full = self.ring_full()? - full_before;
        if ring_full > 0 {
            show_gaps(server, &home)?;
            self.drain();
        }
        self.retire(root);
        fs::remove_dir_all(&home).with_context(|| format!("remove {}", home.display()))?;
        Ok(Run {
            ledger,
            events: std::mem::take(&mut self.events),
            lost: self.lost,
            ring_full,
            root,
        })
    }

    /// Runs the program to its end and returns its ledger and its pid.
    fn watch(&mut self, program: &Program, home: &Path) -> Result<(Vec<Line>, u32)> {
        let mut ledger = ledger_file(home)?;
        let child = Command::new(home.join(SERVER))
            .args(["program", program.name])
            .current_dir(home)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(ledger.try_clone().context("share the ledger")?)
            .spawn()
            .context("start the program")?;
        let root = child.id();
        let end = Instant::now() + PATIENCE;
        let mut status = None;
        while let Some(ended) = step()? {
            match ended {
                Ended::Nobody if Instant::now() > end => self.give_up(root)?,
                Ended::Nobody => sys::await_child(PAUSE),
                Ended::Child(pid, how) if pid == root => status = Some(how),
                Ended::Child(..) => {}
            }
            // A flood is what happens while nobody reads.
            if !program.flood {
                self.drain();
            }
        }
        self.drain();
        let mut text = String::new();
        ledger.rewind().context("go back in the ledger")?;
        ledger
            .read_to_string(&mut text)
            .context("read the ledger")?;
        let mut lines = compare::parse(&text)?;
        let who = lines.iter().find_map(|line| match line {
            Line::Exec(exec) if exec.who.pid == root => Some(exec.who),
            _ => None,
        });
        if let (Some(who), Some(status)) = (who, status) {
            lines.push(root_exit(who, status));
        }
        Ok((lines, root))
    }

    /// Ends what is left of a program that does not end.
    fn give_up(&mut self, root: u32) -> Result<()> {
        self.drain();
        for event in &self.events {
            let (process, member) = compare::subject(event);
            if member.is_some_and(|member| member.root.tgid == root) {
                let pid = i32::try_from(process.tgid).ok().and_then(Pid::from_raw);
                let _gone = pid.map(|pid| rustix::process::kill_process(pid, Signal::KILL));
            }
        }
        bail!("not over after {} s", PATIENCE.as_secs());
    }

    fn retire(&mut self, root: u32) {
        let mut ids = self.events.iter().filter_map(|event| {
            let (_, member) = compare::subject(event);
            member
                .map(|member| member.root)
                .filter(|id| id.tgid == root)
        });
        if let Some(id) = ids.next_back() {
            let _gone = self.attached.retire(id);
        }
    }
}

/// An unlinked file for appending.
fn ledger_file(home: &Path) -> Result<File> {
    let path = home.with_extension("ledger");
    let mut options = File::options();
    let file = options
        .read(true)
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("create {}", path.display()))?;
    fs::remove_file(&path).with_context(|| format!("unlink {}", path.display()))?;
    Ok(file)
}

fn prepare(home: &Path, server: &Path) -> Result<()> {
    fs::create_dir(home).with_context(|| format!("create {}", home.display()))?;
    fs::hard_link(server, home.join(SERVER)).context("link this executable")
}

fn root_exit(who: Who, status: WaitStatus) -> Line {
    Line::Exit {
        who,
        status: status.as_raw(),
    }
}

enum Ended {
    /// There are children, and all live.
    Nobody,
    Child(u32, WaitStatus),
}

/// `None` when there is no child left.
fn step() -> Result<Option<Ended>> {
    match rustix::process::wait(WaitOptions::NOHANG) {
        Ok(None) => Ok(Some(Ended::Nobody)),
        Ok(Some((pid, status))) => {
            let pid = pid.as_raw_nonzero().get().unsigned_abs();
            Ok(Some(Ended::Child(pid, status)))
        }
        Err(rustix::io::Errno::CHILD) => Ok(None),
        Err(error) => Err(error).context("wait for the program's processes"),
    }
}

/// A gap shows in the next record of the same CPU and ring: one of each ring on each.
fn show_gaps(server: &Path, home: &Path) -> Result<()> {
    let before = rustix::thread::sched_getaffinity(None).context("read the CPU mask")?;
    for cpu in 0..rustix::thread::CpuSet::MAX_CPU {
        if !before.is_set(cpu) {
            continue;
        }
        let mut one = rustix::thread::CpuSet::new();
        one.set(cpu);
        rustix::thread::sched_setaffinity(None, &one).context("move to another CPU")?;
        let mut step = Command::new(server);
        step.args(["step", "write"]).current_dir(home);
        step.stdout(Stdio::null())
            .status()
            .context("make a record on a CPU")?;
    }
    rustix::thread::sched_setaffinity(None, &before).context("restore the CPU mask")
}
