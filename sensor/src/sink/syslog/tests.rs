//! Against real sockets, read as the RFC says.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::{
        fd::AsFd as _,
        unix::net::{UnixDatagram, UnixListener},
    },
};

use rustix::event::{PollFd, PollFlags, poll};

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

/// What glibc's `syslog` sends, with JSON.
fn check_local(message: &str) {
    let alert = sample().alert();
    let (head, text) = message.split_once(": {").expect("JSON behind the tag");
    let (priority, rest) = head[1..].split_once('>').unwrap();
    assert_eq!(
        priority.parse::<u8>().unwrap(),
        80 + severity(alert.weight())
    );
    let (time, tag) = rest.split_at("Feb  3 04:06:36".len());
    assert_eq!(time, seconds(&alert.timestamp, TimeZone::system()));
    assert_eq!(tag, format!(" lineage-sensor[{}]", std::process::id()));
    assert_eq!(format!("{{{text}"), alert.to_json());
}

#[test]
fn the_time_of_day_is_that_of_the_place() {
    let time = "2026-02-03T04:06:36.789Z";
    assert_eq!(seconds(time, TimeZone::UTC), "Feb  3 04:06:36");
    let east = TimeZone::fixed(jiff::tz::offset(-5));
    assert_eq!(seconds(time, east), "Feb  2 23:06:36");
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
        check_local(std::str::from_utf8(&bytes[..length]).unwrap());
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_local_stream_gets_messages_that_end_also_after_it_began_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut syslog = syslog(path.to_str().unwrap());
    for _ in 0..2 {
        let listener = UnixListener::bind(&path).unwrap();
        syslog.deliver(&alert()).unwrap();
        syslog.deliver(&alert()).unwrap();
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        for _ in 0..2 {
            let mut message = Vec::new();
            stream.read_until(0, &mut message).unwrap();
            assert_eq!(message.pop(), Some(0));
            check_local(std::str::from_utf8(&message).unwrap());
        }
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

/// A connection accepted, with what it sends.
struct Peer(BufReader<TcpStream>);

impl Peer {
    fn accept(listener: &TcpListener) -> Self {
        Self(BufReader::new(listener.accept().unwrap().0))
    }

    /// The number of the next alert.
    fn next(&mut self) -> u64 {
        let mut length = Vec::new();
        self.0.read_until(b' ', &mut length).unwrap();
        let length = String::from_utf8(length).unwrap();
        let mut message = vec![0; length.trim().parse().unwrap()];
        self.0.read_exact(&mut message).unwrap();
        let message = String::from_utf8(message).unwrap();
        let json = message.split_once(" - ").unwrap().1;
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        json["event"]["sequence"].as_u64().unwrap()
    }
}

fn numbered(number: u64) -> Document {
    let mut alert = sample().alert();
    alert.event.sequence = number;
    Document::Alert(Arc::new(alert))
}

/// Waits until there is something to be known of what was sent, and leaves it to be found.
fn wait_for_news(syslog: &Syslog) {
    let socket = match syslog.line.as_ref().unwrap() {
        Line::Tcp(stream) => stream.as_fd(),
        Line::Udp(socket) => socket.as_fd(),
        Line::Local(socket) => socket.as_fd(),
        Line::Stream(socket) => socket.as_fd(),
    };
    let mut ready = [PollFd::from_borrowed_fd(socket, PollFlags::IN)];
    let limit = rustix::time::Timespec {
        tv_sec: 10,
        tv_nsec: 0,
    };
    assert_eq!(poll(&mut ready, Some(&limit)), Ok(1), "nothing in 10 s");
}

/// The last message was sent long ago.
fn age(syslog: &mut Syslog) {
    let when = &mut syslog.last.as_mut().unwrap().1;
    *when = when.checked_sub(TIMEOUT).unwrap();
}

#[test]
fn an_alert_is_not_written_to_who_has_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut syslog = syslog(&format!("tcp://{}", listener.local_addr().unwrap()));
    syslog.deliver(&numbered(1)).unwrap();
    let mut peer = Peer::accept(&listener);
    assert_eq!(peer.next(), 1);
    drop(peer);
    wait_for_news(&syslog);
    syslog.deliver(&numbered(2)).unwrap();
    // What was sent a moment ago may have been on its way: twice rather than never.
    let mut peer = Peer::accept(&listener);
    assert_eq!((peer.next(), peer.next()), (1, 2));
    drop(peer);
    wait_for_news(&syslog);
    // What was sent long before was read.
    age(&mut syslog);
    syslog.deliver(&numbered(3)).unwrap();
    assert_eq!(Peer::accept(&listener).next(), 3);
}

#[test]
fn what_was_not_read_when_the_connection_broke_is_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut syslog = syslog(&format!("tcp://{}", listener.local_addr().unwrap()));
    syslog.deliver(&numbered(1)).unwrap();
    // Closed without reading: a reset.
    drop(listener.accept().unwrap());
    age(&mut syslog);
    wait_for_news(&syslog);
    syslog.deliver(&numbered(2)).unwrap();
    let mut peer = Peer::accept(&listener);
    assert_eq!((peer.next(), peer.next()), (1, 2));
}

#[test]
fn who_is_away_gets_the_last_again_when_it_is_back() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut syslog = syslog(&format!("tcp://{address}"));
    syslog.deliver(&numbered(1)).unwrap();
    drop(listener.accept().unwrap());
    drop(listener);
    wait_for_news(&syslog);
    assert!(syslog.deliver(&numbered(2)).is_err());
    let listener = TcpListener::bind(address).unwrap();
    syslog.deliver(&numbered(3)).unwrap();
    let mut peer = Peer::accept(&listener);
    // The second was said to be lost.
    assert_eq!((peer.next(), peer.next()), (1, 3));
}

#[test]
fn datagrams_that_come_back_are_counted() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let mut syslog = syslog(&format!("udp://{address}"));
    syslog.deliver(&numbered(1)).unwrap();
    wait_for_news(&syslog);
    let socket = UdpSocket::bind(address).unwrap();
    syslog.deliver(&numbered(2)).unwrap();
    assert_eq!(syslog.stats.dropped_total(), 1);
    assert!(socket.recv(&mut vec![0; 65_536]).unwrap() > 0);
}

#[test]
fn every_address_of_a_name_is_tried() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let good = listener.local_addr().unwrap();
    let unused = TcpListener::bind("127.0.0.1:0").unwrap();
    let bad = unused.local_addr().unwrap();
    drop(unused);
    let connect = |to: SocketAddr| TcpStream::connect(to);
    let found = line::first("name", [bad, good].into_iter(), connect).unwrap();
    assert_eq!(found.peer_addr().unwrap(), good);
    let why = line::first("name", [bad].into_iter(), connect).unwrap_err();
    assert!(
        why.to_string().starts_with(&format!("name ({bad}): ")),
        "{why}"
    );
    let none = line::first("name", std::iter::empty(), connect).unwrap_err();
    assert_eq!(none.to_string(), "name has no address");
    assert_eq!(bad.ip(), Ipv4Addr::LOCALHOST);
}
