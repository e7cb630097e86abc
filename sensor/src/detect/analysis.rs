//! What can be told of a rule without an event: the fields it reads, the selections
//! its condition names in vain, the roles and acts it can never match.

mod loose;

use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Detections, Modifier, Quantifier, SelectorPattern,
    SigmaRule, SigmaValue,
};

pub(super) use self::loose::loose_exceptions;
use super::category::ACTION;

/// Field that decides into which engine a rule goes, with [`ACTION`].
pub(super) const ROLE: &str = "Service.Role";

/// The fields that are the same for all events of one engine.
const FIELDS: [&str; 2] = [ROLE, ACTION];

/// What all events of one engine have in common.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Common {
    /// [`ROLE`]; `None` outside every service.
    pub(super) role: Option<&'static str>,
    /// [`ACTION`]; `None` for what is no act on a file.
    pub(super) action: Option<&'static str>,
}

impl Common {
    /// The value every event has of one of [`FIELDS`].
    pub(super) fn value(self, field: &str) -> Option<&'static str> {
        if field == ROLE {
            self.role
        } else {
            self.action
        }
    }
}

/// Fields the rule reads, each once, in order of name.
pub(super) fn fields(rule: &SigmaRule) -> Vec<String> {
    let mut fields = Vec::new();
    for detection in rule.detection.named.values() {
        collect(detection, &mut fields);
    }
    fields.sort();
    fields.dedup();
    fields
}

fn collect(detection: &Detection, fields: &mut Vec<String>) {
    match detection {
        Detection::AllOf(items) => items.iter().for_each(|item| collect_item(item, fields)),
        Detection::AnyOf(parts) | Detection::And(parts) => {
            for part in parts {
                collect(part, fields);
            }
        }
        Detection::ArrayMatch { field, .. } => fields.push(field.clone()),
        // Names inside a block are those of array members, keywords have none.
        Detection::Conditional { .. } | Detection::Keywords(_) => {}
    }
}

fn collect_item(item: &DetectionItem, fields: &mut Vec<String>) {
    fields.extend(item.field.name.clone());
    if item.field.has_modifier(Modifier::FieldRef) {
        fields.extend(item.values.iter().filter_map(plain));
    }
}

fn plain(value: &SigmaValue) -> Option<String> {
    match value {
        SigmaValue::String(text) => text.as_plain(),
        _ => None,
    }
}

/// Selections a condition names that do not exist: rsigma would take them for false.
pub(super) fn undefined(rule: &SigmaRule) -> Vec<String> {
    let mut missing = Vec::new();
    for condition in &rule.detection.conditions {
        check(condition, &rule.detection, &mut missing);
    }
    missing
}

fn check(condition: &ConditionExpr, detections: &Detections, missing: &mut Vec<String>) {
    match condition {
        ConditionExpr::And(parts) | ConditionExpr::Or(parts) => {
            for part in parts {
                check(part, detections, missing);
            }
        }
        ConditionExpr::Not(inner) => check(inner, detections, missing),
        ConditionExpr::Identifier(name) => {
            if !detections.named.contains_key(name) {
                missing.push(name.clone());
            }
        }
        ConditionExpr::Selector { pattern, .. } => {
            if !detections
                .named
                .keys()
                .any(|name| pattern.matches_detection_name(name))
            {
                missing.push(match pattern {
                    SelectorPattern::Them => "them".to_owned(),
                    SelectorPattern::Pattern(pattern) => pattern.clone(),
                });
            }
        }
    }
}

/// `true` when the rule provably matches no event of this kind. Anything this cannot
/// prove counts as possible.
pub(super) fn excludes(sigma: &SigmaRule, common: Common) -> bool {
    let Detections { conditions, .. } = &sigma.detection;
    !conditions.is_empty()
        && conditions
            .iter()
            .all(|c| never(c, &sigma.detection, common))
}

/// The rule for events of this kind alone: items that hold for each of them are gone, or
/// rsigma would index the rule by them. The second value names their fields.
pub(super) fn specialise(sigma: &SigmaRule, common: Common) -> (SigmaRule, Vec<&'static str>) {
    let mut special = sigma.clone();
    let mut stripped = Vec::new();
    for detection in special.detection.named.values_mut() {
        if let Detection::AllOf(items) = detection {
            let uncertain = items.iter().filter(|item| certain(item, common).is_none());
            let rest: Vec<_> = uncertain.cloned().collect();
            if !rest.is_empty() && rest.len() < items.len() {
                stripped.extend(items.iter().filter_map(|item| certain(item, common)));
                *items = rest;
            }
        }
    }
    stripped.sort_unstable();
    stripped.dedup();
    (special, stripped)
}

/// Field of an item that asks for a value by name, without modifiers, which all have.
fn certain(item: &DetectionItem, common: Common) -> Option<&'static str> {
    let field = FIELDS
        .into_iter()
        .find(|field| item.field.name.as_deref() == Some(field))?;
    let have = common.value(field)?;
    let wanted = |value| plain(value).is_some_and(|wanted| wanted == have);
    (item.field.modifiers.is_empty() && item.values.iter().any(wanted)).then_some(field)
}

fn never(condition: &ConditionExpr, detections: &Detections, common: Common) -> bool {
    match condition {
        ConditionExpr::And(parts) => parts.iter().any(|part| never(part, detections, common)),
        ConditionExpr::Or(parts) => {
            !parts.is_empty() && parts.iter().all(|part| never(part, detections, common))
        }
        ConditionExpr::Not(_) => false,
        ConditionExpr::Identifier(name) => detections
            .named
            .get(name)
            .is_some_and(|detection| impossible(detection, common)),
        ConditionExpr::Selector {
            quantifier,
            pattern,
        } => {
            let named = detections.named.iter();
            let mut chosen = named
                .filter(|(name, _)| pattern.matches_detection_name(name))
                .map(|(_, detection)| impossible(detection, common))
                .peekable();
            match quantifier {
                Quantifier::Any => chosen.peek().is_some() && chosen.all(|never| never),
                Quantifier::All => chosen.any(|never| never),
                Quantifier::Count(_) => false,
            }
        }
    }
}

fn impossible(detection: &Detection, common: Common) -> bool {
    match detection {
        Detection::AllOf(items) => items.iter().any(|item| mismatch(item, common)),
        Detection::AnyOf(parts) => {
            !parts.is_empty() && parts.iter().all(|part| impossible(part, common))
        }
        Detection::And(parts) => parts.iter().any(|part| impossible(part, common)),
        _ => false,
    }
}

/// The item asks for a value by name, without modifiers, and never for the one all have.
fn mismatch(item: &DetectionItem, common: Common) -> bool {
    let name = item.field.name.as_deref();
    let Some(field) = FIELDS.into_iter().find(|field| name == Some(field)) else {
        return false;
    };
    let have = common.value(field);
    let other = |wanted: &str| have.is_none_or(|have| !wanted.eq_ignore_ascii_case(have));
    item.field.modifiers.is_empty()
        && !item.values.is_empty()
        && item
            .values
            .iter()
            .all(|value| plain(value).is_some_and(|wanted| other(&wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(detection: &str) -> SigmaRule {
        let text =
            format!("title: t\nlogsource: {{category: process_creation}}\ndetection:\n{detection}");
        let mut parsed = rsigma_parser::parse_sigma_yaml(&text).unwrap();
        assert_eq!(parsed.errors, Vec::<String>::new());
        parsed.rules.pop().unwrap()
    }

    fn with(role: Option<&'static str>) -> Common {
        Common { role, action: None }
    }

    fn excluded(detection: &str) -> Vec<&'static str> {
        let rule = rule(detection);
        let roles = [("none", None), ("edge", Some("edge")), ("app", Some("app"))];
        roles
            .iter()
            .filter(|(_, role)| excludes(&rule, with(*role)))
            .map(|(name, _)| *name)
            .collect()
    }

    #[test]
    fn roles_are_excluded_only_when_that_is_certain() {
        let edge = "  s: {Service.Role: edge, Image: x}\n";
        let any = "  a: {Image: x}\n";
        for (detection, expected) in [
            (format!("{edge}  condition: s"), vec!["none", "app"]),
            (
                format!("{edge}{any}  condition: s and a"),
                vec!["none", "app"],
            ),
            (format!("{edge}{any}  condition: s or a"), vec![]),
            (format!("{edge}{any}  condition: 1 of them"), vec![]),
            (
                format!("{edge}{any}  condition: all of them"),
                vec!["none", "app"],
            ),
            (format!("{edge}{any}  condition: a and not s"), vec![]),
            (
                "  s: {Service.Role: [edge, app]}\n  condition: s".into(),
                vec!["none"],
            ),
            (
                "  s: {Service.Role: EDGE}\n  condition: s".into(),
                vec!["none", "app"],
            ),
            ("  s: {Service.Role: 'e*'}\n  condition: s".into(), vec![]),
            ("  s: {Service.Role: null}\n  condition: s".into(), vec![]),
            (
                "  s: {Service.Role|contains: app}\n  condition: s".into(),
                vec![],
            ),
            (
                "  s: [{Service.Role: edge}, {Image: x}]\n  condition: s".into(),
                vec![],
            ),
        ] {
            assert_eq!(excluded(&detection), expected, "{detection}");
        }
    }

    #[test]
    fn a_role_is_taken_out_where_it_is_certain() {
        for (detection, role, expected) in [
            ("{Service.Role: app, Image: x}", Some("app"), 1),
            ("{Service.Role: [edge, app], Image: x}", Some("edge"), 1),
            ("{Service.Role: edge, Image: x}", Some("app"), 2),
            ("{Service.Role: app, Image: x}", None, 2),
            ("{Service.Role|cased: app, Image: x}", Some("app"), 2),
            ("{Service.Role: app}", Some("app"), 1),
        ] {
            let rule = rule(&format!("  s: {detection}\n  condition: s"));
            let (special, stripped) = specialise(&rule, with(role));
            let Some(Detection::AllOf(items)) = special.detection.named.get("s") else {
                panic!("{detection}");
            };
            assert_eq!(items.len(), expected, "{detection} {role:?}");
            assert_eq!(!stripped.is_empty(), special != rule);
        }
    }

    #[test]
    fn acts_are_excluded_and_taken_out_too() {
        let rule = rule("  s: {Target.Action: [rename, link], Image: x}\n  condition: s");
        let act = |action| Common {
            role: None,
            action: Some(action),
        };
        assert!(excludes(&rule, act("read")) && !excludes(&rule, act("link")));
        assert_eq!(specialise(&rule, act("link")).1, [ACTION]);
        assert_eq!(specialise(&rule, act("read")).1, [""; 0]);
    }

    #[test]
    fn fields_and_missing_selections_are_listed() {
        let rule = rule(
            "  a: {Image|endswith: x, CommandLine|fieldref: Exec.Filename}\n  b: [{User: y}, {Image: z}]\n  k: [word]\n  condition: a and (b or nope) and 1 of gone_*",
        );
        assert_eq!(
            fields(&rule),
            ["CommandLine", "Exec.Filename", "Image", "User"]
        );
        assert_eq!(undefined(&rule), ["nope", "gone_*"]);
    }
}
