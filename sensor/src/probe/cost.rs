//! What each program costs the verifier, for the development tasks.
//!
//! aya keeps the verifier's log of failed loads only. So the loads are made to fail
//! behind the verifier: with no descriptor left for the program, the kernel verifies it,
//! writes its statistics and then says EMFILE.

use std::{collections::BTreeMap, fs::File, os::fd::AsRawFd as _};

use aya::{
    Btf, Ebpf, VerifierLogLevel,
    programs::{Program, ProgramError},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{
    Options, Probe, ProbeError,
    attach::{At, Point},
    error::chain,
    hook, kernel_btf, load_logged, seed,
};

/// What the verifier did for one program.
#[derive(Clone, Debug)]
pub struct Cost {
    /// Name of the program.
    pub program: String,
    /// Instructions processed and states kept in all, or why the program does not load.
    pub result: Result<(u64, u64), String>,
}

impl Probe {
    /// Measures every program on every rung. The process cannot open files meanwhile.
    ///
    /// # Errors
    /// When the programs cannot even be prepared.
    pub fn costs(options: &Options) -> Result<Vec<Cost>, ProbeError> {
        let mut ebpf = load_logged(options, VerifierLogLevel::STATS)?;
        let btf = kernel_btf(&options.btf)?;
        let before = getrlimit(Resource::Nofile);
        let full = || -> std::io::Result<()> {
            // Descriptors are given lowest first, so none is free below this one.
            let next = File::open("/dev/null")?.as_raw_fd();
            let current = Some(u64::from(next.unsigned_abs()));
            Ok(setrlimit(Resource::Nofile, Rlimit { current, ..before })?)
        };
        full().map_err(|error| ProbeError::Load(format!("limit descriptors: {error}")))?;
        // A program that belongs to several places is verified the same for each.
        let points: BTreeMap<_, _> = hook::points().map(|point| (point.program, point)).collect();
        let mut costs: Vec<Cost> = points
            .into_values()
            .map(|point| Cost {
                program: point.program.to_owned(),
                result: statistics(refusal(&mut ebpf, &btf, point)),
            })
            .collect();
        let scan = seed::load(&mut ebpf, &btf).err();
        costs.push(Cost {
            program: "scan_iter".to_owned(),
            result: statistics(scan.map(|error| error.to_string()).unwrap_or_default()),
        });
        setrlimit(Resource::Nofile, before)
            .map_err(|error| ProbeError::Load(format!("restore the limit: {error}")))?;
        Ok(costs)
    }
}

/// What the kernel says to a program that cannot be had.
fn refusal(ebpf: &mut Ebpf, btf: &Btf, point: &Point) -> String {
    let Some(program) = ebpf.program_mut(point.program) else {
        return format!("no program {}", point.program);
    };
    let loaded = match (program, point.at) {
        (Program::BtfTracePoint(program), At::BtfTracepoint(names)) => {
            // By the first name this kernel has.
            let loads = names.iter().map(|name| program.load(name, btf));
            loads
                .reduce(|before, now| match before {
                    Err(ProgramError::Btf(_)) => now,
                    _ => before,
                })
                .unwrap_or(Err(ProgramError::NotLoaded))
        }
        (Program::FEntry(program), At::Function(name)) => program.load(name, btf),
        (Program::FExit(program), At::FunctionExit(name)) => program.load(name, btf),
        (Program::Lsm(program), At::Lsm(name)) => program.load(name, btf),
        (Program::RawTracePoint(program), At::RawTracepoint(_)) => program.load(),
        (Program::KProbe(program), At::Kprobe(_) | At::Kretprobe(_)) => program.load(),
        (Program::TracePoint(program), At::Syscalls(_)) => program.load(),
        _ => Err(ProgramError::UnexpectedProgramType),
    };
    loaded.err().map(|error| chain(&error)).unwrap_or_default()
}

/// Reads `processed 120 insns (limit 1000000) max_states_per_insn 2 total_states 14 ...`;
/// a program without that line has not been verified.
fn statistics(said: String) -> Result<(u64, u64), String> {
    let after = |word: &str| {
        let rest = said.rsplit_once(word)?.1;
        rest.split_whitespace().next()?.parse().ok()
    };
    match (after("processed "), after("total_states ")) {
        (Some(instructions), Some(states)) if said.contains("os error 24") => {
            Ok((instructions, states))
        }
        _ => Err(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statistics_are_read_from_the_log_of_a_load_that_ran_out_of_descriptors() {
        let log = "processed 120 insns (limit 1000000) max_states_per_insn 2 total_states 14 \
                   peak_states 9 mark_read 3";
        let said = format!("load: Too many open files (os error 24). Verifier output: {log}");
        assert_eq!(statistics(said), Ok((120, 14)));
        assert!(statistics(format!("Permission denied (os error 13): {log}")).is_err());
        assert!(statistics("Too many open files (os error 24)".to_owned()).is_err());
    }
}
