//! Syslog by RFC 5424, over a local socket, UDP or TCP (octet counting, RFC 6587), and the
//! journal of systemd in its own protocol.
//!
//! Not durable: what the other side does not take is lost and counted. A local syslog may
//! cut long messages; rsyslog does at 8 KiB unless told otherwise.

#[cfg(test)]
mod tests;

use std::{
    io::{self, Write as _},
    net::{TcpStream, ToSocketAddrs as _, UdpSocket},
    os::unix::net::UnixDatagram,
    path::PathBuf,
    time::Duration,
};

use super::{Deliver, DeliverError, encode::Encoding};
use crate::alert::{Document, Level};

/// Where the journal listens.
const JOURNAL: &str = "/run/systemd/journal/socket";
/// `authpriv`: what is sent is private.
const FACILITY: u8 = 10;
/// Longest MSGID, bytes.
const MSGID_MAX: usize = 32;
/// For connecting, and for one message.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where messages go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A datagram socket, `/dev/log` in practice.
    Local(PathBuf),
    /// `host:port`.
    Udp(String),
    /// `host:port`.
    Tcp(String),
    /// The journal.
    Journal,
}

impl Transport {
    /// A path, `udp://host:port` or `tcp://host:port`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let host = |text: &str| {
            let (host, port) = text.rsplit_once(':')?;
            let fits = !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0);
            fits.then(|| text.to_owned())
        };
        if text.starts_with('/') {
            return Some(Self::Local(text.into()));
        }
        if let Some(rest) = text.strip_prefix("udp://") {
            return host(rest).map(Self::Udp);
        }
        host(text.strip_prefix("tcp://")?).map(Self::Tcp)
    }
}

/// See the module.
#[derive(Debug)]
pub struct Syslog {
    transport: Transport,
    encoding: Encoding,
    host: String,
    line: Option<Line>,
}

#[derive(Debug)]
enum Line {
    Local(UnixDatagram),
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Syslog {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(transport: Transport, encoding: Encoding) -> Self {
        let uname = rustix::system::uname();
        let host = uname.nodename().to_string_lossy().into_owned();
        Self {
            transport,
            encoding,
            host: word(&host, 255),
            line: None,
        }
    }

    fn message(&self, document: &Document, text: &str) -> Vec<u8> {
        if self.transport == Transport::Journal {
            return journal(document, text);
        }
        let (time, id) = about(document);
        let message = format!(
            "<{}>1 {} {} lineage-sensor {} {} - {text}",
            FACILITY * 8 + severity(document.weight()),
            micros(time),
            self.host,
            std::process::id(),
            word(id, MSGID_MAX),
        );
        match self.transport {
            Transport::Tcp(_) => format!("{} {message}", message.len()).into_bytes(),
            _ => message.into_bytes(),
        }
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        if self.line.is_none() {
            self.line = Some(connect(&self.transport)?);
        }
        let sent = match &mut self.line {
            Some(Line::Local(socket)) => socket.send(message).map(drop),
            Some(Line::Udp(socket)) => socket.send(message).map(drop),
            Some(Line::Tcp(stream)) => stream.write_all(message),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        if sent.is_err() {
            self.line = None;
        }
        sent
    }
}

impl Deliver for Syslog {
    fn deliver(&mut self, document: &Document) -> Result<(), DeliverError> {
        let Some(text) = self.encoding.encode(document) else {
            return Ok(());
        };
        let message = self.message(document, &text);
        let connected = self.line.is_some();
        match self.send(&message) {
            // The other side may have begun anew since the last.
            Err(_) if connected => self.send(&message).map_err(DeliverError::Io),
            sent => sent.map_err(DeliverError::Io),
        }
    }
}

fn connect(transport: &Transport) -> io::Result<Line> {
    let local = |path: &std::path::Path| -> io::Result<Line> {
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(TIMEOUT))?;
        socket.connect(path)?;
        Ok(Line::Local(socket))
    };
    match transport {
        Transport::Local(path) => local(path),
        Transport::Journal => local(JOURNAL.as_ref()),
        Transport::Udp(to) => {
            let to = address(to)?;
            let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any)?;
            socket.set_write_timeout(Some(TIMEOUT))?;
            socket.connect(to)?;
            Ok(Line::Udp(socket))
        }
        Transport::Tcp(to) => {
            let stream = TcpStream::connect_timeout(&address(to)?, TIMEOUT)?;
            stream.set_write_timeout(Some(TIMEOUT))?;
            Ok(Line::Tcp(stream))
        }
    }
}

fn address(to: &str) -> io::Result<std::net::SocketAddr> {
    let mut all = to.to_socket_addrs()?;
    all.next()
        .ok_or_else(|| io::Error::other(format!("{to} has no address")))
}

/// One entry of the journal: fields by name, the document as one of them.
fn journal(document: &Document, text: &str) -> Vec<u8> {
    let (_, id) = about(document);
    let said = match document {
        Document::Alert(alert) => &alert.message,
        Document::Notice(notice) => &notice.message,
    };
    let priority = severity(document.weight()).to_string();
    let mut entry = Vec::new();
    for (name, value) in [
        ("MESSAGE", said.as_str()),
        ("PRIORITY", &priority),
        ("SYSLOG_IDENTIFIER", "lineage-sensor"),
        ("LINEAGE_RULE", id),
        ("LINEAGE_EVENT_ID", document.id()),
        ("LINEAGE_ALERT", text),
    ] {
        // With its length, so that no value can pass for another field.
        entry.extend(name.as_bytes());
        entry.push(b'\n');
        entry.extend((value.len() as u64).to_le_bytes());
        entry.extend(value.as_bytes());
        entry.push(b'\n');
    }
    entry
}

/// Time, and the rule or what else it is about.
fn about(document: &Document) -> (&str, &str) {
    match document {
        Document::Alert(alert) => (&alert.timestamp, &alert.rule.id),
        Document::Notice(notice) => (&notice.timestamp, notice.event.action),
    }
}

/// RFC 5424 has at most six digits behind the point.
fn micros(timestamp: &str) -> String {
    let time = timestamp.parse::<jiff::Timestamp>().unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// Printable US-ASCII without blanks, `-` for nothing.
fn word(text: &str, max: usize) -> String {
    let word: String = text
        .chars()
        .filter(char::is_ascii_graphic)
        .take(max)
        .collect();
    if word.is_empty() {
        "-".to_owned()
    } else {
        word
    }
}

const fn severity(level: Level) -> u8 {
    match level {
        Level::Informational => 6,
        Level::Low => 5,
        Level::Medium => 4,
        Level::High => 3,
        Level::Critical => 2,
    }
}
