//! `rules.adjust` and `rules.exceptions`: lists about single rules.

use std::str::FromStr as _;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::{
    Level as Word,
    form::{Form, Raw, Shape, table_of, text_schema},
};
use crate::detect::{self, Adjustment, Exception, Level, Pattern};

impl Form for Vec<Adjustment> {
    const SHAPE: Shape = Shape::Table;

    fn expected() -> String {
        "a list, each with the name of a rule and `enabled` (true or false), `level` \
         (informational, low, medium, high, critical) or both"
            .into()
    }

    fn schema() -> Value {
        table_of(
            &["rule"],
            [
                ("rule", text_schema()),
                ("enabled", bool::schema()),
                ("level", Word::schema()),
            ],
        )
    }

    fn read(raw: &Raw) -> Option<Self> {
        rows(raw, adjustment)
    }

    fn wrong(raw: &Raw) -> Option<String> {
        wrong(raw, adjustment)
    }

    fn write(&self) -> Raw {
        let row = |it: &Adjustment| {
            let level = it.level.map(|level| Raw::Text(level.as_str().into()));
            named([
                ("rule", Some(Raw::Text(it.rule.clone()))),
                // Said where nothing else is: a row must say something.
                (
                    "enabled",
                    (!it.enabled || it.level.is_none()).then_some(Raw::Flag(it.enabled)),
                ),
                ("level", level),
            ])
        };
        Raw::Table(self.iter().map(row).collect())
    }
}

impl Form for Vec<Exception> {
    const SHAPE: Shape = Shape::Table;

    fn expected() -> String {
        "a list, each with the name of a rule, an owner, a reason, the day on which it expires \
         (like 2027-01-31), and at least one field with the value it must have (with a command \
         line also Image); in values * stands for part of a word between slashes, ** for slashes \
         too, at most eight times, and \\* for itself"
            .into()
    }

    fn schema() -> Value {
        let own = [
            ("rule", text_schema()),
            ("owner", text_schema()),
            ("reason", text_schema()),
            (
                "expires",
                json!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" }),
            ),
        ];
        let required = own.each_ref().map(|(name, _)| *name);
        let mut table = table_of(&required, own.clone());
        for field in detect::exception_fields() {
            table["items"]["properties"][field] = text_schema();
        }
        table["items"]["minProperties"] = json!(own.len() + 1);
        table
    }

    fn read(raw: &Raw) -> Option<Self> {
        rows(raw, exception)
    }

    fn wrong(raw: &Raw) -> Option<String> {
        wrong(raw, exception)
    }

    fn write(&self) -> Raw {
        let row = |it: &Exception| {
            let mut row = named([
                ("rule", Some(Raw::Text(it.rule.clone()))),
                ("owner", Some(Raw::Text(it.owner.clone()))),
                ("reason", Some(Raw::Text(it.reason.clone()))),
                ("expires", Some(Raw::Text(it.expires.to_string()))),
            ]);
            let fields = it.fields.iter();
            row.extend(fields.map(|(name, value)| (name.clone(), Raw::Text(value.to_string()))));
            row
        };
        Raw::Table(self.iter().map(row).collect())
    }
}

fn adjustment(row: &[(String, Raw)]) -> Result<Adjustment, String> {
    let (mut rule, mut enabled, mut level) = (None, None, None);
    for (name, raw) in row {
        match (name.as_str(), raw) {
            ("rule", raw) => rule = Some(words(name, raw)?),
            ("enabled", Raw::Flag(flag)) => enabled = Some(*flag),
            ("enabled", raw) => return Err(must(name, "true or false", raw)),
            ("level", raw) => level = Some(level_of(raw)?),
            _ => return Err(unknown(name, &["rule", "enabled", "level"])),
        }
    }
    // Nothing said is nothing meant, or something misunderstood.
    if enabled.is_none() && level.is_none() {
        return Err("neither `enabled` nor `level` is given".to_owned());
    }
    Ok(Adjustment {
        rule: rule.ok_or_else(|| missing("rule"))?,
        enabled: enabled.unwrap_or(true),
        level,
    })
}

fn level_of(raw: &Raw) -> Result<Level, String> {
    let level = match raw {
        Raw::Text(word) => Level::from_str(word).ok(),
        _ => None,
    };
    level.ok_or_else(|| must("level", "informational, low, medium, high or critical", raw))
}

fn exception(row: &[(String, Raw)]) -> Result<Exception, String> {
    let (mut rule, mut owner, mut reason, mut expires) = (None, None, None, None);
    let mut fields = Vec::new();
    for (name, raw) in row {
        match name.as_str() {
            "rule" => rule = Some(words(name, raw)?),
            "owner" => owner = Some(words(name, raw)?),
            "reason" => reason = Some(words(name, raw)?),
            "expires" => expires = Some(day(raw)?),
            field if detect::is_exception_field(field) => {
                fields.push((field.to_owned(), pattern(field, raw)?));
            }
            _ => return Err(unknown(name, &["rule", "owner", "reason", "expires"])),
        }
    }
    let exception = Exception {
        rule: rule.ok_or_else(|| missing("rule"))?,
        owner: owner.ok_or_else(|| missing("owner"))?,
        reason: reason.ok_or_else(|| missing("reason"))?,
        expires: expires.ok_or_else(|| missing("expires"))?,
        fields,
    };
    if exception.fields.is_empty() {
        return Err("no field is given with the value it must have, like Image".to_owned());
    }
    if !exception.is_bound() {
        return Err("what a caller can type is given, so `Image` must be given too".to_owned());
    }
    Ok(exception)
}

fn day(raw: &Raw) -> Result<Date, String> {
    let day = match raw {
        Raw::Text(text) => text.parse().ok(),
        _ => None,
    };
    day.ok_or_else(|| must("expires", "a day like 2027-01-31", raw))
}

fn pattern(field: &str, raw: &Raw) -> Result<Pattern, String> {
    match raw {
        Raw::Text(text) => Pattern::new(text).map_err(|expected| must(field, expected, raw)),
        _ => Err(must(
            field,
            "text, in quotes where it looks like a number",
            raw,
        )),
    }
}

fn must(name: &str, expected: &str, found: &Raw) -> String {
    format!("`{name}` must be {expected}, not {}", found.describe())
}

fn missing(name: &str) -> String {
    format!("`{name}` is not given")
}

fn unknown(name: &str, known: &[&str]) -> String {
    format!(
        "`{name}` is none of {} and no field of a process",
        known.join(", ")
    )
}

/// How a section is read: what it says, or what is wrong with it.
type Read<T> = fn(&[(String, Raw)]) -> Result<T, String>;

/// Reads every section of a list.
fn rows<T>(raw: &Raw, read: Read<T>) -> Option<Vec<T>> {
    match raw {
        Raw::Table(rows) => rows.iter().map(|row| read(row).ok()).collect(),
        Raw::List(items) if items.is_empty() => Some(Vec::new()),
        _ => None,
    }
}

/// The first section that is wrong, by its number and rule, and what is wrong with it.
fn wrong<T>(raw: &Raw, read: Read<T>) -> Option<String> {
    let Raw::Table(rows) = raw else {
        return None;
    };
    let mut wrong = (1..).zip(rows).filter_map(|(number, row)| {
        let error = read(row).err()?;
        let rule = row.iter().find(|(name, _)| name == "rule");
        let rule = rule.map_or_else(String::new, |(_, raw)| {
            format!(" (rule {})", raw.describe())
        });
        Some(format!("row {number}{rule}: {error}"))
    });
    wrong.next()
}

/// The names that have a value.
fn named<const N: usize>(fields: [(&str, Option<Raw>); N]) -> Vec<(String, Raw)> {
    let fields = fields.into_iter();
    let fields = fields.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    fields.collect()
}

/// Text that says something and can stand in a log.
fn words(name: &str, raw: &Raw) -> Result<String, String> {
    match raw {
        Raw::Text(text) if !text.trim().is_empty() && !text.chars().any(char::is_control) => {
            Ok(text.clone())
        }
        _ => Err(must(name, "text that says something, on one line", raw)),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn read(text: &str) -> Result<Config, String> {
        Config::from_core_yaml(text).map_err(|error| error.to_string())
    }

    const EXCEPTION: &str = "rules: {exceptions: [{rule: r, owner: web, reason: report, \
        expires: \"2027-01-31\", Image: /usr/bin/dash, CommandLine: \"sh -c report *\"}]}";

    #[test]
    fn adjustments_and_exceptions_survive_a_recording() {
        let text = "rules: {adjust: [{rule: a, enabled: false}, {rule: b, level: low}]}";
        let config = read(text).unwrap();
        assert_eq!(config.rules.adjust.len(), 2);
        let on = read("rules: {adjust: [{rule: a, enabled: true}]}").unwrap();
        let back = Config::from_core_yaml(&on.core_yaml()).unwrap();
        assert_eq!(back.rules.adjust, on.rules.adjust);
        let config = read(EXCEPTION).unwrap();
        let back = Config::from_core_yaml(&config.core_yaml()).unwrap();
        assert_eq!(back.rules.exceptions, config.rules.exceptions);
        assert_eq!(config.rules.exceptions[0].fields.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_named_by_row_key_and_reason() {
        let exception = |with: &str, instead: &str| {
            let text = EXCEPTION.replace(with, instead);
            assert_ne!(text, EXCEPTION, "{with}");
            // After one that is right.
            let good =
                "[{rule: a, owner: o, reason: w, expires: \"2027-01-31\", Image: /usr/bin/id}, {";
            text.replace("[{", good)
        };
        for (text, expected) in [
            (
                exception("owner: web, ", ""),
                "row 2 (rule `r`): `owner` is not given",
            ),
            (
                exception("reason: report, ", ""),
                "row 2 (rule `r`): `reason` is not given",
            ),
            (
                exception("reason: report, ", "reason: \" \", "),
                "row 2 (rule `r`): `reason` must be text",
            ),
            (exception("rule: r, ", ""), "row 2: `rule` is not given"),
            (
                exception("rule: r, ", "rule: 7, "),
                "row 2 (rule the number 7): `rule` must be text",
            ),
            (
                exception("expires: \"2027-01-31\", ", ""),
                "`expires` is not given",
            ),
            (
                exception("2027-01-31", "soon"),
                "`expires` must be a day like 2027-01-31, not `soon`",
            ),
            (
                exception("2027-01-31", "2027-02-30"),
                "a day like 2027-01-31, not `2027-02-30`",
            ),
            (
                exception("Image: /usr/bin/dash, ", ""),
                "`Image` must be given too",
            ),
            (
                exception("Image: /usr/bin/dash, CommandLine: \"sh -c report *\"", ""),
                "no field is given",
            ),
            (
                exception("/usr/bin/dash", "\"*\""),
                "row 2 (rule `r`): `Image` must be ",
            ),
            (
                exception("/usr/bin/dash", "9"),
                "`Image` must be text, in quotes",
            ),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(expected), "{expected}: {error}");
            assert!(error.contains("`rules.exceptions`: row 2"), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
        for (row, expected) in [
            (
                "{rule: a}",
                "row 1 (rule `a`): neither `enabled` nor `level` is given",
            ),
            (
                "{rule: a, level: urgent}",
                "`level` must be informational, low, medium, high or critical, not `urgent`",
            ),
            (
                "{rule: a, enabled: maybe}",
                "`enabled` must be true or false, not `maybe`",
            ),
            ("{enabled: false}", "row 1: `rule` is not given"),
        ] {
            let error = read(&format!("rules: {{adjust: [{row}]}}")).unwrap_err();
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }

    #[test]
    fn a_misspelt_field_has_a_neighbour() {
        let error = read(&EXCEPTION.replace("CommandLine", "ComandLine")).unwrap_err();
        assert!(error.contains("rules.exceptions.CommandLine"), "{error}");
        // Made of others: no newline is left in it.
        let error = read(&EXCEPTION.replace("CommandLine", "Shell.Command")).unwrap_err();
        assert!(error.contains("Shell.Command"), "{error}");
    }
}
