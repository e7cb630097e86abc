//! The sinks of the configuration: made, checked, and put in the place of others.

use std::{collections::BTreeMap, fmt::Display, io, path::PathBuf, time::Duration};

use super::level;
use crate::{
    config::{
        Bounded, Config,
        sinks::{Compress, Encoding, Sink, Type},
    },
    exit::{Exit, Failure},
    lineage::ServiceKind,
    near,
    sink::{
        Alertmanager, Durable, FileSettings, Filter, Form, Made, Maker, NO_SERVICE, Otlp, Rotating,
        Sinks, SpoolSettings, Syslog, Transport, Webhook, WebhookSettings,
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

/// Whether every sink could be made and names what there is; nothing is made.
///
/// # Errors
/// The first that could not.
pub(crate) fn check(config: &Config) -> Result<(), Failure> {
    let mut spools = BTreeMap::new();
    for sink in &config.sinks {
        let made = match sink.r#type {
            Type::File | Type::Journald => Ok(()),
            Type::Syslog => syslog(sink).map(drop),
            Type::Webhook => webhook(sink).map(drop),
            Type::Alertmanager => alertmanager(sink).map(drop),
            Type::Otlp => otlp(sink).map(drop),
        };
        made.map_err(|error| refused(sink, &error))?;
        check_services(config, sink)?;
        if batch(sink) > 1 && is_single(sink) {
            let why = "falcosidekick reads one object a request: leave out `batch`, or set it to 1";
            return Err(refused(sink, &why));
        }
        if is_durable(sink)
            && let Some(other) = spools.insert(spool(sink).spool, &sink.name)
        {
            return Err(refused(
                sink,
                &format_args!("has the spool of sink {other}"),
            ));
        }
    }
    Ok(())
}

/// Every service that a sink names is a kind of service, or one that is declared.
fn check_services(config: &Config, sink: &Sink) -> Result<(), Failure> {
    let kinds = ServiceKind::ALL.iter().map(|kind| kind.name());
    let declared = config.services.declare.iter().map(|it| it.name.as_str());
    let known: Vec<&str> = kinds.chain(declared).chain([NO_SERVICE]).collect();
    for name in &sink.services {
        if known.contains(&name.as_str()) {
            continue;
        }
        let remedy = match near::nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "docs/services.md names the kinds".to_owned(),
        };
        return Err(refused(
            sink,
            &format_args!("no service `{name}`; {remedy}"),
        ));
    }
    Ok(())
}

/// Files that a sink writes; beside them it makes others.
pub(crate) fn written(sink: &Sink) -> Option<PathBuf> {
    match sink.r#type {
        Type::File => Some(sink.path.clone()),
        _ if is_durable(sink) => Some(spool(sink).spool),
        _ => None,
    }
}

/// Files that a sink reads, some of them again and again.
pub(crate) fn read(sink: &Sink) -> impl Iterator<Item = PathBuf> {
    let files = [&sink.token_file, &sink.ca_file];
    files.into_iter().flatten().cloned()
}

/// Starts every sink.
pub(super) fn start_all(to: &Sinks, sinks: &[Sink]) -> Result<(), Failure> {
    to.exchange(&[], change(&to.maker(), &[], sinks)?.new);
    Ok(())
}

/// What takes other sinks to those of another configuration.
#[derive(Default)]
pub(super) struct Change {
    /// Names of those that end.
    pub(super) gone: Vec<String>,
    /// Those that begin, or begin anew.
    pub(super) new: Vec<Made>,
}

/// Makes those that are new or different; they begin when they are put in place.
///
/// # Errors
/// The first that cannot be made: then none is.
pub(super) fn change(maker: &Maker, before: &[Sink], after: &[Sink]) -> Result<Change, Failure> {
    let gone = before.iter().filter(|sink| !after.contains(sink));
    let new = after.iter().filter(|sink| !before.contains(sink));
    let new = new.map(|sink| make(maker, sink).map_err(|error| refused(sink, &error)));
    Ok(Change {
        gone: gone.map(|sink| sink.name.clone()).collect(),
        new: new.collect::<Result<_, _>>()?,
    })
}

fn refused(sink: &Sink, why: &dyn Display) -> Failure {
    Failure::new(Exit::Usage, format_args!("sink {}: {why}", sink.name))
}

fn make(maker: &Maker, sink: &Sink) -> io::Result<Made> {
    let filter = Filter {
        level: level(sink.level),
        rules: sink.rules.clone(),
        services: sink.services.clone(),
        notices: sink.encoding == Encoding::Ecs && sink.r#type != Type::Alertmanager,
    };
    let name = &sink.name;
    match sink.r#type {
        Type::File => maker.make(name, filter, Rotating::new(file(sink))),
        Type::Syslog => maker.make(name, filter, syslog(sink)?),
        Type::Journald => {
            let journal = Syslog::new(Transport::Journal, form(sink.encoding));
            maker.make(name, filter, journal)
        }
        Type::Webhook => maker.make(name, filter, Durable::new(spool(sink), webhook(sink)?)),
        Type::Alertmanager => {
            let durable = Durable::new(spool(sink), alertmanager(sink)?);
            maker.make(name, filter, durable)
        }
        Type::Otlp => maker.make(name, filter, Durable::new(spool(sink), otlp(sink)?)),
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
fn is_single(sink: &Sink) -> bool {
    sink.encoding == Encoding::Falco && sink.r#type == Type::Webhook
}

/// It spools.
fn is_durable(sink: &Sink) -> bool {
    matches!(sink.r#type, Type::Webhook | Type::Alertmanager | Type::Otlp)
}

/// Most alerts of one request.
fn batch(sink: &Sink) -> usize {
    let usual = if is_single(sink) { 1 } else { BATCH };
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

#[cfg(test)]
mod tests;
