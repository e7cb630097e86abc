//! `replay`: a recording through the core that a live run has.
//!
//! Alerts go to standard output as they are made; nothing is dropped when nobody reads
//! fast enough. What makes them differ from the live ones is said on standard error.

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::{level, outlet};
use crate::{
    alert::Document,
    cli::{ReplayArgs, Speed, command::effective_lock, rules::effective_rules},
    config::{Config, ConfigError},
    detect::RuleSet,
    engine::{Engine, Input, Output},
    exit::{Exit, Failure, OrExit as _},
    printable::escape,
    profile::{self, Lock},
    record::{Header, Reader, RecordError},
    reload::ReloadError,
    sink::{Deliver as _, DeliverError},
    terminal::progress::{Progress, Watched},
};

/// The core of a recording, fed by hand.
pub struct Replay {
    engine: Engine,
    /// Rules and profile are those of the recording, so what took their place then does so
    /// again. Whoever tries others goes on trying them.
    faithful: bool,
    out: Vec<Output>,
}

/// Why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The configuration that was recorded cannot be used.
    #[error("the recorded configuration: {0}")]
    Config(#[from] ConfigError),
}

impl Replay {
    /// The core that `header` speaks of, with these rules and no profile.
    ///
    /// # Errors
    /// When the recorded configuration is none.
    pub fn new(header: &Header, rules: RuleSet) -> Result<Self, ReplayError> {
        let config = Config::from_core_yaml(&header.config)?;
        Ok(Self::with(&config, header, rules, &Lock::default()))
    }

    /// A core with another configuration, or with a profile.
    #[must_use]
    pub fn with(config: &Config, header: &Header, rules: RuleSet, lock: &Lock) -> Self {
        let faithful = rules.hash() == header.rules
            && config.core_hash() == header.config_hash
            && (profile::hash(lock) == header.profile || header.profile.is_empty());
        Self {
            engine: super::engine(config, rules, lock, header.host.clone()),
            faithful,
            out: Vec::new(),
        }
    }

    /// The same, that goes on with what it was given, whatever took its place then.
    #[must_use]
    pub fn trying(self) -> Self {
        Self {
            faithful: false,
            ..self
        }
    }

    /// The engine, for what it has learnt.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The engine, to be told more before the first input.
    pub const fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// Takes one input; the alerts and notices it causes.
    ///
    /// # Errors
    /// When rules, profile or configuration took the place of others and this sensor
    /// cannot use them.
    pub fn step(
        &mut self,
        mut input: Input,
    ) -> Result<impl Iterator<Item = Document> + '_, ReloadError> {
        match &mut input {
            Input::Reload(_) if !self.faithful => {}
            Input::Reload(reload) => {
                reload.unpack()?;
                self.engine.step(input, &mut self.out);
            }
            _ => self.engine.step(input, &mut self.out),
        }
        Ok(self.out.drain(..).filter_map(|output| match output {
            Output::Alert(alert) => Some(Document::Alert(alert)),
            Output::Notice(notice) => Some(Document::Notice(notice)),
            _ => None,
        }))
    }
}

/// Runs the command.
///
/// # Errors
/// [`Exit::Usage`] when configuration or rules are refused or the file cannot be opened,
/// [`Exit::Data`] when the recording is damaged.
pub fn replay(args: &ReplayArgs) -> Result<(), Failure> {
    let effective = args.effective()?;
    let rules = effective_rules(&effective)?;
    let lock = effective_lock(&effective)?;
    let name = escape(&args.file.to_string_lossy()).into_owned();
    let file = open(&args.file).or_exit(Exit::Usage, format_args!("open {name}"))?;
    let file = Watched::new(file, &name);
    let progress = file.progress();
    let reader = Reader::new(file).map_err(|error| damaged(&name, &error))?;
    let header = reader.header();
    let recorded = Config::from_core_yaml(&header.config).or_exit(Exit::Data, &name)?;
    let config = match &args.config.config {
        Some(_) => &effective.config,
        None => &recorded,
    };
    differences(header, &rules, &lock, config);
    let core = Replay::with(config, header, rules, &lock);
    let redacted = header.redacted;
    let mut run = Run {
        core,
        sink: outlet::stdout(&effective.config)?,
        level: level(effective.config.output.level),
        speed: args.speed,
        seen: Seen::default(),
        progress,
    };
    let result = run.all(reader, &name, redacted);
    run.progress.clear();
    run.seen.tell();
    result
}

/// Opens a regular file: what is a pipe or a device has no end to wait for.
fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok(file)
}

/// Says what makes alerts differ from the live ones.
fn differences(header: &Header, rules: &RuleSet, lock: &Lock, used: &Config) {
    let differ = |what: &str, then: &str, now: &str| {
        // Recordings of before there were profiles name none.
        if then != now && !then.is_empty() {
            warn(format_args!(
                "the {what} of the recording ({} then, {} now): alerts may differ",
                short(then),
                short(now),
            ));
        }
    };
    differ("rules are not those", &header.rules, rules.hash());
    differ("profile is not that", &header.profile, &profile::hash(lock));
    differ(
        "configuration is not that",
        &header.config_hash,
        &used.core_hash(),
    );
    if header.sensor != env!("CARGO_PKG_VERSION") {
        warn(format_args!(
            "recorded by version {} of the sensor: alerts may differ",
            header.sensor
        ));
    }
}

/// Begin of a hash.
fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

fn warn(text: std::fmt::Arguments<'_>) {
    say(&format!("lineage-sensor: warning: {text}"));
}

fn say(text: &str) {
    // Nobody listening is no reason to end.
    drop(writeln!(io::stderr(), "{}", escape(text)));
}

fn damaged(name: &str, error: &RecordError) -> Failure {
    let code = match error {
        RecordError::Io(_) => Exit::Internal,
        _ => Exit::Data,
    };
    Failure::new(code, format_args!("{name}: {error}"))
}

/// A replay on its way.
struct Run {
    core: Replay,
    sink: crate::sink::Stream,
    level: crate::alert::Level,
    speed: Speed,
    seen: Seen,
    progress: Progress,
}

impl Run {
    fn all(
        &mut self,
        mut reader: Reader<Watched>,
        name: &str,
        redacted: bool,
    ) -> Result<(), Failure> {
        for input in reader.by_ref() {
            let input = input.map_err(|error| damaged(name, &error))?;
            self.seen.note(&input);
            self.seen.wait(self.speed);
            if matches!(input, Input::Reload(_)) && !self.core.faithful {
                self.progress.clear();
                warn(format_args!(
                    "the recorded sensor took up other rules or settings here; those given go on"
                ));
            }
            let said = self.core.step(input).or_exit(Exit::Data, name)?;
            for document in said {
                self.seen.alerts += u64::from(matches!(document, Document::Alert(_)));
                if document.weight() < self.level {
                    continue;
                }
                self.progress.clear();
                match self.sink.deliver(&document) {
                    Ok(()) => {}
                    Err(DeliverError::Closed) => return Ok(()),
                    Err(error) => return Err(Failure::new(Exit::Internal, error)),
                }
            }
        }
        self.progress.clear();
        if let Some(count @ 1..) = reader.redacted().filter(|_| redacted) {
            warn(format_args!(
                "{count} arguments were redacted before rules read them: what hangs on them differs"
            ));
        }
        Ok(())
    }
}

/// What has been replayed.
struct Seen {
    began: Instant,
    inputs: u64,
    events: u64,
    alerts: u64,
    /// First and latest time in the recording, ns.
    span: Option<(u64, u64)>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            inputs: 0,
            events: 0,
            alerts: 0,
            span: None,
        }
    }
}

impl Seen {
    fn note(&mut self, input: &Input) {
        self.inputs += 1;
        self.events += u64::from(matches!(input, Input::Event(_)));
        let time_ns = match input {
            Input::Event(event) => event.time_ns(),
            Input::Tick(time_ns) => *time_ns,
            _ => return,
        };
        let (first, latest) = self.span.unwrap_or((time_ns, time_ns));
        self.span = Some((first, latest.max(time_ns)));
    }

    /// Waits until it is time for what was noted last.
    fn wait(&self, speed: Speed) {
        if let Speed::Times(times) = speed {
            let due = self.length().div_f64(times);
            thread::sleep(due.saturating_sub(self.began.elapsed()));
        }
    }

    fn length(&self) -> Duration {
        let (first, latest) = self.span.unwrap_or_default();
        Duration::from_nanos(latest.saturating_sub(first))
    }

    fn tell(&self) {
        let (length, took) = (
            self.length().as_secs_f64(),
            self.began.elapsed().as_secs_f64(),
        );
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = self.events as f64 / took.max(1e-9);
        say(&format!(
            "lineage-sensor: replayed {} events ({} inputs) over {length:.1} s, {} alerts, in \
             {took:.3} s ({rate:.0} events/s)",
            self.events, self.inputs, self.alerts
        ));
    }
}
