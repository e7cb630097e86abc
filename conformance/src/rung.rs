//! The rungs programs run on, and what kernel.md says a rung is blind to.

use sensor::probe::Rung;

/// Ways to see processes.
pub(crate) const PROCESS: &[Rung] = &Rung::ALL;
/// Ways to see files: none, as long as the sensor attaches nothing there.
pub(crate) const FILE: &[Rung] = &[];

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
