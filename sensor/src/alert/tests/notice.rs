//! Notices: as their schema says, and weighed by what they tell.

use serde_json::Value;

use crate::{
    alert::{
        Inquest, Level, MAX_BYTES, NOTICE_SCHEMA, Notice,
        sample::{closed, placed, pod_sample, sample},
    },
    detect::{Examined, Peer},
    event::ProcessId,
};

/// A notice as JSON, checked against its schema.
fn checked(notice: &Notice) -> Value {
    let schema = serde_json::from_str(NOTICE_SCHEMA).unwrap();
    assert!(jsonschema::meta::is_valid(&schema));
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let line = notice.to_json();
    assert!(
        line.len() < MAX_BYTES && !line.contains(['<', '>', '&']),
        "{line}"
    );
    let notice = serde_json::from_str::<Value>(&line).unwrap();
    let errors = validator
        .iter_errors(&notice)
        .map(|error| error.to_string());
    assert_eq!(
        errors.collect::<Vec<_>>(),
        Vec::<String>::new(),
        "{notice:#}"
    );
    notice
}

#[test]
fn a_closed_incident_tells_its_totals() {
    let notice = checked(&closed());
    assert_eq!(
        notice["message"],
        "incident closed after 4 alerts of 1 rule, 19 left out (its processes have ended): \
         php-fpm worker (pid 812) ran /usr/bin/id through /usr/bin/dash as www-data in /var/www/html"
    );
    assert_eq!(notice["incident"]["suppressed"][0]["count"], 7);
}

#[test]
fn facts_about_a_file_are_told_by_what_they_are_worth() {
    let mut examined = Examined {
        path: b"/tmp/<\x1b>".into(),
        sha256: Some([0xab; 32]),
        size: Some(5),
        kind: Some("elf".to_owned()),
        packages_known: true,
        ..Examined::default()
    };
    let inquest = Inquest {
        expected: false,
        incident: "5f0b9d1c2a3e4f5061728394a5b6c7d8".to_owned(),
        alert: "883ef1abc31139dc4dcb9f51a6910b59".to_owned(),
        level: Level::High,
        service: None,
        spawn_root: ProcessId::new(9, 9),
    };
    let notice = |examined: &Examined| {
        let notice = Notice::examined(&inquest, examined, &sample().host, 5, 6);
        (checked(&notice), notice.weight())
    };
    let (foreign, weight) = notice(&examined);
    assert_eq!(weight, Level::High);
    let expected = "/tmp/<\\x1b>, executable, is elf of 5 bytes, in no package";
    assert_eq!(foreign["message"], expected);
    assert_eq!(foreign["file"]["sha256"], "ab".repeat(32));
    examined.package = Some("dash".to_owned());
    assert_eq!(notice(&examined).1, Level::Informational);
    let peer = |far: &str| Peer {
        fd: 0,
        far: far.to_owned(),
    };
    examined.peers = vec![peer("unix /run/php.sock")];
    assert_eq!(notice(&examined).1, Level::Informational);
    examined.peers.push(peer("203.0.113.7:4444"));
    let (talking, weight) = notice(&examined);
    assert_eq!(weight, Level::High);
    assert_eq!(talking["file"]["peers"][1]["far"], "203.0.113.7:4444");
    examined = Examined {
        problem: Some("gone".to_owned()),
        ..Examined::default()
    };
    assert_eq!(notice(&examined).0["file"]["problem"], "gone");
}

#[test]
fn a_container_is_named_after_the_alert() {
    let inquest = Inquest {
        expected: false,
        incident: "5f0b9d1c2a3e4f5061728394a5b6c7d8".to_owned(),
        alert: "883ef1abc31139dc4dcb9f51a6910b59".to_owned(),
        level: Level::High,
        service: None,
        spawn_root: ProcessId::new(9, 9),
    };
    let host = sample().host;
    let notice = Notice::located(&inquest, &placed(), &host, 5, 6);
    assert_eq!(notice.weight(), Level::High);
    let json = checked(&notice);
    assert_eq!(
        json["message"],
        "it happened in container php (0123456789ab) of registry.example/shop/php:8.2 \
         in pod shop/web-5d9c7b8f6-x2x7q"
    );
    assert_eq!(json["event"]["action"], "container-named");
    assert_eq!(json["container"], sample_alert()["container"]);
    assert_eq!(json["orchestrator"], sample_alert()["orchestrator"]);
    let again = Notice::located(&inquest, &placed(), &host, 7, 8);
    assert_eq!(again.event.id, notice.event.id);
    let expected = Inquest {
        expected: true,
        ..inquest
    };
    let quiet = Notice::located(&expected, &placed(), &host, 5, 6);
    assert_eq!(quiet.weight(), Level::Informational);
}

fn sample_alert() -> Value {
    serde_json::from_str(&pod_sample().alert().to_json()).unwrap()
}
