//! Draws what was kept silent, in numbers, from the history.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{history::Quiet, printable::escape};

/// One row: `12 times, last 2026-...: rule kept silent by profile: chain: line`
pub(super) fn line(row: &Quiet) -> String {
    let Quiet {
        cause,
        rule,
        chain,
        line,
        count,
        reason,
        ..
    } = row;
    let (first, last) = (time(row.first_ns), time(row.last_ns));
    let by = match cause.as_str() {
        "folded" => format!("left out after others of incident {}", escape(reason)),
        _ => format!("kept silent by {cause} ({})", escape(reason)),
    };
    let what = match line.as_str() {
        "" => "many lines, for which there was no room".to_owned(),
        line => format!("{}: {}", escape(chain), escape(line)),
    };
    let plural = if *count == 1 { "" } else { "s" };
    format!("{last}  {rule}: {count} time{plural} since {first} {by}: {what}\n")
}

/// What `why-not` adds.
pub(super) fn section(rows: &[Quiet]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut lines = String::new();
    for row in rows {
        lines.push_str("    ");
        lines.push_str(&line(row));
    }
    format!("in the history, of this process or with the same words:\n{lines}")
}

/// What `alerts` adds: `kept silent: 12 by exception, 30 by profile; left out: 5 (...)`
pub(super) fn totals(rows: &[Quiet]) -> String {
    let mut by: BTreeMap<&str, u64> = BTreeMap::new();
    for row in rows {
        *by.entry(&row.cause).or_default() += row.count;
    }
    if by.is_empty() {
        return String::new();
    }
    let words = |(cause, count): (&&str, &u64)| match *cause {
        "folded" => format!("{count} left out after others of their incident"),
        cause => format!("{count} kept silent by {cause}"),
    };
    let all: Vec<_> = by.iter().map(words).collect();
    format!("besides: {} (alerts --silenced)\n", all.join(", "))
}

fn time(epoch_ns: i64) -> String {
    let time = Timestamp::from_nanosecond(i128::from(epoch_ns)).unwrap_or_default();
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cause: &str, count: u64) -> Quiet {
        Quiet {
            cause: cause.to_owned(),
            rule: "r".to_owned(),
            service: "php-fpm".to_owned(),
            chain: "php-fpm > dash".to_owned(),
            line: "/usr/bin/dash sh -c \u{1b}id".to_owned(),
            count,
            first_ns: 0,
            last_ns: 1_000_000_000,
            pid: 9,
            reason: "abcd".to_owned(),
        }
    }

    #[test]
    fn rows_and_totals_are_said_in_words() {
        assert_eq!(
            line(&row("profile", 12)),
            "1970-01-01T00:00:01.000Z  r: 12 times since 1970-01-01T00:00:00.000Z kept silent by \
             profile (abcd): php-fpm > dash: /usr/bin/dash sh -c \\x1bid\n"
        );
        let folded = line(&row("folded", 1));
        assert!(folded.contains("1 time since"), "{folded}");
        assert!(
            folded.contains("left out after others of incident abcd"),
            "{folded}"
        );
        let rest = line(&Quiet {
            line: String::new(),
            ..row("profile", 3)
        });
        assert!(rest.contains("many lines"), "{rest}");
        assert_eq!(
            totals(&[row("profile", 2), row("profile", 3), row("folded", 1)]),
            "besides: 1 left out after others of their incident, 5 kept silent by profile \
             (alerts --silenced)\n"
        );
        assert_eq!((totals(&[]), section(&[])), (String::new(), String::new()));
    }
}
