//! The sink that writes the history.

use std::{
    io,
    time::{Duration, Instant},
};

use tracing::{info, warn};

use super::{HistoryError, Kept, Settings, Store};
use crate::{
    alert::{Document, Level},
    sink::{Deliver, DeliverError},
    tally::Count,
};

/// How long a file that could not be opened is left alone.
const RETRY: Duration = Duration::from_secs(5);

/// Writes documents to a [`Store`], which it opens in its own thread, and again after it
/// has failed.
#[derive(Debug)]
pub struct History {
    settings: Settings,
    state: State,
}

#[derive(Debug)]
enum State {
    Open(Store),
    /// Since when, and why.
    Failed(Instant, String),
    /// Not tried yet.
    New,
}

impl History {
    /// Nothing is opened yet.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self {
            settings,
            state: State::New,
        }
    }

    fn store(&mut self) -> Result<&mut Store, HistoryError> {
        if let State::Failed(since, why) = &self.state
            && since.elapsed() < RETRY
        {
            return Err(HistoryError::Closed(why.clone()));
        }
        if !matches!(self.state, State::Open(_)) {
            let again = matches!(self.state, State::Failed(..));
            let (store, aside) = Store::open(&self.settings).inspect_err(|error| {
                self.state = State::Failed(Instant::now(), error.to_string());
            })?;
            if let Some(said) = aside {
                warn!("{said}");
            } else if again {
                info!("history {} works again", self.settings.path.display());
            }
            self.state = State::Open(store);
        }
        match &mut self.state {
            State::Open(store) => Ok(store),
            State::Failed(_, why) => Err(HistoryError::Closed(why.clone())),
            State::New => Err(HistoryError::Closed("not tried".to_owned())),
        }
    }

    /// Does something with the file, and once more with a new one when it is of no use.
    fn keep(
        &mut self,
        keep: impl Fn(&mut Store) -> Result<(), HistoryError>,
    ) -> Result<(), HistoryError> {
        let result = keep(self.store()?);
        let Err(error) = result else {
            return Ok(());
        };
        if !error.is_unusable() {
            return Err(error);
        }
        // It is set aside when it is opened again, now.
        self.state = State::New;
        keep(self.store()?)
    }
}

impl Deliver for History {
    fn begin(&mut self) {
        if let Err(error) = self.store() {
            warn!("no history: {error}; trying again with the next alert");
        }
    }

    fn deliver(&mut self, document: &Document) -> Result<(), DeliverError> {
        let kept = Kept::from(document);
        let result = self.keep(|store| store.insert(&kept));
        result.map_err(|error| DeliverError::Io(io::Error::other(error)))
    }

    fn count(&mut self, counts: &[Count]) -> Result<(), DeliverError> {
        let result = self.keep(|store| store.count_quiet(counts));
        result.map_err(|error| DeliverError::Io(io::Error::other(error)))
    }
}

impl From<&Document> for Kept {
    fn from(document: &Document) -> Self {
        let (id, kind, time, pid, incident) = match document {
            Document::Alert(alert) => (
                &alert.event.id,
                "alert",
                &alert.timestamp,
                alert.process.pid,
                alert.incident.as_ref().map(|incident| &incident.id),
            ),
            Document::Notice(notice) => (
                &notice.event.id,
                "notice",
                &notice.timestamp,
                notice.process.pid,
                Some(&notice.incident.id),
            ),
        };
        let level = match document {
            Document::Alert(alert) => alert.rule.level,
            Document::Notice(notice) => notice.incident.level,
        };
        let level = Level::ALL.iter().position(|&it| it == level);
        let time = time.parse::<jiff::Timestamp>().unwrap_or_default();
        Self {
            id: id.clone(),
            kind,
            time_ns: i64::try_from(time.as_nanosecond()).unwrap_or_default(),
            level: level.and_then(|it| it.try_into().ok()).unwrap_or_default(),
            pid,
            incident: incident.cloned(),
            json: document.to_json(),
        }
    }
}
