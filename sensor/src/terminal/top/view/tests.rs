//! What is drawn, on screens of every size.

use proptest::prelude::*;
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer};

use super::{
    super::model::{
        Key, Message,
        tests::{alert, answer, any_message},
    },
    *,
};
use crate::printable::hides;

fn screen(model: &Model, columns: u16, rows: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(model, frame)).unwrap();
    terminal
}

fn model() -> Model {
    let mut model = Model::default();
    let services = [
        (812, "nginx", 0, 5),
        (4711, "php-fpm", 2, 50),
        (9, "redis", 0, 1),
    ];
    model.take(Message::Sample(answer(10, &services)));
    let later = [
        (812, "nginx", 0, 5),
        (4711, "php-fpm", 2, 12_060),
        (9, "redis", 0, 21),
    ];
    model.take(Message::Sample(answer(11, &later)));
    (0..5).for_each(|id| model.take(Message::Alert(alert(id))));
    model
}

macro_rules! snapshot {
    ($model:expr, $columns:literal, $rows:literal) => {
        insta::assert_snapshot!(screen(&$model, $columns, $rows).backend());
    };
}

#[test]
fn overview() {
    snapshot!(model(), 120, 30);
}

#[test]
fn overview_of_a_small_terminal() {
    snapshot!(model(), 80, 24);
}

#[test]
fn overview_of_a_tiny_terminal() {
    snapshot!(model(), 20, 5);
}

#[test]
fn filter_pause_and_trouble() {
    let mut model = model();
    model.take(Message::Gone("no sensor answers at /run/x".to_owned()));
    model.take(Message::Missed(3));
    for key in "p/php".chars() {
        assert!(model.press(Key::Char(key)));
    }
    snapshot!(model, 100, 16);
}

#[test]
fn alert_page_and_help() {
    let mut model = model();
    for key in [Key::Tab, Key::Enter] {
        assert!(model.press(key));
    }
    snapshot!(model, 80, 16);
    assert!(model.press(Key::Char('?')));
    snapshot!(model, 90, 16);
}

#[test]
fn tree_page() {
    let mut model = model();
    assert!(model.press(Key::Enter));
    let process = |pid: u64, executable: &str, children: serde_json::Value| {
        serde_json::json!({"pid": pid, "part": "worker", "executable": executable,
            "args": ["x"], "provenance": "observed", "children": children})
    };
    let below = process(4712, "/usr/bin/id\u{1b}[2J", serde_json::json!([]));
    let root = process(4711, "/usr/sbin/php-fpm", serde_json::json!([below]));
    let tree = serde_json::json!({"services": [{"pid": 4711, "start_ns": 47_110,
        "kind": "php-fpm", "processes": [root]}]});
    model.take(Message::Tree((4711, 47_110), tree));
    snapshot!(model, 80, 8);
}

#[test]
fn nothing_yet() {
    snapshot!(Model::default(), 60, 14);
}

fn harmless(buffer: &Buffer) -> bool {
    buffer
        .content()
        .iter()
        .all(|cell| !cell.symbol().chars().any(hides))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Any size, any answer, any page: it is drawn, and no cell holds what could steer the
    /// terminal.
    #[test]
    fn any_screen_is_drawn(
        messages in prop::collection::vec(any_message(), 0..8),
        keys in prop::collection::vec(prop::sample::select(vec![Key::Down, Key::Tab, Key::Enter,
            Key::Back, Key::Last, Key::Char('?'), Key::Char('/')]), 0..8),
        columns in 1_u16..200, rows in 1_u16..60,
    ) {
        let mut model = model();
        for message in messages {
            model.take(message);
        }
        for key in keys {
            prop_assert!(model.press(key));
            prop_assert!(harmless(screen(&model, columns, rows).backend().buffer()));
        }
    }
}
