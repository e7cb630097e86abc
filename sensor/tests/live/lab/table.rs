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
    /// Of what a profile must learn: all, and what it did not silence.
    pub(crate) learning: (usize, usize),
}

impl Counts {
    pub(crate) fn of(rows: &[Row]) -> Self {
        let count = |expected: Expected, failed: bool| {
            let rows = rows.iter().filter(|row| row.expected == expected);
            rows.filter(|row| !failed || row.failure.is_some()).count()
        };
        Self {
            attacks: count(Expected::Alert, false),
            missed: count(Expected::Alert, true),
            benign: count(Expected::Silence, false),
            alerted: count(Expected::Silence, true),
            learning: (
                count(Expected::Learning, false),
                count(Expected::Learning, true),
            ),
        }
    }

    /// The last line.
    pub(crate) fn line(self, learned: Option<&Learned>) -> String {
        let Self {
            attacks,
            missed,
            benign,
            alerted,
            learning: (learning, left),
        } = self;
        let told = attacks - missed;
        let silent = benign - alerted;
        let mut line = format!(
            "lab: {attacks} attacks: {told} alerted, {missed} missed; {benign} benign: {silent} \
             silent, {alerted} alerted"
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

/// All rows below their headings, then what went wrong at length.
pub(crate) fn text(rows: &[Row]) -> String {
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
    for row in rows {
        if let Some(failure) = &row.failure {
            writeln!(text, "FAIL {}: {failure}", row.name()).expect("a String takes everything");
        }
    }
    text
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

/// `rule (level), and N more`: the wanted rule first, then the highest.
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
        (Expected::Alert, None) => "alerted",
        (Expected::Alert, Some(_)) => "MISSED",
        (Expected::Silence, None) => "silent",
        (Expected::Silence | Expected::Learning, Some(_)) => "ALERTED",
    }
}

/// The same for programs.
pub(crate) fn json(rows: &[Row], learned: Option<&Learned>) -> Value {
    let counts = Counts::of(rows);
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
        "learned": learned.map(Learned::json),
    })
}
