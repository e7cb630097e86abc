//! docs/runbook.md: an entry for each alert, with commands that exist.

use std::collections::BTreeMap;

use clap::Parser as _;
use sensor::cli::Cli;

use crate::file;

const PAGE: &str = "docs/runbook.md";

/// What is said about one alert.
#[derive(Default)]
pub(crate) struct Entry {
    pub(crate) means: String,
    pub(crate) look: String,
    pub(crate) act: String,
}

/// All entries by the alert's name.
pub(crate) fn entries() -> BTreeMap<String, Entry> {
    let page = file(PAGE);
    let entries = page.split("\n### ").skip(1).map(|part| {
        let (name, text) = part.split_once("\n\n").expect("a heading and a text");
        let mut entry = Entry::default();
        for paragraph in text.split("\n\n") {
            if let Some(text) = paragraph.strip_prefix("Means: ") {
                text.clone_into(&mut entry.means);
            } else if let Some(text) = paragraph.strip_prefix("Look: ") {
                text.clone_into(&mut entry.look);
            } else if let Some(text) = paragraph.strip_prefix("Do: ") {
                text.clone_into(&mut entry.act);
            }
        }
        (name.to_owned(), entry)
    });
    entries.collect()
}

#[test]
fn every_command_of_the_runbook_exists() {
    let page = file(PAGE).replace('\n', " ");
    let quoted = page.split('`').skip(1).step_by(2);
    let commands = quoted.flat_map(|text| text.split(" | "));
    let mut seen = 0;
    for command in commands.filter(|text| text.starts_with("lineage-sensor ")) {
        let command = command.replace(" ID", " 883ef1ab");
        if let Err(error) = Cli::try_parse_from(command.split_whitespace()) {
            panic!("{command}: {error}");
        }
        seen += 1;
    }
    assert!(seen > 30, "{seen}");
}
