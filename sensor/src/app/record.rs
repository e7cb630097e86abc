//! Wiring of `record`: the file, its header, what is said about progress and end.

use std::{
    fs::OpenOptions,
    io::ErrorKind,
    os::unix::fs::OpenOptionsExt as _,
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::fs::OFlags;
use tracing::{info, warn};

use crate::{
    alert::Host,
    cli::RecordArgs,
    clock,
    config::Config,
    detect::RuleSet,
    exit::{Exit, Failure},
    printable::escape,
    profile::{self, Lock},
    record::{Header, Options, Progress, RecordError, Tape},
    redact::Redactor,
};

/// How often progress is logged.
const EVERY: Duration = Duration::from_secs(10);

/// Makes the file and starts the tape.
pub(super) fn open(
    args: &RecordArgs,
    (config, rules, lock, host): (&Config, &RuleSet, &Lock, &Host),
    redactor: &Arc<Redactor>,
) -> Result<Tape, Failure> {
    let name = escape(&args.file.to_string_lossy()).into_owned();
    let mut options = OpenOptions::new();
    // A new file of one's own: neither a recording nor a link of somebody else's is
    // written over.
    options.write(true).create_new(true).mode(0o600);
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    let file = options.open(&args.file).map_err(|error| {
        let remedy = match error.kind() {
            ErrorKind::AlreadyExists => "; remove it or give another name",
            ErrorKind::NotFound => "; its directory does not exist",
            _ => "",
        };
        Failure::new(
            Exit::Usage,
            format_args!("record to {name}: {error}{remedy}"),
        )
    })?;
    let tape = Tape::start(
        file,
        &header(args, config, rules, lock, host),
        Options {
            redactor: (!args.raw).then(|| Arc::clone(redactor)),
        },
    );
    let tape = tape.map_err(|error| failed(&error))?;
    info!("recording to {name}");
    if args.raw {
        warn!("arguments are recorded as they are, secrets included");
    }
    Ok(tape)
}

fn header(args: &RecordArgs, config: &Config, rules: &RuleSet, lock: &Lock, host: &Host) -> Header {
    let now = i64::try_from(clock::boottime_ns()).unwrap_or(i64::MAX);
    Header {
        sensor: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned(),
        began_ns: now.saturating_add(host.realtime_minus_boottime_ns),
        rules: rules.hash().to_owned(),
        profile: profile::hash(lock),
        config: config.core_yaml(),
        config_hash: config.core_hash(),
        redacted: !args.raw,
        host: host.clone(),
    }
}

/// Writes the end; says what the file holds.
pub(super) fn finish(tape: Tape) -> Result<(), Failure> {
    let summary = tape.finish().map_err(|error| failed(&error))?;
    info!("recorded {}", Shown(summary));
    Ok(())
}

fn failed(error: &RecordError) -> Failure {
    Failure::new(Exit::Internal, format_args!("recording: {error}"))
}

/// Logs from time to time how far the recording has come.
#[derive(Default)]
pub(super) struct Reporter {
    last: Option<(Instant, Progress)>,
}

impl Reporter {
    /// Called often; speaks rarely, and only when something has come.
    pub(super) fn tell(&mut self, tape: Option<&Tape>) {
        let Some(tape) = tape else { return };
        let (said, before) = *self
            .last
            .get_or_insert_with(|| (Instant::now(), Progress::default()));
        let now = tape.progress();
        if said.elapsed() >= EVERY {
            if now.events > before.events {
                info!("recording: {}", Shown(now));
            }
            self.last = Some((Instant::now(), now));
        }
    }
}

/// Progress in words.
struct Shown(Progress);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Progress {
            inputs,
            events,
            redacted,
            bytes,
        } = self.0;
        write!(
            f,
            "{events} events ({inputs} inputs), {} KiB",
            bytes.div_ceil(1024)
        )?;
        if redacted > 0 {
            write!(f, ", {redacted} arguments redacted")?;
        }
        Ok(())
    }
}
