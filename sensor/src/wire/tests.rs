//! Both directions survive the way, and nothing that comes makes the reader fall over.

use std::os::unix::net::UnixStream;

use proptest::prelude::*;

use super::*;
use crate::{
    alert::{
        Document,
        sample::{closed, sample},
    },
    control::QueryKind,
    kubernetes::{Change, Pod},
    tally::{Cause, Count, Kind},
};

fn count(line: &str) -> Count {
    Count {
        kind: Kind {
            cause: Cause::Profile,
            rule: "rule".to_owned(),
            service: "nginx",
            chain: "nginx > sh".to_owned(),
            line: line.to_owned(),
        },
        count: 3,
        first_ns: -1,
        last_ns: 5,
        pid: 7,
        reason: "known".to_owned(),
    }
}

fn documents() -> Vec<Document> {
    vec![
        Document::Alert(std::sync::Arc::new(sample().alert())),
        Document::Notice(closed()),
    ]
}

#[test]
fn documents_are_the_same_at_the_other_end() {
    for document in documents() {
        let told = Told::document(&document);
        let bytes = frame(&Order::Tell(9, told.clone()), ORDER_MAX).unwrap();
        let Order::Tell(9, back) = read(bytes.as_slice(), ORDER_MAX).unwrap() else {
            panic!("another message");
        };
        assert_eq!(back, told);
        let back = back.into_document().unwrap().unwrap();
        assert_eq!(back.to_json(), document.to_json());
        assert_eq!(back.weight(), document.weight());
        match (&back, &document) {
            (Document::Alert(back), Document::Alert(alert)) => assert_eq!(back, alert),
            (Document::Notice(back), Document::Notice(notice)) => assert_eq!(back, notice),
            _ => panic!("another kind"),
        }
    }
}

#[test]
fn what_is_too_long_is_neither_written_nor_reserved() {
    let long = Report::Refused(1, "x".repeat(REPORT_MAX));
    assert!(matches!(
        frame(&long, REPORT_MAX),
        Err(WireError::Length(_))
    ));
    let header = u32::MAX.to_le_bytes();
    assert!(matches!(
        read::<Report>(header.as_slice(), REPORT_MAX),
        Err(WireError::Length(_))
    ));
}

#[test]
fn what_is_behind_a_message_makes_it_a_bad_one() {
    let mut bytes = postcard::to_stdvec(&Report::Beat).unwrap();
    assert_eq!(decode::<Report>(&bytes).unwrap(), Report::Beat);
    bytes.push(0);
    assert!(matches!(decode::<Report>(&bytes), Err(WireError::Rest(1))));
}

fn reports() -> impl Strategy<Value = Report> {
    prop_oneof![
        Just(Report::Beat),
        Just(Report::Renew),
        any::<u64>().prop_map(Report::Accepted),
        any::<u64>().prop_map(Report::Stopped),
        (any::<u8>(), ".{0,80}").prop_map(|(code, why)| Report::Refused(code, why)),
        (any::<u32>(), any::<u32>())
            .prop_map(|(id, pid)| Report::Ask(id, What::Core(QueryKind::WhyNot(pid)))),
        any::<u32>().prop_map(|id| Report::Ask(id, What::Metrics)),
        (any::<u32>(), ".{0,80}")
            .prop_map(|(id, why)| Report::Prepared(id, Prepared::Refused(64, why))),
        prop::collection::vec(changes(), 0..20).prop_map(Report::Pods),
    ]
}

fn changes() -> impl Strategy<Value = Change> {
    let label = (".{0,20}", ".{0,20}");
    prop_oneof![
        Just(Change::Anew),
        Just(Change::Whole),
        ".{0,40}".prop_map(Change::Gone),
        (
            ".{0,40}",
            ".{0,40}",
            ".{0,40}",
            prop::collection::vec(label, 0..4)
        )
            .prop_map(|(uid, namespace, name, labels)| {
                let pod = Pod {
                    namespace,
                    name,
                    labels,
                };
                Change::Known(uid, pod)
            }),
    ]
}

fn orders() -> impl Strategy<Value = Order> {
    prop_oneof![
        (any::<u64>(), ".{0,200}", any::<u64>())
            .prop_map(|(number, json, ns)| Order::Tell(number, Told::Alert(json, ns))),
        (any::<u64>(), prop::collection::vec(".{0,40}", 0..5)).prop_map(|(number, lines)| {
            let counts = lines.iter().map(|line| count(line)).collect();
            Order::Tell(number, Told::Counts(counts))
        }),
        (
            any::<u32>(),
            prop::collection::vec(any::<u8>(), 0..200),
            any::<bool>()
        )
            .prop_map(|(id, part, last)| Order::Answer(Answer { id, part, last })),
        (any::<u64>(), prop::collection::vec(".{0,40}", 0..3))
            .prop_map(|(ns, missing)| Order::Beat(ns, missing)),
        any::<u64>().prop_map(Order::Stop),
    ]
}

proptest! {
    #[test]
    fn messages_survive_the_way(reports in prop::collection::vec(reports(), 0..20),
                                orders in prop::collection::vec(orders(), 0..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (here, there) = UnixStream::pair().unwrap();
            let mut here = Pipe::new(here, REPORT_MAX, ORDER_MAX).unwrap();
            let mut there = Pipe::new(there, ORDER_MAX, REPORT_MAX).unwrap();
            for order in &orders {
                here.queue(order).unwrap();
            }
            for report in &reports {
                there.queue(report).unwrap();
            }
            let (mut said, mut told) = (Vec::new(), Vec::new());
            while said.len() < reports.len() || told.len() < orders.len() {
                tokio::select! {
                    turn = here.turn() => { turn.unwrap(); }
                    turn = there.turn() => { turn.unwrap(); }
                }
                while let Some(report) = here.next::<Report>().unwrap() {
                    said.push(report);
                }
                while let Some(order) = there.next::<Order>().unwrap() {
                    told.push(order);
                }
            }
            assert_eq!((said, told), (reports, orders));
        });
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(body in prop::collection::vec(any::<u8>(), 0..400)) {
        drop(decode::<Report>(&body));
        drop(decode::<Order>(&body));
        drop(read::<Report>(body.as_slice(), REPORT_MAX));
        drop(read::<Order>(body.as_slice(), ORDER_MAX));
    }

    #[test]
    fn a_damaged_message_is_one_or_an_error(order in orders(), at in any::<prop::sample::Index>(),
                                            with in any::<u8>()) {
        let mut body = postcard::to_stdvec(&order).unwrap();
        let at = at.index(body.len());
        body[at] ^= with;
        if let Ok(Order::Tell(_, told)) = decode(&body) {
            drop(told.into_document());
        }
    }

    #[test]
    fn any_text_is_a_document_or_an_error(text in ".{0,400}") {
        drop(Told::Alert(text.clone(), 0).into_document());
        drop(Told::Notice(text, 0, false).into_document());
    }
}
