//! Against real sockets, read as the RFC says.

use std::{io::Read as _, net::TcpListener, sync::Arc};

use super::*;
use crate::alert::sample::sample;

fn alert() -> Document {
    Document::Alert(Arc::new(sample().alert()))
}

/// Header and message of RFC 5424, which must be whole.
fn check(message: &str) {
    let alert = sample().alert();
    let (head, text) = message
        .split_once(" - {")
        .expect("no structured data, then JSON");
    let parts: Vec<_> = head.split(' ').collect();
    let [priority, time, _host, name, pid, id] = parts[..] else {
        panic!("{head}");
    };
    let (priority, version) = priority[1..].split_once('>').unwrap();
    assert_eq!(
        priority.parse::<u8>().unwrap(),
        80 + severity(alert.weight())
    );
    assert_eq!((version, name), ("1", "lineage-sensor"));
    assert_eq!(pid, std::process::id().to_string());
    assert_eq!(time.split_once('.').unwrap().1.len(), "123456Z".len());
    assert!(alert.rule.id.starts_with(id) && id.len() <= MSGID_MAX);
    assert_eq!(format!("{{{text}"), alert.to_json());
}

fn syslog(address: &str) -> Syslog {
    Syslog::new(Transport::parse(address).unwrap(), Encoding::Ecs)
}

#[test]
fn a_local_socket_gets_a_datagram_each_also_after_it_began_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut syslog = syslog(path.to_str().unwrap());
    assert!(syslog.deliver(&alert()).is_err());
    let mut bytes = vec![0; 65_536];
    for _ in 0..2 {
        let socket = UnixDatagram::bind(&path).unwrap();
        syslog.deliver(&alert()).unwrap();
        let length = socket.recv(&mut bytes).unwrap();
        check(std::str::from_utf8(&bytes[..length]).unwrap());
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn udp_and_tcp_get_what_their_framing_says() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut bytes = vec![0; 65_536];
    syslog(&format!("udp://{}", socket.local_addr().unwrap()))
        .deliver(&alert())
        .unwrap();
    let length = socket.recv(&mut bytes).unwrap();
    check(std::str::from_utf8(&bytes[..length]).unwrap());

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut tcp = syslog(&format!("tcp://{}", listener.local_addr().unwrap()));
    tcp.deliver(&alert()).unwrap();
    tcp.deliver(&alert()).unwrap();
    drop(tcp);
    let mut text = String::new();
    listener
        .accept()
        .unwrap()
        .0
        .read_to_string(&mut text)
        .unwrap();
    let mut rest = text.as_str();
    for _ in 0..2 {
        let (length, behind) = rest.split_once(' ').unwrap();
        let (message, behind) = behind.split_at(length.parse().unwrap());
        check(message);
        rest = behind;
    }
    assert_eq!(rest, "");
}

#[test]
fn an_entry_of_the_journal_cannot_be_forged() {
    let mut alert = sample().alert();
    alert.message = "a\nPRIORITY=0".to_owned();
    let document = Document::Alert(Arc::new(alert));
    let entry = journal(&document, "{}");
    let mut rest = entry.as_slice();
    let mut names = Vec::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|&byte| byte == b'\n').unwrap();
        names.push(String::from_utf8(rest[..end].to_vec()).unwrap());
        let length = u64::from_le_bytes(*rest[end + 1..].first_chunk().unwrap());
        let value = end + 9 + usize::try_from(length).unwrap();
        assert_eq!(rest[value], b'\n');
        rest = &rest[value + 1..];
    }
    let expected = [
        "MESSAGE",
        "PRIORITY",
        "SYSLOG_IDENTIFIER",
        "LINEAGE_RULE",
        "LINEAGE_EVENT_ID",
        "LINEAGE_ALERT",
    ];
    assert_eq!(names, expected);
}

#[test]
fn addresses_are_parsed_whole() {
    assert_eq!(
        Transport::parse("/dev/log"),
        Some(Transport::Local("/dev/log".into()))
    );
    assert_eq!(
        Transport::parse("tcp://[::1]:601"),
        Some(Transport::Tcp("[::1]:601".into()))
    );
    for wrong in [
        "",
        "udp://",
        "udp://host",
        "udp://:514",
        "tcp://host:0",
        "host:514",
    ] {
        assert_eq!(Transport::parse(wrong), None, "{wrong}");
    }
}
