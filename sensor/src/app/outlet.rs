//! The sinks of the configuration: made, checked, and put in the place of others.

use std::{io, path::PathBuf, time::Duration};

use tracing::warn;

use super::level;
use crate::{
    config::{
        Bounded,
        sinks::{Compress, Encoding, Sink, Type},
    },
    exit::{Exit, Failure},
    sink::{
        Alertmanager, Durable, FileSettings, Filter, Form, Otlp, Rotating, Sinks, SpoolSettings,
        Syslog, Transport, Webhook, WebhookSettings,
    },
};

/// Where spools are, unless told otherwise.
const SPOOLS: &str = "/var/lib/lineage-sensor";
/// What holds where the configuration says nothing.
const MAX_BYTES: u64 = 64 << 20;
const SPOOL_BYTES: u64 = 256 << 20;
const MAX_AGE_HOURS: u64 = 24 * 7;
const KEEP: u64 = 10;
const BATCH: u64 = 100;
const TIMEOUT_S: u64 = 10;

/// Whether every sink could be made; nothing is.
///
/// # Errors
/// The first that could not.
pub(crate) fn check(sinks: &[Sink]) -> Result<(), Failure> {
    for sink in sinks {
        let made = match sink.r#type {
            Type::File | Type::Journald => Ok(()),
            Type::Syslog => syslog(sink).map(drop),
            Type::Webhook => webhook(sink).map(drop),
            Type::Alertmanager => alertmanager(sink).map(drop),
            Type::Otlp => otlp(sink).map(drop),
        };
        made.map_err(|error| refused(sink, &error))?;
    }
    Ok(())
}

/// Starts every sink.
pub(super) fn start_all(to: &Sinks, sinks: &[Sink]) -> Result<(), Failure> {
    for sink in sinks {
        start(to, sink).map_err(|error| refused(sink, &error))?;
    }
    Ok(())
}

/// Ends those that are gone or different, starts those that are new or different.
pub(super) fn replace(to: &Sinks, before: &[Sink], after: &[Sink]) {
    for sink in before.iter().filter(|sink| !after.contains(sink)) {
        to.remove(&sink.name);
    }
    for sink in after.iter().filter(|sink| !before.contains(sink)) {
        if let Err(error) = start(to, sink) {
            // It was checked a moment ago.
            warn!("sink {} is off: {error}", sink.name);
        }
    }
}

fn refused(sink: &Sink, error: &io::Error) -> Failure {
    Failure::new(Exit::Usage, format_args!("sink {}: {error}", sink.name))
}

fn start(to: &Sinks, sink: &Sink) -> io::Result<()> {
    let filter = Filter {
        level: level(sink.level),
        rules: sink.rules.clone(),
        services: sink.services.clone(),
        notices: sink.encoding == Encoding::Ecs && sink.r#type != Type::Alertmanager,
    };
    match sink.r#type {
        Type::File => to.add_filtered(&sink.name, filter, Rotating::new(file(sink))),
        Type::Syslog => to.add_filtered(&sink.name, filter, syslog(sink)?),
        Type::Journald => {
            let journal = Syslog::new(Transport::Journal, form(sink.encoding));
            to.add_filtered(&sink.name, filter, journal)
        }
        Type::Webhook => {
            let durable = Durable::new(spool(sink), webhook(sink)?);
            to.add_filtered(&sink.name, filter, durable)
        }
        Type::Alertmanager => {
            let durable = Durable::new(spool(sink), alertmanager(sink)?);
            to.add_filtered(&sink.name, filter, durable)
        }
        Type::Otlp => {
            let durable = Durable::new(spool(sink), otlp(sink)?);
            to.add_filtered(&sink.name, filter, durable)
        }
    }
}

fn syslog(sink: &Sink) -> io::Result<Syslog> {
    let transport = Transport::parse(&sink.address)
        .ok_or_else(|| io::Error::other(format!("no address of a syslog: {}", sink.address)))?;
    Ok(Syslog::new(transport, form(sink.encoding)))
}

fn alertmanager(sink: &Sink) -> io::Result<Alertmanager> {
    Alertmanager::new(&request(sink))
}

fn otlp(sink: &Sink) -> io::Result<Otlp> {
    Otlp::new(&request(sink), form(sink.encoding))
}

fn file(sink: &Sink) -> FileSettings {
    let hours = sink.max_age_hours.map_or(MAX_AGE_HOURS, Bounded::get);
    let keep = sink.keep.map_or(KEEP, Bounded::get);
    FileSettings {
        path: sink.path.clone(),
        encoding: form(sink.encoding),
        max_bytes: sink.max_bytes.map_or(MAX_BYTES, Bounded::get),
        max_age: Duration::from_secs(hours * 3_600),
        keep: usize::try_from(keep).unwrap_or(usize::MAX),
        compress: sink.compress == Compress::Zstd,
    }
}

fn webhook(sink: &Sink) -> io::Result<Webhook> {
    Webhook::new(&request(sink), form(sink.encoding), batch(sink))
}

/// What requests are like.
fn request(sink: &Sink) -> WebhookSettings {
    let seconds = sink.timeout_seconds.map_or(TIMEOUT_S, Bounded::get);
    WebhookSettings {
        url: sink.url.clone(),
        headers: sink.headers.clone(),
        token_file: sink.token_file.clone(),
        ca_file: sink.ca_file.clone(),
        timeout: Duration::from_secs(seconds),
    }
}

/// falcosidekick reads one object a request.
fn batch(sink: &Sink) -> usize {
    let single = sink.encoding == Encoding::Falco && sink.r#type == Type::Webhook;
    let usual = if single { 1 } else { BATCH };
    let batch = sink.batch.map_or(usual, Bounded::get);
    usize::try_from(batch).unwrap_or(1)
}

fn spool(sink: &Sink) -> SpoolSettings {
    let own = || PathBuf::from(SPOOLS).join(format!("spool-{}.db", sink.name));
    SpoolSettings {
        spool: sink.spool.clone().unwrap_or_else(own),
        max_bytes: sink.spool_max_bytes.map_or(SPOOL_BYTES, Bounded::get),
        batch: batch(sink),
    }
}

const fn form(encoding: Encoding) -> Form {
    match encoding {
        Encoding::Ecs => Form::Ecs,
        Encoding::Falco => Form::Falco,
        Encoding::Ocsf => Form::Ocsf,
    }
}
