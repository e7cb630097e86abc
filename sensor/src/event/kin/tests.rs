use std::collections::HashSet;

use super::*;

fn program(argument: &str) -> Arc<Program> {
    Arc::new(Program {
        args: Args {
            head: vec!["cat".into(), argument.into()],
            ..Args::default()
        },
        ..Program::default()
    })
}

fn entered(kinds: &mut Kinds, program: Program) -> Option<NonZeroU64> {
    let program = Arc::new(program);
    kinds.enter(&program);
    program.kin()
}

#[test]
fn programs_that_are_alike_and_no_others_have_the_same_number() {
    let mut kinds = Kinds::default();
    let one = program("x");
    assert_eq!(one.kin(), None);
    kinds.enter(&one);
    assert!(one.kin().is_some());
    let again = Program {
        time_ns: 7,
        source: crate::event::Source::Scan,
        ..Program::clone(&one)
    };
    assert_eq!(entered(&mut kinds, again), one.kin());
    let other = Program {
        interp: "x".into(),
        ..Program::clone(&one)
    };
    assert!(
        entered(&mut kinds, other).is_some_and(|other| Some(other) != one.kin()),
        "of the same hash"
    );
    assert_eq!(Arc::clone(&one).kin(), one.kin());
    let mut elsewhere = Kinds::default();
    assert_ne!(entered(&mut elsewhere, Program::clone(&one)), one.kin());
}

#[test]
fn what_can_be_changed_has_no_number() {
    let mut kinds = Kinds::default();
    let known = program("x");
    kinds.enter(&known);
    let mut one = program("x");
    kinds.enter(&one);
    assert_eq!(one.kin(), known.kin());
    assert_eq!(Program::clone(&one).kin(), None);
    assert!(Arc::get_mut(&mut one).is_none(), "not in place");
    Arc::make_mut(&mut one).cwd = "/tmp".into();
    assert_eq!(one.kin(), None);
    // It has had one, elsewhere; it gets no other.
    kinds.enter(&one);
    assert_eq!(one.kin(), None);
    let two = program("x");
    kinds.enter(&two);
    let moved = Arc::new(Arc::try_unwrap(two).unwrap());
    assert_eq!(moved.kin(), None);
    let mut shared = Arc::clone(&known);
    Arc::make_mut(&mut shared).cwd = "/tmp".into();
    kinds.enter(&shared);
    assert!(shared.kin().is_some_and(|it| Some(it) != known.kin()));
}

#[test]
fn what_is_kept_is_bounded_and_no_number_is_given_twice() {
    let mut kinds = Kinds::default();
    let first = program("0");
    kinds.enter(&first);
    let mut numbers = HashSet::from([first.kin()]);
    for number in 1..KINDS + 100 {
        let program = program(&number.to_string());
        kinds.enter(&program);
        assert!(numbers.insert(program.kin()));
        assert!(kinds.bytes <= BYTES && kinds.known.len() <= KINDS);
    }
    assert!(numbers.insert(entered(&mut kinds, Program::clone(&first))));
    let long = "x".repeat(8 << 10);
    for number in 0..1_000 {
        kinds.enter(&program(&format!("{number} {long}")));
        assert!(kinds.bytes <= BYTES);
    }
    assert!(kinds.known.len() > 100 && kinds.known.len() < 1_000);
    let weights = kinds.known.iter().map(|(_, kind)| kind.weight);
    assert_eq!(kinds.bytes, weights.sum::<usize>());
}
