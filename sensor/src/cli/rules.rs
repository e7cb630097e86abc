//! `rules ...`: what is in force, and the tools of those who write rules.
//!
//! Each command returns what standard output shall say and the exit code.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read as _},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{RulesCommand, RulesListArgs, RulesNewArgs, RulesTestArgs, draft, score};
use crate::{
    config::Effective,
    detect::{self, Rule, RuleSet, Source},
    exit::{Exit, Failure},
    printable::escape,
    terminal::progress::{Progress, Unit},
};

/// Most bytes of an alert that is read for `rules new`.
const ALERT_MAX: u64 = 1024 * 1024;

/// Runs the command.
///
/// # Errors
/// [`Exit::Usage`] when the configuration or a rule to be listed is refused, or what is
/// to be checked or read cannot be read; [`Exit::Data`] when a recording is damaged.
pub fn rules_command(command: &RulesCommand) -> Result<(String, Exit), Failure> {
    match command {
        RulesCommand::Check { directory } => check(directory.as_deref()),
        RulesCommand::Test(args) => test(args),
        RulesCommand::List(args) => list(args),
        RulesCommand::New(args) => Ok((new(args)?, Exit::Ok)),
    }
}

fn check(directory: Option<&Path>) -> Result<(String, Exit), Failure> {
    directory.map_or(Ok(()), readable)?;
    let report = detect::check(directory);
    let exit = verdict(report.errors() == 0);
    Ok((escape_lines(&report.to_string()), exit))
}

fn test(args: &RulesTestArgs) -> Result<(String, Exit), Failure> {
    let directory = args.directory.as_deref();
    directory.map_or(Ok(()), readable)?;
    let directories: Vec<PathBuf> = args.directory.iter().cloned().collect();
    let columns = score::replay(&args.recording, &args.benign, &directories)?;
    let mut progress = None;
    let table = score::Table {
        trial: detect::trial(directory, |done, all| {
            let progress =
                progress.get_or_insert_with(|| Progress::new("rules", Unit::Of("rules"), all));
            progress.at(done);
        }),
        columns,
    };
    let exit = verdict(table.trial.problems.is_empty() && table.alarms() == 0);
    Ok((escape_lines(&table.to_string()), exit))
}

fn list(args: &RulesListArgs) -> Result<(String, Exit), Failure> {
    let effective = args.effective()?;
    let adjust = &effective.config.rules.adjust;
    let rules = effective_rules(&effective)?.adjusted(adjust);
    let listed: Vec<Value> = rules.list().iter().map(|rule| listed(rule)).collect();
    let text = if args.json {
        super::command::to_json(&listed)?
    } else {
        escape_lines(&rules.to_string())
    };
    Ok((text, Exit::Ok))
}

fn new(args: &RulesNewArgs) -> Result<String, Failure> {
    let name = escape(&args.from.to_string_lossy()).into_owned();
    let mut text = String::new();
    let read = if args.from == Path::new("-") {
        io::stdin().take(ALERT_MAX).read_to_string(&mut text)
    } else {
        File::open(&args.from).and_then(|file| file.take(ALERT_MAX).read_to_string(&mut text))
    };
    let refuse = |error| Failure::new(Exit::Usage, format_args!("read alert {name}: {error}"));
    read.map_err(refuse)?;
    let alert = draft::alert(&text)?;
    let shown = draft::Shown::new(&alert)?;
    Ok(if args.exception {
        shown.exception()
    } else {
        shown.rule()
    })
}

const fn verdict(good: bool) -> Exit {
    if good { Exit::Ok } else { Exit::Usage }
}

/// Refuses a directory of rules that cannot be read at all.
fn readable(directory: &Path) -> Result<(), Failure> {
    let Err(error) = fs::read_dir(directory) else {
        return Ok(());
    };
    let remedy = match error.kind() {
        ErrorKind::NotFound => "give a directory that exists, or none to check the built-in rules",
        ErrorKind::NotADirectory => "give the directory that holds the file",
        ErrorKind::PermissionDenied => "run as a user who may read it",
        _ => "give another directory, or none to check the built-in rules",
    };
    let directory = directory.display();
    Err(Failure::new(
        Exit::Usage,
        format_args!("read rules in {directory}: {error}; {remedy}"),
    ))
}

/// A rule of `rules list --json`.
fn listed(rule: &Rule) -> Value {
    json!({
        "id": rule.name,
        "uuid": rule.id,
        "title": rule.title,
        "level": rule.level.as_str(),
        "techniques": rule.techniques,
        "catalogue": rule.catalogue,
        "learnable": rule.learnable.name(),
        "category": rule.category.name(),
        "hooks": rule.hooks.events,
        "remembers": rule.hooks.memory,
        "description": rule.description,
        "triage": rule.triage,
        "falsepositives": rule.falsepositives,
        "file": rule.file,
    })
}

/// The rules that `run` loads with this configuration, not adjusted by it yet.
///
/// # Errors
/// [`Exit::Usage`], naming every rule that cannot be used, or that the configuration
/// names and that does not exist.
pub fn effective_rules(effective: &Effective) -> Result<RuleSet, Failure> {
    effective_rules_with_text(effective).map(|(rules, _)| rules)
}

/// [`effective_rules`], with the text of those that do not come with the sensor.
///
/// # Errors
/// Like [`effective_rules`].
pub fn effective_rules_with_text(effective: &Effective) -> Result<(RuleSet, Vec<Source>), Failure> {
    let directories: Vec<_> = effective
        .rule_directories()
        .into_iter()
        .filter(|directory| directory.required || directory.path.exists())
        .map(|directory| directory.path)
        .collect();
    let (rules, text) =
        RuleSet::load_with_text(&directories).map_err(|error| Failure::new(Exit::Usage, error))?;
    let tuned = &effective.config.rules;
    let adjusted = tuned.adjust.iter().map(|it| ("rules.adjust", &it.rule));
    let excepted = tuned
        .exceptions
        .iter()
        .map(|it| ("rules.exceptions", &it.rule));
    let wanted = effective.config.sinks.iter().flat_map(|sink| &sink.rules);
    let wanted = wanted.map(|name| ("sinks.rules", name));
    for (key, name) in adjusted.chain(excepted).chain(wanted) {
        let begins = |begin| rules.list().iter().any(|it| it.name.starts_with(begin));
        if key == "sinks.rules" && name.strip_suffix('*').is_some_and(begins) {
            continue;
        }
        let Some(near) = rules.unknown(name) else {
            continue;
        };
        let remedy = match near {
            "" => "`lineage-sensor rules list` names them all".to_owned(),
            near => format!("did you mean `{near}`?"),
        };
        return Err(Failure::new(
            Exit::Usage,
            format_args!("{key}: no rule `{name}`; {remedy}"),
        ));
    }
    Ok((rules, text))
}

/// Each line made safe for a terminal: rules are text from outside.
fn escape_lines(text: &str) -> String {
    text.lines()
        .map(|line| escape(line).into_owned() + "\n")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{ConfigCommand, command::config_command};

    fn check(directory: Option<&Path>) -> Result<(String, Exit), Failure> {
        rules_command(&RulesCommand::Check {
            directory: directory.map(Path::to_owned),
        })
    }

    #[test]
    fn without_a_directory_the_shipped_rules_are_checked() {
        let (text, exit) = check(None).unwrap();
        assert_eq!(exit, Exit::Ok);
        assert!(text.ends_with(" 0 skipped, 0 errors\n"), "{text}");
        assert!(!text.starts_with("0 rules"), "{text}");
    }

    #[test]
    fn a_rule_that_the_configuration_misspells_is_refused_with_its_neighbour() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.yaml");
        let check = |text: &str| {
            fs::write(&file, text).unwrap();
            config_command(&ConfigCommand::Check {
                file: Some(file.clone()),
            })
        };
        let none = "rules: {directories: [], adjust: [{rule: RULE, enabled: false}]}";
        let rule = "shell_under_app_worker";
        check(&none.replace("RULE", rule)).unwrap();
        for (name, remedy) in [
            (
                "shell_under_app_wroker",
                "did you mean `shell_under_app_worker`?",
            ),
            ("zzz", "`lineage-sensor rules list` names them all"),
        ] {
            let error = check(&none.replace("RULE", name)).unwrap_err();
            let wanted = format!("rules.adjust: no rule `{name}`; {remedy}");
            assert_eq!((error.code, error.message), (Exit::Usage, wanted));
        }
    }

    #[test]
    fn a_directory_that_cannot_be_read_has_a_remedy() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("rule.yml");
        fs::write(&file, "").unwrap();
        for (path, remedy) in [
            (
                &directory.path().join("absent"),
                "or none to check the built-in rules",
            ),
            (&file, "give the directory that holds the file"),
        ] {
            let failure = check(Some(path)).unwrap_err();
            assert_eq!(failure.code, Exit::Usage);
            assert!(failure.message.contains(remedy), "{failure}");
        }
        assert_eq!(check(Some(directory.path())).unwrap().1, Exit::Usage);
    }

    fn alert(name: &str) -> Vec<String> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(name);
        let text = fs::read_to_string(file).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn new(line: &str, exception: bool) -> Result<String, Failure> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), line).unwrap();
        let args = RulesNewArgs {
            from: file.path().to_owned(),
            exception,
        };
        rules_command(&RulesCommand::New(args)).map(|(text, _)| text)
    }

    /// Every alert of the recorded attacks: its draft passes the check, example included.
    #[test]
    fn a_rule_drafted_from_an_alert_matches_it() {
        let mut categories = std::collections::BTreeSet::new();
        for line in alert("nginx-php-fpm-attack.jsonl") {
            let text = new(&line, false).unwrap();
            categories.extend(
                text.lines()
                    .find(|it| it.starts_with("logsource"))
                    .map(str::to_owned),
            );
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join("new.yml"), &text).unwrap();
            let (report, exit) = check(Some(directory.path())).unwrap();
            assert_eq!(exit, Exit::Ok, "{report}\n{text}");
            assert!(
                report.contains("1 rule, 1 example, 0 skipped, 0 errors"),
                "{report}"
            );
        }
        assert!(!categories.is_empty());
    }

    /// What an attacker typed stays a value: no new key, no wildcard, no second rule.
    #[test]
    fn hostile_text_stays_a_value() {
        let mut alert: Value =
            serde_json::from_str(&alert("nginx-php-fpm-attack.jsonl")[0]).unwrap();
        let hostile = "sh -c \"x: *?\\ \u{1b}[2J\u{9b}2J\u{202e}\n---\ntitle: y #{}\u{2028}";
        alert["process"]["command_line"] = hostile.into();
        alert["process"]["args"] = json!([hostile]);
        alert["message"] = hostile.into();
        let text = new(&alert.to_string(), false).unwrap();
        assert!(
            !text
                .lines()
                .any(|line| line.contains(crate::printable::hides)),
            "{text:?}"
        );
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("new.yml"), &text).unwrap();
        let (report, exit) = check(Some(directory.path())).unwrap();
        assert_eq!(exit, Exit::Ok, "{report}\n{text}");
    }

    #[test]
    fn an_exception_is_refused_until_somebody_answers_for_it() {
        let text = new(&alert("nginx-php-fpm-attack.jsonl")[0], true).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.yaml");
        let check = |text: &str| {
            fs::write(&file, format!("{text}  directories: []\n")).unwrap();
            config_command(&ConfigCommand::Check {
                file: Some(file.clone()),
            })
        };
        let failure = check(&text).unwrap_err();
        assert!(failure.message.contains("`owner` must be"), "{failure}");
        let text = text
            .replace("owner: \"\"", "owner: web")
            .replace("reason: \"\"", "reason: tested")
            .replace("expires: \"\"", "expires: 2030-01-01");
        check(&text).unwrap();
    }

    #[test]
    fn what_is_no_alert_is_refused() {
        let two = alert("nginx-php-fpm-attack.jsonl")[..2].join("\n");
        for (text, expected) in [
            ("", "the text is empty"),
            ("{", "not one line of JSON"),
            ("{}", "event.dataset"),
            (two.as_str(), "more than one alert"),
        ] {
            let failure = new(text, false).unwrap_err();
            assert_eq!(failure.code, Exit::Usage);
            assert!(failure.message.contains(expected), "{failure}");
        }
    }

    #[test]
    fn recordings_are_scored_and_false_alarms_fail() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let run = |recording: &[&str], benign: &[&str]| {
            let paths = |names: &[&str]| names.iter().map(|name| golden.join(name)).collect();
            rules_command(&RulesCommand::Test(RulesTestArgs {
                directory: None,
                recording: paths(recording),
                benign: paths(benign),
            }))
        };
        let (attack, benign) = ("nginx-php-fpm-attack.rec", "nginx-php-fpm-benign.rec");
        let (table, exit) = run(&[attack], &[benign]).unwrap();
        assert_eq!(exit, Exit::Ok, "{table}");
        let row = table
            .lines()
            .find(|it| it.starts_with("shell_under_app_worker"))
            .unwrap();
        let counts: Vec<u64> = row
            .split_whitespace()
            .rev()
            .take(2)
            .map(|n| n.parse().unwrap())
            .collect();
        assert_eq!(counts[0], 0, "the benign one, last: {table}");
        assert!(counts[1] > 0, "{table}");
        assert_eq!(run(&[], &[attack]).unwrap().1, Exit::Usage);
        assert_eq!(run(&["absent.rec"], &[]).unwrap_err().code, Exit::Usage);
        assert_eq!(
            run(&["nginx-php-fpm-attack.jsonl"], &[]).unwrap_err().code,
            Exit::Data
        );
    }
}
