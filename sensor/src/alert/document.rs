//! What goes to sinks: an alert, or a notice about an incident.

use std::sync::Arc;

use super::{Alert, Level, Notice};

/// One thing to be told.
#[derive(Clone, Debug)]
pub enum Document {
    /// An alert.
    Alert(Arc<Alert>),
    /// A notice about an incident.
    Notice(Arc<Notice>),
}

impl Document {
    /// The level that a sink's threshold is compared with.
    #[must_use]
    pub fn weight(&self) -> Level {
        match self {
            Self::Alert(alert) => alert.weight(),
            Self::Notice(notice) => notice.weight(),
        }
    }

    /// `event.id`.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Alert(alert) => &alert.event.id,
            Self::Notice(notice) => &notice.event.id,
        }
    }

    /// `event.sequence`.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        match self {
            Self::Alert(alert) => alert.event.sequence,
            Self::Notice(notice) => notice.event.sequence,
        }
    }

    /// One line of JSON without its newline.
    #[must_use]
    pub fn to_json(&self) -> String {
        match self {
            Self::Alert(alert) => alert.to_json(),
            Self::Notice(notice) => notice.to_json(),
        }
    }
}

impl From<Arc<Notice>> for Document {
    fn from(notice: Arc<Notice>) -> Self {
        Self::Notice(notice)
    }
}

impl From<Arc<Alert>> for Document {
    fn from(alert: Arc<Alert>) -> Self {
        Self::Alert(alert)
    }
}
