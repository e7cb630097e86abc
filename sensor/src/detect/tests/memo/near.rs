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
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

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
        let users = Arc::new(Users::new());
        let (left, right) = (Grounds::of(&one, &users), Grounds::of(&two, &users));
        let like = left.is_like(&right);
        prop_assert_eq!(like, right.is_like(&left));
        prop_assert!(!left.is_like(&Grounds::of(&one, &Arc::new(Users::new()))));
        if like {
            prop_assert_eq!(memo::setting_fields(&one), memo::setting_fields(&two));
        } else {
            prop_assert!(!changes.is_empty());
        }
    }
}

#[test]
fn what_is_the_same_in_all_its_parts_is_found_without_a_key() {
    let mut pair = Pair::new(STEADY);
    let acts = vec![exec_of("x"); 10];
    pair.compare(&acts);
    let memo = pair.with.rules().memo();
    assert_eq!((memo.misses, memo.hits, memo.near), (1, 9, 8));
    let mut other = exec_of("x");
    apply(&Change::Parent("/opt/x"), &mut other);
    pair.compare(&[other.clone(), other]);
    let memo = pair.with.rules().memo();
    assert_eq!((memo.misses, memo.near), (2, 8), "known by its key so far");
}

#[test]
fn what_near_entries_keep_alive_is_bounded() {
    let bytes = 256 << 10;
    let mut detector = detector(set(&[]).with_memo(bytes));
    for number in 0..400 {
        let mut act = exec_of(&number.to_string());
        apart(&mut act);
        let act = Arc::new(act);
        for _ in 0..3 {
            detector.evaluate(Arc::clone(&act), 0);
        }
        let memo = detector.rules().memo();
        assert!(memo.bytes <= bytes as u64, "{memo:?}");
    }
    let memo = detector.rules().memo();
    assert_eq!((memo.hits, memo.near), (800, 400), "each found at once");
    detector.evaluate(Arc::new(exec_of("0")), 0);
    let after = detector.rules().memo();
    assert_eq!(after.near, memo.near, "went long ago");
}
