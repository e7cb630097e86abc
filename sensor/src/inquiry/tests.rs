use super::*;
use crate::alert::{
    Level,
    sample::{file_sample, sample, socket_sample},
};

fn inquest(incident: &str) -> Inquest {
    Inquest {
        expected: false,
        incident: incident.to_owned(),
        alert: "a".to_owned(),
        level: Level::High,
        service: None,
        spawn_root: ProcessId::new(1, 1),
    }
}

fn numbers(examines: &[Examine]) -> Vec<u64> {
    examines.iter().map(|examine| examine.number).collect()
}

fn answer(number: u64) -> Examined {
    Examined {
        number,
        ..Examined::default()
    }
}

#[test]
fn a_file_is_asked_about_once_for_an_incident() {
    let mut inquiry = Inquiry::default();
    let exec = sample().subject;
    assert_eq!(numbers(&inquiry.begin(&exec, &inquest("i"))), [1]);
    assert!(inquiry.begin(&exec, &inquest("i")).is_empty());
    assert_eq!(numbers(&inquiry.begin(&exec, &inquest("j"))), [2]);
    assert_eq!(inquiry.answered(&answer(1)), Some(inquest("i")));
    assert_eq!(inquiry.answered(&answer(1)), None, "once");
    assert!(
        inquiry
            .begin(&socket_sample().subject, &inquest("i"))
            .is_empty()
    );
}

#[test]
fn a_written_file_is_looked_at_later_and_an_answer_not_waited_for_long() {
    let mut inquiry = Inquiry::default();
    let write = file_sample().subject;
    let now_ns = write.stamp.time_ns;
    assert!(inquiry.begin(&write, &inquest("i")).is_empty());
    assert!(inquiry.tick(now_ns + WRITTEN_NS - 1).is_empty());
    assert_eq!(numbers(&inquiry.tick(now_ns + WRITTEN_NS)), [1]);
    assert!(inquiry.tick(now_ns + PATIENCE_NS).is_empty());
    assert_eq!(inquiry.answered(&answer(1)), None);
}

#[test]
fn questions_are_bounded() {
    let mut inquiry = Inquiry::default();
    let mut write = file_sample().subject;
    for index in 0..2 * WAITING {
        write.process = ProcessId::new(9, 9);
        let _none = inquiry.begin(&write, &inquest(&index.to_string()));
    }
    assert_eq!(inquiry.later.len(), WAITING);
    assert_eq!(inquiry.open.len(), WAITING);
    assert!(inquiry.asked.len() <= WAITING);
    let due = inquiry.tick(write.stamp.time_ns + PATIENCE_NS);
    assert_eq!(due.len(), WAITING);
    assert!(inquiry.open.is_empty());
}
