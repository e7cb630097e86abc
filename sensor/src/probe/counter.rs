//! The kernel's own counters, read when asked.

use std::{fs, os::fd::AsRawFd};

use aya::{
    Ebpf,
    maps::{Map, MapData, PerCpuArray},
    programs::ProgramFd,
};
use sensor_common::counter::Counter;

use super::{Hook, ProbeError, error::chain};

/// The counter map.
const MAP: &str = "LINEAGE_COUNT";

/// Reader of the counter map and of the programs' recursion misses. Holds descriptors
/// only, so that a scrape needs nothing from the core.
pub struct Counters {
    map: PerCpuArray<MapData, u64>,
    programs: Vec<(&'static str, ProgramFd)>,
}

/// What the kernel counted of one program, while `bpf_stats` are switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunTime {
    /// Program.
    pub program: &'static str,
    /// Runs.
    pub runs: u64,
    /// Time they took together, ns.
    pub ns: u64,
}

impl Counters {
    pub(super) fn new(map: Map, ebpf: &Ebpf, hooks: &[Hook]) -> Result<Self, ProbeError> {
        let mut programs = Vec::new();
        for hook in hooks {
            for &name in &hook.programs {
                // Several hooks may share one.
                if programs.iter().any(|&(known, _)| known == name) {
                    continue;
                }
                let program = ebpf.program(name).ok_or(ProbeError::Object(name))?;
                let descriptor = program.fd().and_then(|fd| Ok(fd.try_clone()?));
                programs.push((
                    name,
                    descriptor.map_err(|error| ProbeError::Load(chain(&error)))?,
                ));
            }
        }
        Ok(Self {
            map: PerCpuArray::try_from(map).map_err(ProbeError::map(MAP))?,
            programs,
        })
    }

    /// Sum of `counter` over all CPUs, in events since load.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn sum(&self, counter: Counter) -> Result<u64, ProbeError> {
        let values = self
            .map
            .get(&counter.index(), 0)
            .map_err(ProbeError::map(MAP))?;
        Ok(values.iter().sum())
    }

    /// Times the kernel did not run a program because it was already running on that
    /// CPU: events lost without a record. 0 before Linux 5.12, which does not count.
    #[must_use]
    pub fn recursion_misses(&self) -> u64 {
        let misses = |(_, program): &(_, ProgramFd)| number(program, "recursion_misses:");
        self.programs.iter().filter_map(misses).sum()
    }

    /// Runs and time of each attached program; zeroes unless `bpf_stats` are on
    /// (`sysctl kernel.bpf_stats_enabled`).
    #[must_use]
    pub fn run_times(&self) -> Vec<RunTime> {
        let programs = self.programs.iter();
        programs
            .map(|(name, program)| RunTime {
                program: name,
                runs: number(program, "run_cnt:").unwrap_or(0),
                ns: number(program, "run_time_ns:").unwrap_or(0),
            })
            .collect()
    }
}

/// A number of a program's `fdinfo`.
fn number(program: &ProgramFd, name: &str) -> Option<u64> {
    let fd = std::os::fd::AsFd::as_fd(program).as_raw_fd();
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}
