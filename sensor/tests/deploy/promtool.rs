//! What Prometheus' own tool says about deploy/prometheus, and about the syntax of the
//! dashboards' queries.

use std::{fmt::Write as _, fs, process::Command};

use crate::{dashboards, path, rules};

const DIRECTORY: &str = "deploy/prometheus";

#[test]
fn rules_and_configuration_are_well_formed() {
    promtool(
        "rules_and_configuration_are_well_formed",
        &["check", "config", "prometheus.yaml"],
        "SUCCESS",
    );
}

#[test]
fn unit_tests_of_the_rules_pass() {
    let entries = fs::read_dir(path(rules::TESTS)).expect("a directory of tests");
    let files: Vec<_> = entries
        .map(|entry| entry.expect("a file").path().display().to_string())
        .collect();
    let args: Vec<_> = ["test", "rules"]
        .into_iter()
        .chain(files.iter().map(String::as_str))
        .collect();
    promtool("unit_tests_of_the_rules_pass", &args, "SUCCESS");
}

/// Each query as a recording rule, with values in place of Grafana's variables.
#[test]
fn queries_of_the_dashboards_are_well_formed() {
    let mut file = String::from("groups:\n  - name: queries\n    rules:\n");
    for (number, query) in dashboards::NAMES
        .into_iter()
        .flat_map(dashboards::queries)
        .enumerate()
    {
        let query = query
            .replace("$__rate_interval", "5m")
            .replace("$__range", "1h");
        let query = serde_json::to_string(&query).expect("a string");
        writeln!(file, "      - {{record: 'q:{number}', expr: {query}}}").expect("a String");
    }
    let directory = tempfile::tempdir().expect("make a directory");
    let rules = directory.path().join("queries.yaml");
    fs::write(&rules, file).expect("write a file");
    let rules = rules.display().to_string();
    promtool(
        "queries_of_the_dashboards_are_well_formed",
        &["check", "rules", &rules],
        "SUCCESS",
    );
}

/// Runs promtool in deploy/prometheus; a SKIP line where it is missing.
#[expect(
    clippy::print_stdout,
    reason = "xtask reads SKIP lines from standard output"
)]
fn promtool(test: &str, args: &[&str], expected: &str) {
    let mut command = Command::new("promtool");
    let Ok(output) = command.args(args).current_dir(path(DIRECTORY)).output() else {
        println!("SKIP {test}: promtool is not installed");
        return;
    };
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
    assert!(said.contains(expected), "{said}");
    assert!(!said.contains("lint error"), "{said}");
}
