//! What the collector takes of what an outlet says, which may be anything.

use proptest::prelude::*;

use super::{super::*, fixture::uid};

fn asked() -> Vec<String> {
    ["app", "example.com/team"].map(str::to_owned).into()
}

fn pod(namespace: &str, name: &str, labels: &[(&str, &str)]) -> Pod {
    let labels = labels.iter();
    Pod {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        labels: labels
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

fn known(number: usize, app: &str) -> Change {
    Change::Known(uid(number), pod("shop", "web-1", &[("app", app)]))
}

fn app(pods: &Pods, number: usize) -> Option<String> {
    let labels = pods.get(&uid(number))?.labels;
    Some(labels.into_iter().next()?.1)
}

#[test]
fn a_list_counts_when_it_is_whole() {
    let pods = Pods::new(&asked());
    let mut hearing = pods.hearing();
    let hear = |hearing: &mut Hearing, changes: &[Change]| {
        assert_eq!(hearing.hear(changes.to_vec()), Ok(0));
    };
    hear(&mut hearing, &[Change::Anew, known(1, "a"), known(2, "b")]);
    assert_eq!(pods.count(), 0);
    hear(&mut hearing, &[known(3, "c"), Change::Gone(uid(1))]);
    hear(&mut hearing, &[Change::Whole]);
    assert_eq!((app(&pods, 2).as_deref(), pods.count()), (Some("b"), 2));
    // One that another begins in the middle of, and one that nobody ends.
    hear(&mut hearing, &[Change::Anew, known(4, "d"), Change::Anew]);
    hear(&mut hearing, &[known(5, "e")]);
    assert_eq!(pods.count(), 2);
    // The next outlet begins anew, and meanwhile what was known is known.
    let mut next = pods.hearing();
    hear(&mut next, &[Change::Whole, known(2, "z")]);
    assert_eq!((app(&pods, 2).as_deref(), pods.count()), (Some("z"), 2));
    hear(&mut next, &[Change::Anew, known(5, "e"), Change::Whole]);
    assert_eq!((app(&pods, 5).as_deref(), pods.count()), (Some("e"), 1));
    hear(&mut next, &[Change::Gone(uid(9)), Change::Gone(uid(5))]);
    assert_eq!(pods.count(), 0);
}

#[test]
fn what_is_no_pod_is_a_lie() {
    let long = "a".repeat(64);
    let lies = [
        Change::Known("../x".to_owned(), pod("shop", "web", &[])),
        Change::Known(uid(1), pod("Shop", "web", &[])),
        Change::Known(uid(1), pod("shop", "web\n", &[])),
        Change::Known(uid(1), pod("", "web", &[])),
        Change::Known(uid(1), pod(&long, "web", &[])),
        Change::Known(uid(1), pod("shop", &"a".repeat(254), &[])),
        Change::Known(uid(1), pod("shop", "web", &[("app", "\u{1b}[2J")])),
        Change::Known(uid(1), pod("shop", "web", &[("app", &long)])),
        // Nobody asked for it; twice; in another order.
        Change::Known(uid(1), pod("shop", "web", &[("owner", "x")])),
        Change::Known(uid(1), pod("shop", "web", &[("app", "x"), ("app", "x")])),
        Change::Known(
            uid(1),
            pod("shop", "web", &[("example.com/team", "x"), ("app", "x")]),
        ),
        Change::Gone(String::new()),
        Change::Gone("x".repeat(36)),
    ];
    for lie in lies {
        let pods = Pods::new(&asked());
        let mut hearing = pods.hearing();
        let said = vec![known(1, "a"), lie.clone(), known(2, "b")];
        assert_eq!(hearing.hear(said), Err(Lie), "{lie:?}");
        assert_eq!(app(&pods, 1).as_deref(), Some("a"), "{lie:?}");
        assert_eq!(pods.count(), 1, "{lie:?}");
        pods.forget();
        assert_eq!(pods.count(), 0);
    }
}

#[test]
fn pods_are_bounded_by_number_and_by_weight() {
    let pods = Pods::new(&asked());
    let mut hearing = pods.hearing();
    for number in 0..PODS {
        assert_eq!(hearing.hear(vec![known(number, "a")]), Ok(0));
    }
    assert_eq!(hearing.hear(vec![known(PODS, "a")]), Ok(1));
    // Those that are known may change, and leave room.
    assert_eq!(
        hearing.hear(vec![known(0, "z"), Change::Gone(uid(1)), known(PODS, "a")]),
        Ok(0)
    );
    assert_eq!((pods.count(), app(&pods, 1)), (PODS, None));

    let keys: Vec<String> = (0..16)
        .map(|n| format!("{}{n:02}", "k".repeat(61)))
        .collect();
    let value = "v".repeat(63);
    let labels: Vec<(&str, &str)> = keys.iter().map(|key| (&**key, &*value)).collect();
    let heavy = pod(&"n".repeat(63), &"p".repeat(253), &labels);
    let pods = Pods::new(&keys);
    let mut hearing = pods.hearing();
    let all = (0..PODS).map(|number| Change::Known(uid(number), heavy.clone()));
    let left_out = hearing.hear(all.collect()).unwrap();
    let weight = Change::Known(uid(0), heavy.clone()).weight();
    assert_eq!(pods.count(), WEIGHT / weight);
    assert_eq!(left_out, PODS - pods.count());
    // What goes leaves room for as much.
    let gone = (0..PODS).map(|number| Change::Gone(uid(number)));
    assert_eq!(hearing.hear(gone.collect()), Ok(0));
    let again = (0..WEIGHT / weight).map(|number| Change::Known(uid(number), heavy.clone()));
    assert_eq!(hearing.hear(again.collect()), Ok(0));
}

proptest! {
    #[test]
    fn a_change_weighs_no_less_than_its_message(
        uid in "[0-9a-f-]{0,36}",
        namespace in "[a-z]{0,63}",
        name in "[a-z.]{0,253}",
        labels in prop::collection::vec(("[a-z]{1,317}", "[a-z]{0,63}"), 0..=16),
    ) {
        let gone = Change::Gone(uid.clone());
        let known = Change::Known(uid, Pod { namespace, name, labels });
        for change in [gone, known, Change::Anew, Change::Whole] {
            prop_assert!(postcard::to_stdvec(&change).unwrap().len() <= change.weight());
        }
    }
}
