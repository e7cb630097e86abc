//! Rules that take the place of others while the sensor runs, and the recording of it.

mod recorded;

use sensor::{
    alert::Document,
    app::Replay,
    config::Config,
    detect::RuleSet,
    engine::{Engine, Input, Output},
    profile::Lock,
    record::{Header, Reader, Writer},
    reload::Reload,
};

use self::recorded::{golden, rules};

/// What the golden attack on nginx alerts with.
const RULE: &str = "edge_server_executed_program";

/// The built-in rules, with [`RULE`] on or off.
fn reload(header: &Header, enabled: bool) -> Input {
    let text = format!("rules: {{adjust: [{{rule: {RULE}, enabled: {enabled}}}]}}");
    let mut config = Config::from_core_yaml(&header.config).expect("it was made here");
    config.rules = Config::from_core_yaml(&text)
        .expect("it was made here")
        .rules;
    let text = RuleSet::load_with_text(&[]).expect("it was made here");
    Input::Reload(Box::new(
        Reload::new(&config, text, &Lock::default()).expect("it was made here"),
    ))
}

fn live(header: &Header, inputs: Vec<Input>) -> Vec<String> {
    let config = Config::from_core_yaml(&header.config).expect("it was made here");
    let host = header.host.clone();
    let mut engine: Engine = sensor::app::engine(&config, rules(), &Lock::default(), host);
    let mut out = Vec::new();
    for input in inputs {
        engine.step(input, &mut out);
    }
    let said = out.into_iter().filter_map(|output| match output {
        Output::Alert(alert) => Some(alert.to_json()),
        Output::Notice(notice) => Some(notice.to_json()),
        _ => None,
    });
    said.collect()
}

fn written(header: &Header, inputs: &[Input]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), header).expect("it was made here");
    for input in inputs {
        writer.write(input).expect("it was made here");
    }
    writer.finish().expect("it was made here")
}

fn replayed(mut core: Replay, recording: &[u8]) -> Vec<String> {
    let mut said = Vec::new();
    for input in Reader::new(recording).expect("it was made here") {
        let documents = core
            .step(input.expect("it was made here"))
            .expect("it was made here");
        said.extend(documents.map(|document| match document {
            Document::Alert(alert) => alert.to_json(),
            Document::Notice(notice) => notice.to_json(),
        }));
    }
    said
}

fn count(said: &[String]) -> usize {
    let of_rule = said
        .iter()
        .filter(|line| line.contains("\"kind\":\"alert\""));
    of_rule
        .filter(|line| line.contains(&format!("\"id\":\"{RULE}\"")))
        .count()
}

/// The recording with reloads in front of the events: off, or off and on again.
fn with(reloads: &[bool]) -> (Header, Vec<Input>) {
    let (header, mut inputs) = golden("nginx-attack");
    let reloads = reloads.iter().map(|&enabled| reload(&header, enabled));
    inputs.splice(1..1, reloads);
    (header, inputs)
}

#[test]
fn a_rule_is_off_from_the_reload_on_and_a_replay_says_the_same() {
    for (reloads, alerts) in [(&[][..], true), (&[false], false), (&[false, true], true)] {
        let (header, inputs) = with(reloads);
        let recording = written(&header, &inputs);
        let live = live(&header, inputs);
        assert_eq!(count(&live) > 0, alerts, "{reloads:?}: {live:#?}");
        let core = Replay::new(&header, rules()).expect("it was made here");
        assert_eq!(replayed(core, &recording), live, "{reloads:?}");
    }
}

#[test]
fn who_tries_other_rules_keeps_them() {
    let (header, inputs) = with(&[false]);
    let recording = written(&header, &inputs);
    let trying = Replay::new(&header, rules())
        .expect("it was made here")
        .trying();
    assert!(count(&replayed(trying, &recording)) > 0);
    let mut other = header;
    other.rules = "another set".to_owned();
    let core = Replay::new(&other, rules()).expect("it was made here");
    assert!(count(&replayed(core, &recording)) > 0);
}

/// Between a drop and the use of what was dropped, in a burst, while a hash is awaited: what
/// the sensor knows of acts is not of the rules.
#[test]
fn reloads_in_the_middle_of_attacks_lose_nothing() {
    const RELOADS: usize = 16;
    for name in [
        "php-files-attack",
        "nginx-php-fpm-attack",
        "jvm-tomcat_files-attack",
    ] {
        let (header, inputs) = golden(name);
        let expected = live(&header, inputs);
        assert!(expected.len() > 1, "{name}");
        let (_, inputs) = golden(name);
        let every = inputs.len() / RELOADS;
        let mut reloaded = Vec::new();
        for (index, input) in inputs.into_iter().enumerate() {
            if index > 0 && index % every == 0 {
                reloaded.push(reload(&header, true));
            }
            reloaded.push(input);
        }
        assert_eq!(live(&header, reloaded), expected, "{name}");
    }
}
