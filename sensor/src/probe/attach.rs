//! One program loaded and attached where it belongs, whatever its type.

use std::{any::Any, fs, io};

use aya::{
    Btf, Ebpf,
    programs::{
        BtfTracePoint, FEntry, FExit, KProbe, Lsm, Program, ProgramError, RawTracePoint, TracePoint,
    },
};

use super::{error::chain, tracefs};

/// Where a program is attached.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    /// BTF-typed raw tracepoint: Linux 5.5 with BTF.
    BtfTracepoint(&'static str),
    /// Raw tracepoint: Linux 4.17.
    RawTracepoint(&'static str),
    /// Entry of a kernel function, by trampoline.
    Function(&'static str),
    /// Exit of a kernel function, by trampoline.
    FunctionExit(&'static str),
    /// LSM hook.
    Lsm(&'static str),
    /// Entry of a kernel function, by breakpoint.
    Kprobe(&'static str),
    /// Return of a kernel function, by breakpoint.
    Kretprobe(&'static str),
    /// Tracepoints of system calls; those this architecture lacks are left out, the first
    /// must be there.
    Syscalls(&'static [&'static str]),
}

/// A program and its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) program: &'static str,
    pub(super) at: At,
}

/// Keeps one program attached; dropped, it is not.
pub(super) type Link = Box<dyn Any + Send>;

/// Attaches all of `points`, or none.
pub(super) fn attach(ebpf: &mut Ebpf, btf: &Btf, points: &[Point]) -> Result<Vec<Link>, String> {
    let mut links = Vec::new();
    for point in points {
        let name = point.program;
        let program = ebpf.program_mut(name);
        let program = program.ok_or_else(|| format!("no program {name}"))?;
        links.extend(attach_at(program, btf, point.at)?);
    }
    Ok(links)
}

fn attach_at(program: &mut Program, btf: &Btf, at: At) -> Result<Vec<Link>, String> {
    let loaded = program.fd().is_ok();
    let one = match at {
        At::BtfTracepoint(name) => btf_tracepoint(program, btf, name, loaded),
        At::RawTracepoint(name) => raw_tracepoint(program, name, loaded),
        At::Function(name) => function(program, btf, name, loaded),
        At::FunctionExit(name) => function_exit(program, btf, name, loaded),
        At::Lsm(name) => {
            lsm_is_active()?;
            lsm(program, btf, name, loaded)
        }
        At::Kprobe(name) | At::Kretprobe(name) => kprobe(program, name, loaded),
        At::Syscalls(names) => return syscalls(program, names, loaded),
    };
    one.map(|link| vec![link]).map_err(|error| chain(&error))
}

fn btf_tracepoint(
    program: &mut Program,
    btf: &Btf,
    name: &str,
    loaded: bool,
) -> Result<Link, ProgramError> {
    let program: &mut BtfTracePoint = program.try_into()?;
    if !loaded {
        program.load(name, btf)?;
    }
    let link = program.attach()?;
    Ok(Box::new(program.take_link(link)?))
}

fn raw_tracepoint(program: &mut Program, name: &str, loaded: bool) -> Result<Link, ProgramError> {
    let program: &mut RawTracePoint = program.try_into()?;
    if !loaded {
        program.load()?;
    }
    let link = program.attach(name)?;
    Ok(Box::new(program.take_link(link)?))
}

fn function(
    program: &mut Program,
    btf: &Btf,
    name: &str,
    loaded: bool,
) -> Result<Link, ProgramError> {
    let program: &mut FEntry = program.try_into()?;
    if !loaded {
        program.load(name, btf)?;
    }
    let link = program.attach()?;
    Ok(Box::new(program.take_link(link)?))
}

fn function_exit(
    program: &mut Program,
    btf: &Btf,
    name: &str,
    loaded: bool,
) -> Result<Link, ProgramError> {
    let program: &mut FExit = program.try_into()?;
    if !loaded {
        program.load(name, btf)?;
    }
    let link = program.attach()?;
    Ok(Box::new(program.take_link(link)?))
}

fn lsm(program: &mut Program, btf: &Btf, name: &str, loaded: bool) -> Result<Link, ProgramError> {
    let program: &mut Lsm = program.try_into()?;
    if !loaded {
        program.load(name, btf)?;
    }
    let link = program.attach()?;
    Ok(Box::new(program.take_link(link)?))
}

fn kprobe(program: &mut Program, name: &str, loaded: bool) -> Result<Link, ProgramError> {
    let program: &mut KProbe = program.try_into()?;
    if !loaded {
        program.load()?;
    }
    let link = program.attach(name, 0)?;
    Ok(Box::new(program.take_link(link)?))
}

fn syscalls(program: &mut Program, names: &[&str], loaded: bool) -> Result<Vec<Link>, String> {
    let describe = |error: ProgramError| chain(&error);
    let program: &mut TracePoint = program.try_into().map_err(describe)?;
    if !loaded {
        program.load().map_err(describe)?;
    }
    let events = tracefs::events("syscalls")?;
    let mut links: Vec<Link> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        if index > 0 && !events.join(name).is_dir() {
            continue;
        }
        let link = program.attach("syscalls", name).map_err(describe)?;
        links.push(Box::new(program.take_link(link).map_err(describe)?));
    }
    Ok(links)
}

/// An LSM program attaches without error and never runs when `bpf` is no active LSM.
fn lsm_is_active() -> Result<(), String> {
    const LIST: &str = "/sys/kernel/security/lsm";
    let list = match fs::read_to_string(LIST) {
        Ok(list) => list,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(format!(
                "{LIST} is missing: mount securityfs to use this rung"
            ));
        }
        Err(error) => return Err(format!("{LIST}: {error}")),
    };
    let active = list.trim().split(',').any(|module| module == "bpf");
    active.then_some(()).ok_or_else(|| {
        format!(
            "bpf is no active LSM ({}): boot with lsm=...,bpf",
            list.trim()
        )
    })
}
