//! The place of an alert in its incident, and the notice that closes one.

use super::{
    super::{
        finding::{Closed, Host, Standing, Suppressed},
        id,
        model::{Incident, LeftOut, Notice, NoticeEvent, RuleCount, Totals},
    },
    Facts, NAME, short,
};

const DATASET: &str = "lineage_sensor.incident";

/// The close event of an incident.
pub(in crate::alert) fn closed(closed: &Closed, host: &Host, sequence: u64) -> Notice {
    const ACTION: &str = "incident-closed";
    let facts = Facts(host);
    let rules = closed.rules.iter().map(|rule| RuleCount {
        id: short(&rule.rule, NAME),
        level: rule.level,
        alerts: rule.alerts,
        folded: rule.folded,
    });
    Notice {
        timestamp: facts.time(closed.closed_ns),
        event: NoticeEvent {
            kind: "event",
            id: id::notice(&closed.id, ACTION, closed.closed_ns),
            sequence,
            severity: closed.level.severity(),
            action: ACTION,
            dataset: DATASET,
        },
        message: sentence(closed),
        incident: Totals {
            id: closed.id.clone(),
            state: "closed",
            reason: Some(closed.reason.name()),
            alerts: closed.alerts,
            folded: closed.folded,
            severity: closed.level.severity(),
            level: closed.level,
            opened: facts.time(closed.opened_ns),
            last: facts.time(closed.last_ns),
            rules: rules.collect(),
            suppressed: facts.left_out(&closed.suppressed),
        },
        service: facts.service(closed.service.as_deref()),
        process: facts.reference(closed.spawn_root),
        host: facts.host(),
        time_ns: closed.closed_ns,
    }
}

/// `incident closed after 3 alerts of 2 rules, 5 left out (its processes have ended): ...`
fn sentence(closed: &Closed) -> String {
    let left_out = match closed.folded {
        0 => String::new(),
        folded => format!(", {folded} left out"),
    };
    let what = match closed.what.as_str() {
        "" => String::new(),
        what => format!(": {what}"),
    };
    format!(
        "incident closed after {} of {}{left_out} ({}){what}",
        count(closed.alerts, "alert"),
        count(closed.rules.len() as u64, "rule"),
        closed.reason.words(),
    )
}

fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

impl Facts<'_> {
    /// `incident.*` of an alert.
    pub(super) fn standing(&self, standing: &Standing) -> Incident {
        Incident {
            id: standing.id.clone(),
            state: if standing.opens { "opened" } else { "updated" },
            alerts: standing.alerts,
            folded: standing.folded,
            severity: standing.level.severity(),
            level: standing.level,
            raised: standing.raised,
            rules: standing.rules,
            suppressed: self.left_out(&standing.suppressed),
        }
    }

    fn left_out(&self, suppressed: &[Suppressed]) -> Vec<LeftOut> {
        let left_out = suppressed.iter().map(|it| LeftOut {
            rule: short(&it.rule, NAME),
            count: it.count,
            since: self.time(it.since_ns),
        });
        left_out.collect()
    }
}
