//! Exceptions inside a rule (`and not ...`) that fit whatever an attacker adds.
//!
//! A condition that only has to be contained in a text, or to begin or end it, excuses
//! everything that carries it; where the attacker writes the text he writes the excuse.

use std::fmt;

use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Detections, Modifier, SigmaRule, SigmaValue,
};

/// Fields whose text is typed by whoever causes the act, wholly or at one end.
const TYPED: [&str; 10] = [
    "CommandLine",
    "ParentCommandLine",
    "CurrentDirectory",
    "TargetFilename",
    "Image",
    "ParentImage",
    "Lineage.Image",
    "Exec.Filename",
    "Exec.Script",
    "Shell.Command",
];

/// How an exception is loose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Contains,
    Begins,
    Ends,
    Pattern,
}

/// An item of an exception that fits more than it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loose {
    selection: String,
    field: String,
    way: Way,
}

impl fmt::Display for Loose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            selection,
            field,
            way,
        } = self;
        let how = match way {
            Way::Contains => "whatever contains it",
            Way::Begins => "whatever begins with it",
            Way::Ends => "whatever ends with it",
            Way::Pattern => "whatever a wildcard or expression lets in",
        };
        write!(
            f,
            "`not {selection}` excuses {how} in `{field}`, which an attacker can write: compare \
             whole values, or fields that he cannot choose"
        )
    }
}

/// Every loose item of a selection that stands under a `not`.
pub(crate) fn loose_exceptions(sigma: &SigmaRule) -> Vec<Loose> {
    let mut loose = Vec::new();
    for condition in &sigma.detection.conditions {
        walk(condition, false, &sigma.detection, &mut loose);
    }
    loose
}

fn walk(condition: &ConditionExpr, negated: bool, all: &Detections, loose: &mut Vec<Loose>) {
    match condition {
        ConditionExpr::And(parts) | ConditionExpr::Or(parts) => {
            for part in parts {
                walk(part, negated, all, loose);
            }
        }
        ConditionExpr::Not(inner) => walk(inner, !negated, all, loose),
        ConditionExpr::Identifier(name) if negated => {
            if let Some(detection) = all.named.get(name) {
                collect(name, detection, loose);
            }
        }
        ConditionExpr::Selector { pattern, .. } if negated => {
            let named = all.named.iter();
            let mut named: Vec<_> = named
                .filter(|(name, _)| pattern.matches_detection_name(name))
                .collect();
            named.sort_by_key(|(name, _)| name.as_str());
            for (name, detection) in named {
                collect(name, detection, loose);
            }
        }
        ConditionExpr::Identifier(_) | ConditionExpr::Selector { .. } => {}
    }
}

/// A selection is as tight as its tightest text: one whole value is enough. What all acts
/// of a service have in common does not make it tighter.
fn collect(selection: &str, detection: &Detection, loose: &mut Vec<Loose>) {
    match detection {
        Detection::AllOf(items) => {
            let typed: Vec<_> = items.iter().filter_map(typed).collect();
            let tight = typed.iter().any(|(_, way)| way.is_none());
            if !tight {
                loose.extend(typed.into_iter().filter_map(|(field, way)| {
                    Some(Loose {
                        selection: selection.to_owned(),
                        field: field.to_owned(),
                        way: way?,
                    })
                }));
            }
        }
        Detection::AnyOf(parts) | Detection::And(parts) => {
            for part in parts {
                collect(selection, part, loose);
            }
        }
        Detection::Keywords(_) => loose.push(Loose {
            selection: selection.to_owned(),
            field: "any field".to_owned(),
            way: Way::Contains,
        }),
        _ => {}
    }
}

/// A typed field, and how loosely it is compared; `None` when whole.
fn typed(item: &DetectionItem) -> Option<(&str, Option<Way>)> {
    let name = item.field.name.as_deref()?;
    let field = TYPED.into_iter().find(|field| *field == name)?;
    let has = |modifier| item.field.has_modifier(modifier);
    let way = if has(Modifier::Contains) {
        Some(Way::Contains)
    } else if has(Modifier::StartsWith) {
        Some(Way::Begins)
    } else if has(Modifier::EndsWith) {
        Some(Way::Ends)
    } else if has(Modifier::Re) || item.values.iter().any(wild) {
        Some(Way::Pattern)
    } else {
        None
    };
    Some((field, way))
}

fn wild(value: &SigmaValue) -> bool {
    matches!(value, SigmaValue::String(text) if text.as_plain().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loose(detection: &str) -> Vec<(String, Way)> {
        let text =
            format!("title: t\nlogsource: {{category: process_creation}}\ndetection:\n{detection}");
        let parsed = rsigma_parser::parse_sigma_yaml(&text).unwrap();
        assert_eq!(parsed.errors, Vec::<String>::new());
        let found = loose_exceptions(&parsed.rules[0]);
        found.into_iter().map(|it| (it.field, it.way)).collect()
    }

    #[test]
    fn what_an_attacker_can_write_around_is_named() {
        for (filter, expected) in [
            (
                "{CommandLine|contains: healthcheck}",
                Some(("CommandLine", Way::Contains)),
            ),
            (
                "{CommandLine|startswith: sh -c /usr/bin}",
                Some(("CommandLine", Way::Begins)),
            ),
            ("{Image|endswith: /convert}", Some(("Image", Way::Ends))),
            (
                "{CommandLine: 'report *'}",
                Some(("CommandLine", Way::Pattern)),
            ),
            (
                "{CommandLine|re: '^report'}",
                Some(("CommandLine", Way::Pattern)),
            ),
            ("{CommandLine: report --daily}", None),
            ("{CommandLine|contains: x, Image: /usr/bin/x}", None),
            (
                "{CommandLine|contains: x, Service.Kind: java}",
                Some(("CommandLine", Way::Contains)),
            ),
            ("{User|contains: x}", None),
        ] {
            let text = format!("  s: {{Image: x}}\n  f: {filter}\n  condition: s and not f");
            let expected: Vec<_> = expected.into_iter().collect();
            let found = loose(&text);
            let found: Vec<_> = found.iter().map(|(f, way)| (f.as_str(), *way)).collect();
            assert_eq!(found, expected, "{filter}");
            let positive = text.replace("not f", "f");
            assert_eq!(
                loose(&positive),
                [],
                "what is asked for may be loose: {filter}"
            );
            assert_eq!(loose(&text.replace("not f", "not not f")), []);
        }
        let words = "  s: {Image: x}\n  f: [healthcheck]\n  condition: s and not f";
        assert_eq!(loose(words), [("any field".to_owned(), Way::Contains)]);
        let several = "  s: {Image: x}\n  f_a: {CommandLine|contains: x}\n  f_b: {User: y}\n  \
                       condition: s and not 1 of f_*";
        assert_eq!(loose(several).len(), 1);
    }
}
