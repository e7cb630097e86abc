//! What outlets say of pods, honest ones and hostile ones.

use super::*;
use crate::kubernetes::{Change, PODS, Pod};

fn uid(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

fn known(number: usize, team: &str) -> Change {
    let pod = Pod {
        namespace: "shop".to_owned(),
        name: format!("web-{number}"),
        labels: vec![("team".to_owned(), team.to_owned())],
    };
    Change::Known(uid(number), pod)
}

fn team(pods: &Pods, number: usize) -> Option<String> {
    Some(pods.get(&uid(number))?.labels.pop()?.1)
}

impl Outlet {
    fn list(&self, pods: &[Change]) {
        self.say(&Report::Pods(vec![Change::Anew]));
        for some in pods.chunks(100) {
            self.say(&Report::Pods(some.to_vec()));
        }
        self.say(&Report::Pods(vec![Change::Whole]));
    }
}

#[test]
fn pods_are_known_until_another_outlet_says_otherwise() {
    multi().block_on(async {
        let pods = Pods::new(&["team".to_owned()]);
        let (play, first) = play_with(BEAT, Some(pods.clone())).await;
        first.list(&[known(1, "red"), known(2, "blue")]);
        first.say(&Report::Pods(vec![known(1, "green"), Change::Gone(uid(2))]));
        play.until("what it said", |_| {
            team(&pods, 1).as_deref() == Some("green") && pods.count() == 1
        })
        .await;
        // It is gone in the middle of a list.
        first.say(&Report::Pods(vec![Change::Anew, known(3, "red")]));
        drop(first);
        let second = play.next().await;
        play.until("the next", |core| core.outlet.restarts("ended") == 1)
            .await;
        assert_eq!(team(&pods, 1).as_deref(), Some("green"));
        second.list(&[known(2, "blue")]);
        play.until("its list", |_| team(&pods, 2).as_deref() == Some("blue"))
            .await;
        assert_eq!(pods.count(), 1);
        assert_eq!(play.core.outlet.restarts("misbehaved"), 0);
    });
}

/// What it has said is forgotten with it, whatever it was, and alerts go on.
#[test]
fn one_that_lies_about_pods_is_dismissed() {
    fn odd(change: fn(&mut Pod)) -> Report {
        let Change::Known(uid, mut pod) = known(7, "x") else {
            panic!("another change");
        };
        change(&mut pod);
        Report::Pods(vec![Change::Known(uid, pod)])
    }
    let lies: [fn() -> Report; 7] = [
        || Report::Pods(vec![Change::Gone("../x".to_owned())]),
        || odd(|pod| pod.namespace = "Shop".to_owned()),
        || odd(|pod| pod.name = "\u{1b}[2J".to_owned()),
        || odd(|pod| pod.name = "x".repeat(60_000)),
        || odd(|pod| pod.labels = vec![("owner".to_owned(), "x".to_owned())]),
        || odd(|pod| pod.labels = [&*pod.labels, &*pod.labels].concat()),
        || odd(|pod| pod.labels = vec![("team".to_owned(), "x".repeat(64))]),
    ];
    multi().block_on(async {
        let pods = Pods::new(&["team".to_owned()]);
        let (play, mut outlet) = play_with(BEAT, Some(pods.clone())).await;
        for (number, lie) in lies.into_iter().enumerate() {
            outlet.list(&[known(1, "red")]);
            play.until("its list", |_| pods.count() == 1).await;
            let json = play.tell();
            let (told, text) = outlet.told().await;
            assert_eq!(text, json);
            outlet.say(&lie());
            let next = play.next().await;
            assert_eq!(next.told().await, (told, json), "after lie {number}");
            assert_eq!(pods.count(), 0, "after lie {number}");
            next.say(&Report::Accepted(told));
            let misbehaved = number as u64 + 1;
            play.until("the count", |core| {
                core.outlet.restarts("misbehaved") == misbehaved
            })
            .await;
            outlet = next;
        }
    });
}

#[test]
fn one_that_floods_with_pods_is_dismissed_and_what_it_says_is_bounded() {
    multi().block_on(async {
        let pods = Pods::new(&["team".to_owned()]);
        // No second beat comes within the test, which would let more through.
        let beat = Duration::from_hours(1);
        let (play, outlet) = play_with(beat, Some(pods.clone())).await;
        // Fewer frames than may be sent: it is their weight.
        let flood = tokio::task::spawn_blocking(move || {
            for frame in 0..1_900 {
                let some = (0..100).map(|number| known(frame * 100 + number, "x"));
                let report = Report::Pods(some.collect());
                if write(&outlet.stream, &report, REPORT_MAX).is_err() {
                    return true;
                }
            }
            false
        });
        let most = async {
            let mut most = 0;
            while play.core.outlet.restarts("misbehaved") == 0 {
                most = most.max(pods.count());
                tokio::task::yield_now().await;
            }
            most
        };
        let (most, next) = tokio::join!(most, play.next());
        assert!(most <= PODS, "{most}");
        assert!(flood.await.unwrap(), "it was let go on");
        assert_eq!(pods.count(), 0);
        // A whole node's, as fast as an honest one says it.
        let all: Vec<Change> = (0..500).map(|number| known(number, "x")).collect();
        next.list(&all);
        play.until("its list", |_| pods.count() == 500).await;
        let json = play.tell();
        assert_eq!(next.told().await.1, json);
        assert_eq!(play.core.outlet.restarts("misbehaved"), 1);
    });
}
