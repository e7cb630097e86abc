//! The table of `rules test`: what each rule detects, where it is silent, what it costs.

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    path::{Path, PathBuf},
};

use crate::{
    alert::{Document, Level},
    app::Replay,
    detect::{RuleSet, Trial, Tried},
    exit::{Exit, Failure, OrExit as _},
    printable::escape,
    record::{Reader, RecordError},
    terminal::progress::Watched,
};

/// Alerts from this level on count as false in a recording of ordinary life: the level
/// from which sinks write them unless told otherwise.
const ALARM: Level = Level::Medium;

/// Rules by recordings.
pub(super) struct Table {
    /// The rules.
    pub(super) trial: Trial,
    /// The recordings.
    pub(super) columns: Vec<Column>,
}

/// One recording.
pub(super) struct Column {
    name: String,
    /// Nothing in it is an attack.
    benign: bool,
    /// Alerts by rule.
    alerts: BTreeMap<String, u64>,
}

/// Replays every recording with the rules in `directories` besides the shipped ones.
///
/// # Errors
/// [`Exit::Usage`] when rules or a file cannot be used, [`Exit::Data`] when a recording
/// is damaged.
pub(super) fn replay(
    recordings: &[PathBuf],
    benign: &[PathBuf],
    directories: &[PathBuf],
) -> Result<Vec<Column>, Failure> {
    let recordings = recordings.iter().map(|path| (path, false));
    let benign = benign.iter().map(|path| (path, true));
    let all = recordings.chain(benign);
    all.map(|(path, benign)| column(path, benign, directories))
        .collect()
}

impl Table {
    /// Alerts that nobody would want: of the rules on trial, in recordings without attack.
    pub(super) fn alarms(&self) -> u64 {
        let tried = || self.trial.rules.iter().filter(|it| loud(it));
        let benign = self.columns.iter().filter(|column| column.benign);
        benign
            .flat_map(|column| tried().map(|it| column.of(&it.rule.name)))
            .sum()
    }
}

fn loud(tried: &Tried) -> bool {
    tried.rule.level as u8 >= ALARM as u8
}

impl Column {
    fn of(&self, rule: &str) -> u64 {
        self.alerts.get(rule).copied().unwrap_or_default()
    }
}

fn column(path: &Path, benign: bool, directories: &[PathBuf]) -> Result<Column, Failure> {
    let name = escape(&path.to_string_lossy()).into_owned();
    let damaged = |error: RecordError| Failure::new(Exit::Data, format_args!("{name}: {error}"));
    let file = File::open(path).or_exit(Exit::Usage, format_args!("open {name}"))?;
    let reader = Reader::new(Watched::new(file, &name)).map_err(damaged)?;
    let rules = RuleSet::load(directories).map_err(|error| Failure::new(Exit::Usage, error))?;
    let core = Replay::new(reader.header(), rules).or_exit(Exit::Data, &name)?;
    let mut core = core.trying();
    let mut alerts = BTreeMap::new();
    for input in reader {
        let said = core.step(input.map_err(damaged)?);
        for said in said.or_exit(Exit::Data, &name)? {
            if let Document::Alert(alert) = said {
                *alerts.entry(alert.rule.id.clone()).or_default() += 1;
            }
        }
    }
    let short = path.file_name().unwrap_or_default().to_string_lossy();
    let name = escape(&short).into_owned();
    Ok(Column {
        name,
        benign,
        alerts,
    })
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Trial {
            rules,
            problems,
            skipped,
        } = &self.trial;
        write!(
            f,
            "{:<40} {:<13} {:>7} {:>7} {:>8}",
            "RULE", "LEVEL", "FIRING", "SILENT", "NS/ACT"
        )?;
        for column in &self.columns {
            let mark = if column.benign { " (benign)" } else { "" };
            write!(f, "  {}{mark}", column.name)?;
        }
        writeln!(f)?;
        for tried in rules {
            let of = |(good, all): (usize, usize)| format!("{good}/{all}");
            write!(
                f,
                "{:<40} {:<13} {:>7} {:>7} {:>8}",
                tried.rule.name,
                tried.rule.level.as_str(),
                of(tried.firing),
                of(tried.silent),
                tried.cost_ns
            )?;
            for column in &self.columns {
                let width = column.name.chars().count() + if column.benign { 9 } else { 0 };
                write!(f, "  {:>width$}", column.of(&tried.rule.name))?;
            }
            writeln!(f)?;
        }
        for problem in problems {
            writeln!(f, "error: {problem}")?;
        }
        for it in skipped {
            writeln!(f, "skipped: {}: {}: {}", it.file, it.rule, it.reason)?;
        }
        let alarms = self.alarms();
        write!(
            f,
            "{} rules, {} errors, {} skipped, {alarms} alerts from level {} in benign recordings",
            rules.len(),
            problems.len(),
            skipped.len(),
            ALARM.name(),
        )
    }
}
