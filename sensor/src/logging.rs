//! Logs on standard error: text on a terminal, JSON otherwise.
//!
//! Records of the `log` crate (aya-log's kernel messages among them) come the same way.
//! What is logged may have been chosen by an attacker: nothing in it can start a line of
//! its own or steer a terminal.

use std::{
    io::{self, IsTerminal as _},
    sync::OnceLock,
};

use clap::ValueEnum;
use tracing::{Dispatch, warn};
use tracing_subscriber::{
    EnvFilter,
    fmt::{MakeWriter, format},
    reload,
    util::SubscriberInitExt as _,
};

use crate::{
    config::{Log, LogFormat, LogLevel},
    exit::{Exit, Failure},
    printable::escape,
};

/// Target of the line that says `ready`: written whatever the level is.
pub const READY: &str = "lineage_sensor";
/// Target of everything the kernel programs log: their crate's name.
const KERNEL: &str = "sensor_ebpf";

/// Sends logs to standard error from now on; `color` is for text.
///
/// # Errors
/// When logging was started before.
pub fn init(log: Log, color: bool) -> Result<(), Failure> {
    let text = match log.format {
        LogFormat::Auto => io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let (dispatch, refilter) = dispatch(log, text.then_some(color), io::stderr)?;
    let started = dispatch.try_init();
    started
        .map_err(|error| Failure::new(Exit::Internal, format_args!("start logging: {error}")))?;
    // Logging is started once, or the line above has failed.
    REFILTER.get_or_init(|| refilter);
    Ok(())
}

/// Takes another level for what is logged from now on. What the kernel programs log stays
/// as it was when they were loaded. Nothing happens where logging was not started.
pub fn take_up(log: Log) {
    let Some(refilter) = REFILTER.get() else {
        return;
    };
    let refused = |error: reload::Error| Failure::new(Exit::Internal, error);
    let taken = filter(log).and_then(|filter| refilter(filter).map_err(refused));
    if let Err(failure) = taken {
        warn!("`log.level` stays as it was: {}", failure.message);
    }
}

/// Puts another filter in the place of the one in force.
type Refilter = Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>;

/// That of the process: its log is one.
static REFILTER: OnceLock<Refilter> = OnceLock::new();

/// Text with or without colours, or JSON when `color` is `None`.
fn dispatch<W>(log: Log, color: Option<bool>, writer: W) -> Result<(Dispatch, Refilter), Failure>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = filter(log)?;
    let builder = tracing_subscriber::fmt().with_writer(writer);
    // The filter comes last: what can be exchanged is of the type of all before it.
    Ok(match color {
        None => {
            let builder = builder.json().flatten_event(true);
            let builder = builder.with_env_filter(filter).with_filter_reloading();
            let handle = builder.reload_handle();
            let refilter = Box::new(move |filter| handle.reload(filter));
            (Dispatch::new(builder.finish()), refilter)
        }
        Some(color) => {
            // The subscriber's own sanitising leaves line feeds alone.
            let fields = format::debug_fn(|out, field, value| match field.name() {
                "message" => write!(out, "{}", escape(&format!("{value:?}"))),
                name if name.starts_with("log.") => Ok(()),
                name => write!(out, " {name}={}", escape(&format!("{value:?}"))),
            });
            let builder = builder.with_ansi(color).fmt_fields(fields);
            let builder = builder.with_env_filter(filter).with_filter_reloading();
            let handle = builder.reload_handle();
            let refilter = Box::new(move |filter| handle.reload(filter));
            (Dispatch::new(builder.finish()), refilter)
        }
    })
}

fn filter(log: Log) -> Result<EnvFilter, Failure> {
    let (level, kernel) = (name(&log.level), name(&log.kernel));
    // What libraries have to say below a warning is theirs.
    let others = if matches!(log.level, LogLevel::Error) {
        "error"
    } else {
        "warn"
    };
    let directives = format!("{others},sensor={level},{READY}=info,{KERNEL}={kernel}");
    EnvFilter::try_new(directives)
        .map_err(|error| Failure::new(Exit::Internal, format_args!("log filter: {error}")))
}

fn name(level: &impl ValueEnum) -> String {
    level
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::config::KernelLog;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(log: Log, color: Option<bool>, work: impl FnOnce(&Refilter)) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let (dispatch, refilter) = dispatch(log, color, move || writer.clone()).unwrap();
        let guard = dispatch.set_default();
        work(&refilter);
        drop(guard);
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }

    fn hostile(_: &Refilter) {
        let path = "/tmp/\x1b[2J\nINFO forged\u{202e}";
        tracing::warn!(path, shown = %path, "cannot read {path}");
    }

    #[test]
    fn text_cannot_be_steered_by_what_is_logged() {
        let text = logged(Log::default(), Some(false), hostile);
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert_eq!(text, escape(text.trim_end()).into_owned() + "\n");
        assert!(
            text.contains("WARN sensor::logging::tests: cannot read /tmp/\\x1b[2J\\nINFO"),
            "{text}"
        );
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = logged(Log::default(), None, hostile);
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(text.lines().count(), 1);
        assert_eq!(
            (&line["level"], &line["path"]),
            (&"WARN".into(), &"/tmp/\x1b[2J\nINFO forged\u{202e}".into())
        );
        assert!(!text.contains('\x1b'));
    }

    #[test]
    fn levels_are_kept_apart() {
        let speak = |_: &Refilter| {
            tracing::info!("agent info");
            tracing::info!(target: READY, "ready");
            log::info!(target: "sensor_ebpf::exec", "kernel info");
            log::debug!(target: "sensor_ebpf", "kernel debug");
            log::error!("agent error");
        };
        let log = Log {
            level: LogLevel::Error,
            kernel: KernelLog::Info,
            ..Log::default()
        };
        let text = logged(log, Some(false), speak);
        let lines: Vec<_> = text
            .lines()
            .map(|line| line.split_once(": ").unwrap().1)
            .collect();
        assert_eq!(lines, ["ready", "kernel info", "agent error"], "{text}");
        let quiet = logged(Log::default(), Some(false), speak);
        assert!(
            !quiet.contains("kernel") && quiet.contains("agent info"),
            "{quiet}"
        );
    }

    #[test]
    fn another_level_counts_from_the_next_line_on() {
        let text = logged(Log::default(), None, |refilter| {
            tracing::debug!("one");
            let debug = Log {
                level: LogLevel::Debug,
                ..Log::default()
            };
            refilter(filter(debug).unwrap()).unwrap();
            tracing::debug!("two");
            refilter(filter(Log::default()).unwrap()).unwrap();
            tracing::debug!("three");
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("two"), "{text}");
    }
}
