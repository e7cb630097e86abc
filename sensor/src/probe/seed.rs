//! The seeding protocol: every process that was there before the hooks, with all its
//! descendants, while servers go on forking.
//!
//! Until the end of seeding the kernel emits every fork of the host. The agent marks
//! the service roots it finds; the task iterator marks the children of members, pass
//! by pass; forks whose creator died in between are completed from the ring. When a
//! round adds nothing, every later fork of a member is marked by the kernel itself.

use std::{collections::HashMap, io::Read as _, mem::offset_of};

use aya::{
    Btf, Ebpf,
    maps::{HashMap as Tasks, MapData, MapError},
    programs::Iter,
};
use sensor_common::{
    map::{Lineage, ProcessId, SensorState, ServiceState},
    record::{TaskRow, row},
};

use super::{Probe, ProbeError, error::chain};
use crate::{
    clock,
    event::{Event, Membership, Program, Scanned, Snapshot},
    ring::Read,
    scan,
};

/// Rounds before seeding gives up: each adds at least one process, and a host that
/// outruns this many has a fork bomb, not a server.
const ROUNDS: u32 = 64;
/// Records kept while seeding. The ring holds fewer.
const BACKLOG: usize = 1 << 19;
/// Name of the iterator program.
const PROGRAM: &str = "scan_iter";

/// What seeding found.
#[derive(Debug)]
pub struct Seed {
    /// Processes that existed.
    pub snapshot: Snapshot,
    /// Records made since attaching, to be consumed after the snapshot. Those of
    /// processes that turned out to be members are marked as such.
    pub backlog: Vec<Read>,
    /// `false` when the host forked faster than it could be scanned.
    pub complete: bool,
}

/// A row of the iterator.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    process: ProcessId,
    parent: ProcessId,
    membership: Option<Membership>,
    added: bool,
    recognised: bool,
}

/// Loads the iterator.
pub(super) fn load(ebpf: &mut Ebpf, btf: &Btf) -> Result<(), ProbeError> {
    let program = iterator(ebpf)?;
    program.load("task", btf).map_err(|error| ProbeError::Hook {
        hook: "iter/task",
        reason: chain(&error),
    })
}

fn iterator(ebpf: &mut Ebpf) -> Result<&mut Iter, ProbeError> {
    let program = ebpf
        .program_mut(PROGRAM)
        .ok_or(ProbeError::Object(PROGRAM))?;
    program
        .try_into()
        .map_err(|error| ProbeError::Scan(chain(&error)))
}

impl Probe {
    /// Finds and marks the services that run already. `is_server` refines the
    /// recognition by name, `names` gives the index of a recognised program.
    ///
    /// # Errors
    /// When the iterator or a map fails.
    pub fn seed(
        &mut self,
        host_scope: bool,
        is_server: &dyn Fn(&Program) -> Option<u32>,
    ) -> Result<Seed, ProbeError> {
        let first = rows(&mut self.ebpf)?;
        self.mark_roots(&first, is_server)?;
        let mut complete = false;
        let mut last = Vec::new();
        let mut known = HashMap::new();
        for _ in 0..ROUNDS {
            last = rows(&mut self.ebpf)?;
            let added = last.iter().any(|row| row.added);
            known.extend(
                last.iter()
                    .filter_map(|row| Some((row.process, row.membership?))),
            );
            self.drain();
            let completed = self.complete_forks(&last, &mut known)?;
            if !added && !completed {
                complete = true;
                break;
            }
        }
        self.state.set(0, SensorState { seeded: 1, pad: 0 }, 0)?;
        self.drain();
        self.complete_forks(&last, &mut known)?;
        let snapshot = snapshot(&last, host_scope);
        let backlog = std::mem::take(&mut self.backlog);
        let backlog = backlog
            .into_iter()
            .map(|read| annotate(read, &known))
            .collect();
        Ok(Seed {
            snapshot,
            backlog,
            complete,
        })
    }

    /// Process and parent of `process` as the iterator sees them.
    pub(super) fn row_of(
        &mut self,
        process: u32,
    ) -> Result<Option<(ProcessId, ProcessId)>, ProbeError> {
        Ok(rows(&mut self.ebpf)?
            .iter()
            .find(|row| row.process.tgid == process)
            .map(|row| (row.process, row.parent)))
    }

    /// Makes every recognised server a root that has no server above it.
    fn mark_roots(
        &mut self,
        rows: &[Row],
        is_server: &dyn Fn(&Program) -> Option<u32>,
    ) -> Result<(), ProbeError> {
        let parents: HashMap<ProcessId, ProcessId> =
            rows.iter().map(|row| (row.process, row.parent)).collect();
        let now = clock::boottime_ns();
        let servers: HashMap<ProcessId, u32> = rows
            .iter()
            .filter(|row| row.recognised && row.membership.is_none())
            .filter_map(|row| Some((row.process, is_server(&*scan::program(row.process, now)?)?)))
            .collect();
        for (&root, &name) in &servers {
            if below_another(root, &parents, &servers) {
                continue;
            }
            self.services
                .insert(root, ServiceState { name, pad: 0 }, 0)?;
            enter(&mut self.tasks, root, Membership { root, depth: 0 })?;
        }
        Ok(())
    }

    /// Moves what the ring holds to the backlog.
    pub(super) fn drain(&mut self) {
        while self.backlog.len() < BACKLOG
            && let Some(read) = self.ring.step()
        {
            self.backlog.push(read);
        }
    }

    /// Follows the forks seen so far: a child of a member is one, even when its parent
    /// was gone before the iterator came. `true` when a living process was added.
    fn complete_forks(
        &mut self,
        rows: &[Row],
        known: &mut HashMap<ProcessId, Membership>,
    ) -> Result<bool, ProbeError> {
        let alive: HashMap<ProcessId, bool> = rows
            .iter()
            .map(|row| (row.process, row.membership.is_some()))
            .collect();
        let mut missing = Vec::new();
        for read in &self.backlog {
            let Read::Event(Event::Fork(fork), _) = read else {
                continue;
            };
            let Some(above) = known.get(&fork.creator).copied() else {
                continue;
            };
            let membership = Membership {
                root: above.root,
                depth: above.depth.saturating_add(1),
            };
            known.entry(fork.child).or_insert(membership);
            if alive.get(&fork.child) == Some(&false) {
                missing.push((fork.child, membership));
            }
        }
        for &(child, membership) in &missing {
            enter(&mut self.tasks, child, membership)?;
        }
        Ok(!missing.is_empty())
    }
}

/// Writes a lineage entry. The gate is set by the iterator's next pass: the kernel
/// alone writes it, byte by byte.
pub(super) fn enter(
    tasks: &mut Tasks<MapData, u32, Lineage>,
    process: ProcessId,
    membership: Membership,
) -> Result<(), MapError> {
    let Membership { root, depth } = membership;
    let lineage = Lineage {
        start_ns: process.start_ns,
        root,
        depth,
        pad: 0,
    };
    tasks.insert(process.tgid, lineage, 0)
}

/// One pass of the iterator.
pub(super) fn rows(ebpf: &mut Ebpf) -> Result<Vec<Row>, ProbeError> {
    let failed = |error: &dyn std::error::Error| ProbeError::Scan(chain(error));
    let program = iterator(ebpf)?;
    let id = program.attach().map_err(|error| failed(&error))?;
    let link = program.take_link(id).map_err(|error| failed(&error))?;
    let mut file = link.into_file().map_err(|error| failed(&error))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .map_err(|error| failed(&error))?;
    Ok(bytes
        .chunks_exact(size_of::<TaskRow>())
        .filter_map(parse)
        .collect())
}

/// `true` when a server stands above `process`.
fn below_another(
    process: ProcessId,
    parents: &HashMap<ProcessId, ProcessId>,
    servers: &HashMap<ProcessId, u32>,
) -> bool {
    let mut at = process;
    // A chain of parents is no longer than the number of processes.
    for _ in 0..parents.len() {
        match parents.get(&at) {
            Some(&parent) if parent != at => at = parent,
            _ => return false,
        }
        if servers.contains_key(&at) {
            return true;
        }
    }
    false
}

/// What the processes of `rows` run.
pub(super) fn snapshot(rows: &[Row], host_scope: bool) -> Snapshot {
    let time_ns = clock::boottime_ns();
    let wanted = rows
        .iter()
        .filter(|row| host_scope || row.membership.is_some());
    let processes = wanted
        .map(|row| Scanned {
            process: row.process,
            parent: row.parent,
            membership: row.membership,
            recognised: row.recognised,
            program: scan::program(row.process, time_ns),
        })
        .collect();
    Snapshot {
        time_ns: clock::boottime_ns(),
        processes,
    }
}

/// Gives a record the membership its process turned out to have.
fn annotate(read: Read, known: &HashMap<ProcessId, Membership>) -> Read {
    let Read::Event(mut event, lost) = read else {
        return read;
    };
    let (process, membership) = match &mut event {
        Event::Fork(fork) => (fork.child, &mut fork.membership),
        Event::Exec(exec) => (exec.process, &mut exec.membership),
        Event::Exit(exit) => (exit.process, &mut exit.membership),
        Event::Lost(_) => return Read::Event(event, lost),
    };
    if membership.is_none() {
        *membership = known.get(&process).copied();
    }
    Read::Event(event, lost)
}

fn parse(bytes: &[u8]) -> Option<Row> {
    let word = |at: usize| {
        bytes
            .get(at..)
            .and_then(<[u8]>::first_chunk::<4>)
            .map(|word| u32::from_ne_bytes(*word))
    };
    let id = |at: usize| {
        let start = bytes
            .get(at + offset_of!(ProcessId, start_ns)..)?
            .first_chunk::<8>()?;
        Some(ProcessId::new(
            word(at + offset_of!(ProcessId, tgid))?,
            u64::from_ne_bytes(*start),
        ))
    };
    let flags = word(offset_of!(TaskRow, flags))?;
    let root = id(offset_of!(TaskRow, root))?;
    let depth = word(offset_of!(TaskRow, depth))?;
    Some(Row {
        process: id(offset_of!(TaskRow, process))?,
        parent: id(offset_of!(TaskRow, parent))?,
        membership: (flags & row::MEMBER != 0).then_some(Membership { root, depth }),
        added: flags & row::ADDED != 0,
        recognised: flags & row::RECOGNISED != 0,
    })
}
