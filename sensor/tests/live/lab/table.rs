//! The table of the lab, and the line that sums it up.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    case::{Expected, Order, Row},
    learned::Learned,
};

const HEAD: [&str; 8] = [
    "CASE",
    "STACK",
    "SERVER STARTED",
    "WHAT",
    "EXPECTED",
    "FIRED, HIGHEST FIRST",
    "ROOT SEEN",
    "RESULT",
];

/// Results, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) attacks: usize,
    pub(crate) missed: usize,
    pub(crate) benign: usize,
    pub(crate) alerted: usize,
    /// Of ordinary work that was silent: what nothing shows to have been done.
    pub(crate) unproven: usize,
    /// Of ordinary work that tells by design: all, and what told anything else.
    pub(crate) few: (usize, usize),
    /// Of what a profile must learn: all, and what it did not silence.
    pub(crate) learning: (usize, usize),
}

impl Counts {
    pub(crate) fn of(rows: &[Row]) -> Self {
        let of = |expected: Expected| rows.iter().filter(move |row| row.expected == expected);
        let failed = |expected: Expected| of(expected).filter(|row| row.failure.is_some());
        let both = |expected: Expected| (of(expected).count(), failed(expected).count());
        let (attacks, missed) = both(Expected::Alert);
        let silent = failed(Expected::Silence).filter(|row| row.fired.is_empty());
        let (benign, wrong) = both(Expected::Silence);
        let unproven = silent.count();
        Self {
            attacks,
            missed,
            benign,
            alerted: wrong - unproven,
            unproven,
            few: both(Expected::Few),
            learning: both(Expected::Learning),
        }
    }

    /// The last line.
    pub(crate) fn line(self, learned: Option<&Learned>) -> String {
        let Self {
            attacks,
            missed,
            benign,
            alerted,
            unproven,
            few: (few, more),
            learning: (learning, left),
        } = self;
        let told = attacks - missed;
        let silent = benign - alerted - unproven;
        let mut line = format!(
            "lab: {attacks} attacks: {told} alerted, {missed} missed; {benign} benign: {silent} \
             silent, {alerted} alerted, {unproven} unproven; {few} known to alert: {more} otherwise"
        );
        if let Some(learned) = learned {
            write!(
                line,
                "; learned profile: silences {} of {}, and {} of {learning} cases that alert \
                 until they are learnt",
                learned.silenced.len(),
                learned.attacks,
                learning - left
            )
            .expect("a String takes everything");
        }
        line
    }
}

/// All rows below their headings, then all that went wrong, at length.
pub(crate) fn text(rows: &[Row], failures: &[String]) -> String {
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..HEAD.len()).map(|at| width(at).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    for failure in failures {
        writeln!(text, "FAIL {failure}").expect("a String takes everything");
    }
    text
}

/// What went wrong with rows.
pub(crate) fn failures(rows: &[Row]) -> Vec<String> {
    let failed = rows.iter().filter_map(|row| {
        let failure = row.failure.as_ref()?;
        Some(format!("{}: {failure}", row.name()))
    });
    failed.collect()
}

fn cells(row: &Row) -> [String; 8] {
    let order = row.order.map_or("", |order| order.word());
    [
        row.id.to_owned(),
        row.stack.clone(),
        order.to_owned(),
        row.what.clone(),
        row.wanted.clone(),
        fired(row),
        row.root.clone(),
        result(row).to_owned(),
    ]
}

/// `highest level: rule, rule`: every rule that fired, of the highest level first, and of one
/// level by name.
fn fired(row: &Row) -> String {
    let Some((_, highest)) = row.fired.first() else {
        return String::new();
    };
    let names: Vec<&str> = row.fired.iter().map(|(rule, _)| rule.as_str()).collect();
    format!("{highest}: {}", names.join(", "))
}

fn result(row: &Row) -> &'static str {
    match (row.expected, &row.failure) {
        (Expected::Nothing, _) => "not played",
        (Expected::Learning, None) => "silent, once learnt",
        (Expected::Few, None) => "alerted, by design",
        (Expected::Few, Some(_)) => "ALERTED OTHERWISE",
        (Expected::Silence, Some(_)) if row.fired.is_empty() => "UNPROVEN",
        (Expected::Alert, None) => "alerted",
        (Expected::Alert, Some(_)) => "MISSED",
        (Expected::Silence, None) => "silent",
        (Expected::Silence | Expected::Learning, Some(_)) => "ALERTED",
    }
}

/// The same for programs.
pub(crate) fn json(rows: &[Row], learned: Option<&Learned>, failures: &[String]) -> Value {
    let counts = Counts::of(rows);
    let (learning, left) = counts.learning;
    let rows = rows.iter().map(|row| {
        let fired = row
            .fired
            .iter()
            .map(|(rule, level)| json!({"rule": rule, "level": level}));
        json!({
            "case": row.id,
            "stack": row.stack,
            "server_started": row.order.map(Order::word),
            "what": row.what,
            "expected": row.wanted,
            "fired": fired.collect::<Vec<_>>(),
            "root": row.root,
            "proofs": row.proofs,
            "result": result(row),
            "failure": row.failure,
        })
    });
    json!({
        "rows": rows.collect::<Vec<_>>(),
        "attacks": counts.attacks,
        "missed": counts.missed,
        "benign": counts.benign,
        "alerted": counts.alerted,
        "unproven": counts.unproven,
        "known_to_alert": counts.few.0,
        "known_to_alert_otherwise": counts.few.1,
        "learning": learning,
        "unlearnt": left,
        "learned": learned.map(Learned::json),
        "failures": failures,
    })
}
