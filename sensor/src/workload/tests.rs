//! When is asked, for how long, and who is told.

use super::*;
use crate::{
    alert::{
        Level,
        sample::{CONTAINER, placed, pod_sample, sample},
    },
    detect::PodFacts,
    event::Cgroup,
};

const S: u64 = 1_000_000_000;

fn whose() -> Whose {
    Whose::Container(CONTAINER.to_owned())
}

fn inquest(incident: &str) -> Inquest {
    Inquest {
        incident: incident.to_owned(),
        alert: format!("alert of {incident}"),
        level: Level::High,
        expected: false,
        service: None,
        spawn_root: ProcessId::new(9, 9),
    }
}

fn subject(time_ns: u64) -> Subject {
    let mut subject = pod_sample().subject;
    subject.stamp.time_ns = time_ns;
    subject
}

fn answer(container: Option<Placed>) -> Located {
    Located {
        whose: whose(),
        container,
    }
}

fn unnamed() -> Placed {
    let pod = placed().pod.map(|pod| PodFacts { name: None, ..pod });
    Placed {
        name: None,
        image: None,
        pod,
        ..placed()
    }
}

fn master() -> (ProcessId, Program) {
    let subject = subject(0);
    (subject.process, (*subject.program).clone())
}

#[test]
fn what_is_known_when_a_service_begins_is_there_for_its_first_alert() {
    let mut workloads = Workloads::default();
    let (root, program) = master();
    let question = workloads.begin(root, &program, S).unwrap();
    assert_eq!(question.whose, whose());
    assert_eq!(question.cgroup, program.cgroup.path);
    // A second service of the same container asks nothing.
    assert_eq!(workloads.begin(root, &program, S), None);
    assert!(workloads.of(&subject(2 * S)).is_none());
    assert!(
        workloads
            .answered(answer(Some(placed())), 2 * S)
            .is_some_and(|(_, told)| told.is_empty())
    );
    assert_eq!(*workloads.of(&subject(3 * S)).unwrap(), placed());
    assert_eq!(workloads.told(&subject(3 * S), &inquest("a")), None);
    assert_eq!(workloads.begin(root, &program, 4 * S), None);
    assert!(workloads.tick(100 * S).is_empty());
}

#[test]
fn alerts_without_names_are_told_later_once_for_each_incident() {
    let mut workloads = Workloads::default();
    let question = workloads.told(&subject(10 * S), &inquest("a")).unwrap();
    assert_eq!(question.whose, whose());
    for incident in ["a", "b", "a"] {
        assert_eq!(workloads.told(&subject(10 * S), &inquest(incident)), None);
    }
    // The directory is not there yet.
    assert!(
        workloads
            .answered(answer(Some(unnamed())), 10 * S)
            .is_none()
    );
    assert_eq!(workloads.of(&subject(10 * S)).unwrap().name, None);
    assert_eq!(workloads.tick(11 * S), [question]);
    let (facts, told) = workloads.answered(answer(Some(placed())), 11 * S).unwrap();
    assert_eq!(*facts, placed());
    let incidents: Vec<_> = told.iter().map(|it| &*it.incident).collect();
    assert_eq!(incidents, ["a", "b"]);
    assert!(workloads.answered(answer(Some(placed())), 12 * S).is_none());
    assert!(workloads.tick(100 * S).is_empty());
}

#[test]
fn it_is_asked_less_and_less_often_and_not_for_ever() {
    let mut workloads = Workloads::default();
    assert!(workloads.told(&subject(0), &inquest("a")).is_some());
    let mut asked = Vec::new();
    for second in 0..200 {
        if !workloads.tick(second * S).is_empty() {
            asked.push(second);
        }
    }
    assert_eq!(asked, [1, 2, 4, 8, 16, 32, 48]);
    // The next alert begins anew.
    assert!(workloads.told(&subject(300 * S), &inquest("b")).is_some());
}

#[test]
fn what_changes_is_asked_for_after_a_while_and_nothing_is_forgotten() {
    let mut workloads = Workloads::default();
    workloads.answered(answer(Some(placed())), 0);
    assert_eq!(workloads.told(&subject(STALE_NS - 1), &inquest("a")), None);
    assert!(workloads.told(&subject(STALE_NS), &inquest("a")).is_some());
    // The pod ends, its directory goes; its last processes keep its names.
    assert!(
        workloads
            .answered(answer(Some(unnamed())), STALE_NS)
            .is_some_and(|(_, told)| told.is_empty())
    );
    assert_eq!(*workloads.of(&subject(STALE_NS)).unwrap(), placed());
    workloads.answered(answer(None), STALE_NS);
    assert_eq!(*workloads.of(&subject(STALE_NS)).unwrap(), placed());
    // Other labels of the same pod take the place of the old ones.
    let mut relabelled = placed();
    relabelled.pod.as_mut().unwrap().labels.clear();
    workloads.answered(answer(Some(relabelled.clone())), STALE_NS);
    assert_eq!(*workloads.of(&subject(STALE_NS)).unwrap(), relabelled);
}

#[test]
fn a_service_whose_control_group_tells_nothing_is_asked_for_once() {
    let mut workloads = Workloads::default();
    let subject = sample().subject;
    let root = subject.service.as_ref().unwrap().id;
    let program = Program {
        cgroup: Cgroup {
            path: "/".into(),
            ..Cgroup::default()
        },
        ..Program::default()
    };
    let question = workloads.begin(root, &program, S).unwrap();
    assert_eq!(question.whose, Whose::Service(root));
    let located = |container| Located {
        whose: Whose::Service(root),
        container,
    };
    assert!(workloads.answered(located(None), S).is_none());
    assert_eq!(workloads.told(&subject, &inquest("a")), None);
    assert_eq!(workloads.of_service(root, ""), None);
    // In a container of cgroup version 1.
    workloads.answered(located(Some(placed())), S);
    assert_eq!(*workloads.of(&subject).unwrap(), placed());
    assert_eq!(workloads.of_service(root, ""), Some(&placed()));
    assert_eq!(workloads.of_service(root, CONTAINER), None);
}

#[test]
fn a_container_of_which_nothing_more_is_known_is_no_news() {
    let mut workloads = Workloads::default();
    assert!(workloads.told(&subject(S), &inquest("a")).is_some());
    let bare = Placed {
        pod: None,
        ..unnamed()
    };
    assert!(workloads.answered(answer(Some(bare)), S).is_none());
    assert!(workloads.tick(50 * S).is_empty());
}

#[test]
fn bounds_hold() {
    let mut workloads = Workloads::default();
    for number in 0..KNOWN as u64 + 100 {
        let whose = Whose::Service(ProcessId::new(1, number));
        workloads.answered(
            Located {
                whose,
                container: None,
            },
            number,
        );
        let program = Program::default();
        drop(workloads.begin(ProcessId::new(2, number), &program, number));
    }
    assert_eq!(workloads.known.len(), KNOWN);
    assert_eq!(workloads.waiting.len(), WAITING);
    let mut workloads = Workloads::default();
    for number in 0..100 {
        drop(workloads.told(&subject(S), &inquest(&number.to_string())));
    }
    let (_, told) = workloads.answered(answer(Some(placed())), S).unwrap();
    assert_eq!(told.len(), INCIDENTS);
}
