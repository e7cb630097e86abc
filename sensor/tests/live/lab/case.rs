//! What a case of the lab is: one row of data, and what came of it.

use super::{stacks::Stack, turn::Turn};
use crate::fixture::alert::Alert;

/// When its server was started, as seen from the sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    /// The server was there first.
    Before,
    /// The sensor was there first.
    After,
}

impl Order {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Before => "before the sensor",
            Self::After => "after the sensor",
        }
    }
}

/// In which orders a case is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Both,
    /// It is about something that was there when the sensor came.
    Before,
    /// It starts a server itself.
    After,
}

impl When {
    pub(crate) fn has(self, order: Order) -> bool {
        match self {
            Self::Both => true,
            Self::Before => order == Order::Before,
            Self::After => order == Order::After,
        }
    }
}

/// How an attack's alerts are told from those of others.
#[derive(Clone, Debug)]
pub(crate) enum Claim {
    /// An argument, a variable or a path that it names holds this text.
    Says(String),
    /// The rule's alert is about what this process itself did.
    By(u32),
    /// The process is in the lineage.
    Below(u32),
}

impl Claim {
    /// The alert is this attack's; `rule` is the one that must tell of it.
    pub(crate) fn holds(&self, alert: &Alert, rule: &str) -> bool {
        match self {
            Self::Says(text) => says(alert, text),
            Self::By(pid) => alert.pid() == *pid && alert.rule() == rule,
            Self::Below(pid) => alert.concerns(*pid),
        }
    }
}

fn says(alert: &Alert, text: &str) -> bool {
    let lineage = alert.lineage();
    let of_lineage = lineage.iter().flat_map(|relative| relative.args());
    let variables = alert.json["process"]["env_vars"].as_array();
    let variables = variables.into_iter().flatten();
    let variables = variables.filter_map(|variable| variable.as_str());
    let path = alert.json["file"]["path"].as_str();
    let mut all = of_lineage.chain(variables).chain(path);
    all.any(|one| one.contains(text))
}

/// An attack: something that must be alerted at medium or above, with the right root.
pub(crate) struct Attack {
    /// `M05`, `EV12`.
    pub(crate) id: &'static str,
    pub(crate) stack: Stack,
    pub(crate) what: String,
    /// The rule that must be among those that tell of it.
    pub(crate) rule: &'static str,
    pub(crate) when: When,
    pub(crate) act: Box<dyn Fn(&Turn<'_>) -> Claim>,
}

/// The profile that ordinary work is done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    None,
    /// A built-in one, of its product.
    Product(&'static str),
    /// None, for it is silent anyhow; but one of its product's knows it.
    Knows(&'static str),
    /// What this host alone runs: it alerts until it has been learnt.
    Learnt,
}

/// Ordinary work, of which nothing may be alerted at medium or above.
#[derive(Clone, Copy)]
pub(crate) struct Benign {
    /// `B07`.
    pub(crate) id: &'static str,
    /// The server at work, as the table has it.
    pub(crate) stack: &'static str,
    pub(crate) needs: &'static [Stack],
    pub(crate) what: &'static str,
    pub(crate) profile: Profile,
    /// Rules that tell of it all the same, by design, and how often. Few cases have any.
    pub(crate) told: &'static [(&'static str, usize)],
    pub(crate) when: When,
    pub(crate) act: fn(&Turn<'_>),
}

/// What is expected of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Alert,
    Silence,
    /// Alerts that a learnt profile silences.
    Learning,
    /// A few alerts, though it is ordinary: it cannot be told from an attack.
    Few,
    /// It cannot be done here.
    Nothing,
}

/// A line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: &'static str,
    pub(crate) stack: String,
    pub(crate) order: Option<Order>,
    pub(crate) what: String,
    pub(crate) expected: Expected,
    /// What must be told, and by whom.
    pub(crate) wanted: String,
    /// Rules that fired with their levels.
    pub(crate) fired: Vec<(String, String)>,
    /// First process of the alerts' lineage.
    pub(crate) root: String,
    /// Ids of its alerts.
    pub(crate) alerts: Vec<String>,
    /// What shows that ordinary work was done, in words.
    pub(crate) proofs: Vec<String>,
    /// Why it failed.
    pub(crate) failure: Option<String>,
}

impl Row {
    /// Which row it is, for a person.
    pub(crate) fn name(&self) -> String {
        let order = self.order.map_or("", |order| order.word());
        format!("{} {} {order} ({})", self.id, self.stack, self.what)
    }

    /// Its place in the table: attacks, evasions, ordinary work.
    pub(crate) fn place(&self) -> (usize, &'static str, String, String, Option<Order>) {
        let part = ["M", "EV", "B"].iter().position(|part| {
            let number = self.id.strip_prefix(part);
            number.is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
        });
        let (stack, what) = (self.stack.clone(), self.what.clone());
        (part.unwrap_or(usize::MAX), self.id, stack, what, self.order)
    }
}

/// A case of the lists that has no row, and why.
pub(crate) struct Impossible {
    pub(crate) id: &'static str,
    pub(crate) what: &'static str,
    pub(crate) why: &'static str,
}
