use std::sync::Arc;

use super::*;
use crate::{
    alert::sample::{file_sample, sample},
    event::Program,
};

fn verdict() -> Verdict {
    Verdict {
        rule: "a".to_owned(),
        outcome: Outcome::Silenced(Silence::Profile, "learnt".to_owned()),
    }
}

#[test]
fn execs_are_remembered_and_other_acts_when_a_rule_spoke() {
    let mut decisions = Decisions::default();
    let (exec, file) = (sample().subject, file_sample().subject);
    decisions.note(&file, Vec::new());
    decisions.note(&exec, Vec::new());
    decisions.note(&file, vec![verdict()]);
    let of = |pid: u32| decisions.of(pid, &Redactor::default())["decisions"].clone();
    assert_eq!(of(exec.process.tgid)[0]["what"], "/usr/bin/id id");
    assert_eq!(of(exec.process.tgid)[0]["verdicts"], json!([]));
    let file = of(file.process.tgid);
    assert_eq!(file.as_array().unwrap().len(), 1);
    assert_eq!(
        (&file[0]["act"], &file[0]["verdicts"]),
        (
            &json!("rename"),
            &json!([{"rule": "a", "outcome": "profile", "text": "learnt"}])
        )
    );
    assert_eq!(of(1), json!([]));
}

#[test]
fn memory_is_bounded_whatever_the_arguments() {
    let mut decisions = Decisions::default();
    let mut subject = sample().subject;
    let mut program = Program::clone(&subject.program);
    program.image.path = vec![b'/'; 9_000].into();
    program.args.head = vec![vec![0xff; 3_000].into(), vec![b'a'; 3_000].into()];
    subject.program = Arc::new(program);
    for index in 0..EXECS + 5 {
        subject.stamp.time_ns = index as u64;
        decisions.note(&subject, vec![verdict(); 99]);
    }
    assert_eq!(decisions.execs.len(), EXECS);
    assert_eq!(decisions.execs.front().unwrap().time_ns, 5);
    let longest = decisions.execs.iter().map(|it| it.text.len()).max();
    assert!(longest.unwrap() <= PATH + ARGS + 3, "{longest:?}");
    let told = decisions.of(subject.process.tgid, &Redactor::default());
    assert_eq!(told["decisions"].as_array().unwrap().len(), TOLD);
    assert_eq!(told["elided"], EXECS - TOLD);
    assert_eq!(
        told["decisions"][0]["verdicts"].as_array().unwrap().len(),
        NAMED
    );
}
