//! Rules of Sigma's public Linux categories, in SigmaHQ's form, from a rules.d directory:
//! each field of the taxonomy with each modifier, each shape of value and of condition.
//!
//! The rules are written to a directory and loaded by [`RuleSet::load`], as those of users
//! are; none is taken from others. A row holds values that must match and near misses.

mod collection;
mod condition;
mod number;
mod subject;
mod text;

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use self::subject::{Named, act, users};
use super::super::{category::Category, detector::Detector, ruleset::RuleSet};

/// The fields of Sigma's Linux taxonomy by category, as public rules use them, and the
/// shape that rows are written for.
const FIELDS: &[(Category, &str, Shape)] = &[
    (Category::Process, "CommandLine", Shape::Text),
    (Category::Process, "Image", Shape::Text),
    (Category::Process, "ParentImage", Shape::Text),
    (Category::Process, "ParentCommandLine", Shape::Text),
    (Category::Process, "CurrentDirectory", Shape::Text),
    (Category::Process, "User", Shape::Text),
    (Category::Process, "LogonId", Shape::Number),
    (Category::File, "Image", Shape::Text),
    (Category::File, "TargetFilename", Shape::Text),
    (Category::Network, "Image", Shape::Text),
    (Category::Network, "Initiated", Shape::Bool),
    (Category::Network, "DestinationHostname", Shape::Never),
    (Category::Network, "DestinationIp", Shape::Address),
    (Category::Network, "DestinationPort", Shape::Number),
];

/// Every act of their category has a value for these, be it an empty one.
const ALWAYS: &[&str] = &["CommandLine", "User", "TargetFilename"];

/// What rows a field gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Text,
    Number,
    Address,
    Bool,
    Never,
}

/// Value of a field in an act; `None` for an act that has none.
type Value = Option<&'static str>;

/// One rule on one field, values it must match, and values it must not.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// After the field's name: `|contains|all`, or nothing.
    modifiers: &'static str,
    /// As YAML, after the colon.
    pattern: &'static str,
    hits: &'static [Value],
    misses: &'static [Value],
}

impl Shape {
    fn rows(self) -> &'static [Row] {
        match self {
            Self::Text => text::ROWS,
            Self::Number => number::ROWS,
            Self::Address => number::ADDRESSES,
            Self::Bool => number::BOOLS,
            Self::Never => number::NEVER,
        }
    }
}

/// A rule as SigmaHQ writes them, to the detection.
fn head(index: usize, category: &str) -> String {
    format!(
        "title: Dialect {index}\nid: 00000000-0000-4000-8000-{index:012}\nstatus: test\n\
         description: |\n    One feature of the dialect.\n\
         references:\n    - https://sigmahq.io/docs/basics/modifiers.html\n\
         author: the tests of this project\ndate: 2026-11-22\nmodified: 2026-11-22\n\
         tags:\n    - attack.persistence\n    - attack.t1505.003\n\
         logsource:\n    product: linux\n    category: {category}\n"
    )
}

/// What follows the detection.
const TAIL: &str = "falsepositives:\n    - Unknown\nlevel: medium\n";

/// The rules of `directory`, loaded as those of users are, without a word against them
/// but `expected`.
fn load(directory: &Path, expected: impl Fn(&str) -> bool) -> Detector {
    let rules = RuleSet::load(&[directory.to_owned()]).unwrap();
    for warning in rules.warnings() {
        assert!(expected(&warning), "{warning}");
    }
    Detector::new(rules, users())
}

/// Names of the rules of the directory that match.
fn matched(detector: &mut Detector, named: &Named) -> Vec<String> {
    detector.forget();
    let found = detector.evaluate(Arc::new(act(named)), 0).matches;
    let own = found
        .iter()
        .filter(|it| it.rule.name.starts_with("dialect_"));
    let mut own: Vec<_> = own.map(|it| it.rule.name.clone()).collect();
    own.sort();
    own
}

#[test]
fn every_field_with_every_modifier() {
    let directory = tempfile::tempdir().unwrap();
    let mut cases = Vec::new();
    for &(category, field, shape) in FIELDS {
        for row in shape.rows() {
            let Row {
                modifiers, pattern, ..
            } = row;
            let index = cases.len();
            let rule = format!(
                "{}detection:\n    selection:\n        {field}{modifiers}: {pattern}\n    \
                 condition: selection\n{TAIL}",
                head(index, category.name())
            );
            fs::write(directory.path().join(format!("{index:04}.yml")), rule).unwrap();
            cases.push((category, field, row));
        }
    }
    let mut detector = load(directory.path(), |warning| {
        warning.contains("`DestinationHostname`")
    });
    let (mut checked, mut wrong) = (0, Vec::new());
    for (index, (category, field, row)) in cases.into_iter().enumerate() {
        let rule = format!("dialect_{index}");
        let both = [(row.hits, true), (row.misses, false)];
        for (values, expected) in both {
            for value in values {
                if value.is_none() && ALWAYS.contains(&field) {
                    continue;
                }
                let found = matched(&mut detector, &Named::one(category, field, *value));
                let said = format!(
                    "{} {field}{}: {} against {value:?}",
                    category.name(),
                    row.modifiers,
                    row.pattern
                );
                wrong.extend((found.contains(&rule) != expected).then_some(said));
                checked += 1;
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(checked > 1_500, "{checked}");
}

#[test]
fn no_combination_is_left_out() {
    let mut of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (category, field, _) in FIELDS {
        of.entry(category.name()).or_default().push(field);
    }
    // The fields of the issue, by category.
    let issue = "file_event: Image TargetFilename; \
        network_connection: Image Initiated DestinationHostname DestinationIp DestinationPort; \
        process_creation: CommandLine Image ParentImage ParentCommandLine CurrentDirectory User \
        LogonId";
    let have: Vec<_> = of
        .iter()
        .map(|(category, fields)| format!("{category}: {}", fields.join(" ")))
        .collect();
    assert_eq!(have.join("; "), issue);
    let plain = [
        "",
        "|contains",
        "|startswith",
        "|endswith",
        "|re",
        "|exists",
    ];
    let joined = [
        "|contains|all",
        "|startswith|all",
        "|endswith|all",
        "|re|i",
        "|all",
    ];
    for (_, field, shape) in FIELDS {
        let wanted: Vec<_> = match shape {
            Shape::Text => plain.iter().chain(&joined).collect(),
            Shape::Address => plain.iter().chain(&joined).chain(&["|cidr"]).collect(),
            Shape::Number => plain
                .iter()
                .chain(&["|gt", "|gte", "|lt", "|lte"])
                .collect(),
            Shape::Bool => vec![&"", &"|exists"],
            Shape::Never => plain.iter().collect(),
        };
        for modifiers in wanted {
            let rows = shape
                .rows()
                .iter()
                .filter(|row| row.modifiers == *modifiers);
            let tried = rows.filter(|row| !row.misses.is_empty()).count();
            assert!(tried > 0, "{field}{modifiers}");
        }
    }
    for row in [text::ROWS, number::ROWS, number::ADDRESSES].concat() {
        assert!(!row.hits.is_empty() && !row.misses.is_empty(), "{row:?}");
    }
}
