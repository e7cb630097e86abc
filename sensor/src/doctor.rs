//! `doctor`: can the sensor work on this machine, how well, and why not better.
//!
//! Everything is found out by doing it: programs are loaded, attached, compared with
//! `/proc` and detached again. Nothing is guessed from a version number.

use std::fmt;

use serde::Serialize;

use crate::{
    detect::RuleSet,
    exit::Exit,
    printable::escape,
    probe::{Options, Probe, ProbeError, Trial},
    sandbox, scan,
};

/// What `doctor` found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Release of the running kernel.
    pub kernel: String,
    /// Machine architecture.
    pub architecture: String,
    /// Each hook on each rung, best first.
    pub hooks: Vec<HookReport>,
    /// Everything else that was looked at.
    pub checks: Vec<Check>,
    /// Why the sensor cannot run here; `null` when it can.
    pub refusal: Option<String>,
    /// Exit code of `run` here.
    #[serde(skip)]
    pub exit: Exit,
}

/// One hook.
#[derive(Clone, Debug, Serialize)]
pub struct HookReport {
    /// Tracepoint.
    pub hook: &'static str,
    /// Rung that `run` would use; `null` when none works.
    pub rung: Option<&'static str>,
    /// Why that one.
    pub reason: String,
    /// Each rung, best first: `works`, or why it does not.
    pub rungs: Vec<RungReport>,
}

impl HookReport {
    /// Chooses the best rung that works, as `run` does.
    fn choose(&mut self) {
        let best = self.rungs.iter().position(|rung| rung.result == "works");
        self.rung = best
            .and_then(|best| self.rungs.get(best))
            .map(|rung| rung.rung);
        self.reason = match best {
            Some(0) => "the best rung works".to_owned(),
            Some(_) => "the best rung that works".to_owned(),
            None => "no rung works".to_owned(),
        };
    }
}

/// One way to attach a hook.
#[derive(Clone, Debug, Serialize)]
pub struct RungReport {
    /// Its name.
    pub rung: &'static str,
    /// `works`, or what the kernel said.
    pub result: String,
}

/// One thing looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// How it is.
    pub status: Status,
    /// What was found, and what follows from it.
    pub detail: String,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// The sensor runs, but something is missing in what it tells.
    Degraded,
    /// The sensor cannot run.
    Missing,
}

/// Examines this machine as `run` with `options` and `rules` would find it.
#[must_use]
pub fn examine(options: &Options, rules: &RuleSet) -> Report {
    let uname = rustix::system::uname();
    let mut report = Report {
        kernel: uname.release().to_string_lossy().into_owned(),
        architecture: uname.machine().to_string_lossy().into_owned(),
        hooks: Vec::new(),
        checks: Vec::new(),
        refusal: None,
        exit: Exit::Ok,
    };
    if let Err(error) = report.kernel_side(options) {
        report.exit = if error.is_privilege() {
            Exit::Privilege
        } else {
            Exit::Unavailable
        };
        report.refusal = Some(error.to_string());
    }
    if report.refusal.is_none() {
        report.shortage(rules);
    }
    report.surroundings();
    report
}

impl Report {
    fn kernel_side(&mut self, options: &Options) -> Result<(), ProbeError> {
        self.check(
            "privilege",
            Probe::check_privilege(),
            "every capability needed is there",
        )?;
        self.check(
            "namespaces",
            Probe::check_namespaces(),
            "the host's pids and start times",
        )?;
        let lacking = self.check_with("btf", Probe::absent_members(options), |lacking| {
            let found = format!("{}: every required member found", options.btf.display());
            if lacking.is_empty() {
                return (Status::Ok, found);
            }
            let lacking = lacking.join(", ");
            (
                Status::Degraded,
                format!("{found}; this kernel lacks optional {lacking}"),
            )
        });
        lacking?;
        self.trials(&Probe::trials(options)?);
        let mut probe = Probe::start(options)?;
        let proof =
            "pid, parent, start time, ids, executable, argv, namespaces, cgroup equal /proc";
        self.check("self-test", probe.self_test(), proof)
    }

    fn check(
        &mut self,
        name: &'static str,
        result: Result<(), ProbeError>,
        good: &str,
    ) -> Result<(), ProbeError> {
        self.check_with(name, result, |()| (Status::Ok, good.to_owned()))
    }

    fn check_with<T>(
        &mut self,
        name: &'static str,
        result: Result<T, ProbeError>,
        describe: impl FnOnce(T) -> (Status, String),
    ) -> Result<(), ProbeError> {
        let (status, detail, result) = match result {
            Ok(value) => {
                let (status, detail) = describe(value);
                (status, detail, Ok(()))
            }
            Err(error) => (Status::Missing, error.to_string(), Err(error)),
        };
        self.checks.push(Check {
            name,
            status,
            detail,
        });
        result
    }

    fn trials(&mut self, trials: &[Trial]) {
        for trial in trials {
            let result = match &trial.result {
                Ok(()) => "works".to_owned(),
                Err(why) => why.clone(),
            };
            let rung = RungReport {
                rung: trial.rung.name(),
                result,
            };
            match self.hooks.iter_mut().find(|hook| hook.hook == trial.hook) {
                Some(hook) => hook.rungs.push(rung),
                None => self.hooks.push(HookReport {
                    hook: trial.hook,
                    rung: None,
                    reason: String::new(),
                    rungs: vec![rung],
                }),
            }
        }
        self.hooks.iter_mut().for_each(HookReport::choose);
    }

    /// Rules that want hooks which do not attach.
    fn shortage(&mut self, rules: &RuleSet) {
        let missing = self.hooks.iter().filter(|hook| hook.rung.is_none());
        let missing: Vec<&str> = missing.map(|hook| hook.hook).collect();
        let (status, detail) = match rules.without(&missing) {
            Some(shortage) => (Status::Degraded, shortage.to_string()),
            None => (
                Status::Ok,
                format!("every hook that {} rules want attaches", rules.list().len()),
            ),
        };
        self.checks.push(Check {
            name: "rules",
            status,
            detail,
        });
    }

    /// What makes alerts poorer without keeping the sensor from running.
    fn surroundings(&mut self) {
        let cgroup = match scan::cgroup_root() {
            Some(root) => (
                Status::Ok,
                format!("unified hierarchy at {}", root.display()),
            ),
            None => (
                Status::Degraded,
                "no unified hierarchy is mounted: alerts name no unit, and a container only \
                 after /proc was asked for it"
                    .to_owned(),
            ),
        };
        self.checks.push(Check {
            name: "cgroup",
            status: cgroup.0,
            detail: cgroup.1,
        });
        let (status, detail) = if sandbox::restricts_files() {
            (Status::Ok, "the outlet opens only what it is told to")
        } else {
            let without = "this kernel has no Landlock, or it is switched off: the outlet may open \
                           any file that its user may";
            (Status::Degraded, without)
        };
        self.checks.push(Check {
            name: "landlock",
            status,
            detail: detail.to_owned(),
        });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "kernel       Linux {} {}",
            escape(&self.kernel),
            escape(&self.architecture)
        )?;
        for hook in &self.hooks {
            writeln!(
                f,
                "hook         {} {}: {}",
                hook.hook,
                hook.rung.unwrap_or("does not attach"),
                hook.reason
            )?;
            for rung in &hook.rungs {
                writeln!(f, "               {:8} {}", rung.rung, escape(&rung.result))?;
            }
        }
        for check in &self.checks {
            let status = match check.status {
                Status::Ok => "ok",
                Status::Degraded => "degraded",
                Status::Missing => "missing",
            };
            writeln!(f, "{:12} {status}: {}", check.name, escape(&check.detail))?;
        }
        match &self.refusal {
            None => writeln!(f, "verdict      the sensor can run here"),
            Some(why) => writeln!(
                f,
                "verdict      the sensor cannot run here: {}",
                escape(why)
            ),
        }
    }
}
