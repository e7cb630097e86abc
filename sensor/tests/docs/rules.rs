//! `docs/rules.md`, and the rules' rows of README.

use std::{fmt::Write as _, fs};

use sensor::detect::{self, Learnable, Rule, RuleSet};
use serde_json::Value;

use crate::{
    page::{head, list, page, root, table, update},
    wordpress,
};

#[test]
fn rules() {
    let set = RuleSet::load(&[]).unwrap();
    let mut text = head(
        "Rules",
        "The built-in rules, most severe first, as `lineage-sensor rules list` has them. They are \
         Sigma rules; their conditions and examples are in the files named below. Fields that \
         rules can use: [alerts.md](alerts.md#fields-for-rules).",
    );
    text += &table(
        ["Rule", "Level", "ATT&CK", "What it is"],
        set.list().iter().map(|rule| {
            [
                format!("[`{}`](#{})", rule.name, rule.name),
                rule.level.as_str().to_owned(),
                rule.techniques.join(", "),
                rule.title.clone(),
            ]
        }),
    );
    text += &wordpress::section();
    for rule in set.list() {
        text += &rule_section(rule);
    }
    page("rules.md", &text);
}

/// The rules' rows of README, which `UPDATE_DOCS=1` writes too.
#[test]
fn readme_lists_every_rule() {
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let rules = RuleSet::load(&[]).unwrap();
    let mut rows = String::new();
    for rule in rules.list() {
        let (level, name, title) = (rule.level.as_str(), &rule.name, &rule.title);
        let techniques = rule.techniques.join(", ");
        put!(rows, "| {level} | `{name}` | {techniques} | {title} |\n");
    }
    let is_row = |line: &&str| {
        let levels = ["critical", "high", "medium", "low", "informational"];
        levels
            .iter()
            .any(|level| line.starts_with(&format!("| {level} | `")))
    };
    let listed: String = readme.split_inclusive('\n').filter(is_row).collect();
    if update() && listed != rows {
        let first = readme.split_inclusive('\n').find(is_row);
        let at = first
            .and_then(|row| readme.find(row))
            .expect("README has a table of rules");
        let end = at + listed.len();
        let updated = [&readme[..at], &rows, &readme[end..]].concat();
        return fs::write(&path, updated).expect("README.md is writable");
    }
    assert_eq!(
        listed, rows,
        "UPDATE_DOCS=1 cargo test -p sensor --test docs"
    );
}

fn rule_section(rule: &Rule) -> String {
    let file = rule
        .file
        .strip_prefix("builtin:")
        .expect("only built-in rules are loaded");
    let mut text = format!(
        "\n## {}\n\n{}. Level {}; `{}`; {}; id `{}`; [sensor/rules/{file}](../sensor/rules/{file}).\n",
        rule.name,
        rule.title,
        rule.level.as_str(),
        rule.category.name(),
        rule.techniques.join(", "),
        rule.id,
    );
    if let Some(row) = &rule.catalogue {
        text = text.replacen("; id ", &format!("; catalogue {row}; id "), 1);
    }
    put!(text, "\n{}\n", rule.description.trim());
    if rule.waits() {
        let needs: Vec<_> = rule.needs.iter().map(|need| need.name()).collect();
        put!(
            text,
            "\nWaits up to {} s for: {}.\n",
            detect::MAX_WAIT_NS / 1_000_000_000,
            needs.join(", ")
        );
    }
    let learnable = match rule.learnable {
        Learnable::Never => None,
        Learnable::Exact => Some("known without a placeholder"),
        Learnable::Chain => Some("known"),
    };
    if let Some(known) = learnable {
        put!(
            text,
            "\nA [profile](profiles.md) silences it for chains that are {known}.\n"
        );
    }
    put!(text, "\n**When it fires.** {}\n", rule.triage.trim());
    put!(
        text,
        "\n**Known benign causes**\n\n{}",
        list(&rule.falsepositives)
    );
    let (firing, silent) = examples(file);
    put!(
        text,
        "\n**Examples that fire** (a test runs each)\n\n{}",
        list(&firing)
    );
    put!(text, "\n**Examples that stay silent**\n\n{}", list(&silent));
    text
}

/// Notes of the firing and the silent examples in a rule file.
fn examples(file: &str) -> (Vec<String>, Vec<String>) {
    let text = fs::read_to_string(root().join("sensor/rules").join(file))
        .expect("each built-in rule is a file there");
    let rule: Value = yaml_serde::from_str(&text).expect("`rules check` passes it");
    let notes = |kind: &str| -> Vec<String> {
        let examples = rule["examples"][kind]
            .as_array()
            .expect("it has examples of both kinds");
        let note = |example: &Value| {
            example["note"]
                .as_str()
                .expect("each example has a note")
                .to_owned()
        };
        examples.iter().map(note).collect()
    };
    (notes("firing"), notes("silent"))
}
