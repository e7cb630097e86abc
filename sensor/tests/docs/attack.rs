//! `docs/attack.md`: the catalogue row by row, and the data sources of ATT&CK that see the
//! techniques under T1505, with the rules on each.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
};

use sensor::detect::{Category, Rule, RuleSet};
use serde_json::Value;

use crate::page::{head, page, root};

/// Rows of the catalogue: what each looks for, and what part of it nothing here sees, with
/// the reason. A row without rules must have one.
const ROWS: &[(&str, &str, &str)] = &[
    ("E01", "an edge server executes a program", ""),
    ("E02", "a shell below an application's worker", ""),
    ("E03", "a hostile command", ""),
    ("E04", "a shell that somebody types into", ""),
    ("E05", "reconnaissance, one tool and several", ""),
    ("E06", "tools for the network", ""),
    ("E07", "code as an argument or from a pipe", ""),
    (
        "E08",
        "the first time a service starts this",
        "What is new only a learnt profile of the service tells; without one, an edge server's \
         programs are E01.",
    ),
    ("E09", "a file that the service wrote is executed", ""),
    ("E10", "a program where everybody may write", ""),
    ("E11", "a program without a file", ""),
    ("E12", "a shell or a server under a foreign name", ""),
    ("E13", "a worker replaces itself", ""),
    ("E14", "code loaded by the environment", ""),
    ("E15", "another user, below a service", ""),
    ("E16", "a shell function in a variable", ""),
    ("E17", "a CGI program nobody has installed", ""),
    (
        "E18",
        "many execs that fail",
        "No hook: execs are seen when they have succeeded (sched_process_exec). Failed ones would \
         need the exits of execve and execveat.",
    ),
    ("F01", "a script in a web root", ""),
    ("F02", "a script written by a tool", ""),
    ("F03", "an existing script changed", ""),
    ("F04", "a handler file changed", ""),
    ("F05", "a page or an archive deployed by the server", ""),
    ("F06", "a server's module or configuration changed", ""),
    ("F07", "a server loads a foreign library", ""),
    (
        "F08",
        "a plugin dropped",
        "By the server and what is below it. What others put there is seen only in directories \
         that the configuration names (watch.directories).",
    ),
    (
        "F09",
        "a compiled script of PHP changed",
        "A new one that a page makes: not every rung tells whether O_EXCL was asked for, which PHP \
         does.",
    ),
    (
        "F10",
        "a foothold outside the web root",
        "Brokers are reached without a file too: see N04.",
    ),
    ("F11", "credentials read", ""),
    (
        "F12",
        "a log, a session or an upload included",
        "No hook: reads are reported of files whose names say that they are scripts, libraries, \
         archives, handlers or credentials; of logs, sessions and pictures nobody would bear them. \
         /proc/self/environ is F11; what such code starts or writes is seen as any other's.",
    ),
    ("N01", "a shell or an interpreter connects", ""),
    ("N02", "a lookup of Java, then a program", ""),
    ("N03", "a port that is new to the service", ""),
    (
        "N04",
        "a broker on the same machine",
        "Over TCP. Unix sockets (docker.sock, containerd, D-Bus, another pool's) have no hook.",
    ),
    ("D01", "a database executes a program", ""),
    ("D02", "a database writes what others run", ""),
    ("D03", "a database loads a library", ""),
    (
        "J01",
        "an agent attached to Java",
        "Memory shells without an attach leave nothing to be seen until they start or write \
         something.",
    ),
    ("C01", "dropped, opened, a program started", ""),
    ("C02", "a dropped page compiled", ""),
    (
        "C03",
        "a daemon, and what outlives its request",
        "When a request ends is not known: what its parent still waits for, or never waits for \
         while it lives, is not reported.",
    ),
    (
        "C04",
        "a job of cron that a service set up",
        "Jobs of cron run outside every service, and are seen in scope host only.",
    ),
    (
        "C05",
        "the verdict of a firewall for the web",
        "It raises severity by what another product says; nothing takes in such reports yet.",
    ),
    (
        "H01",
        "records lost, arguments cut",
        "A hook that is detached while the sensor runs is not noticed.",
    ),
];

fn link(name: &str) -> String {
    format!("[`{name}`](rules.md#{name})")
}

fn links<'r>(rules: impl IntoIterator<Item = &'r Rule>) -> String {
    let names: BTreeSet<_> = rules.into_iter().map(|rule| rule.name.as_str()).collect();
    let links: Vec<_> = names.into_iter().map(link).collect();
    links.join(", ")
}

/// The selections of a rule, as its file has them.
fn detection(rule: &Rule) -> Value {
    let file = rule.file.strip_prefix("builtin:").expect("a built-in rule");
    let text = fs::read_to_string(root().join("sensor/rules").join(file)).expect("its file");
    let rule: Value = yaml_serde::from_str(&text).expect("`rules check` passes it");
    rule["detection"].clone()
}

/// Values that some selection of the rule asks a field for.
fn asked(detection: &Value, field: &str) -> BTreeSet<String> {
    let selections = detection.as_object().into_iter().flatten();
    let values = selections.filter_map(|(_, selection)| selection.get(field));
    let each = values.flat_map(|value| match value {
        Value::Array(values) => values.clone(),
        value => vec![value.clone()],
    });
    each.map(|value| value.as_str().map_or(value.to_string(), str::to_owned))
        .collect()
}

/// Data components of ATT&CK that the acts a rule matches belong to.
fn components(rule: &Rule) -> Vec<&'static str> {
    const CREATION: &str = "File: File Creation";
    const MODIFICATION: &str = "File: File Modification";
    const ACCESS: &str = "File: File Access";
    match rule.category {
        Category::Process => vec!["Process: Process Creation"],
        Category::Network => vec!["Network Traffic: Network Traffic Flow"],
        Category::Survival => vec!["Process: Process Metadata"],
        Category::Sensor => vec!["Sensor Health: Host Status"],
        Category::File => {
            let detection = detection(rule);
            let actions = asked(&detection, "Target.Action");
            if actions.len() == 1 && actions.contains("read") {
                return vec![ACCESS];
            }
            let created = asked(&detection, "Target.Created");
            let mut components = Vec::new();
            if created.is_empty() || created.contains("true") {
                components.push(CREATION);
            }
            // Exchanges, links and renames make a name of what exists.
            if !created.contains("true") || actions.contains("write") {
                components.push(MODIFICATION);
            }
            if actions.contains("read") {
                components.push(ACCESS);
            }
            components
        }
    }
}

fn attack(rules: &[&Rule]) -> String {
    let mut text = head(
        "ATT&CK",
        "What sees the techniques of server software components (T1505, T1505.001, T1505.003) and \
         what goes with them, by data component; then the catalogue of detections, row by row, \
         with what is not seen and why.",
    );
    text += &by_component(rules);
    text += &by_technique(rules);
    text += &by_row(rules);
    text
}

fn by_component(rules: &[&Rule]) -> String {
    let mut text = "\n## Data components\n\nRules in the second column carry a tag of T1505 or of a \
                    technique below it, those in the third another tag only.\n\n\
                    | Data component | Rules of T1505 | Rules of what goes with it |\n|---|---|---|\n"
        .to_owned();
    let mut components_of: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
    for rule in rules {
        for component in components(rule) {
            components_of.entry(component).or_default().push(rule);
        }
    }
    for (component, rules) in components_of {
        let is_ours = |rule: &&Rule| rule.techniques.iter().any(|it| it.starts_with("T1505"));
        let (ours, others): (Vec<&Rule>, Vec<&Rule>) = rules.into_iter().partition(is_ours);
        let row = (links(ours), links(others));
        writeln!(text, "| {component} | {} | {} |", row.0, row.1).expect("a String takes all");
    }
    text
}

fn by_technique(rules: &[&Rule]) -> String {
    let mut text = "\n## Techniques\n\n| Technique | Rules |\n|---|---|\n".to_owned();
    let techniques: BTreeSet<_> = rules.iter().flat_map(|rule| &rule.techniques).collect();
    for technique in techniques {
        let tagged = rules
            .iter()
            .filter(|rule| rule.techniques.contains(technique));
        let tagged = links(tagged.copied());
        writeln!(text, "| {technique} | {tagged} |").expect("a String takes all");
    }
    text
}

fn by_row(rules: &[&Rule]) -> String {
    let mut text = "\n## The catalogue\n\n| Row | Looks for | Rules | Not seen |\n\
                    |---|---|---|---|\n"
        .to_owned();
    for (row, about, gap) in ROWS {
        let own = rules
            .iter()
            .filter(|rule| rule.catalogue.as_deref() == Some(*row));
        let own = links(own.copied());
        let told = !own.is_empty() || !gap.is_empty();
        assert!(told, "{row} has no rule and no reason");
        writeln!(text, "| {row} | {about} | {own} | {gap} |").expect("a String takes all");
    }
    text
}

#[test]
fn the_catalogue_is_complete_or_says_why_not() {
    let set = RuleSet::load(&[]).expect("the built-in rules load");
    let rules: Vec<&Rule> = set.list().iter().map(|rule| &**rule).collect();
    for rule in &rules {
        let row = rule.catalogue.as_deref().unwrap_or_default();
        assert!(
            ROWS.iter().any(|(known, ..)| *known == row),
            "{}: {row}",
            rule.name
        );
    }
    page("attack.md", &attack(&rules));
}

/// Ids that exist for Linux servers and mean what the rules say: those of the catalogue.
#[test]
fn techniques_are_those_of_the_catalogue() {
    const ALLOWED: &[&str] = &[
        "T1003.008",
        "T1016",
        "T1021",
        "T1033",
        "T1036",
        "T1036.003",
        "T1036.005",
        "T1053.003",
        "T1055",
        "T1055.009",
        "T1059",
        "T1059.004",
        "T1059.006",
        "T1082",
        "T1095",
        "T1098.004",
        "T1105",
        "T1190",
        "T1195.002",
        "T1505",
        "T1505.001",
        "T1505.003",
        "T1543.002",
        "T1546.004",
        "T1548",
        "T1552.001",
        "T1562.001",
        "T1565",
        "T1571",
        "T1574.006",
        "T1611",
        "T1620",
    ];
    let set = RuleSet::load(&[]).expect("the built-in rules load");
    for rule in set.list() {
        for technique in &rule.techniques {
            assert!(
                ALLOWED.contains(&technique.as_str()),
                "{}: {technique}",
                rule.name
            );
        }
    }
}
