//! What rules and the detectors of sequences must agree on, and the bounds of these.

use super::*;
use crate::detect::memory;

/// The values of one field in a selection of a shipped rule.
fn values(rule: &str, selection: &str, field: &str) -> Vec<String> {
    let file = format!("builtin:{rule}.yml");
    let source = crate::detect::source::shipped()
        .find(|source| source.file == file)
        .unwrap();
    let rule: serde_json::Value = yaml_serde::from_str(&source.text).unwrap();
    let values = rule["detection"][selection][field].as_array().unwrap();
    let texts = values
        .iter()
        .map(|value| value.as_str().unwrap().to_owned());
    texts.collect()
}

#[test]
fn a_burst_is_made_of_the_tools_of_the_rule() {
    let listed = values("recon_tool_under_service", "tool", "Exec.Program");
    assert_eq!(listed, memory::TOOLS);
}

#[test]
fn a_burst_is_told_once_and_again_when_there_is_another() {
    let mut detector = shipped();
    let mut bursts = Vec::new();
    for (seconds, tool) in [
        (500, "id"),
        (490, "uname"),
        (480, "ls"),
        (479, "ps"),
        (478, "id"),
        (300, "df"),
        (299, "ss"),
        (298, "id"),
    ] {
        let example = format!("{{ago: {seconds}, image: /usr/bin/{tool}}}");
        let verdicts = detector.evaluate(Arc::new(subject(&example)), 0);
        let found = names(&verdicts.matches).contains(&"recon_burst_under_service");
        bursts.extend(found.then_some(seconds));
    }
    assert_eq!(bursts, [480, 298]);
}

#[test]
fn a_drop_is_joined_with_what_its_reader_starts() {
    let mut detector = shipped();
    for earlier in [
        "{ago: 60, target: {path: /var/www/html/x.php, created: true}}",
        "{ago: 1, target: {action: read, path: /var/www/html/x.php}}",
    ] {
        detector.evaluate(Arc::new(subject(earlier)), 0);
    }
    let own = subject("{image: /usr/bin/dash, argv: [sh, -c, id]}");
    let mut other = own.clone();
    for ancestor in other.lineage.ancestors.iter_mut().skip(1) {
        ancestor.id.tgid += 50;
    }
    let mut fires = |subject: Subject| {
        let verdicts = detector.evaluate(Arc::new(subject), 0);
        names(&verdicts.matches).contains(&"dropped_script_used")
    };
    assert_eq!((fires(own), fires(other)), (true, false));
}
