//! The seeding protocol: every process that was there before the hooks, with all its
//! descendants, while servers go on forking.
//!
//! Until the end of seeding the kernel emits every fork of the host. In each round the
//! agent marks the service roots it finds and the task iterator marks the children of
//! members; who begot whom is kept from all rows and all fork records, so that a
//! parent that died in between hides nobody. When a round adds nothing, every later
//! fork of a member is marked by the kernel itself.

use std::{collections::HashMap, io::Read as _};

use aya::{Btf, Ebpf, programs::Iter};
use bstr::{BString, ByteSlice as _};
use sensor_common::{
    map::{ProcessId, SensorState, ServiceState},
    record::TaskRow,
};

use super::{
    Probe, ProbeError,
    error::chain,
    family::Family,
    mark::{enter, insert},
    row::Row,
};
use crate::{
    clock,
    event::{Membership, Program, Scanned, Snapshot},
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
    /// Roots among them that are services for no other reason than that they, or what they
    /// have forked, listen.
    pub listening: Vec<ProcessId>,
    /// Records made since attaching, to be consumed after the snapshot. Those of
    /// processes that turned out to be members are marked as such.
    pub backlog: Vec<Read>,
    /// `false` when the host forked faster than it could be scanned, records were lost
    /// meanwhile, or a map is full.
    pub complete: bool,
}

/// What a program is, with the index of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A server.
    Server(u32),
    /// A server if it listens.
    Candidate(u32),
    /// Neither.
    Other,
}

/// What is to be known of programs.
pub struct Judge<'a> {
    /// What a program is.
    pub look: &'a dyn Fn(&Program) -> Found,
    /// Whether an interpreter, the second, runs what the first does.
    pub same: &'a dyn Fn(&Program, &Program) -> bool,
    /// Whether every process is to be looked at, not only those with a known name.
    pub all: bool,
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
    /// Finds and marks the services that run already. `judge` says what programs are.
    ///
    /// # Errors
    /// When the iterator or a map fails.
    pub fn seed(&mut self, host_scope: bool, judge: &Judge<'_>) -> Result<Seed, ProbeError> {
        let mut family = Family::default();
        family.learn(&std::mem::take(&mut self.early));
        family.hear(&self.backlog);
        let mut complete = false;
        for _ in 0..ROUNDS {
            let rows = self.look(&mut family)?;
            let mut progress = rows.iter().any(Row::added);
            progress |= self.mark_roots(&rows, &mut family, judge)?;
            progress |= self.mark_known(&rows, &family)?;
            // Inference comes last: only what nothing else explains is left to it.
            if !progress
                && !self.infer(&rows)?
                && !self.mark_candidates(&rows, &mut family, judge)?
            {
                complete = !self.full;
                break;
            }
        }
        let seeded = SensorState { seeded: 1, pad: 0 };
        self.state
            .set(0, seeded, 0)
            .map_err(ProbeError::map("LINEAGE_STATE"))?;
        // From here on the kernel marks by itself; what was born just before is in no
        // row yet.
        let mut rows = self.look(&mut family)?;
        let roots = self.mark_roots(&rows, &mut family, judge)?;
        if self.mark_known(&rows, &family)? || roots {
            rows = self.look(&mut family)?;
        }
        let backlog = std::mem::take(&mut self.backlog);
        complete &= !backlog
            .iter()
            .any(|read| matches!(read, Read::Event(_, Some(_))));
        Ok(Seed {
            snapshot: snapshot(&rows, host_scope),
            listening: std::mem::take(&mut self.listening),
            backlog: backlog
                .into_iter()
                .map(|read| family.annotate(read))
                .collect(),
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

    /// One pass, and the records made since the last: all that is known of who begot
    /// whom.
    fn look(&mut self, family: &mut Family) -> Result<Vec<Row>, ProbeError> {
        let rows = rows(&mut self.ebpf)?;
        family.learn(&rows);
        let seen = self.backlog.len();
        self.drain();
        family.hear(self.backlog.get(seen..).unwrap_or_default());
        family.close();
        Ok(rows)
    }

    /// Makes every recognised server that has none above it a root. One that has, but
    /// was marked a root by its own exec, is given back to it.
    fn mark_roots(
        &mut self,
        rows: &[Row],
        family: &mut Family,
        judge: &Judge<'_>,
    ) -> Result<bool, ProbeError> {
        let mut progress = false;
        let mut recognised: Vec<&Row> = rows.iter().filter(|row| row.recognised()).collect();
        // The older first, so that a server is known when one below it is looked at.
        recognised.sort_unstable_by_key(|row| row.process);
        for row in recognised {
            let below = family.is_below_member(row.process);
            let marked = match row.membership {
                Some(own) if own.root == row.process && below => {
                    self.services
                        .remove(&row.process)
                        .map_err(ProbeError::map("LINEAGE_SERVICES"))?;
                    family.give_back(row.process);
                    true
                }
                None if !below && !family.strangers.contains(&row.process) => {
                    self.mark_root(row.process, family, judge)?
                }
                _ => false,
            };
            // The next row may stand below this one.
            if marked {
                family.close();
                progress = true;
            }
        }
        Ok(progress)
    }

    fn mark_root(
        &mut self,
        process: ProcessId,
        family: &mut Family,
        judge: &Judge<'_>,
    ) -> Result<bool, ProbeError> {
        let program = scan::program(process, clock::boottime_ns());
        let Some(Found::Server(name)) = program.map(|program| (judge.look)(&program)) else {
            family.strangers.insert(process);
            return Ok(false);
        };
        let root = Membership {
            root: process,
            depth: 0,
        };
        let state = ServiceState { name, flags: 0 };
        self.full |= !insert("LINEAGE_SERVICES", &mut self.services, process, state)?;
        self.full |= !enter(&mut self.tasks, process, root)?;
        family.known.insert(process, root);
        Ok(true)
    }

    /// Marks living processes that are known to descend from a member.
    fn mark_known(&mut self, rows: &[Row], family: &Family) -> Result<bool, ProbeError> {
        let mut progress = false;
        for row in rows {
            let Some(&membership) = family.known.get(&row.process) else {
                continue;
            };
            if row.membership.map(|now| now.root) != Some(membership.root) && !self.full {
                self.full |= !enter(&mut self.tasks, row.process, membership)?;
                progress = true;
            }
        }
        Ok(progress)
    }

    /// Takes orphans into a service whose parents were gone before the sensor came:
    /// children of an init, in the same leaf cgroup and of the same uid as a member.
    /// Never root's, never in the root cgroup or a login session. `true` when there
    /// was one.
    fn infer(&mut self, rows: &[Row]) -> Result<bool, ProbeError> {
        let members = rows.iter().filter(|row| row.uid != 0);
        let mut homes: HashMap<(BString, u32), ProcessId> = HashMap::new();
        for (row, membership) in members.filter_map(|row| Some((row, row.membership?))) {
            if let Some(cgroup) = service_cgroup(row.process) {
                homes.entry((cgroup, row.uid)).or_insert(membership.root);
            }
        }
        let mut found = false;
        let orphans = rows
            .iter()
            .filter(|row| row.membership.is_none() && row.uid != 0);
        for row in orphans.filter(|row| !homes.is_empty() && scan::is_init(row.parent)) {
            let home = service_cgroup(row.process).and_then(|cgroup| homes.get(&(cgroup, row.uid)));
            if let Some(&root) = home {
                found |= enter(&mut self.tasks, row.process, Membership { root, depth: 1 })?;
            }
        }
        Ok(found)
    }

    /// Moves what the ring holds to the backlog.
    pub(super) fn drain(&mut self) {
        while self.backlog.len() < BACKLOG
            && let Some(read) = self.ring.step()
        {
            self.backlog.push(read);
        }
    }
}

/// cgroup of a process, when it is one that services have to themselves.
fn service_cgroup(process: ProcessId) -> Option<BString> {
    let path = scan::cgroup_path(process)?;
    let login = path.split_str("/").any(|part| {
        part == b"user.slice" || part.starts_with(b"user@") || part.starts_with(b"session-")
    });
    (path != "/" && !path.is_empty() && !login).then_some(path)
}

/// Processes found after a loss; what they run is still to be read.
#[derive(Debug)]
pub struct Survey(Vec<Row>);

impl Survey {
    /// Passes until none marks anything: a child may come before its parent.
    pub(super) fn new(ebpf: &mut Ebpf) -> Result<Self, ProbeError> {
        let mut found = rows(ebpf)?;
        for _ in 0..ROUNDS {
            if !found.iter().any(Row::added) {
                break;
            }
            found = rows(ebpf)?;
        }
        Ok(Self(found))
    }

    /// Reads `/proc`, which takes its time: not for the loop.
    #[must_use]
    pub fn read(&self, host_scope: bool) -> Snapshot {
        snapshot(&self.0, host_scope)
    }
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
        .filter_map(Row::parse)
        .collect())
}

/// What the processes of `rows` run.
fn snapshot(rows: &[Row], host_scope: bool) -> Snapshot {
    let time_ns = clock::boottime_ns();
    let wanted = rows
        .iter()
        .filter(|row| host_scope || row.membership.is_some());
    let processes = wanted
        .map(|row| Scanned {
            process: row.process,
            parent: row.parent,
            membership: row.membership,
            recognised: row.recognised(),
            program: scan::program(row.process, time_ns),
        })
        .collect();
    Snapshot {
        time_ns: clock::boottime_ns(),
        processes,
    }
}
