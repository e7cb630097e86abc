//! The model under honest answers, odd ones and hostile ones, and under any keys.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::printable::hides;

/// An answer with these services: pid, kind, critical alerts, execs.
pub(crate) fn answer(now_s: u64, services: &[(u64, &str, u64, u64)]) -> Value {
    let services: Vec<_> = services
        .iter()
        .map(|(pid, kind, critical, execs)| {
            json!({"pid": pid, "start_ns": pid * 10, "kind": kind, "role": "app",
                "unit": format!("{kind}.service"), "processes": 3, "execs": execs, "files": 0,
                "alerts": [0, 0, 1, 0, critical]})
        })
        .collect();
    json!({"now_ns": now_s * 1_000_000_000, "host": "web-1", "services": services,
        "services_total": services.len(), "processes": {"live": 9}, "incidents": 1,
        "seen": {"execs": now_s * 10, "files": now_s, "lost": 0, "alerts": [0, 0, 2, 0, 1]}})
}

pub(crate) fn alert(id: u64) -> Value {
    json!({"@timestamp": "2026-02-03T04:05:06.789Z", "event": {"id": format!("id{id}")},
        "rule": {"id": "shell_under_app_worker", "name": "Shell", "level": "high", "triage": "Look."},
        "service": {"kind": "php-fpm"}, "message": format!("worker ran sh ({id})"),
        "lineage": [
            {"pid": 1, "part": "master", "executable": "/usr/sbin/php-fpm8.2", "args": ["php-fpm"],
             "chain": ["/usr/sbin/php-fpm8.2"], "user": {"name": "root"}, "provenance": "scanned"},
            {"pid": 2, "part": "worker", "executable": "/usr/sbin/php-fpm8.2", "args": ["php-fpm"],
             "chain": [], "user": {"name": "www-data"}, "provenance": "observed"},
            {"pid": 3, "part": "descendant", "executable": "/usr/bin/dash",
             "args": ["sh", "-c", "id\u{1b}[2J"], "chain": ["/usr/bin/dash"],
             "user": {"name": "www-data"}, "provenance": "observed"}]})
}

fn model() -> Model {
    let mut model = Model::default();
    let services = [
        (7, "nginx", 0, 5),
        (8, "php-fpm", 2, 50),
        (9, "redis", 0, 1),
    ];
    model.take(Message::Sample(answer(10, &services)));
    let later = [
        (7, "nginx", 0, 5),
        (8, "php-fpm", 2, 60),
        (9, "redis", 0, 21),
    ];
    model.take(Message::Sample(answer(11, &later)));
    model
}

fn press(model: &mut Model, keys: &[Key]) {
    for &key in keys {
        assert!(model.press(key), "{key:?} is the end");
    }
}

fn pids(model: &Model) -> Vec<u64> {
    model.services().iter().map(|it| it.id.0).collect()
}

#[test]
fn services_are_sorted_and_filtered() {
    let mut model = model();
    assert_eq!(pids(&model), [8, 7, 9]);
    press(&mut model, &[Key::Char('s')]);
    assert_eq!((model.sort, pids(&model)), (Sort::Execs, vec![9, 8, 7]));
    press(
        &mut model,
        &"/PHP".chars().map(Key::Char).collect::<Vec<_>>(),
    );
    assert_eq!(pids(&model), [8]);
    // Keys are text now.
    press(&mut model, &[Key::Char('q'), Key::Erase, Key::Enter]);
    assert_eq!((model.filter.as_str(), model.editing), ("PHP", false));
    press(&mut model, &[Key::Back]);
    assert_eq!(pids(&model).len(), 3);
}

#[test]
fn the_chosen_service_stays_chosen_when_others_pass_it() {
    let mut model = model();
    press(&mut model, &[Key::Down, Key::Char('j')]);
    let at = |model: &Model| model.service.at(model.services().iter().map(|it| it.id));
    assert_eq!(at(&model), 2);
    model.take(Message::Sample(answer(
        12,
        &[(9, "redis", 7, 21), (8, "php-fpm", 2, 60)],
    )));
    assert_eq!((at(&model), pids(&model)), (0, vec![9, 8]));
    model.take(Message::Sample(answer(13, &[(8, "php-fpm", 2, 60)])));
    assert_eq!(at(&model), 0);
    model.take(Message::Sample(json!({})));
    press(&mut model, &[Key::Down, Key::Enter]);
    assert_eq!(model.page, Page::Overview);
}

#[test]
fn enter_opens_and_escape_leads_back() {
    let mut model = model();
    press(&mut model, &[Key::Enter]);
    assert_eq!(model.shown_tree(), Some((8, 80)));
    let tree = json!({"services": [{"pid": 8, "start_ns": 80, "kind": "php-fpm",
        "processes": [{"pid": 8, "executable": "/x\u{1b}[2J", "part": "master"}]}]});
    // Of another one, which was asked for before.
    model.take(Message::Tree((7, 70), tree.clone()));
    assert_eq!(model.lines().len(), 0);
    model.take(Message::Tree((8, 80), tree));
    assert_eq!(model.lines(), ["php-fpm", "└─ 8 master /x\\x1b[2J"]);
    press(&mut model, &[Key::Last, Key::Down]);
    assert_eq!(model.scroll, 1);
    model.take(Message::Tree((8, 80), json!({"services": []})));
    assert_eq!(model.lines(), ["this service has ended"]);
    press(&mut model, &[Key::Back]);
    assert_eq!(model.page, Page::Overview);

    model.take(Message::Alert(alert(1)));
    model.take(Message::Alert(alert(2)));
    press(&mut model, &[Key::Tab, Key::Down, Key::Enter]);
    let page = model.lines().join("\n");
    let shell = "   └─ 3  /usr/bin/dash sh -c id\\x1b[2J";
    assert!(
        page.contains("worker ran sh (1)") && page.contains(shell),
        "{page}"
    );
    assert!(
        page.contains("1 master  /usr/sbin/php-fpm8.2  [root]  (scanned) php-fpm"),
        "{page}"
    );
}

#[test]
fn a_pause_keeps_what_is_seen_and_loses_nothing() {
    let mut model = model();
    press(&mut model, &[Key::Char('p')]);
    model.take(Message::Sample(answer(20, &[(1, "caddy", 0, 0)])));
    for id in 0..2 * ALERTS as u64 {
        model.take(Message::Alert(alert(id)));
    }
    assert_eq!((pids(&model).len(), model.latest().len()), (3, 0));
    press(&mut model, &[Key::Char('p')]);
    assert_eq!(pids(&model), [1]);
    assert_eq!(model.latest().len(), ALERTS);
    assert_eq!(model.latest()[0].id, format!("id{}", 2 * ALERTS - 1));
}

#[test]
fn a_sensor_that_goes_is_said_until_it_is_back() {
    let mut model = model();
    model.take(Message::Gone("no sensor\u{1b}[2J".to_owned()));
    assert_eq!(model.gone.as_deref(), Some("no sensor\\x1b[2J"));
    // An alert told again by who comes back is no new one.
    model.take(Message::Alert(alert(1)));
    model.take(Message::Alert(alert(1)));
    assert_eq!(model.latest().len(), 1);
    model.take(Message::Sample(answer(30, &[])));
    assert_eq!(model.gone, None);
}

#[test]
fn help_and_end() {
    let mut model = model();
    press(&mut model, &[Key::Char('?')]);
    assert!(model.help);
    press(&mut model, &[Key::Down]);
    assert!(!model.help);
    assert!(!model.press(Key::Char('q')));
    press(&mut model, &[Key::Char('/')]);
    assert!(!model.press(Key::Interrupt));
}

fn any_key() -> impl Strategy<Value = Key> {
    use Key::{Back, Char, Down, Enter, Erase, First, Last, PageDown, PageUp, Tab, Up};
    let named = [
        Up, Down, PageUp, PageDown, First, Last, Enter, Back, Tab, Erase,
    ];
    prop_oneof![
        prop::sample::select(named.to_vec()),
        prop::sample::select(vec![Char('s'), Char('/'), Char('p'), Char('?'), Char('x')]),
        any::<char>()
            .prop_filter("the end", |&it| it != 'q')
            .prop_map(Char),
    ]
}

/// JSON with the names that are read, in any places.
pub(crate) fn any_answer() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<u64>().prop_map(|it| json!(it)),
        any::<String>().prop_map(|it| json!(it)),
        (0_u64..4).prop_map(|it| json!(it)),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        let names = prop::sample::select(vec![
            "services",
            "pid",
            "start_ns",
            "kind",
            "unit",
            "alerts",
            "seen",
            "execs",
            "now_ns",
            "message",
            "lineage",
            "args",
            "event",
            "id",
            "processes",
            "children",
            "degraded",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|it| json!(it)),
            prop::collection::vec((names, inner), 0..6).prop_map(|it| it
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

pub(crate) fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        any_answer().prop_map(Message::Sample),
        any_answer().prop_map(Message::Alert),
        (any_answer(), 0_u64..4, 0_u64..4)
            .prop_map(|(it, pid, start)| Message::Tree((pid, start), it)),
        any::<u64>().prop_map(Message::Missed),
        any::<String>().prop_map(Message::Gone),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever comes and is pressed: bounds hold, and no text that is kept can steer a
    /// terminal.
    #[test]
    fn no_answer_and_no_key_does_harm(turns in prop::collection::vec(prop_oneof![
        any_key().prop_map(Ok), any_message().prop_map(Err)], 0..60)) {
        let mut model = Model::default();
        for turn in turns {
            match turn {
                Ok(key) => drop(model.press(key)),
                Err(message) => model.take(message),
            }
            prop_assert!(model.alerts.len() <= ALERTS && model.held.1.len() <= ALERTS);
            prop_assert!(model.filter.chars().count() <= FILTER);
            let services = model.sample.iter().flat_map(|it| &it.services);
            let texts = services.flat_map(|it| [&it.kind, &it.role, &it.place]);
            let texts = texts.chain(model.lines()).chain(&model.gone).chain([&model.filter]);
            for text in texts.chain(model.alerts.iter().map(|it| &it.message)) {
                prop_assert!(!text.chars().any(hides), "{text:?}");
            }
        }
    }
}

#[test]
fn thousands_of_services_are_no_trouble() {
    let services: Vec<_> = (1..=5_000)
        .map(|pid| (pid, "nginx", pid % 7, pid))
        .collect();
    let mut model = Model::default();
    model.take(Message::Sample(answer(1, &services)));
    model.take(Message::Sample(answer(2, &services)));
    press(&mut model, &[Key::Last, Key::Up, Key::Enter]);
    assert!(model.shown_tree().is_some());
    assert_eq!(model.services().len(), 5_000);
}
