//! The messages, and documents as they travel.

use std::{net::SocketAddr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    alert::{Alert, Document, Host, Notice},
    control::QueryKind,
    kubernetes::Change,
    tally::Count,
};

/// The first that an outlet is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`super::VERSION`].
    pub version: u32,
    /// Pid of the collector.
    pub collector: u32,
    /// User that it runs as.
    pub user: u32,
    /// When it began, ns of the kernel's clock.
    pub started_ns: u64,
    /// The part of the configuration that concerns it, as YAML.
    pub config: String,
    /// Address that HTTP had before, for one that takes the place of another.
    pub address: Option<SocketAddr>,
    /// Largest `event.sequence` that outlets before it were told.
    pub sequence: u64,
    /// Facts of the machine that alerts carry.
    pub host: Host,
}

/// From collector to outlet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Comes first.
    Hello(Box<Hello>),
    /// To be told to the sinks, and accepted by its number.
    Tell(u64, Told),
    /// A part of the answer to a question.
    Answer(Answer),
    /// Sinks of another configuration are to be made, and not yet put in place.
    Prepare(u32, String),
    /// Those that were made are put in place.
    Commit(u32),
    /// The collector lives: when its core last turned (ns of the kernel's clock, 0 before
    /// it began), and what keeps it from being ready.
    Beat(u64, Vec<String>),
    /// Everything is to be written within this time (ms), then it ends.
    Stop(u64),
}

/// What goes to sinks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Told {
    /// An alert, and when the kernel saw what it is about, ns of its clock.
    Alert(String, u64),
    /// A notice, the same, and that it is for the history only.
    Notice(String, u64, bool),
    /// How often what was silent, for the history.
    Counts(Vec<Count>),
}

/// A part of the answer to the question of this number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Number of the question.
    pub id: u32,
    /// Bytes behind those that came before.
    pub part: Vec<u8>,
    /// No more come.
    pub last: bool,
}

/// From outlet to collector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// Sockets are open, sinks are there, the sandbox is closed; where HTTP listens.
    Ready(Option<SocketAddr>),
    /// It cannot begin: exit code and sentence.
    Refused(u8, String),
    /// What was told under this number is written, spooled, or counted as lost.
    Accepted(u64),
    /// A question.
    Ask(u32, What),
    /// What came of [`Order::Prepare`].
    Prepared(u32, Prepared),
    /// What its sandbox lets it open has been replaced by something of the same name: it
    /// takes another outlet.
    Renew,
    /// It lives.
    Beat,
    /// It has written what it could; so many were left.
    Stopped(u64),
    /// What it has learnt of this node's pods, when it was told to follow them.
    Pods(Vec<Change>),
}

/// What the outlet may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// The collector's own metrics, as text.
    Metrics,
    /// What the core answers, as JSON.
    Core(QueryKind),
}

/// What came of preparing other sinks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Prepared {
    /// They can be put in place.
    Made,
    /// They are fine, but need what the sandbox does not give: it takes another outlet.
    Restart,
    /// They are refused, with exit code and sentence.
    Refused(u8, String),
}

impl Told {
    /// A document as it travels.
    #[must_use]
    pub fn document(document: &Document) -> Self {
        match document {
            Document::Alert(alert) => Self::Alert(alert.to_json(), alert.time_ns),
            Document::Notice(notice) => {
                Self::Notice(notice.to_json(), notice.time_ns, notice.expected)
            }
        }
    }

    /// The document that it is; `None` for counts.
    ///
    /// # Errors
    /// When it is none.
    pub fn into_document(self) -> Result<Option<Document>, serde_json::Error> {
        Ok(match self {
            Self::Alert(json, time_ns) => {
                let alert: Alert = serde_json::from_str(&json)?;
                let alert = Alert { time_ns, ..alert };
                Some(Document::Alert(Arc::new(alert)))
            }
            Self::Notice(json, time_ns, expected) => {
                let notice: Notice = serde_json::from_str(&json)?;
                let notice = Notice {
                    time_ns,
                    expected,
                    ..notice
                };
                Some(Document::Notice(Arc::new(notice)))
            }
            Self::Counts(_) => None,
        })
    }
}
