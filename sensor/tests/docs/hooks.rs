//! `docs/hooks.md`: what each rule needs of capture, and what becomes of it on each rung.

use std::{collections::BTreeSet, fmt::Write as _};

use sensor::{
    detect::{Rule, RuleSet},
    probe::{Hook, Rung, shortcoming},
};

use crate::page::{code, head, page, table};

/// What a hook does on a rung, in one cell.
fn standing(hook: &str, rung: Rung, notes: &mut Vec<&'static str>) -> String {
    if !Hook::ladder().any(|it| it == (hook, rung)) {
        return "–".to_owned();
    }
    let Some(why) = shortcoming(hook, rung) else {
        return "full".to_owned();
    };
    let number = notes
        .iter()
        .position(|note| *note == why)
        .unwrap_or_else(|| {
            notes.push(why);
            notes.len() - 1
        });
    format!("degraded ({})", number + 1)
}

/// What a rule does when its hooks stand on a rung: the worst of them, each told once.
fn worst(rule: &Rule, rung: Rung, notes: &mut Vec<&'static str>) -> String {
    let hooks = rule.hooks.events.iter().chain(&rule.hooks.memory);
    let mut cells: Vec<_> = hooks.map(|hook| standing(hook, rung, notes)).collect();
    cells.sort();
    cells.dedup();
    let degraded: Vec<_> = cells
        .iter()
        .filter_map(|cell| cell.strip_prefix("degraded (")?.strip_suffix(')'))
        .collect();
    if !degraded.is_empty() {
        return format!("degraded ({})", degraded.join(", "));
    }
    let stands = cells.iter().any(|cell| cell == "full");
    if stands { "full" } else { "–" }.to_owned()
}

#[test]
fn hooks() {
    let set = RuleSet::load(&[]).unwrap();
    let names: BTreeSet<_> = Hook::names().collect();
    let mut notes = Vec::new();
    let mut text = head(
        "Hooks and rules",
        "What each built-in rule needs of capture, and what becomes of it on each way to attach a \
         hook (a rung). `lineage-sensor doctor` tells which rung each hook has on this machine. \
         Forks and exits are needed by every rule and left out. – means that no such hook is \
         attached that way; numbers in brackets are the reasons below.",
    );
    text += "\n## Hooks by rung\n";
    let header = [
        "Hook", "tp_btf", "raw_tp", "fentry", "lsm", "kprobe", "syscall",
    ];
    let rungs: Vec<_> = header[1..]
        .iter()
        .map(|name| {
            let rung = Rung::ALL.iter().find(|rung| rung.name() == *name);
            *rung.expect("every column is a rung")
        })
        .collect();
    assert_eq!(rungs.len(), Rung::ALL.len());
    let cells = |first: String, cell: &mut dyn FnMut(Rung) -> String| -> [String; 7] {
        let rest = rungs.iter().map(|&rung| cell(rung));
        let row: Vec<_> = std::iter::once(first).chain(rest).collect();
        row.try_into().expect("a cell for each column")
    };
    let rows: Vec<_> = names
        .iter()
        .map(|hook| cells(code(hook), &mut |rung| standing(hook, rung, &mut notes)))
        .collect();
    text += &table(header, rows);
    text += "\n## Rules by hook and rung\n\nWithout one of its hooks a rule misses those acts; without all \
             of them it is off. What the hooks in brackets remember makes it match more: who wrote \
             a file, where a server connected to.\n";
    let rows: Vec<_> = set
        .list()
        .iter()
        .map(|rule| {
            rule_row(
                rule,
                &names,
                &mut |rung| worst(rule, rung, &mut notes),
                &rungs,
            )
        })
        .collect();
    text += &table(
        [
            "Rule", "Level", "Hooks", "tp_btf", "raw_tp", "fentry", "lsm", "kprobe", "syscall",
        ],
        rows,
    );
    text += "\n## Reasons\n\n";
    for (index, note) in notes.iter().enumerate() {
        put!(text, "{}. {note}\n", index + 1);
    }
    text += "\nAlerts say so themselves: `evidence.degraded` of an alert names a path that was typed \
             and an act that was only asked for.\n";
    page("hooks.md", &text);
}

fn rule_row(
    rule: &Rule,
    names: &BTreeSet<&str>,
    cell: &mut dyn FnMut(Rung) -> String,
    rungs: &[Rung],
) -> [String; 9] {
    let known = |hook: &&'static str| names.contains(hook);
    assert!(rule.hooks.events.iter().all(known), "{}", rule.name);
    assert!(rule.hooks.memory.iter().all(known), "{}", rule.name);
    let mut hooks = rule.hooks.events.join(", ");
    if !rule.hooks.memory.is_empty() {
        put!(hooks, " ({})", rule.hooks.memory.join(", "));
    }
    let first = [
        format!("[`{0}`](rules.md#{0})", rule.name),
        rule.level.as_str().to_owned(),
        hooks,
    ];
    let rest = rungs.iter().map(|&rung| cell(rung));
    let row: Vec<_> = first.into_iter().chain(rest).collect();
    row.try_into().expect("a cell for each column")
}
