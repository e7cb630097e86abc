//! Those who follow alerts: what they read, how many they are, and that they harm nobody.

use std::time::Duration;

use super::*;
use crate::{
    alert::{
        Document, Level,
        sample::{closed, sample},
    },
    sink::{
        draw,
        tail::{FOLLOWERS, WAITING},
    },
};

/// How long what must come may take.
const SOON: Duration = Duration::from_secs(10);

fn alert(number: u64) -> Document {
    let mut alert = sample().alert();
    alert.rule.level = Level::High;
    alert.event.sequence = number;
    Document::Alert(Arc::new(alert))
}

fn wanted(draw: Option<Draw>) -> Wanted {
    Wanted {
        level: "low".to_owned(),
        last: 10,
        draw,
        ..Wanted::default()
    }
}

fn line(following: &mut Following) -> (String, Value) {
    match following.hear(SOON) {
        Heard::Line(line, value) => (line, value),
        other => panic!("{other:?}"),
    }
}

#[test]
fn documents_come_as_they_are_and_drawn() {
    let agent = Agent::start();
    agent.tail.send(&alert(1));
    let tail = Arc::clone(&agent.tail);
    agent.client(move |path| {
        let mut plain = Following::begin(path, &wanted(None)).unwrap();
        let how = Draw {
            colour: true,
            columns: Some(80),
        };
        let mut drawn = Following::begin(path, &wanted(Some(how))).unwrap();
        tail.send(&Document::Notice(closed()));
        assert_eq!(line(&mut plain).0, alert(1).to_json());
        assert_eq!(line(&mut plain).0, Document::Notice(closed()).to_json());
        let (_, first) = line(&mut drawn);
        assert_eq!(first["drawn"], draw(&alert(1), true, Some(80)));
        assert_eq!(first["id"], alert(1).id());
        line(&mut drawn);
        assert!(matches!(
            drawn.hear(Duration::from_millis(1)),
            Heard::Nothing
        ));
        drawn.widen(44);
        // What is drawn before it is heard of is as wide as before.
        let narrow = draw(&alert(2), true, Some(44));
        let found = (0..1_000).any(|_| {
            tail.send(&alert(2));
            line(&mut drawn).1["drawn"] == narrow
        });
        assert!(found);
    });
}

#[test]
fn followers_are_counted_apart_from_connections() {
    let agent = Agent::start();
    let (over, reply) = agent.client(|path| {
        let begin = || Following::begin(path, &wanted(None));
        let all: Vec<_> = (0..FOLLOWERS).map(|_| begin().unwrap()).collect();
        let over = begin().unwrap_err().to_string();
        let idle: Vec<_> = (1..CONNECTIONS_MAX)
            .map(|_| UnixStream::connect(path).unwrap())
            .collect();
        let reply = ask(path, &json!({"query": "tree"})).unwrap();
        drop((all, idle));
        // Places come back when the server has seen the connections close.
        assert!((0..1_000).any(|_| begin().is_ok()));
        (over, reply)
    });
    assert_eq!(
        over,
        "the sensor refused: 8 follow alerts already: end a `tail` or a `top`"
    );
    assert_eq!(reply, json!({"services": []}));
}

#[test]
fn a_slow_reader_is_told_what_it_missed_and_stalls_nobody() {
    const SENT: u64 = 20_000;
    let agent = Agent::start();
    let tail = Arc::clone(&agent.tail);
    agent.client(move |path| {
        let mut slow = Following::begin(path, &wanted(None)).unwrap();
        for number in 0..SENT {
            tail.send(&alert(number));
        }
        // Others are answered meanwhile.
        ask(path, &json!({"query": "tree"})).unwrap();
        let (mut next, mut missed) = (0, 0);
        while next < SENT {
            let (_, value) = line(&mut slow);
            if let Some(count) = value["missed"].as_u64() {
                missed += count;
                next += count;
            } else {
                assert_eq!(value["event"]["sequence"], next);
                next += 1;
            }
        }
        assert!(missed > 0 && missed < SENT - WAITING as u64, "{missed}");
    });
}

#[test]
fn what_nobody_knows_is_refused_and_an_end_is_heard() {
    let mut agent = Agent::start();
    let mut following = agent.client(|path| {
        let odd = Wanted {
            level: "loud".to_owned(),
            ..Wanted::default()
        };
        let error = Following::begin(path, &odd).unwrap_err().to_string();
        assert!(error.contains("`loud` is no level"), "{error}");
        let odd = raw(path, b"{\"query\":\"tail\",\"tail\":{\"colour\":1}}\n");
        assert!(odd.contains("bad request"), "{odd}");
        Following::begin(path, &Wanted::default()).unwrap()
    });
    agent.stop();
    assert!(matches!(following.hear(SOON), Heard::End));
}
