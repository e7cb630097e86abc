//! Counts by chain and line, in bounded room.

use super::*;
use crate::alert::sample::{file_sample, sample};

const S: u64 = 1_000_000_000;

fn note(tally: &mut Tally, subject: &Subject, rule: &str) {
    tally.note(subject, (rule, Cause::Profile), "entry 3", 0);
}

#[test]
fn the_same_chain_and_line_count_together() {
    let (mut tally, mut subject) = (Tally::default(), sample().subject);
    subject.stamp.time_ns = 5 * S;
    note(&mut tally, &subject, "r");
    subject.stamp.time_ns = 9 * S;
    subject.process.tgid = 77;
    note(&mut tally, &subject, "r");
    tally.note(&subject, ("r", Cause::Folded), "abcd", 0);
    note(&mut tally, &subject, "other");
    note(&mut tally, &file_sample().subject, "r");
    assert_eq!(
        tally.tick(EVERY_NS - 1, &Redactor::default()),
        None,
        "not so often"
    );
    let counts = tally.tick(EVERY_NS, &Redactor::default()).unwrap();
    let first = counts.iter().find(|it| it.count == 2).unwrap();
    assert_eq!(counts.len(), 4);
    let times = (first.first_ns, first.last_ns);
    assert_eq!((times, first.pid), ((5_000_000_000, 9_000_000_000), 77));
    assert_eq!(first.reason, "entry 3");
    assert_eq!(first.kind.chain, "php-fpm8.2 > dash > id");
    assert!(
        first.kind.line.starts_with("/usr/bin/id"),
        "{}",
        first.kind.line
    );
    assert_eq!(
        tally.tick(3 * EVERY_NS, &Redactor::default()),
        None,
        "handed on once"
    );
    assert_eq!(tally.take(&Redactor::default()), None);
}

#[test]
fn what_there_is_no_room_for_counts_by_rule() {
    let (mut tally, mut subject) = (Tally::default(), sample().subject);
    let program = (*subject.program).clone();
    for number in 0..10 * KINDS {
        let mut program = program.clone();
        program.args.head = vec![format!("{number}").into()];
        subject.program = Arc::new(program);
        note(&mut tally, &subject, "r");
    }
    let counts = tally.take(&Redactor::default()).unwrap();
    assert_eq!(counts.len(), KINDS + 1);
    let rest = counts.iter().find(|it| it.kind.line.is_empty()).unwrap();
    assert_eq!((rest.count, rest.pid), (9 * KINDS as u64, 0));
    let all: u64 = counts.iter().map(|it| it.count).sum();
    assert_eq!(all, 10 * KINDS as u64);
}
