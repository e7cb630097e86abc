//! Everything that a receiver has not accepted: what is in the spool and, while that takes
//! nothing (disk full, file gone bad, another sink still has it), what is behind it in
//! memory, bounded. To who sends it is one row in one order.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use tracing::{error, info, warn};

use super::super::{
    SinkStats, Written,
    spool::{Row, Spool, SpoolError, pack, unpack},
};

/// Most texts in memory, and most of their bytes, compressed.
const HELD_MAX: usize = 4_096;
const HELD_BYTES: usize = 4 << 20;
/// How long a file that failed is left alone.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// So often in a row it is tried to open a file again that has failed, and what is behind it
/// waits: then that goes ahead, and the file comes after it when it can be read.
const ATTEMPTS: u32 = 60;
/// Most alerts whose time is known: those of later ones are not measured.
const TIMES_MAX: usize = 1 << 16;

/// A text in memory.
struct Held {
    seq: i64,
    id: String,
    packed: Vec<u8>,
}

enum File {
    /// Not opened yet.
    New,
    Open(Spool),
    /// Could not be opened, at this time.
    Failed(Instant),
    /// Of no use, and why: to be set aside.
    Ruined(String),
}

/// What opening is to do, without anybody waiting for it.
pub(super) enum Opening {
    First,
    Again,
    Anew(String),
}

/// See the module.
pub(super) struct Backlog {
    stats: Arc<SinkStats>,
    written: Written,
    file: File,
    /// Behind all that is in the file.
    held: VecDeque<Held>,
    held_bytes: usize,
    /// Texts in the file that are not done with.
    filed: usize,
    /// Number of the next.
    next: i64,
    /// Up to here everything is done with, though the file may have it still.
    done: i64,
    /// It has.
    behind: bool,
    /// Numbers are those of the file, which was open before.
    numbered: bool,
    /// How often in a row it could not be opened.
    attempts: u32,
    /// When the file last refused to take or give up something, and what was said of it.
    trouble: Option<(Instant, String)>,
    /// When the kernel saw what an alert is about, of those not done with.
    times: VecDeque<(i64, u64)>,
}

impl Backlog {
    pub(super) const fn new(stats: Arc<SinkStats>, written: Written) -> Self {
        Self {
            stats,
            written,
            file: File::New,
            held: VecDeque::new(),
            held_bytes: 0,
            filed: 0,
            next: 1,
            done: 0,
            behind: false,
            numbered: false,
            attempts: 0,
            trouble: None,
            times: VecDeque::new(),
        }
    }

    /// The file is to be opened now, and how.
    pub(super) fn opening(&self) -> Option<Opening> {
        match &self.file {
            File::New => Some(Opening::First),
            File::Failed(when) if when.elapsed() >= RETRY => Some(Opening::Again),
            File::Ruined(why) => Some(Opening::Anew(why.clone())),
            File::Failed(_) | File::Open(_) => None,
        }
    }

    /// What came of opening it. What is in memory goes behind what is in the file.
    pub(super) fn opened(&mut self, opened: Result<(Spool, Option<String>), SpoolError>) {
        let found = opened.and_then(|(spool, aside)| {
            if self.numbered && aside.is_none() {
                spool.remove(self.done)?;
            }
            let (last, count) = (spool.last()?, spool.count()?);
            Ok((spool, aside, last, count))
        });
        match found {
            Ok((spool, aside, last, count)) => {
                if let Some(said) = aside {
                    warn!(sink = self.stats.name(), "{said}");
                }
                self.renumber(last);
                if self.trouble.take().is_some() {
                    info!(sink = self.stats.name(), "the spool works again");
                }
                (self.filed, self.behind, self.numbered) = (count, false, true);
                self.attempts = 0;
                self.file = File::Open(spool);
                self.settle();
            }
            Err(error) => {
                self.file = File::Failed(Instant::now());
                self.say(&error.to_string());
                self.attempts = self.attempts.saturating_add(1);
                // What is sent from now on says nothing of what is in the file.
                self.numbered &= self.attempts < ATTEMPTS;
            }
        }
        self.tell();
    }

    /// Those in memory come behind the number `last`; nothing is done with yet.
    fn renumber(&mut self, last: i64) {
        let first = self.held.front().map_or(self.next, |held| held.seq);
        let shift = last + 1 - first;
        for held in &mut self.held {
            held.seq += shift;
        }
        self.times.retain(|&(seq, _)| seq >= first);
        for (seq, _) in &mut self.times {
            *seq += shift;
        }
        self.next += shift;
        self.done = 0;
    }

    /// Takes a text behind all others; `time_ns` is when the kernel saw what it is about.
    ///
    /// # Errors
    /// When there is room neither in the file nor in memory.
    pub(super) fn push(
        &mut self,
        id: &str,
        text: &str,
        time_ns: Option<u64>,
    ) -> Result<(), String> {
        let packed = pack(text).map_err(|error| format!("pack an alert: {error}"))?;
        if !self.held.is_empty() {
            self.settle();
        }
        let seq = self.next;
        if !(self.held.is_empty() && self.store(seq, id, &packed)) {
            if self.held.len() >= HELD_MAX || self.held_bytes + packed.len() > HELD_BYTES {
                let why = self.trouble.as_ref().map(|(_, why)| why.as_str());
                let why = why.unwrap_or("the spool is not open yet");
                return Err(format!("{why}; memory is full too"));
            }
            self.held_bytes += packed.len();
            let id = id.to_owned();
            self.held.push_back(Held { seq, id, packed });
        }
        self.next += 1;
        if let Some(time) = time_ns
            && self.times.len() < TIMES_MAX
        {
            self.times.push_back((seq, time));
        }
        self.tell();
        Ok(())
    }

    /// Puts one into the file; `false` when it does not take it.
    fn store(&mut self, seq: i64, id: &str, packed: &[u8]) -> bool {
        let File::Open(spool) = &self.file else {
            return false;
        };
        match spool.push(seq, id, packed) {
            Ok(()) => {
                self.filed += 1;
                true
            }
            Err(error) => {
                self.fail(&error);
                false
            }
        }
    }

    /// Has the file give up what is done with and take what is in memory, unless it failed
    /// a moment ago.
    fn settle(&mut self) {
        let recent = |(when, _): &(Instant, String)| when.elapsed() < RETRY;
        if self.trouble.as_ref().is_some_and(recent) {
            return;
        }
        self.remove();
        while let Some(held) = self.held.pop_front() {
            if !self.store(held.seq, &held.id, &held.packed) {
                self.held.push_front(held);
                break;
            }
            self.held_bytes -= held.packed.len();
        }
        self.recovered();
    }

    /// Says so when the file has taken and given up everything again.
    fn recovered(&mut self) {
        if !self.is_unsettled() && self.trouble.take().is_some() {
            info!(sink = self.stats.name(), "the spool works again");
        }
    }

    /// The file is to be looked at again: memory holds what it should, or it what it should
    /// not, or it is not open and may hold something.
    pub(super) fn is_unsettled(&self) -> bool {
        self.behind || !self.held.is_empty() || !matches!(self.file, File::Open(_))
    }

    /// Another sink waits for the file.
    pub(super) fn is_wanted(&self) -> bool {
        matches!(&self.file, File::Open(spool) if spool.is_wanted())
    }

    /// The first behind the number `after`, at most `count` and, from the second on, `bytes`
    /// together. Those that cannot be read are dropped, counted and said.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn first(
        &mut self,
        after: i64,
        count: usize,
        bytes: usize,
    ) -> Result<Vec<Row>, SpoolError> {
        self.settle();
        let after = after.max(self.done);
        loop {
            let File::Open(spool) = &self.file else {
                // In memory is what comes after what is in a file that was open before.
                let waits = self.numbered && self.filed > 0;
                let held = (!waits).then(|| self.first_held(after, count, bytes));
                return Ok(held.unwrap_or_default());
            };
            let (rows, unreadable) = match spool.first(after, count, bytes) {
                Ok(found) => found,
                Err(error) => {
                    // Opened again, it may be read.
                    self.file = File::Failed(Instant::now());
                    self.fail(&error);
                    return Err(error);
                }
            };
            for it in &unreadable {
                if let Err(error) = spool.remove_one(it.seq) {
                    self.fail(&error);
                    return Err(error);
                }
                let sink = self.stats.name();
                error!(sink, "alert {} in the spool is lost: {}", it.id, it.why);
                self.stats.drop_some(1);
                self.filed = self.filed.saturating_sub(1);
            }
            self.tell();
            if !rows.is_empty() {
                return Ok(rows);
            }
            if unreadable.is_empty() {
                return Ok(self.first_held(after, count, bytes));
            }
        }
    }

    fn first_held(&self, after: i64, count: usize, bytes: usize) -> Vec<Row> {
        let (mut rows, mut total) = (Vec::new(), 0);
        for held in self.held.iter().filter(|held| held.seq > after).take(count) {
            let Ok(text) = unpack(&held.packed) else {
                // It was packed here; no other reason is left than no memory.
                break;
            };
            total += text.len();
            if total > bytes && !rows.is_empty() {
                break;
            }
            let (seq, id) = (held.seq, held.id.clone());
            rows.push(Row { seq, id, text });
        }
        rows
    }

    /// Everything up to the number `seq` is done with; what was not `refused` was accepted.
    pub(super) fn done(&mut self, seq: i64, refused: &[i64]) {
        self.done = seq;
        while self.held.front().is_some_and(|held| held.seq <= seq) {
            let held = self.held.pop_front();
            self.held_bytes -= held.map_or(0, |held| held.packed.len());
        }
        while let Some(&(number, time)) = self.times.front().filter(|(it, _)| *it <= seq) {
            self.times.pop_front();
            if !refused.contains(&number) {
                (self.written)(time);
            }
        }
        self.behind = true;
        self.remove();
        self.recovered();
        self.tell();
    }

    /// Has the file give up what is done with.
    fn remove(&mut self) {
        let File::Open(spool) = &self.file else {
            return;
        };
        if !self.behind {
            return;
        }
        match spool.remove(self.done) {
            Ok(count) => {
                self.behind = false;
                self.filed = self.filed.saturating_sub(count);
            }
            Err(error) => self.fail(&error),
        }
    }

    /// What the file refused: it is tried again, or set aside when it is of no use.
    fn fail(&mut self, error: &SpoolError) {
        if error.is_unusable() {
            // Nobody can tell which of them were read and accepted: all count as lost.
            self.stats.drop_some(self.filed);
            let lost = std::mem::take(&mut self.filed);
            self.numbered = false;
            self.file = File::Ruined(format!("{error}; {lost} alerts in it are lost"));
        }
        self.say(&error.to_string());
    }

    /// Says what is wrong, once.
    fn say(&mut self, why: &str) {
        if self.trouble.as_ref().is_none_or(|(_, said)| said != why) {
            let sink = self.stats.name();
            warn!(
                sink,
                "{why}; alerts wait in memory, and the spool is tried again"
            );
        }
        self.trouble = Some((Instant::now(), why.to_owned()));
    }

    /// The end: what the file still does not take is lost.
    pub(super) fn end(&mut self) {
        self.trouble = None;
        self.settle();
        let left = self.held.len();
        if left > 0 {
            let sink = self.stats.name();
            error!(sink, "{left} alerts that the spool did not take are lost");
            self.stats.drop_some(left);
        }
    }

    /// How many are in memory alone.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    fn tell(&self) {
        self.stats.set_spooled(self.filed + self.held.len());
    }
}
