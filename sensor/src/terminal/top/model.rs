//! The state of `top`: what came from the sensor, and where its reader has gone.
//!
//! Pure: no clock, no terminal, no socket. Every list has a bound, whatever comes.

use std::{cmp::Ordering, collections::VecDeque};

use serde_json::Value;

use super::{
    alert::Alert,
    cursor::Cursor,
    sample::{Id, Sample, Service, number},
};
use crate::{
    control::render::{self, list},
    printable::{escape, hides},
};

/// Alerts kept.
pub(super) const ALERTS: usize = 200;
/// Lines of a tree kept.
const LINES: usize = 10_000;
/// Characters of a filter.
const FILTER: usize = 64;

/// What comes from the sensor.
#[derive(Debug)]
pub(super) enum Message {
    /// The answer to `top`.
    Sample(Value),
    /// The tree of one service.
    Tree(Id, Value),
    /// An alert or a notice.
    Alert(Value),
    /// So many were not told.
    Missed(u64),
    /// The sensor has gone, and why that is believed.
    Gone(String),
}

/// What was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Enter,
    Back,
    Tab,
    Erase,
    Char(char),
    /// Ctrl-C.
    Interrupt,
}

/// What is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Page {
    /// Services and alerts.
    #[default]
    Overview,
    /// The tree of a service.
    Tree(Service),
    /// An alert.
    Alert(Alert),
}

/// Which list the keys move in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pane {
    #[default]
    Services,
    Alerts,
}

/// Order of services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    #[default]
    Alerts,
    Execs,
    Files,
    Processes,
    Kind,
}

impl Sort {
    const ALL: [Self; 5] = [
        Self::Alerts,
        Self::Execs,
        Self::Files,
        Self::Processes,
        Self::Kind,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Execs => "execs/s",
            Self::Files => "files/s",
            Self::Processes => "processes",
            Self::Kind => "kind",
        }
    }

    fn next(self) -> Self {
        let at = Self::ALL.iter().position(|&it| it == self);
        Self::ALL[at.map_or(0, |at| (at + 1) % Self::ALL.len())]
    }

    fn order(self, one: &Service, other: &Service) -> Ordering {
        let rates = |it: &Service| it.rates.unwrap_or_default();
        let by = match self {
            Self::Alerts => one
                .alerts
                .iter()
                .rev()
                .cmp(other.alerts.iter().rev())
                .reverse(),
            Self::Execs => rates(other).execs.total_cmp(&rates(one).execs),
            Self::Files => rates(other).files.total_cmp(&rates(one).files),
            Self::Processes => other.processes.cmp(&one.processes),
            Self::Kind => one.kind.cmp(&other.kind),
        };
        by.then(one.id.cmp(&other.id))
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) sample: Option<Sample>,
    /// Oldest first.
    pub(super) alerts: VecDeque<Alert>,
    pub(super) missed: u64,
    pub(super) gone: Option<String>,
    /// Lines of the tree that is shown.
    pub(super) tree: Vec<String>,
    pub(super) page: Page,
    pub(super) pane: Pane,
    pub(super) service: Cursor<Id>,
    pub(super) alert: Cursor<String>,
    /// First line of a page that is shown.
    pub(super) scroll: usize,
    pub(super) sort: Sort,
    pub(super) filter: String,
    /// The filter is being typed.
    pub(super) editing: bool,
    pub(super) help: bool,
    pub(super) paused: bool,
    /// What came while it was paused: the latest answer, and alerts.
    held: (Option<Message>, VecDeque<Message>),
}

impl Model {
    /// Takes what came.
    pub(super) fn take(&mut self, message: Message) {
        match message {
            Message::Gone(why) => self.gone = Some(escape(&why).into_owned()),
            Message::Missed(count) => self.missed = self.missed.saturating_add(count),
            Message::Sample(_) if self.paused => self.held.0 = Some(message),
            Message::Tree(..) if self.paused => {}
            Message::Alert(_) if self.paused => {
                if self.held.1.len() == ALERTS {
                    self.held.1.pop_front();
                }
                self.held.1.push_back(message);
            }
            Message::Sample(answer) => {
                self.gone = None;
                self.sample = Some(Sample::read(&answer, self.sample.as_ref()));
            }
            Message::Tree(id, answer) => {
                if self.shown_tree() == Some(id) {
                    self.tree = tree(id, &answer);
                }
            }
            Message::Alert(document) => self.add(Alert::read(&document)),
        }
    }

    fn add(&mut self, alert: Alert) {
        let known = |it: &Alert| !alert.id.is_empty() && it.id == alert.id;
        if self.alerts.iter().any(known) {
            return;
        }
        if self.alerts.len() == ALERTS {
            self.alerts.pop_front();
        }
        self.alerts.push_back(alert);
    }

    /// The service whose tree is shown.
    pub(super) fn shown_tree(&self) -> Option<Id> {
        match &self.page {
            Page::Tree(service) => Some(service.id),
            _ => None,
        }
    }

    /// Services that pass the filter, in order.
    pub(super) fn services(&self) -> Vec<&Service> {
        let all = self.sample.iter().flat_map(|sample| &sample.services);
        let mut services: Vec<_> = all
            .filter(|it| self.passes(&[&it.kind, &it.role, &it.place, &it.id.0.to_string()]))
            .collect();
        services.sort_by(|one, other| self.sort.order(one, other));
        services
    }

    /// Alerts that pass the filter, latest first.
    pub(super) fn latest(&self) -> Vec<&Alert> {
        let all = self.alerts.iter().rev();
        all.filter(|it| self.passes(&[&it.service, &it.rule, &it.level, &it.message]))
            .collect()
    }

    fn passes(&self, texts: &[&str]) -> bool {
        let filter = self.filter.to_lowercase();
        let has = |text: &&str| text.to_lowercase().contains(&filter);
        filter.is_empty() || texts.iter().any(has)
    }

    /// Does what a key asks for; `false` when that is the end.
    pub(super) fn press(&mut self, key: Key) -> bool {
        match key {
            Key::Interrupt => return false,
            _ if self.editing => self.edit(key),
            Key::Char('q') => return false,
            // Any key ends the help.
            _ if self.help => self.help = false,
            Key::Char('?') => self.help = true,
            Key::Char('p') => self.pause(),
            _ if self.page == Page::Overview => self.overview(key),
            _ => self.read(key),
        }
        true
    }

    fn edit(&mut self, key: Key) {
        match key {
            Key::Enter => self.editing = false,
            Key::Back => {
                self.editing = false;
                self.filter.clear();
            }
            Key::Erase => drop(self.filter.pop()),
            Key::Char(char) => {
                let room = self.filter.chars().count() < FILTER;
                self.filter
                    .extend(Some(char).filter(|_| room && !hides(char)));
            }
            _ => {}
        }
    }

    fn pause(&mut self) {
        self.paused = !self.paused;
        if !self.paused {
            let (sample, alerts) = std::mem::take(&mut self.held);
            sample
                .into_iter()
                .chain(alerts)
                .for_each(|it| self.take(it));
        }
    }

    fn overview(&mut self, key: Key) {
        match key {
            Key::Char('s') => self.sort = self.sort.next(),
            Key::Char('/') => self.editing = true,
            Key::Back => self.filter.clear(),
            Key::Tab => {
                self.pane = match self.pane {
                    Pane::Services => Pane::Alerts,
                    Pane::Alerts => Pane::Services,
                };
            }
            Key::Enter => self.enter(),
            _ => self.step(key),
        }
    }

    /// Moves in the list that has the keys.
    fn step(&mut self, key: Key) {
        match self.pane {
            Pane::Services => {
                let ids: Vec<Id> = self.services().iter().map(|it| it.id).collect();
                self.service.step(&ids, key);
            }
            Pane::Alerts => {
                let ids: Vec<String> = self.latest().iter().map(|it| it.id.clone()).collect();
                self.alert.step(&ids, key);
            }
        }
    }

    fn enter(&mut self) {
        let page = match self.pane {
            Pane::Services => {
                let services = self.services();
                let at = self.service.at(services.iter().map(|it| it.id));
                services.get(at).map(|&it| Page::Tree(it.clone()))
            }
            Pane::Alerts => {
                let alerts = self.latest();
                let at = self.alert.at(alerts.iter().map(|it| it.id.clone()));
                alerts.get(at).map(|&it| Page::Alert(it.clone()))
            }
        };
        if let Some(page) = page {
            (self.page, self.scroll, self.tree) = (page, 0, Vec::new());
        }
    }

    /// Lines of a page that is read.
    pub(super) fn lines(&self) -> &[String] {
        match &self.page {
            Page::Overview => &[],
            Page::Tree(_) => &self.tree,
            Page::Alert(alert) => &alert.page,
        }
    }

    fn read(&mut self, key: Key) {
        let last = self.lines().len().saturating_sub(1);
        match key {
            Key::Back | Key::Erase => self.page = Page::Overview,
            key => self.scroll = super::cursor::moved(self.scroll, key, last),
        }
    }
}

/// Lines of the tree of `id`, which may have ended since.
fn tree(id: Id, answer: &Value) -> Vec<String> {
    let service = list(answer, "services").first();
    if service.is_none_or(|it| number(it, "start_ns") != id.1) {
        return vec!["this service has ended".to_owned()];
    }
    let drawn = render::tree(answer);
    drawn.lines().take(LINES).map(str::to_owned).collect()
}

#[cfg(test)]
pub(super) mod tests;
