//! Syslog: the form of RFC 3164 for the socket of this machine, which is what listens there
//! understands; RFC 5424 for others, over UDP or TCP (octet counting, RFC 6587); and the
//! journal of systemd in its own protocol.
//!
//! Not durable: what the other side does not take is lost and counted. What a broken
//! connection may have lost last is sent again over the next. A local syslog may cut long
//! messages; rsyslog does at 8 KiB unless told otherwise.

mod line;
#[cfg(test)]
mod tests;

use std::{io, path::PathBuf, sync::Arc, time::Instant};

use jiff::{Timestamp, tz::TimeZone};
use tracing::{info, warn};

use self::line::{Line, Past, TIMEOUT};
use super::{Deliver, DeliverError, SinkStats, Written, encode::Encoding};
use crate::alert::{Document, Level};

/// Where the journal listens.
const JOURNAL: &str = "/run/systemd/journal/socket";
/// `authpriv`: what is sent is private.
const FACILITY: u8 = 10;
/// Longest MSGID, bytes.
const MSGID_MAX: usize = 32;

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
    stats: Arc<SinkStats>,
    line: Option<Line>,
    /// What was sent last, and when.
    last: Option<(Vec<u8>, Instant)>,
    /// That may be lost.
    unsure: bool,
    /// It was said that something is lost.
    said: bool,
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
            stats: Arc::default(),
            line: None,
            last: None,
            unsure: false,
            said: false,
        }
    }

    fn message(&self, document: &Document, text: &str) -> Vec<u8> {
        let (time, id) = about(document);
        let priority = FACILITY * 8 + severity(document.weight());
        let pid = std::process::id();
        match &self.transport {
            Transport::Journal => return journal(document, text),
            Transport::Local(_) => {
                let time = seconds(time, TimeZone::system());
                return format!("<{priority}>{time} lineage-sensor[{pid}]: {text}").into_bytes();
            }
            Transport::Udp(_) | Transport::Tcp(_) => {}
        }
        let (time, host, id) = (micros(time), &self.host, word(id, MSGID_MAX));
        let message = format!("<{priority}>1 {time} {host} lineage-sensor {pid} {id} - {text}");
        match self.transport {
            Transport::Tcp(_) => format!("{} {message}", message.len()).into_bytes(),
            _ => message.into_bytes(),
        }
    }

    /// Looks what has become of what was sent before.
    fn look_back(&mut self) {
        let Some(line) = &mut self.line else { return };
        let past = line.past();
        let recent = |(_, when): &(Vec<u8>, Instant)| when.elapsed() < TIMEOUT;
        match past {
            Past::Sound => return,
            Past::Returned(_) => self.stats.drop_some(1),
            Past::Closed => {
                self.line = None;
                // It may have been on its way when the other side had read its last.
                self.unsure |= self.last.as_ref().is_some_and(recent);
            }
            Past::Broken(_) => (self.line, self.unsure) = (None, true),
        }
        if !std::mem::replace(&mut self.said, true) {
            warn!(sink = self.stats.name(), "{past}");
        }
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        if self.line.is_none() {
            self.line = Some(Line::new(&self.transport)?);
            let owed = self.unsure.then(|| self.last.clone()).flatten();
            if let Some((last, _)) = owed {
                self.put(&last)?;
            }
            self.unsure = false;
        }
        self.put(message)
    }

    fn put(&mut self, message: &[u8]) -> io::Result<()> {
        let Some(line) = &mut self.line else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let sent = line.send(message);
        if sent.is_err() {
            self.unsure |= matches!(line, Line::Tcp(_));
            self.line = None;
        }
        sent
    }
}

impl Deliver for Syslog {
    fn attach(&mut self, stats: &Arc<SinkStats>, _written: &Written) {
        self.stats = Arc::clone(stats);
    }

    fn deliver(&mut self, document: &Document) -> Result<(), DeliverError> {
        let Some(text) = self.encoding.encode(document) else {
            return Ok(());
        };
        let message = self.message(document, &text);
        self.look_back();
        let connected = self.line.is_some();
        let sent = match self.send(&message) {
            // The other side may have begun anew since the last.
            Err(error) if connected => {
                if matches!(self.transport, Transport::Udp(_)) {
                    // What a datagram is refused with is said of the one before.
                    self.stats.drop_some(1);
                    warn!(sink = self.stats.name(), "{}", Past::Returned(error));
                }
                self.send(&message)
            }
            sent => sent,
        };
        sent.map_err(DeliverError::Io)?;
        if self.line.is_some() && std::mem::replace(&mut self.said, false) {
            info!(sink = self.stats.name(), "sent again");
        }
        self.last = Some((message, Instant::now()));
        Ok(())
    }
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

/// RFC 3164 has the time of day where it is sent, and no year.
fn seconds(timestamp: &str, zone: TimeZone) -> String {
    let time = timestamp.parse::<Timestamp>().unwrap_or_default();
    let time = time.to_zoned(zone);
    time.strftime("%b %e %H:%M:%S").to_string()
}

/// RFC 5424 has at most six digits behind the point.
fn micros(timestamp: &str) -> String {
    let time = timestamp.parse::<Timestamp>().unwrap_or_default();
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
