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

fn adjustment(row: &[(String, Raw)]) -> Option<Adjustment> {
    let (mut rule, mut enabled, mut level) = (None, None, None);
    for (name, raw) in row {
        match (name.as_str(), raw) {
            ("rule", Raw::Text(name)) => rule = Some(words(name)?),
            ("enabled", Raw::Flag(flag)) => enabled = Some(*flag),
            ("level", Raw::Text(word)) => level = Some(Level::from_str(word).ok()?),
            _ => return None,
        }
    }
    // Nothing said is nothing meant, or something misunderstood.
    if enabled.is_none() && level.is_none() {
        return None;
    }
    Some(Adjustment {
        rule: rule?,
        enabled: enabled.unwrap_or(true),
        level,
    })
}

fn exception(row: &[(String, Raw)]) -> Option<Exception> {
    let (mut rule, mut owner, mut reason, mut expires) = (None, None, None, None);
    let mut fields = Vec::new();
    for (name, raw) in row {
        let Raw::Text(text) = raw else {
            return None;
        };
        match name.as_str() {
            "rule" => rule = Some(words(text)?),
            "owner" => owner = Some(words(text)?),
            "reason" => reason = Some(words(text)?),
            "expires" => expires = Some(text.parse::<Date>().ok()?),
            field if detect::is_exception_field(field) => {
                fields.push((field.to_owned(), Pattern::new(text).ok()?));
            }
            _ => return None,
        }
    }
    let exception = Exception {
        rule: rule?,
        owner: owner?,
        reason: reason?,
        expires: expires?,
        fields,
    };
    exception.is_bound().then_some(exception)
}

/// Reads every section of a list.
fn rows<T>(raw: &Raw, read: fn(&[(String, Raw)]) -> Option<T>) -> Option<Vec<T>> {
    match raw {
        Raw::Table(rows) => rows.iter().map(|row| read(row)).collect(),
        Raw::List(items) if items.is_empty() => Some(Vec::new()),
        _ => None,
    }
}

/// The names that have a value.
fn named<const N: usize>(fields: [(&str, Option<Raw>); N]) -> Vec<(String, Raw)> {
    let fields = fields.into_iter();
    let fields = fields.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    fields.collect()
}

/// Text that says something and can stand in a log.
fn words(text: &str) -> Option<String> {
    let said = !text.trim().is_empty() && !text.chars().any(char::is_control);
    said.then(|| text.to_owned())
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
    fn an_exception_is_owned_reasoned_bounded_and_ends() {
        for without in [
            "owner: web, ",
            "reason: report, ",
            "expires: \"2027-01-31\", ",
            "Image: /usr/bin/dash, CommandLine: \"sh -c report *\"",
            "Image: /usr/bin/dash, ",
        ] {
            let text = EXCEPTION.replace(without, "");
            assert_ne!(text, EXCEPTION, "{without}");
            let error = read(&text).unwrap_err();
            assert!(error.contains("at least one field"), "{error}");
        }
        let error = read(&EXCEPTION.replace("2027-01-31", "soon")).unwrap_err();
        assert!(error.contains("2027-01-31"), "{error}");
    }

    #[test]
    fn a_misspelt_field_has_a_neighbour() {
        let error = read(&EXCEPTION.replace("CommandLine", "ComandLine")).unwrap_err();
        assert!(error.contains("rules.exceptions.CommandLine"), "{error}");
        // Made of others: no newline is left in it.
        let error = read(&EXCEPTION.replace("CommandLine", "Shell.Command")).unwrap_err();
        assert!(error.contains("Shell.Command"), "{error}");
        assert!(read("rules: {adjust: [{rule: a}]}").is_err());
        assert!(read("rules: {adjust: [{rule: a, level: urgent}]}").is_err());
    }
}
