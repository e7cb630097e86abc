//! What is refused before anything is made.

use std::path::PathBuf;

use super::*;
use crate::cli::{ConfigCommand, command::config_command};

/// What `config check` says of this configuration.
fn check(text: &str) -> Result<String, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, text).unwrap();
    let file = Some(PathBuf::from(file.path()));
    config_command(&ConfigCommand::Check { file }).map_err(|failure| failure.message)
}

fn sink(fields: &str) -> String {
    format!("{{name: a, type: webhook, url: \"http://127.0.0.1:9/\", {fields}}}")
}

#[test]
fn what_a_sink_names_must_exist() {
    let declared = "services: {declare: [{name: shop, exe: shopd}]}\n";
    for good in [
        "services: [php-fpm, none, shop]",
        "rules: [shell_under_app_worker, recon_*]",
        "encoding: falco",
        "encoding: falco, batch: 1",
    ] {
        check(&format!("{declared}sinks: [{}]", sink(good))).unwrap();
    }
    for (wrong, said) in [
        (
            "services: [php-fmp]",
            "sink a: no service `php-fmp`; did you mean `php-fpm`?",
        ),
        (
            "services: [shpo]",
            "sink a: no service `shpo`; did you mean `shop`?",
        ),
        (
            "services: [\"!!!!\"]",
            "sink a: no service `!!!!`; docs/services.md names the kinds",
        ),
        (
            "rules: [shell_under_app_wroker]",
            "sinks.rules: no rule `shell_under_app_wroker`; did you mean `shell_under_app_worker`?",
        ),
        (
            "rules: [nothing_*]",
            "sinks.rules: no rule `nothing_*`; `lineage-sensor rules list` names them all",
        ),
        (
            "encoding: falco, batch: 2",
            "sink a: falcosidekick reads one object a request: leave out `batch`, or set it to 1",
        ),
    ] {
        let text = format!("{declared}sinks: [{}]", sink(wrong));
        assert_eq!(check(&text).unwrap_err(), said, "{wrong}");
    }
}

#[test]
fn two_sinks_cannot_have_one_spool() {
    let other = "{name: b, type: otlp, url: \"http://127.0.0.1:9/\", \
        spool: /var/lib/lineage-sensor/spool-a.db}";
    let text = format!("sinks: [{}, {other}]", sink("batch: 3"));
    assert_eq!(check(&text).unwrap_err(), "sink b: has the spool of sink a");
}

#[test]
fn only_what_is_new_or_different_is_made() {
    let read = |text: &str| Config::from_core_yaml(text).unwrap().sinks;
    let file = |name: &str, keep: u8| {
        format!("{{name: {name}, type: file, path: /nowhere/{name}, keep: {keep}}}")
    };
    let before = format!(
        "sinks: [{}, {}, {}]",
        file("a", 1),
        file("b", 1),
        file("c", 1)
    );
    let after = format!(
        "sinks: [{}, {}, {}]",
        file("a", 1),
        file("b", 2),
        file("d", 1)
    );
    let maker = Sinks::new(|_| ()).maker();
    let change = change(&maker, &read(&before), &read(&after)).unwrap();
    assert_eq!(change.gone, ["b", "c"]);
    let sinks = Sinks::new(|_| ());
    sinks.exchange(&[], change.new);
    let names: Vec<_> = sinks
        .stats()
        .iter()
        .map(|it| it.name().to_owned())
        .collect();
    assert_eq!(names, ["b", "d"]);
}
