//! The request, by the names of the protocol.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::Arc,
    thread,
    time::Duration,
};

use super::*;
use crate::alert::sample::{closed, sample};

#[test]
fn a_request_holds_resource_scope_and_records() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = WebhookSettings {
        url: format!("http://{}", listener.local_addr().unwrap()),
        timeout: Duration::from_secs(5),
        ..WebhookSettings::default()
    };
    let server = thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut text = Vec::new();
        while !text.ends_with(b"]}]}]}") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            text.extend(byte);
        }
        let answer = r#"{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"too old"}}"#;
        let length = answer.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{answer}"
        )
        .unwrap();
        String::from_utf8(text).unwrap()
    });
    let receiver = Otlp::new(&settings, Encoding::Ecs).unwrap();
    let alert = sample().alert();
    let texts = [
        receiver
            .encode(&Document::Alert(Arc::new(alert.clone())))
            .unwrap(),
        receiver.encode(&Document::Notice(closed())).unwrap(),
    ];
    let before = jiff::Timestamp::now().as_nanosecond();
    let accepted = receiver
        .send(&texts.each_ref().map(String::as_str))
        .unwrap();
    assert_eq!((accepted.refused, accepted.why.as_str()), (1, "too old"));
    let request = server.join().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/logs HTTP/1.1"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    let logs = &body["resourceLogs"][0];
    assert_eq!(
        logs["resource"]["attributes"][0]["value"]["stringValue"],
        "lineage-sensor"
    );
    let records = logs["scopeLogs"][0]["logRecords"].as_array().unwrap();
    assert_eq!(records.len(), 2);
    assert_eq!(records[0]["body"]["stringValue"], alert.to_json());
    let time = alert
        .timestamp
        .parse::<jiff::Timestamp>()
        .unwrap()
        .as_nanosecond();
    assert_eq!(records[0]["timeUnixNano"], time.to_string());
    let observed = records[0]["observedTimeUnixNano"].as_str().unwrap();
    let observed: i128 = observed.parse().unwrap();
    assert!((time..=before).contains(&observed), "{observed}");
    assert_eq!(records[0]["severityNumber"], severity(alert.weight()));
    assert_eq!(
        records[0]["attributes"][0]["value"]["stringValue"],
        alert.event.id
    );
}

#[test]
fn an_answer_is_read_as_protobuf_writes_it_or_not_at_all() {
    for (answer, refused) in [
        ("", 0),
        ("{}", 0),
        ("no JSON", 0),
        (r#"{"partialSuccess":{}}"#, 0),
        (r#"{"partialSuccess":{"rejectedLogRecords":"3"}}"#, 3),
        (r#"{"partialSuccess":{"rejectedLogRecords":4}}"#, 4),
        (r#"{"partialSuccess":{"rejectedLogRecords":-4}}"#, 0),
        (r#"{"partialSuccess":{"rejectedLogRecords":"x"}}"#, 0),
    ] {
        assert_eq!(accepted(answer.as_bytes()).refused, refused, "{answer}");
    }
}
