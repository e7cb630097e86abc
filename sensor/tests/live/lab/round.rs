//! One run of the sensor: cases are played before it, all it takes in is recorded.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    rc::Rc,
};

use super::{
    case::{Attack, Benign, Claim, Expected, Order, Profile, Row},
    proof::Proof,
    stacks::{Stack, Stacks},
    turn::Turn,
};
use crate::fixture::{
    alert::Alert,
    scene::Scene,
    sensor::Sensor,
    site::Site,
    wait::{self, PATIENCE},
};

/// A page whose alert is the fence. No profile can learn it.
pub(crate) const FENCE: (&str, &str) = (
    "lab-fence.php",
    "system(\": 'bash -i >& /dev/tcp/127.0.0.1/9 0>&1' fence-\" . (int) $_GET['n'] . '-');",
);
/// The rule by which the sensor tells of it, once a fence; others may tell of it as well.
pub(crate) const FENCE_RULE: &str = "hostile_shell_command";

/// A sensor that records, and the fence beside it.
pub(crate) struct Round {
    sensor: Sensor,
    fence: Rc<Site>,
    name: &'static str,
    order: Order,
    pub(crate) recording: PathBuf,
    /// Alerts before this one are accounted for.
    mark: usize,
    fences: usize,
}

impl Round {
    /// Starts the sensor with these lines in its configuration.
    pub(crate) fn begin(
        scene: &Scene,
        fence: &Rc<Site>,
        (name, order): (&'static str, Order),
        lines: &str,
    ) -> Self {
        let recording = scene.path().join(format!("{name}-{order:?}.rec"));
        Self {
            sensor: Sensor::configured(lines, &recording),
            fence: Rc::clone(fence),
            name,
            order,
            recording,
            mark: 0,
            fences: 0,
        }
    }

    pub(crate) const fn order(&self) -> Order {
        self.order
    }

    fn turn<'t>(
        &self,
        stacks: &'t Stacks,
        (stack, root): (Stack, Option<u32>),
        number: usize,
    ) -> Turn<'t> {
        let order = match self.order {
            Order::Before => 'b',
            Order::After => 'a',
        };
        let name = self.name;
        Turn {
            stacks,
            stack,
            mark: format!("{name}{number:03}{order}"),
            root,
            proofs: RefCell::default(),
        }
    }

    /// Alerts since the last fence, up to one that is put here; fences left out.
    fn since_fence(&mut self) -> Vec<Alert> {
        self.fences += 1;
        let word = format!("fence-{}-", self.fences);
        self.fence.visit(&format!("{}?n={}", FENCE.0, self.fences));
        self.sensor.alert(FENCE_RULE, |alert| {
            alert.args().iter().any(|arg| arg.contains(&word))
        });
        let read = self.sensor.mark();
        let new = self.sensor.alerts[self.mark..read].iter();
        let new = new.filter(|alert| !is_fence(alert)).cloned().collect();
        self.mark = read;
        new
    }

    /// Whatever has alerted so far is nobody's case: servers that started, for instance.
    /// `None` when nothing has.
    pub(crate) fn start_is_silent(&mut self) -> Option<String> {
        let alerts = self.since_fence();
        (!alerts.is_empty()).then(|| listed(&alerts))
    }

    /// Waits until it is known which process of Apache starts CGI programs: the sensor looks
    /// it up a moment after the start.
    fn settle(&self, stacks: &Stacks) {
        if let Some(apache) = stacks.find(Stack::Cgid) {
            wait::until("the daemon for CGI", || {
                let service = self.sensor.service(apache.process().pid)?;
                service
                    .to_string()
                    .contains("\"role\":\"cgi\"")
                    .then_some(())
            });
        }
    }

    /// Plays ordinary work, each case up to a fence of its own.
    pub(crate) fn work(&mut self, stacks: &Stacks, cases: &[(usize, &Benign)]) -> Vec<Worked> {
        self.settle(stacks);
        let mut all = Vec::new();
        for (number, case) in cases {
            let own = case.needs.first().copied();
            let root = own.map(|stack| stacks.root(stack));
            let turn = self.turn(stacks, (own.unwrap_or(Stack::Php), root), *number);
            let played = played(|| (case.act)(&turn));
            let alerts = self.since_fence();
            all.push(Worked {
                row: worked(case, self.order, played, &alerts),
                profile: case.profile,
                fence: self.fences,
                proofs: turn.proofs.into_inner(),
            });
        }
        all
    }

    /// Plays attacks one after another, then waits until each has been told of.
    pub(crate) fn attack(&mut self, stacks: &Stacks, cases: &[(usize, &Attack)]) -> Vec<Row> {
        self.settle(stacks);
        let mut open = Vec::new();
        for (number, case) in cases {
            let root = stacks.root(case.stack);
            let turn = self.turn(stacks, (case.stack, Some(root)), *number);
            let claim = played(|| (case.act)(&turn));
            open.push((*case, root, claim));
        }
        let told = |sensor: &Sensor, (case, _, claim): &(&Attack, u32, Played)| {
            let mut alerts = sensor.alerts.iter();
            let Ok(claim) = claim else { return true };
            alerts.any(|alert| alert.rule() == case.rule && claim.holds(alert, case.rule))
        };
        // What is missing after that long is a row of the table, not the end of the lab.
        let _all = wait::poll(PATIENCE, || {
            self.sensor.mark();
            open.iter().all(|one| told(&self.sensor, one)).then_some(())
        });
        self.since_fence();
        let alerts = &self.sensor.alerts;
        open.into_iter()
            .map(|(case, root, claim)| judged(case, root, &claim, self.order, alerts))
            .collect()
    }

    /// Ends the sensor as it should end; the recording.
    pub(crate) fn finish(self) -> PathBuf {
        self.sensor.stop();
        self.recording
    }

    /// Likewise; what it said last is given back.
    pub(crate) fn end(mut self) -> (PathBuf, Option<String>) {
        let alerts = self.since_fence();
        let mark = self.mark;
        let all = self.sensor.stop();
        let late = all.into_iter().skip(mark).filter(|alert| !is_fence(alert));
        let late: Vec<Alert> = alerts.into_iter().chain(late).collect();
        (self.recording, (!late.is_empty()).then(|| listed(&late)))
    }
}

/// Ordinary work that was played: its row, so far, and what must be found in the recording
/// for it to count.
pub(crate) struct Worked {
    pub(crate) row: Row,
    pub(crate) profile: Profile,
    /// Number of the fence that ended its turn.
    pub(crate) fence: usize,
    pub(crate) proofs: Vec<Proof>,
}

/// A claim, or why the case could not be played.
type Played = Result<Claim, String>;

/// Plays a case; one that cannot be played fails alone.
fn played<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
        format!("could not be played: {}", said.unwrap_or("a panic"))
    })
}

/// What is expected of ordinary work, and how the table says it.
fn expected(case: &Benign) -> (Expected, String) {
    match case.profile {
        Profile::None if !case.told.is_empty() => {
            let told = case
                .told
                .iter()
                .map(|(rule, times)| format!("{times} {rule}"));
            let told: Vec<String> = told.collect();
            (Expected::Few, format!("by design {}", told.join(", ")))
        }
        Profile::None => (Expected::Silence, "silence".to_owned()),
        Profile::Knows(product) => {
            let wanted = format!("silence (profile {product} off, and knows it)");
            (Expected::Silence, wanted)
        }
        Profile::Product(product) => (Expected::Silence, format!("silence (profile {product})")),
        Profile::Learnt => (Expected::Learning, "silence once learnt".to_owned()),
    }
}

/// The alerts are these and no others.
fn are(alerts: &[Alert], told: &[(&str, usize)]) -> bool {
    let times = |rule: &str| alerts.iter().filter(|alert| alert.rule() == rule).count();
    let as_told = told.iter().all(|(rule, expected)| times(rule) == *expected);
    as_told && alerts.len() == told.iter().map(|(_, times)| times).sum::<usize>()
}

/// What became of ordinary work.
fn worked(case: &Benign, order: Order, played: Result<(), String>, alerts: &[Alert]) -> Row {
    let (expected, wanted) = expected(case);
    let failure = match (played, expected) {
        (Err(why), _) => Some(why),
        (Ok(()), Expected::Learning) => {
            let nothing = "there is nothing to be learnt: it is silent as it is";
            alerts.is_empty().then(|| nothing.to_owned())
        }
        (Ok(()), Expected::Few) => (!are(alerts, case.told)).then(|| listed(alerts)),
        (Ok(()), _) => (!alerts.is_empty()).then(|| listed(alerts)),
    };
    Row {
        id: case.id,
        stack: case.stack.to_owned(),
        order: Some(order),
        what: case.what.to_owned(),
        expected,
        wanted,
        fired: rules(alerts.iter()),
        root: roots(alerts.iter()),
        alerts: ids(alerts.iter()),
        proofs: Vec::new(),
        failure,
    }
}

/// What became of an attack.
fn judged(case: &Attack, root: u32, claim: &Played, order: Order, alerts: &[Alert]) -> Row {
    let holds = |alert: &&Alert| claim.as_ref().is_ok_and(|it| it.holds(alert, case.rule));
    let own: Vec<&Alert> = alerts.iter().filter(holds).collect();
    let wrong = own.iter().find(|alert| alert.root() != root);
    let failure = if let Err(why) = claim {
        Some(why.clone())
    } else if own.is_empty() {
        Some("no alert".to_owned())
    } else if !own.iter().any(|alert| is_of(alert, case)) {
        Some(format!("{} did not fire at medium or above", case.rule))
    } else {
        wrong.map(|alert| format!("the root is {root}, not that of {alert}"))
    };
    let own = || own.iter().copied();
    Row {
        id: case.id,
        stack: case.stack.name().to_owned(),
        order: Some(order),
        what: case.what.clone(),
        expected: Expected::Alert,
        wanted: case.rule.to_owned(),
        fired: rules(own()),
        root: roots(own()),
        alerts: ids(own()),
        proofs: Vec::new(),
        failure,
    }
}

/// The rule of the case, at a level that sinks take by default.
fn is_of(alert: &Alert, case: &Attack) -> bool {
    alert.rule() == case.rule && ["medium", "high", "critical"].contains(&alert.level())
}

pub(crate) fn is_fence(alert: &Alert) -> bool {
    let lineage = alert.lineage();
    let mut args = lineage.iter().flat_map(|relative| relative.args());
    args.any(is_word_of_fence)
}

/// An argument of the shell that is a fence.
pub(crate) fn is_word_of_fence(arg: &str) -> bool {
    arg.contains(" fence-")
}

fn ids<'a>(alerts: impl Iterator<Item = &'a Alert>) -> Vec<String> {
    alerts.map(Alert::id).collect()
}

/// Each rule once, the highest level first.
fn rules<'a>(alerts: impl Iterator<Item = &'a Alert>) -> Vec<(String, String)> {
    let rank = |level: &str| {
        ["critical", "high", "medium"]
            .iter()
            .position(|it| *it == level)
    };
    let mut found: Vec<(String, String)> = alerts
        .map(|alert| (alert.rule().to_owned(), alert.level().to_owned()))
        .collect();
    found.sort_by_key(|(rule, level)| (rank(level), rule.clone()));
    found.dedup();
    found
}

/// The first process of each lineage, each once.
fn roots<'a>(alerts: impl Iterator<Item = &'a Alert>) -> String {
    let mut found: Vec<String> = alerts
        .filter_map(|alert| {
            let root = *alert.lineage().first()?;
            let name = Path::new(root.executable()).file_name()?.to_string_lossy();
            Some(format!("{name} {}", root.pid()))
        })
        .collect();
    found.sort();
    found.dedup();
    found.join(", ")
}

fn listed(alerts: &[Alert]) -> String {
    let alerts: Vec<String> = alerts.iter().map(ToString::to_string).collect();
    alerts.join("\n")
}
