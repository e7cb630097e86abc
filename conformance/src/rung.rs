//! The rungs programs run on, and what a rung is known to be blind to.

use sensor::{
    probe::{Forced, KERNEL_BTF, Options, Rung},
    service,
};

/// Ways to see processes.
pub(crate) const PROCESS: &[Rung] = &[Rung::TpBtf, Rung::RawTp];
/// Ways to see files.
pub(crate) const FILE: &[Rung] = &[Rung::Fentry, Rung::Lsm, Rung::Kprobe, Rung::Syscall];

/// How the sensor is started on `rung`, with the best for what is not asked for.
pub(crate) fn options(rung: Option<Rung>) -> Options {
    Options {
        btf: KERNEL_BTF.into(),
        host_scope: false,
        rungs: Forced {
            process: rung.filter(|rung| PROCESS.contains(rung)),
            file: rung.filter(|rung| FILE.contains(rung)),
        },
        files: true,
        classes: Vec::new(),
        directories: Vec::new(),
        overrides: Vec::new(),
        names: service::names().collect(),
        log: None,
    }
}

/// A rung by its name.
pub(crate) fn parse(text: &str) -> Result<Rung, String> {
    let known = || PROCESS.iter().chain(FILE);
    known()
        .find(|rung| rung.name() == text)
        .copied()
        .ok_or_else(|| {
            let names: Vec<&str> = known().map(|rung| rung.name()).collect();
            format!("one of {}", names.join(", "))
        })
}

/// Programs of which a rung may miss what they do: system call tracepoints do not fire
/// for programs of 32 bits.
const BLIND: &[(&str, &str)] = &[("open_elf32", "syscall")];

/// What `program` does cannot be seen on `rung`.
pub(crate) fn is_blind(program: &str, rung: Rung) -> bool {
    BLIND.contains(&(program, rung.name()))
}
