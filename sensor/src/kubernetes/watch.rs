//! The loop: all pods listed, then what happens to them, and again from the begin when that
//! cannot go on.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    },
    time::{Duration, Instant},
};

use tokio::sync::mpsc::Sender;
use tracing::{info, warn};

use super::{
    Change, Client, Item, Settings, WatchStats,
    client::{PAGES, Trouble},
    known::Table,
    object::{Event, Meta},
    pace::{Pace, chance},
};

/// A watch that ends before that, with nothing said, counts as a failure.
const BRIEF: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Watch {
    settings: Settings,
    out: Sender<Change>,
    stopped: Receiver<()>,
    stats: Arc<WatchStats>,
    pace: Pace,
    /// The last failure that was logged: one that stays is said once.
    said: Option<Trouble>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stats.ended();
    }
}

impl Watch {
    pub(super) fn new(
        settings: Settings,
        out: Sender<Change>,
        (stopped, stats): (Receiver<()>, Arc<WatchStats>),
    ) -> Self {
        Self {
            pace: Pace::new(settings.pause),
            settings,
            out,
            stopped,
            stats,
            said: None,
        }
    }

    /// Until the feed is gone.
    pub(super) fn run(mut self) {
        loop {
            let Err(trouble) = self.round() else { return };
            let asked = match &trouble {
                Trouble::Gone => None,
                Trouble::Failed(_, asked) => {
                    self.stats.failed();
                    *asked
                }
            };
            self.say(trouble);
            let pause = self.pace.pause(asked, chance());
            match self.stopped.recv_timeout(pause) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn say(&mut self, trouble: Trouble) {
        if let Trouble::Failed(why, _) = &trouble
            && self.said.as_ref() != Some(&trouble)
        {
            warn!("pods of this node are not followed, trying again: {why}");
        }
        self.said = Some(trouble);
    }

    fn is_stopped(&self) -> bool {
        self.stopped.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Passes it on, as fast as it is taken.
    fn tell(&self, change: Change) {
        // With nobody there it has stopped, which shows at the next look.
        drop(self.out.blocking_send(change));
    }

    /// Lists, and watches for as long as that goes on; `Ok` when the feed is gone.
    fn round(&mut self) -> Result<(), Trouble> {
        let client = Client::new(&self.settings)?;
        let mut version = self.list(&client)?;
        self.stats.listed();
        if self.said.take().is_some_and(|said| said != Trouble::Gone) {
            info!("pods of this node are followed again");
        }
        while !self.is_stopped() {
            let began = Instant::now();
            let events = self.watch(&client, &mut version)?;
            if events == 0 && began.elapsed() < BRIEF.min(self.settings.watch / 2) {
                return Err(Trouble::failed(&"a watch ended as soon as it began"));
            }
            self.pace.reset();
        }
        Ok(())
    }

    /// Takes all of a list, page by page; the version that a watch goes on from.
    fn list(&self, client: &Client) -> Result<String, Trouble> {
        let mut all = Table::default();
        let (mut after, mut left_out) = (None, 0_usize);
        for _ in 0..PAGES {
            let page = client.list(after.as_deref())?;
            for Item { metadata } in page.items.into_iter().flatten() {
                if let Some((uid, pod)) = metadata.pod(&self.settings.labels) {
                    left_out += usize::from(!all.put(uid, pod));
                }
            }
            after = page.metadata.more.filter(|more| !more.is_empty());
            if after.is_none() {
                if left_out > 0 {
                    warn!("{left_out} pods of this node are too many: they have no labels");
                }
                self.tell(Change::Anew);
                for (uid, pod) in all.into_pods() {
                    self.tell(Change::Known(uid, pod));
                }
                self.tell(Change::Whole);
                return Ok(page.metadata.resource_version);
            }
        }
        Err(Trouble::failed(&"a list that does not end"))
    }

    /// Follows one watch to its end; how many events it had.
    fn watch(&self, client: &Client, version: &mut String) -> Result<u64, Trouble> {
        let mut lines = client.watch(version)?;
        let mut events = 0;
        while let Some(line) = lines.next()? {
            self.apply(&line, version)?;
            events += 1;
            if self.is_stopped() {
                break;
            }
        }
        Ok(events)
    }

    fn apply(&self, line: &[u8], version: &mut String) -> Result<(), Trouble> {
        let event: Event = serde_json::from_slice(line).map_err(|error| Trouble::failed(&error))?;
        if event.kind == "ERROR" {
            return Err(match event.object["code"].as_u64() {
                Some(410) => Trouble::Gone,
                code => Trouble::failed(&format_args!("an error in the watch: code {code:?}")),
            });
        }
        let object: Item =
            serde_json::from_value(event.object).map_err(|error| Trouble::failed(&error))?;
        let meta: Meta = object.metadata;
        let pod = meta.pod(&self.settings.labels);
        match (event.kind.as_str(), pod) {
            ("ADDED" | "MODIFIED", Some((uid, pod))) => self.tell(Change::Known(uid, pod)),
            ("DELETED", Some((uid, _))) => self.tell(Change::Gone(uid)),
            // Its version is all that a bookmark has.
            ("BOOKMARK", _) | (_, None) => {}
            (other, _) => {
                let other: String = other.chars().take(32).collect();
                return Err(Trouble::failed(&format_args!("an event {other:?}")));
            }
        }
        if !meta.resource_version.is_empty() {
            *version = meta.resource_version;
        }
        Ok(())
    }
}
