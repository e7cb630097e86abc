//! `alerts`, `explain` and `why-not`: what was told, why, and why not.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::{Value, json};

use super::{ConfigArgs, explain, quiet, why_not};
use crate::{
    config::Effective,
    control,
    exit::{Exit, Failure},
    history::{Filter, Quiet, QuietFilter, Reader, Row},
    printable::escape,
};

/// Rows of the history that `why-not` tells.
const QUIET_TOLD: u32 = 20;
/// Fewest digits that stand for an id.
const ID_MIN: usize = 4;

/// Options of `alerts`.
#[derive(Args, Debug)]
pub struct AlertsArgs {
    /// Not older than this: 90s, 30m, 2h, 7d, or a time like 2026-02-03T04:05:06Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<Since>,
    /// About this process, or one below it
    #[arg(long)]
    pub pid: Option<u32>,
    /// Of this incident; the beginning of its id will do
    #[arg(long, value_name = "ID", value_parser = id)]
    pub incident: Option<String>,
    /// At most so many, the latest
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    pub limit: u32,
    /// Show what was kept silent instead: how often which chain and line, and by what
    #[arg(long, conflicts_with = "incident")]
    pub silenced: bool,
    /// Print the documents as JSON lines
    #[arg(long)]
    pub json: bool,
    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Options of `explain`.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// Id of an alert or an incident, or its beginning
    #[arg(value_name = "ID", value_parser = id)]
    pub id: String,
    /// Print the documents as one JSON list
    #[arg(long)]
    pub json: bool,
    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Options of `why-not`.
#[derive(Args, Debug)]
pub struct WhyNotArgs {
    /// Process id on the host
    #[arg(value_name = "PID")]
    pub pid: u32,
    /// Print the sensor's answer as JSON
    #[arg(long)]
    pub json: bool,
    /// Configuration file.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// The beginning of a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// So long ago.
    Ago(Duration),
    /// Then, ns since the epoch.
    At(i64),
}

impl Since {
    fn epoch_ns(self) -> i64 {
        match self {
            Self::At(time_ns) => time_ns,
            Self::Ago(ago) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let then = now.unwrap_or_default().saturating_sub(ago);
                i64::try_from(then.as_nanos()).unwrap_or(i64::MAX)
            }
        }
    }
}

fn since(text: &str) -> Result<Since, String> {
    let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
    for (unit, seconds) in units {
        let number = text
            .strip_suffix(unit)
            .and_then(|it| it.parse::<u32>().ok());
        if let Some(number) = number {
            return Ok(Since::Ago(Duration::from_secs(u64::from(number) * seconds)));
        }
    }
    let time: Result<jiff::Timestamp, _> = text.parse();
    time.ok()
        .and_then(|time| i64::try_from(time.as_nanosecond()).ok())
        .map(Since::At)
        .ok_or_else(|| "expected 90s, 30m, 2h, 7d or a time like 2026-02-03T04:05:06Z".to_owned())
}

fn id(text: &str) -> Result<String, String> {
    let digits = text.chars().all(|c| c.is_ascii_hexdigit());
    if digits && (ID_MIN..=32).contains(&text.len()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!(
        "expected {ID_MIN} to 32 hex digits, as in `id` of a drawn alert or `event.id` of its JSON"
    ))
}

/// `alerts`.
///
/// # Errors
/// [`Exit::Usage`] when the configuration is refused, [`Exit::Unavailable`] or
/// [`Exit::Privilege`] when there is no history to be read.
pub fn alerts_command(args: &AlertsArgs) -> Result<String, Failure> {
    let reader = reader(&args.config.load()?)?;
    if args.silenced {
        return silenced(&reader, args);
    }
    let rows = reader.documents(&Filter {
        since_ns: args.since.map(Since::epoch_ns),
        pid: args.pid,
        incident: args.incident.clone(),
        limit: args.limit,
    })?;
    let line = |row: &Row| {
        if args.json {
            row.json.clone() + "\n"
        } else {
            explain::line(&row.value())
        }
    };
    if args.json {
        return Ok(rows.iter().map(line).collect());
    }
    let mut out: String = rows.iter().map(line).collect();
    if rows.is_empty() {
        out.push_str("no alerts that fit\n");
    }
    if args.incident.is_none() {
        out.push_str(&quiet::totals(
            &reader.quiet(&quiet_filter(args, u32::MAX))?,
        ));
    }
    Ok(out)
}

fn quiet_filter(args: &AlertsArgs, limit: u32) -> QuietFilter {
    QuietFilter {
        since_ns: args.since.map(Since::epoch_ns),
        pid: args.pid,
        lines: Vec::new(),
        limit,
    }
}

/// `alerts --silenced`.
fn silenced(reader: &Reader, args: &AlertsArgs) -> Result<String, Failure> {
    let rows = reader.quiet(&quiet_filter(args, args.limit))?;
    if args.json {
        return rows.iter().map(json_line).collect();
    }
    if rows.is_empty() {
        return Ok("nothing that fits was kept silent\n".to_owned());
    }
    Ok(rows.iter().map(quiet::line).collect())
}

fn json_line(row: &Quiet) -> Result<String, Failure> {
    let text = serde_json::to_string(row);
    text.map(|text| text + "\n")
        .map_err(|error| Failure::new(Exit::Internal, error))
}

/// `explain`.
///
/// # Errors
/// Like [`alerts_command`]; and [`Exit::Usage`] when there is no such id, or several.
pub fn explain_command(args: &ExplainArgs) -> Result<String, Failure> {
    let reader = reader(&args.config.load()?)?;
    let found = reader.find(&args.id)?;
    if found.is_empty() {
        return Err(unknown(&reader, &args.id)?);
    }
    let found: Vec<Value> = found.iter().map(Row::value).collect();
    let subjects = subjects(&found, &args.id)?;
    if args.json {
        return to_json(&json!(subjects));
    }
    let incident = subjects.first().map(|it| explain::text(it, "/incident/id"));
    let related = match incident.filter(|id| !id.is_empty()) {
        Some(incident) => reader.find_incident(&incident)?,
        None => Vec::new(),
    };
    let related: Vec<Value> = related.iter().map(Row::value).collect();
    Ok(explain::explain(&subjects, &related))
}

/// What is to be explained: one document, or all of one incident.
fn subjects(found: &[Value], id: &str) -> Result<Vec<Value>, Failure> {
    let named = |path: &str| {
        let mut ids: Vec<String> = found.iter().map(|it| explain::text(it, path)).collect();
        ids.retain(|found| found.starts_with(id));
        ids.sort();
        ids.dedup();
        ids
    };
    let (own, incidents) = (named("/event/id"), named("/incident/id"));
    let ids = if own.is_empty() { incidents } else { own };
    if ids.len() > 1 {
        return Err(Failure::new(
            Exit::Usage,
            format_args!("{id} begins several ids: {}", ids.join(", ")),
        ));
    }
    Ok(found.to_vec())
}

fn unknown(reader: &Reader, id: &str) -> Result<Failure, Failure> {
    let hint = match reader.nearest(id)? {
        Some(near) => format!("; the nearest is {near}"),
        None => "; `lineage-sensor alerts --json | jq -r .event.id` lists them".to_owned(),
    };
    let message = format!("no alert or incident with id {id} in the history{hint}");
    Ok(Failure::new(Exit::Usage, message))
}

/// `why-not`: asks the running sensor, and the history for numbers.
///
/// # Errors
/// [`Exit::Usage`] when the configuration is refused, [`Exit::Unavailable`] when no sensor
/// answers and the history has nothing, [`Exit::Privilege`] when it may not be asked.
pub fn why_not_command(args: &WhyNotArgs) -> Result<String, Failure> {
    let effective = args.config.load()?;
    let config = &effective.config;
    let request = json!({"query": "why-not", "pid": args.pid});
    let asked = control::ask(&config.control.socket, &request).map_err(Failure::from);
    let lines = asked.as_ref().map_or_else(|_| Vec::new(), why_not::lines);
    // Without a history, or where it may not be read, the sensor's memory is all there is.
    let rows = reader(&effective).and_then(|reader| {
        reader.quiet(&QuietFilter {
            since_ns: None,
            pid: Some(args.pid),
            lines,
            limit: QUIET_TOLD,
        })
    });
    let rows = rows.unwrap_or_default();
    let mut reply = match asked {
        Ok(reply) => reply,
        Err(failure) if rows.is_empty() => return Err(failure),
        Err(failure) => json!({ "unanswered": failure.message }),
    };
    if args.json {
        reply["history"] = json!(rows);
        return to_json(&reply);
    }
    let text = why_not::render(args.pid, &reply, config.output.level);
    Ok(text + &quiet::section(&rows))
}

fn reader(effective: &Effective) -> Result<Reader, Failure> {
    let history = &effective.config.history;
    Reader::open(&history.path).map_err(|failure| {
        if history.enabled {
            return failure;
        }
        let message = format!("{failure} (history.enabled is false)");
        Failure::new(failure.code, escape(&message))
    })
}

fn to_json(value: &Value) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value);
    text.map(|text| text + "\n")
        .map_err(|error| Failure::new(Exit::Internal, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_ids_are_read_or_refused() {
        assert_eq!(since("90s"), Ok(Since::Ago(Duration::from_secs(90))));
        assert_eq!(since("2d"), Ok(Since::Ago(Duration::from_hours(48))));
        assert_eq!(since("1970-01-01T00:00:01Z"), Ok(Since::At(1_000_000_000)));
        for wrong in ["", "h", "-1h", "1w", "yesterday", "99999999999s"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
        assert_eq!(id("ABCD"), Ok("abcd".to_owned()));
        for wrong in ["", "abc", "*", "xyzxyz", &"a".repeat(33)] {
            assert!(id(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_beginning_of_several_ids_is_refused() {
        let alert = |id: &str| json!({"event": {"id": id}, "incident": {"id": "ffff"}});
        let found = [alert("abcd1"), alert("abcd2")];
        let failure = subjects(&found, "abcd").unwrap_err();
        assert_eq!(failure.code, Exit::Usage);
        assert!(failure.message.contains("abcd1, abcd2"), "{failure}");
        assert_eq!(subjects(&found, "ffff").unwrap().len(), 2);
        assert_eq!(subjects(&found[..1], "abcd").unwrap().len(), 1);
    }
}
