//! The watch against a stub of the API server: lists, events, disconnects, versions that are
//! gone, tokens that are not believed, slowness, garbage, and more pods than are kept. What
//! is learnt goes to the other process's end, which takes no change that it may not.

mod fixture;
mod said;
mod server;

use std::{fs, time::Instant};

use serde_json::{Value, json};

use self::{
    fixture::{
        Followed, bookmark, certificate, event, fed, follow, follow_with, gone, list, open, page,
        pod, uid, until,
    },
    server::Act,
};
use super::*;

#[test]
fn pods_are_listed_and_followed() {
    let (feed, watch) = fed();
    let followed = follow(vec![list(&[pod(1, 5, "a"), pod(2, 6, "b")], 7), watch]);
    let asked = followed.server.asked();
    assert!(asked.is_list());
    assert!(asked.target.starts_with("/api/v1/pods?"), "{asked:?}");
    assert!(
        asked
            .target
            .contains("fieldSelector=spec.nodeName%3Dnode-1"),
        "{asked:?}"
    );
    assert!(
        asked.head.contains("authorization: bearer first"),
        "{asked:?}"
    );
    // What stands in a pod's description is not asked for.
    assert!(
        asked.head.contains("as=partialobjectmetadatalist"),
        "{asked:?}"
    );
    let asked = followed.server.asked();
    assert!(asked.is_watch_from("7"), "{asked:?}");
    assert!(
        asked.target.contains("allowWatchBookmarks=true"),
        "{asked:?}"
    );
    assert!(asked.target.contains("timeoutSeconds=60"), "{asked:?}");
    assert!(
        asked
            .target
            .contains("fieldSelector=spec.nodeName%3Dnode-1"),
        "{asked:?}"
    );
    followed.until_app(1, Some("a"));
    followed.until_app(2, Some("b"));
    feed.send(event("ADDED", &pod(3, 8, "c"))).unwrap();
    followed.until_app(3, Some("c"));
    feed.send(event("MODIFIED", &pod(1, 9, "z"))).unwrap();
    followed.until_app(1, Some("z"));
    feed.send(event("DELETED", &pod(2, 10, "b"))).unwrap();
    followed.until_app(2, None);
    assert_eq!(followed.app(3).as_deref(), Some("c"));
}

/// In pieces that are no lines, and several lines in one.
#[test]
fn slow_drops_and_bursts_are_lines_all_the_same() {
    let (feed, watch) = fed();
    let followed = follow(vec![list(&[], 7), watch]);
    let line = event("ADDED", &pod(1, 8, "a"));
    for byte in line.chars() {
        feed.send(byte.to_string()).unwrap();
    }
    followed.until_app(1, Some("a"));
    let lines = [
        event("ADDED", &pod(2, 9, "b")),
        event("DELETED", &pod(1, 10, "a")),
    ]
    .concat();
    feed.send(lines).unwrap();
    followed.until_app(2, Some("b"));
    followed.until_app(1, None);
}

#[test]
fn after_a_disconnect_the_watch_goes_on_where_it_was() {
    let (feed, first) = fed();
    let (_second, second) = fed();
    let cut = Act::Cut(vec![
        event("ADDED", &pod(1, 20, "a")),
        // In the middle of a line.
        "{\"type\":\"DELETED\",\"obj".to_owned(),
    ]);
    let followed = follow(vec![list(&[], 7), first, cut]);
    assert!(followed.server.asked().is_list());
    assert!(followed.server.asked().is_watch_from("7"));
    feed.send(bookmark(15)).unwrap();
    drop(feed);
    // An end in order: from the bookmark, without a list.
    assert!(followed.server.asked().is_watch_from("15"));
    followed.until_app(1, Some("a"));
    // A reset: what is missing is not known, so all is listed again.
    followed
        .server
        .then(list(&[pod(1, 20, "a"), pod(2, 21, "b")], 22));
    followed.server.then(second);
    assert!(followed.server.asked().is_list());
    assert!(followed.server.asked().is_watch_from("22"));
    followed.until_app(2, Some("b"));
    assert_eq!(followed.app(1).as_deref(), Some("a"));
}

#[test]
fn what_is_gone_is_listed_again() {
    // In a watch, and in answer to one.
    for act in [open(&[gone()]).1, Act::Answer(410, "{}".to_owned())] {
        let (_open, last) = fed();
        let followed = follow(vec![
            list(&[pod(1, 5, "a"), pod(2, 6, "b")], 7),
            act,
            list(&[pod(2, 6, "c")], 90),
            last,
        ]);
        assert!(followed.server.asked().is_list());
        assert!(followed.server.asked().is_watch_from("7"));
        assert!(followed.server.asked().is_list());
        assert!(followed.server.asked().is_watch_from("90"));
        followed.until_app(2, Some("c"));
        assert_eq!(followed.app(1), None);
        // It happens to everybody now and then.
        assert_eq!(followed.stats.failures(), 0);
    }
}

#[test]
fn a_token_is_read_again() {
    let followed = follow(vec![Act::Answer(401, "{}".to_owned())]);
    let asked = followed.server.asked();
    assert!(
        asked.head.contains("authorization: bearer first"),
        "{asked:?}"
    );
    let (_open, watch) = fed();
    fs::write(followed.account.path().join("token"), "second\n").unwrap();
    // Between the two it may have asked with either.
    followed.server.then(Act::Answer(401, "{}".to_owned()));
    followed.server.then(list(&[pod(1, 5, "a")], 7));
    followed.server.then(watch);
    followed.server.asked();
    let asked = followed.server.asked();
    assert!(
        asked.head.contains("authorization: bearer second"),
        "{asked:?}"
    );
    followed.until_app(1, Some("a"));
}

#[test]
fn refusals_are_tried_again_after_longer_and_longer() {
    let failures = [403, 500, 503, 302, 404].map(|status| Act::Answer(status, "no".to_owned()));
    let (_open, watch) = fed();
    let mut acts = Vec::from(failures);
    acts.extend([Act::Noise, list(&[pod(1, 5, "a")], 7), watch]);
    let began = Instant::now();
    let followed = follow(acts);
    followed.until_app(1, Some("a"));
    assert!(followed.stats.follows());
    assert_eq!(followed.stats.failures(), 6);
    // Six pauses from 20 ms on, each at least half of its length.
    assert!(began.elapsed() >= Duration::from_millis(10 * (1 + 2 + 4 + 8 + 16 + 32)));
}

#[test]
fn a_server_that_asks_for_a_pause_gets_it() {
    let followed = follow(vec![Act::Header(429, "retry-after: 30")]);
    followed.server.asked();
    assert!(followed.server.is_left_alone(Duration::from_millis(400)));
}

#[test]
fn a_server_that_stalls_is_given_up() {
    let (_open, watch) = fed();
    let followed = follow(vec![
        Act::Stall,
        Act::StallAfterHead,
        list(&[pod(1, 5, "a")], 7),
        // A watch that says nothing is no stall: bookmarks come once a minute.
        watch,
    ]);
    followed.until_app(1, Some("a"));
    for _ in 0..4 {
        followed.server.asked();
    }
    assert!(followed.server.is_left_alone(Duration::from_millis(1_200)));
}

#[test]
fn garbage_changes_nothing_that_is_known() {
    let endless = "x".repeat(2 << 20);
    let garbage = [
        "not JSON\n".to_owned(),
        "{}\n".to_owned(),
        "\u{0}\n".to_owned(),
        "{\"type\":\"ADDED\",\"object\":5}\n".to_owned(),
        event("CHANGED", &pod(1, 9, "x")),
        event("ERROR", &json!({"code": 500})),
        endless,
        format!("{}\n", "[".repeat(100_000)),
    ];
    for line in garbage {
        let mut acts = vec![list(&[pod(1, 5, "a")], 7), Act::Cut(vec![line])];
        let bodies = ["", "[]", "{\"metadata\":{}}", "{\"items\":[]}", "\u{feff}"];
        acts.extend(bodies.map(|body| Act::Answer(200, body.to_owned())));
        let (_open, watch) = fed();
        acts.extend([list(&[pod(1, 5, "a"), pod(2, 6, "b")], 7), watch]);
        let followed = follow_with(acts, None, |settings| {
            settings.pause = Duration::from_millis(1);
        });
        followed.until_app(1, Some("a"));
        until("the last list", || {
            assert_eq!(followed.app(1).as_deref(), Some("a"));
            followed.app(2).is_some()
        });
    }
}

#[test]
fn names_that_are_none_are_not_taken() {
    let mut odd: Vec<Value> = (1..9).map(|number| pod(number, 5, "a")).collect();
    odd[0]["metadata"]["name"] = json!("../x");
    odd[1]["metadata"]["namespace"] = json!("Shop");
    odd[2]["metadata"]["uid"] = json!("x");
    odd[3]["metadata"]["labels"] = json!({"app": "\u{1b}[2J"});
    odd[4]["metadata"]["labels"] = Value::Null;
    odd[5]["metadata"]["labels"] = json!({"app": "a".repeat(64), "team": "red"});
    // The mirror of a static pod, which the node knows by its hash.
    let hash = "9f86d081884c7d659a2feaa0c55ad015";
    odd[6]["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": hash});
    let (_open, watch) = fed();
    let followed = follow(vec![list(&odd, 7), watch]);
    followed.until_app(8, Some("a"));
    for number in [1, 2, 3, 7] {
        assert_eq!(followed.pods.get(&uid(number)), None, "{number}");
    }
    for (number, labels) in [(4, vec![]), (5, vec![]), (6, vec![("team", "red")])] {
        let found = followed.pods.get(&uid(number)).unwrap().labels;
        let found: Vec<_> = found
            .iter()
            .map(|(key, value)| (&**key, &**value))
            .collect();
        assert_eq!(found, labels, "{number}");
    }
    assert_eq!(followed.pods.get(hash).unwrap().name, "web-7");
}

#[test]
fn ten_thousand_pods_are_bounded() {
    let all: Vec<Value> = (0..10_000).map(|number| pod(number, 5, "a")).collect();
    let pages = all.chunks(250).enumerate();
    let last = 10_000 / 250 - 1;
    let mut acts: Vec<Act> = pages
        .map(|(number, pods)| page(pods, 7, if number == last { "" } else { "next" }))
        .collect();
    let (feed, watch) = open(&[event("ADDED", &pod(20_000, 8, "a"))]);
    acts.push(watch);
    let followed = follow(acts);
    assert!(followed.server.asked().is_list());
    for _ in 0..last {
        assert!(followed.server.asked().target.contains("continue=next"));
    }
    assert!(followed.server.asked().is_watch_from("7"));
    // There is no room for another one, and for what changes there is.
    feed.send(event("MODIFIED", &pod(0, 9, "z"))).unwrap();
    followed.until_app(0, Some("z"));
    assert_eq!(followed.pods.count(), PODS);
    assert_eq!(followed.app(20_000), None);
    // A list that does not end is no list.
    let endless = (0..client::PAGES).map(|_| page(&all[..1], 7, "next"));
    let followed = follow(endless.collect());
    for _ in 0..client::PAGES {
        followed.server.asked();
    }
    assert!(followed.server.asked().is_list());
    assert_eq!(followed.app(0), None);
}

#[test]
fn only_the_clusters_own_certificate_is_believed() {
    let (_open, watch) = fed();
    let acts = vec![list(&[pod(1, 5, "a")], 7), watch];
    let followed = follow_with(acts, Some(certificate()), |_| ());
    followed.until_app(1, Some("a"));
    let (config, _) = certificate();
    let (_, other) = certificate();
    let acts = vec![list(&[pod(1, 5, "a")], 7)];
    let followed = follow_with(acts, Some((config, other)), |_| ());
    assert!(followed.server.is_left_alone(Duration::from_millis(500)));
    assert_eq!(followed.app(1), None);
    assert!(!followed.stats.follows() && followed.stats.failures() > 0);
}

#[test]
fn it_ends_with_its_feed() {
    let (feed, watch) = fed();
    let followed = follow(vec![list(&[], 7), watch]);
    assert!(followed.server.asked().is_list());
    assert!(followed.server.asked().is_watch_from("7"));
    let Followed {
        server,
        stop,
        account: _account,
        ..
    } = followed;
    drop(stop);
    feed.send(bookmark(8)).unwrap();
    drop(feed);
    assert!(server.is_left_alone(Duration::from_millis(400)));
}
