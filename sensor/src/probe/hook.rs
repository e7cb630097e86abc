//! The hooks and their rungs, probed by loading and attaching.

use std::fmt;

use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, Program, ProgramError, RawTracePoint},
};

use super::{ProbeError, error::chain};

/// A way to attach a hook, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rung {
    /// BTF-typed raw tracepoint: Linux 5.5 with BTF.
    TpBtf,
    /// Raw tracepoint: Linux 4.17. Same events and fields; every load is a helper call.
    RawTp,
}

impl Rung {
    /// Every rung, best first.
    pub const ALL: [Self; 2] = [Self::TpBtf, Self::RawTp];

    /// Word used in metric labels and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TpBtf => "tp_btf",
            Self::RawTp => "raw_tp",
        }
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An attached hook.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Tracepoint.
    pub name: &'static str,
    /// How it is attached.
    pub rung: Rung,
    /// Why: what better rungs answered, or that it is the best.
    pub reason: String,
}

impl Hook {
    /// Every tracepoint there is a hook for, in the order of attaching.
    pub fn names() -> impl Iterator<Item = &'static str> {
        HOOKS.iter().map(|&(name, _)| name)
    }
}

/// Outcome of attaching one hook on one rung.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Tracepoint.
    pub hook: &'static str,
    /// Rung.
    pub rung: Rung,
    /// What the kernel said, if it refused.
    pub result: Result<(), String>,
}

/// Tracepoints in the order of attaching, with the stem of their program names. Exit
/// comes first: an exit that is missed would leave a member behind, a fork or exec that
/// is missed is found by the scan.
const HOOKS: [(&str, &str); 4] = [
    ("sched_process_exit", "exit"),
    ("sched_process_fork", "fork"),
    ("sched_process_exec", "exec"),
    ("inet_sock_set_state", "listen"),
];

/// Hooks without which the sensor does less but works, with what it does not do then.
const OPTIONAL: [(&str, &str); 1] = [(
    "inet_sock_set_state",
    "interpreters that begin to listen are not recognised as services",
)];

/// Name of the program for a hook on a rung.
pub(super) fn program_name(stem: &str, rung: Rung) -> String {
    format!("{stem}_{rung}")
}

/// Stem of the program of an attached hook.
pub(super) fn stem(hook: &Hook) -> &'static str {
    HOOKS
        .iter()
        .find(|(name, _)| *name == hook.name)
        .map_or("", |(_, stem)| stem)
}

/// Attaches every hook on its best rung, or all on `forced`. Beside them: what cannot be
/// done for want of an optional one.
pub(super) fn attach(
    ebpf: &mut Ebpf,
    btf: &Btf,
    forced: Option<Rung>,
) -> Result<(Vec<Hook>, Vec<String>), ProbeError> {
    let mut hooks = Vec::new();
    let mut wanting = Vec::new();
    for (name, stem) in HOOKS {
        let optional = OPTIONAL.iter().find(|(optional, _)| *optional == name);
        match (attach_best(ebpf, btf, name, stem, forced), optional) {
            (Ok(hook), _) => hooks.push(hook),
            (Err(error), Some((_, loss))) => wanting.push(format!("{loss}: {error}")),
            (Err(error), None) => return Err(error),
        }
    }
    hooks.sort_by_key(|hook| hook.name);
    Ok((hooks, wanting))
}

/// Attaches every hook on every rung; all are detached with `ebpf`.
pub(super) fn trials(ebpf: &mut Ebpf, btf: &Btf) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (hook, stem) in HOOKS {
        for rung in Rung::ALL {
            let result = attach_one(ebpf, btf, hook, &program_name(stem, rung), rung);
            trials.push(Trial {
                hook,
                rung,
                result: result.map_err(|error| chain(&error)),
            });
        }
    }
    trials
}

fn attach_best(
    ebpf: &mut Ebpf,
    btf: &Btf,
    name: &'static str,
    stem: &str,
    forced: Option<Rung>,
) -> Result<Hook, ProbeError> {
    let mut failures = Vec::new();
    for rung in Rung::ALL {
        if forced.is_some_and(|forced| forced != rung) {
            continue;
        }
        match attach_one(ebpf, btf, name, &program_name(stem, rung), rung) {
            Ok(()) => {
                let reason = match (forced, failures.is_empty()) {
                    (Some(_), _) => "forced by --rung".to_owned(),
                    (None, true) => "the best rung works".to_owned(),
                    (None, false) => failures.join("; "),
                };
                return Ok(Hook { name, rung, reason });
            }
            Err(error) => failures.push(format!("{rung}: {}", chain(&error))),
        }
    }
    Err(ProbeError::Hook {
        hook: name,
        reason: failures.join("; "),
    })
}

fn attach_one(
    ebpf: &mut Ebpf,
    btf: &Btf,
    tracepoint: &str,
    program: &str,
    rung: Rung,
) -> Result<(), ProgramError> {
    let program: &mut Program = ebpf.program_mut(program).ok_or(ProgramError::NotLoaded)?;
    match rung {
        Rung::TpBtf => {
            let program: &mut BtfTracePoint = program.try_into()?;
            program.load(tracepoint, btf)?;
            program.attach()?;
        }
        Rung::RawTp => {
            let program: &mut RawTracePoint = program.try_into()?;
            program.load()?;
            program.attach(tracepoint)?;
        }
    }
    Ok(())
}
