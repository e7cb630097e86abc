//! What is found by comparing must be the same in all that rules can read.

use super::*;
use crate::{detect::setting::Grounds, lineage::Provenance};

/// Every program of the act, each a new one in each of its places.
fn programs(subject: &mut Subject) -> impl Iterator<Item = &mut Arc<Program>> {
    let above = subject.lineage.ancestors.iter_mut();
    let creator = subject.creator.iter_mut();
    let links = above.chain(creator);
    let programs = links.flat_map(|it| it.chain.iter_mut().chain(&mut it.program));
    programs
        .chain(&mut subject.previous)
        .chain([&mut subject.program])
}

/// Gives the programs of the act the numbers of their kinds, as the tree does.
pub(super) fn number(subject: &mut Subject, kinds: &mut Kinds) {
    for program in programs(subject) {
        kinds.enter(program);
    }
}

/// The same act that shares nothing with others.
pub(super) fn apart(subject: &mut Subject) {
    for program in programs(subject) {
        *program = Arc::new(Program::clone(program));
    }
    if let Some(service) = &mut subject.service {
        *service = Arc::new(service.as_ref().clone());
    }
}

/// The same act at another time, by other processes.
fn elsewhere(subject: &mut Subject, (time_ns, number, start_ns): (u64, u32, u64)) {
    let process = ProcessId::new(number, start_ns);
    subject.stamp = Stamp {
        cpu: number,
        seq: start_ns,
        time_ns,
    };
    (subject.process, subject.spawn_root) = (process, process);
    subject.parent = Some(process);
    subject.lost_events = time_ns;
    for link in subject
        .lineage
        .ancestors
        .iter_mut()
        .chain(&mut subject.creator)
    {
        (link.id, link.uid, link.chain_elided) = (process, number, number);
        link.exit = Some((time_ns, ExitStatus::Code(0)));
        link.provenance = Provenance::Lost;
    }
    let root = process;
    for program in programs(subject) {
        let program = Arc::make_mut(program);
        program.time_ns = time_ns;
        (program.ns.mount, program.ns.pid, program.ns.inner_pid) = (number, number, number);
        program.cgroup.id = start_ns;
        program.written = Some(Written {
            root,
            age_ns: time_ns,
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(256), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fields_of_a_setting_depend_on_what_is_compared(
        one in exec(),
        other in any::<(u64, u32, u64)>(),
        changes in prop::collection::vec(change(), 0..2),
    ) {
        let mut two = one.clone();
        apart(&mut two);
        for change in &changes {
            apply(change, &mut two);
        }
        elsewhere(&mut two, other);
        let (mut one, mut kinds) = (one, Kinds::default());
        let users = Arc::new(Users::new());
        prop_assert_eq!(memo::near_numbers(&Grounds::of(&two, &users)), None, "not numbered");
        number(&mut one, &mut kinds);
        number(&mut two, &mut kinds);
        let (left, right) = (Grounds::of(&one, &users), Grounds::of(&two, &users));
        let numbers = [left, right].map(|it| memo::near_numbers(&it).unwrap());
        let rest = left.is_like(&right.rest());
        prop_assert_eq!(rest, right.is_like(&left.rest()));
        prop_assert!(!left.is_like(&Grounds::of(&one, &Arc::new(Users::new())).rest()));
        if rest && numbers[0] == numbers[1] {
            prop_assert_eq!(memo::setting_fields(&one), memo::setting_fields(&two));
        } else {
            prop_assert!(!changes.is_empty());
            let begins = |one: &[u64], two: &[u64]| one != two && one.starts_with(two);
            prop_assert!(!begins(&numbers[0], &numbers[1]) && !begins(&numbers[1], &numbers[0]));
        }
    }
}

#[test]
fn what_is_the_same_in_all_its_parts_is_found_without_a_key() {
    let mut pair = Pair::new(STEADY);
    let acts = vec![exec_of("x"); 10];
    pair.compare(&acts);
    let memo = pair.with.rules().memo();
    assert_eq!((memo.misses, memo.hits, memo.near), (1, 9, 6));
    let mut other = exec_of("x");
    apply(&Change::Parent("/opt/x"), &mut other);
    pair.compare(&[other.clone(), other]);
    let memo = pair.with.rules().memo();
    assert_eq!((memo.misses, memo.near), (2, 6), "known by its key so far");
}

#[test]
fn a_rule_that_reads_what_is_not_compared_is_found_by_its_key_alone() {
    let rule = "detection: {s: {Initiated: true}, f: {Exec.Program: convert}, condition: s or f}";
    let mut pair = Pair::new(&[rule]);
    pair.compare(&vec![exec_of("x"); 10]);
    let memo = pair.with.rules().memo();
    assert_eq!((memo.misses, memo.hits, memo.near), (1, 9, 0));
}

#[test]
fn near_entries_are_bounded_and_keep_no_program_alive() {
    let bytes = 256 << 10;
    let (mut detector, mut kinds) = (detector(set(&[]).with_memo(bytes)), Kinds::default());
    let mut ask = |argument: &str, times: usize| {
        let mut act = exec_of(argument);
        apart(&mut act);
        number(&mut act, &mut kinds);
        // Not the one that its kind is known by.
        apart(&mut act);
        number(&mut act, &mut kinds);
        let act = Arc::new(act);
        for _ in 0..times {
            detector.evaluate(Arc::clone(&act), 0);
        }
        (detector.rules().memo(), Arc::downgrade(&act.program))
    };
    for argument in 0..400 {
        let (memo, program) = ask(&argument.to_string(), 3);
        assert!(memo.bytes <= bytes as u64, "{memo:?}");
        assert!(program.upgrade().is_none());
    }
    let (memo, _) = ask("399", 1);
    assert_eq!((memo.hits, memo.near), (801, 401), "each found at once");
    let (after, _) = ask("0", 1);
    assert_eq!(after.near, memo.near, "went long ago");
}
