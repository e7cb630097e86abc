//! Rules that wait for a hash, and those that must not.

use std::sync::Arc;

use super::{detector, names, rules, shipped, subject};
use crate::{
    detect::{Detector, Fact, MAX_WAIT_NS, MAX_WAITING, Request, example},
    event::ProcessId,
    lineage::Subject,
};

const COPY: &str =
    "{image: /tmp/x, argv: [x, -c, id], file: {owner: 33, same_content: /usr/bin/dash}}";

fn copy(tgid: u32) -> Arc<Subject> {
    let mut subject = subject(COPY);
    subject.process = ProcessId::new(tgid, 1);
    Arc::new(subject)
}

fn answer(request: &Request, sha256: Option<[u8; 32]>) -> Fact {
    let Request::Hash { process, file, .. } = request;
    Fact::Hash {
        process: *process,
        file: *file,
        sha256,
    }
}

fn held(detector: &mut Detector) -> Request {
    let mut verdicts = detector.evaluate(copy(7), 100);
    // What needs no fact does not wait.
    assert_eq!(names(&verdicts.matches), ["exec_from_writable_directory"]);
    assert_eq!((verdicts.requests.len(), detector.waiting()), (1, 1));
    verdicts.requests.remove(0)
}

#[test]
fn the_hash_of_a_shell_convicts() {
    let mut detector = shipped();
    let request = held(&mut detector);
    let matches = detector
        .fact(answer(&request, Some(example::shells()[0].sha256)), 200)
        .matches;
    assert_eq!(names(&matches), ["masqueraded_shell"]);
    assert_eq!(matches[0].incomplete, [""; 0]);
    assert_eq!(detector.waiting(), 0);
    assert!(detector.tick(u64::MAX).matches.is_empty());
}

#[test]
fn another_hash_acquits() {
    let mut detector = shipped();
    let request = held(&mut detector);
    assert!(
        detector
            .fact(answer(&request, Some([9; 32])), 200)
            .matches
            .is_empty()
    );
    assert_eq!(detector.waiting(), 0);
}

#[test]
fn no_hash_in_time_leaves_the_size_as_evidence() {
    let mut detector = shipped();
    held(&mut detector);
    assert!(detector.tick(100 + MAX_WAIT_NS - 1).matches.is_empty());
    let matches = detector.tick(100 + MAX_WAIT_NS).matches;
    assert_eq!(names(&matches), ["masqueraded_shell"]);
    assert_eq!(matches[0].incomplete, ["hash"]);
    assert!(detector.tick(u64::MAX).matches.is_empty());

    let request = held(&mut detector);
    let matches = detector.fact(answer(&request, None), 200).matches;
    assert_eq!(matches[0].incomplete, ["hash"]);
}

#[test]
fn a_fact_for_another_process_changes_nothing() {
    let mut detector = shipped();
    let Request::Hash { file, .. } = held(&mut detector);
    let process = ProcessId::new(8, 1);
    assert!(
        detector
            .fact(
                Fact::Hash {
                    process,
                    file,
                    sha256: None
                },
                200
            )
            .matches
            .is_empty()
    );
    assert_eq!(detector.waiting(), 1);
}

#[test]
fn the_same_file_needs_no_hash() {
    let mut detector = shipped();
    let linked = subject("{image: /srv/x, file: {same_file: /usr/bin/dash}}");
    let verdicts = detector.evaluate(Arc::new(linked), 0);
    assert_eq!(names(&verdicts.matches), ["masqueraded_shell"]);
    assert!(verdicts.requests.is_empty());
}

#[test]
fn the_oldest_makes_room() {
    let mut detector = shipped();
    let limit = u32::try_from(MAX_WAITING).unwrap();
    for tgid in 0..limit {
        detector.evaluate(copy(tgid), 0);
    }
    let verdicts = detector.evaluate(copy(limit), 0);
    assert_eq!(
        names(&verdicts.matches),
        ["masqueraded_shell", "exec_from_writable_directory"]
    );
    assert_eq!(verdicts.matches[0].subject.process.tgid, 0);
    assert_eq!(verdicts.matches[0].incomplete, ["hash"]);
    assert_eq!(detector.waiting(), MAX_WAITING);
}

#[test]
fn a_rule_on_the_hash_itself_has_every_executable_hashed() {
    let rule = "needs: [hash]\ndetection: {s: {Hashes|contains: '0909'}, condition: s}";
    let mut detector = detector(rules(&[rule]));
    let subject = subject("{image: /usr/bin/convert}");
    let verdicts = detector.evaluate(Arc::new(subject), 0);
    assert_eq!((verdicts.matches.len(), verdicts.requests.len()), (0, 1));
    let matches = detector
        .fact(answer(&verdicts.requests[0], Some([9; 32])), 0)
        .matches;
    assert_eq!(names(&matches), ["r0"]);
}
