//! Rules as rsigma has to be told them so that they mean what Sigma says.
//!
//! Four things it compiles otherwise, as of 0.23: a wildcard under `startswith` or
//! `endswith` (the anchors are exchanged), keywords of which all must be there (compared
//! with whole values), keywords that are numbers (they match nothing), and `null` among
//! the values of a list (only a field that is there is compared with a list).

use rsigma_parser::{
    Detection, DetectionItem, Modifier, SigmaRule, SigmaString, SigmaValue,
    value::{SpecialChar, StringPart},
};

const ANY: StringPart = StringPart::Special(SpecialChar::WildcardMulti);

/// Puts the four right.
pub(super) fn mend(rule: &mut SigmaRule) {
    rule.detection.named.values_mut().for_each(detection);
}

fn detection(detection: &mut Detection) {
    match detection {
        Detection::AllOf(items) => {
            items.iter_mut().for_each(item);
            if items.iter().any(is_null_or_more) {
                let parts = std::mem::take(items).into_iter().map(apart);
                *detection = Detection::And(parts.collect());
            }
        }
        Detection::AnyOf(parts) | Detection::And(parts) => {
            parts.iter_mut().for_each(self::detection);
        }
        Detection::Keywords(values) => values.iter_mut().for_each(keyword),
        Detection::ArrayMatch { body, .. } => self::detection(body),
        Detection::Conditional { named, .. } => named.values_mut().for_each(self::detection),
    }
}

fn item(item: &mut DetectionItem) {
    let modifiers = &mut item.field.modifiers;
    let only = |known: &[Modifier]| modifiers.iter().all(|it| known.contains(it));
    if item.field.name.is_none() && only(&[Modifier::All, Modifier::Cased]) {
        modifiers.insert(0, Modifier::Contains);
        item.values.iter_mut().for_each(keyword);
        return;
    }
    let wild = |value: &SigmaValue| matches!(value, SigmaValue::String(text) if !text.is_plain());
    let (starts, ends) = (Modifier::StartsWith, Modifier::EndsWith);
    let plain = only(&[starts, ends, Modifier::All, Modifier::Cased]);
    if !plain || !item.values.iter().any(wild) {
        return;
    }
    let (at_start, at_end) = (modifiers.contains(&starts), modifiers.contains(&ends));
    modifiers.retain(|it| *it != starts && *it != ends);
    for value in &mut item.values {
        if let SigmaValue::String(text) = value {
            open(text, at_start, at_end);
        }
    }
}

/// One of the values is `null`, another is not.
fn is_null_or_more(item: &DetectionItem) -> bool {
    let nulls = item
        .values
        .iter()
        .filter(|it| **it == SigmaValue::Null)
        .count();
    let split = [Modifier::All, Modifier::Neq];
    let whole = |it: Modifier| item.field.has_modifier(it);
    nulls > 0 && nulls < item.values.len() && !split.into_iter().any(whole)
}

/// The same item; `null` apart from the other values.
fn apart(item: DetectionItem) -> Detection {
    if !is_null_or_more(&item) {
        return Detection::AllOf(vec![item]);
    }
    let DetectionItem { mut field, values } = item;
    let rest = DetectionItem {
        field: field.clone(),
        values: values
            .into_iter()
            .filter(|it| *it != SigmaValue::Null)
            .collect(),
    };
    field.modifiers.clear();
    let null = DetectionItem {
        field,
        values: vec![SigmaValue::Null],
    };
    Detection::AnyOf(vec![
        Detection::AllOf(vec![null]),
        Detection::AllOf(vec![rest]),
    ])
}

/// Lets a text go on after its end, or before its start.
fn open(text: &mut SigmaString, at_start: bool, at_end: bool) {
    if at_start {
        text.parts.push(ANY);
        text.original.push('*');
    }
    if at_end {
        text.parts.insert(0, ANY);
        text.original.insert(0, '*');
    }
}

/// A number is looked for as it is written.
fn keyword(value: &mut SigmaValue) {
    if let SigmaValue::Integer(number) = value {
        *value = SigmaValue::String(SigmaString::new(&number.to_string()));
    }
}
