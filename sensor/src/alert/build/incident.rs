//! The place of an alert in its incident, and the notices about one.

use super::{
    super::{
        finding::{Closed, Host, Inquest, Standing, Suppressed},
        id,
        model::{
            Container, Far, FileFacts, Incident, LeftOut, Notice, NoticeEvent, Orchestrator,
            RuleCount, Totals,
        },
    },
    Facts, NAME, container, escape, option, short,
};
use crate::detect::{Examined, Placed};

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
            alerts: Some(closed.alerts),
            folded: Some(closed.folded),
            severity: closed.level.severity(),
            level: closed.level,
            opened: Some(facts.time(closed.opened_ns)),
            last: Some(facts.time(closed.last_ns)),
            rules: rules.collect(),
            suppressed: facts.left_out(&closed.suppressed),
        },
        file: None,
        container: None,
        orchestrator: None,
        service: facts.service(closed.service.as_deref()),
        process: facts.reference(closed.spawn_root),
        host: facts.host(),
        time_ns: closed.closed_ns,
        // Its one alert has said all.
        expected: closed.alerts <= 1 && closed.folded == 0,
    }
}

/// What a file that an alert names was found to be.
pub(in crate::alert) fn examined(
    inquest: &Inquest,
    examined: &Examined,
    host: &Host,
    (time_ns, sequence): (u64, u64),
) -> Notice {
    let file = file_facts(&inquest.alert, examined);
    let id = id::notice(&inquest.alert, &file.path, examined.number);
    Notice {
        message: described(&file),
        file: Some(Box::new(file)),
        ..updated(inquest, ("file-examined", id), host, (time_ns, sequence))
    }
}

/// What the container of an alert was found to be.
pub(in crate::alert) fn located(
    inquest: &Inquest,
    placed: &Placed,
    host: &Host,
    (time_ns, sequence): (u64, u64),
) -> Notice {
    const ACTION: &str = "container-named";
    let container = container::named(placed);
    let orchestrator = container::pod_of(placed);
    let id = id::notice(&inquest.alert, ACTION, 0);
    Notice {
        message: whereabouts(&container, orchestrator.as_ref()),
        container: Some(container),
        orchestrator,
        ..updated(inquest, (ACTION, id), host, (time_ns, sequence))
    }
}

/// A notice about an alert that went out, which has nothing to say yet.
fn updated(
    inquest: &Inquest,
    (action, id): (&'static str, String),
    host: &Host,
    (time_ns, sequence): (u64, u64),
) -> Notice {
    let facts = Facts(host);
    let level = inquest.level;
    Notice {
        timestamp: facts.time(time_ns),
        event: NoticeEvent {
            kind: "event",
            id,
            sequence,
            severity: level.severity(),
            action,
            dataset: DATASET,
        },
        message: String::new(),
        incident: Totals {
            id: inquest.incident.clone(),
            state: "updated",
            reason: None,
            alerts: None,
            folded: None,
            severity: level.severity(),
            level,
            opened: None,
            last: None,
            rules: Vec::new(),
            suppressed: Vec::new(),
        },
        file: None,
        container: None,
        orchestrator: None,
        service: facts.service(inquest.service.as_deref()),
        process: facts.reference(inquest.spawn_root),
        host: facts.host(),
        time_ns,
        expected: inquest.expected,
    }
}

/// `it happened in container php (0123456789ab) of registry/php:8 in pod shop/web-1`
fn whereabouts(container: &Container, orchestrator: Option<&Orchestrator>) -> String {
    let id = container.id.get(..12).unwrap_or_default();
    let name = match &container.name {
        Some(name) => format!("{name} ({id})"),
        None => id.to_owned(),
    };
    let image = container.image.as_ref();
    let image = image.map_or_else(String::new, |image| format!(" of {}", image.name));
    let pod = orchestrator.and_then(|it| {
        let (namespace, name) = (it.namespace.as_ref()?, it.resource.name.as_ref()?);
        Some(format!(" in pod {namespace}/{name}"))
    });
    let pod = pod.unwrap_or_default();
    format!("it happened in container {name}{image}{pod}")
}

fn file_facts(alert: &str, examined: &Examined) -> FileFacts {
    let (path, path_b64) = option(Some(examined.path.as_ref()));
    let peers = examined.peers.iter().take(3).map(|peer| Far {
        fd: peer.fd,
        far: short(&peer.far, 2 * NAME),
    });
    FileFacts {
        alert: alert.to_owned(),
        role: examined.role.name(),
        path: path.unwrap_or_default(),
        path_b64,
        sha256: examined.sha256.as_ref().map(|hash| hex(hash)),
        size: examined.size,
        kind: examined.kind.as_ref().map(|it| short(it, NAME)),
        package: (examined.packages_known)
            .then(|| short(examined.package.as_deref().unwrap_or_default(), NAME)),
        problem: examined.problem.as_ref().map(|it| short(it, NAME)),
        peers: peers.collect(),
    }
}

/// `/tmp/x, written, is elf of 5 bytes, in no package`
fn described(file: &FileFacts) -> String {
    let mut path = file.path.clone();
    escape::clip(&mut path, 512);
    let what = match (&file.kind, file.size) {
        (Some(kind), Some(size)) => format!(", is {kind} of {size} bytes"),
        _ => String::new(),
    };
    let owner = match file.package.as_deref() {
        Some("") => ", in no package".to_owned(),
        Some(package) => format!(", of package {package}"),
        None => String::new(),
    };
    let problem = file.problem.as_ref();
    let problem = problem.map_or_else(String::new, |problem| format!(": {problem}"));
    let far = file.peers.iter();
    let far = far.map(|it| format!("; its descriptor {} leads to {}", it.fd, it.far));
    let far: Vec<_> = far.collect();
    let far = far.concat();
    format!("{path}, {}{what}{owner}{problem}{far}", file.role)
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|&byte| [byte >> 4, byte & 0xf]);
    let digits = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
    digits.collect()
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
