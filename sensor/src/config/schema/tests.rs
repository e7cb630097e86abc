//! The schema against the reader of the file: what one takes the other takes.

use jsonschema::Validator;

use super::*;
use crate::config::key::{INNER, is_inner};

fn validator() -> Validator {
    jsonschema::validator_for(&schema()).expect("the schema is one")
}

/// Valid by the schema.
fn valid(text: &str) -> bool {
    let value: Value = yaml_serde::from_str(text).expect("YAML");
    validator().is_valid(&value)
}

/// Taken by the reader.
fn taken(text: &str) -> bool {
    Config::from_core_yaml(text).is_ok()
}

/// The examples in comments of the annotated file, each without its comment signs: from
/// the line behind `example:` to the end of the comment, below the section it stands in.
fn examples() -> Vec<String> {
    let mut examples = Vec::new();
    let mut section = "";
    let mut lines = ANNOTATED.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.starts_with([' ', '#']) {
            section = line;
        }
        let begins = line.ends_with("example:") || line.ends_with("that fits counts:");
        if !begins {
            continue;
        }
        let mut text = format!("{section}\n");
        while let Some(comment) = lines.next_if(|line| line.trim_start().starts_with('#')) {
            text += &comment.replacen('#', " ", 1);
            text.push('\n');
        }
        examples.push(text);
    }
    examples
}

#[test]
fn the_annotated_file_and_its_examples_are_valid_and_taken() {
    assert!(valid(ANNOTATED) && taken(ANNOTATED));
    let examples = examples();
    assert!(examples.len() >= 4, "{examples:#?}");
    for example in examples {
        assert!(taken(&example), "{example}");
        assert!(valid(&example), "{example}");
    }
    for empty in ["", "log:", "services: {java: }"] {
        assert!(valid(empty) && taken(empty), "{empty}");
    }
}

#[test]
fn what_is_no_configuration_is_invalid() {
    for wrong in [
        "scoop: host",
        "scope: everything",
        "output: {levle: low}",
        "output: low",
        "http: {listen: here}",
        "http: {enabled: 1}",
        "limits: {processes: 1}",
        "history: {path: relative}",
        "rules: {directories: /one}",
        "rules: {adjust: [{rule: a, lvl: low}]}",
        "rules: {adjust: [{enabled: false}]}",
        "rules: {exceptions: [{rule: r, owner: o, reason: x, expires: \"2027-01-31\"}]}",
        "profiles: {products: [wordpess]}",
        "profiles: {services: [{kind: iis, mode: alert}]}",
        "services: {declare: [{exe: /x}]}",
        "services: {declare: [{name: x, exe: /x, role: boss}]}",
    ] {
        assert!(!taken(wrong), "{wrong}");
        assert!(!valid(wrong), "{wrong}");
    }
}

#[test]
fn rows_have_the_names_that_the_reader_takes() {
    let schema = schema();
    let mut names = Vec::new();
    for key in KEYS {
        let pointer = format!("/properties/{}", key.path.replace('.', "/properties/"));
        let leaf = schema.pointer(&pointer).expect("every key is in it");
        assert!(
            leaf["description"]
                .as_str()
                .is_some_and(|it| it.contains("Must be "))
        );
        let Some(row) = leaf["items"]["properties"].as_object() else {
            continue;
        };
        names.extend(row.keys().map(|name| format!("{}.{name}", key.path)));
    }
    assert!(names.iter().all(|name| is_inner(name)), "{names:?}");
    for inner in INNER {
        assert!(names.iter().any(|name| name == inner), "{inner}");
    }
}

#[test]
fn descriptions_are_those_of_the_annotated_file() {
    let about = |path: &str| comment(path).unwrap_or_default();
    assert!(about("").starts_with("lineage-sensor: every setting"));
    assert!(about("limits.exited_grace_seconds").starts_with("Seconds for which an exited"));
    assert!(about("services.java.main_classes").contains("jar file names"));
    assert_eq!(comment("http.enabled"), None);
    // Not the file's own head, nor what stands above another key.
    assert!(about("scope").starts_with("Which processes are followed"));
}
