//! One answer to `top`, read; and the rates that two of them make.
//!
//! Whatever the answer holds, reading it gives something that can be shown: what is missing
//! counts as nothing, and no text keeps a character that could steer a terminal.

use std::collections::HashMap;

use serde_json::Value;

use crate::{
    control::render::{list, text},
    tree::LEVELS,
};

/// Characters of one text that are kept.
const TEXT_MAX: usize = 200;
/// Answers closer together than this make no rates, ns.
const LEAST_NS: u64 = 50_000_000;

/// pid and start of the root.
pub(super) type Id = (u64, u64);

/// What a second brings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) execs: f64,
    pub(super) files: f64,
}

/// Counters that rates are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) execs: u64,
    pub(super) files: u64,
}

impl Counters {
    fn read(value: &Value) -> Self {
        Self {
            execs: number(value, "execs"),
            files: number(value, "files"),
        }
    }

    /// `None` where numbers went back: it is another sensor that counts.
    fn rates(self, before: Self, ns: u64) -> Option<Rates> {
        let rate = |now: u64, before: u64| Some(per_second(now.checked_sub(before)?, ns));
        Some(Rates {
            execs: rate(self.execs, before.execs)?,
            files: rate(self.files, before.files)?,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "rates for people")]
fn per_second(count: u64, ns: u64) -> f64 {
    count as f64 / (ns as f64 / 1e9)
}

/// A service.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Service {
    pub(super) id: Id,
    pub(super) kind: String,
    pub(super) role: String,
    /// Name, unit or container: what tells it from others of its kind.
    pub(super) place: String,
    pub(super) processes: u64,
    pub(super) counters: Counters,
    pub(super) lost: u64,
    /// By level, least first.
    pub(super) alerts: [u64; LEVELS],
    pub(super) rates: Option<Rates>,
}

/// One answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sample {
    pub(super) now_ns: u64,
    pub(super) host: String,
    pub(super) services: Vec<Service>,
    /// Services there are, also where not all of them were told.
    pub(super) services_total: u64,
    pub(super) processes: u64,
    pub(super) incidents: u64,
    pub(super) counters: Counters,
    pub(super) rates: Option<Rates>,
    /// Records lost since the sensor began.
    pub(super) lost: u64,
    pub(super) alerts: [u64; LEVELS],
    pub(super) degraded: Vec<String>,
}

impl Sample {
    /// Reads an answer; rates are those since `before`.
    pub(super) fn read(answer: &Value, before: Option<&Self>) -> Self {
        let nothing = Value::Null;
        let seen = answer.get("seen").unwrap_or(&nothing);
        let processes = answer.get("processes").unwrap_or(&nothing);
        let mut sample = Self {
            now_ns: number(answer, "now_ns"),
            host: short(answer, "host"),
            services: list(answer, "services").iter().map(service).collect(),
            services_total: number(answer, "services_total"),
            processes: number(processes, "live"),
            incidents: number(answer, "incidents"),
            counters: Counters::read(seen),
            rates: None,
            lost: number(seen, "lost").saturating_add(number(seen, "lost_files")),
            alerts: levels(seen),
            degraded: list(answer, "degraded").iter().map(word).collect(),
        };
        if let Some(before) = before {
            sample.rate(before);
        }
        sample
    }

    fn rate(&mut self, before: &Self) {
        let ns = self.now_ns.saturating_sub(before.now_ns);
        let services = before.services.iter();
        let services: HashMap<Id, &Service> = services.map(|it| (it.id, it)).collect();
        for service in &mut self.services {
            let before = services.get(&service.id);
            service.rates = before.and_then(|before| match ns {
                ..LEAST_NS => before.rates,
                _ => service.counters.rates(before.counters, ns),
            });
        }
        self.rates = match ns {
            ..LEAST_NS => before.rates,
            _ => self.counters.rates(before.counters, ns),
        };
    }
}

fn service(value: &Value) -> Service {
    let container: String = text(value, "container").chars().take(12).collect();
    let within = number(value, "within");
    let mut place: Vec<String> = vec![short(value, "name"), short(value, "unit"), container];
    if within > 0 {
        place.push(format!("in {within}"));
    }
    place.retain(|part| !part.is_empty());
    Service {
        id: (number(value, "pid"), number(value, "start_ns")),
        kind: short(value, "kind"),
        role: short(value, "role"),
        place: place.join(" "),
        processes: number(value, "processes"),
        counters: Counters::read(value),
        lost: number(value, "lost_events"),
        alerts: levels(value),
        rates: None,
    }
}

fn levels(value: &Value) -> [u64; LEVELS] {
    let counts = list(value, "alerts");
    std::array::from_fn(|at| counts.get(at).and_then(Value::as_u64).unwrap_or_default())
}

pub(super) fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// A text that is escaped and not long.
pub(super) fn short(value: &Value, name: &str) -> String {
    text(value, name).chars().take(TEXT_MAX).collect()
}

fn word(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let text = crate::printable::escape(text);
    text.chars().take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(now_s: u64, execs: u64) -> Value {
        json!({"now_ns": now_s * 1_000_000_000, "seen": {"execs": execs, "files": 2 * execs},
            "services": [{"pid": 7, "start_ns": 1, "execs": execs, "files": 0}]})
    }

    #[test]
    fn two_answers_make_rates() {
        let first = Sample::read(&answer(10, 100), None);
        assert_eq!((first.rates, first.services[0].rates), (None, None));
        let second = Sample::read(&answer(12, 130), Some(&first));
        let rates = Rates {
            execs: 15.0,
            files: 30.0,
        };
        assert_eq!(second.rates, Some(rates));
        assert_eq!(second.services[0].rates.map(|it| it.execs), Some(15.0));
        // Asked again at once: what was known stays.
        let again = Sample::read(&answer(12, 130), Some(&second));
        assert_eq!(again.rates, second.rates);
        // Another sensor, which has just begun.
        let restarted = Sample::read(&answer(20, 3), Some(&again));
        assert_eq!((restarted.rates, restarted.services[0].rates), (None, None));
    }

    #[test]
    fn odd_answers_are_read_as_far_as_they_go() {
        for odd in [
            json!(null),
            json!([]),
            json!({"services": [1, {"alerts": ["x", -1]}], "seen": 7}),
        ] {
            let sample = Sample::read(&odd, None);
            assert_eq!(sample.alerts, [0; LEVELS]);
            assert_eq!(
                Sample::read(&odd, Some(&sample)).rates,
                None.or(sample.rates)
            );
        }
        let long = json!({"host": "\u{1b}[2J".repeat(1_000)});
        let host = Sample::read(&long, None).host;
        assert!(
            host.len() <= 4 * TEXT_MAX && host.starts_with("\\x1b[2J"),
            "{host}"
        );
    }
}
