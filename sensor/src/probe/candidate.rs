//! Interpreters that ran before the sensor came: services when they listen or are told
//! to, else candidates, as the exec hook would have made them.

use std::{collections::BTreeMap, sync::Arc};

use sensor_common::map::{ProcessId, ServiceState};

use super::{
    Probe, ProbeError,
    family::Family,
    mark::{enter, insert},
    row::Row,
    seed::{Found, Judge},
};
use crate::{
    clock,
    event::{Membership, Program},
    scan::{self, Listening},
};

/// A candidate: what it runs, and the processes that it has forked.
struct Group {
    program: Arc<Program>,
    members: Vec<ProcessId>,
}

impl Probe {
    /// Marks interpreters that stand in nothing yet. `true` when there was one.
    pub(super) fn mark_candidates(
        &mut self,
        rows: &[Row],
        family: &mut Family,
        judge: &Judge<'_>,
    ) -> Result<bool, ProbeError> {
        let mut progress = false;
        let mut listening = Listening::default();
        for (root, group) in groups(rows, family, judge) {
            // A worker under a title of its own, of a service found just now.
            if family.is_below_member(root) {
                progress = true;
                continue;
            }
            let found = (judge.look)(&group.program);
            let listens = group.members.iter().any(|&id| listening.holds(id));
            match found {
                Found::Server(name) => self.settle(root, &group, name, true, family)?,
                Found::Candidate(name) => {
                    self.settle(root, &group, name, listens, family)?;
                    if listens {
                        self.listening.push(root);
                    }
                }
                Found::Other => continue,
            }
            progress = true;
        }
        Ok(progress)
    }

    /// Writes down what a group is.
    fn settle(
        &mut self,
        root: ProcessId,
        group: &Group,
        name: u32,
        serves: bool,
        family: &mut Family,
    ) -> Result<(), ProbeError> {
        let state = ServiceState { name, flags: 0 };
        if serves {
            self.full |= !insert("LINEAGE_SERVICES", &mut self.services, root, state)?;
        } else {
            insert("LINEAGE_CANDIDATES", &mut self.candidates, root, state)?;
        }
        for &process in &group.members {
            let membership = Membership {
                root,
                depth: u32::from(process != root),
            };
            self.full |= !enter(&mut self.tasks, process, membership)?;
            if serves {
                family.known.insert(process, membership);
            }
        }
        family.strangers.remove(&root);
        family.close();
        Ok(())
    }
}

/// The interpreters of `rows`, by the process they began with: a child that runs the same
/// was forked, or is a worker.
fn groups(rows: &[Row], family: &Family, judge: &Judge<'_>) -> BTreeMap<ProcessId, Group> {
    let now_ns = clock::boottime_ns();
    let mut wanted: Vec<&Row> = rows
        .iter()
        .filter(|row| row.membership.is_none() && !row.candidate())
        .filter(|row| judge.all || row.interpreter() || family.strangers.contains(&row.process))
        .collect();
    wanted.sort_unstable_by_key(|row| row.process);
    let mut groups: BTreeMap<ProcessId, Group> = BTreeMap::new();
    let mut homes: BTreeMap<ProcessId, ProcessId> = BTreeMap::new();
    for row in wanted {
        let Some(program) = scan::program(row.process, now_ns) else {
            continue;
        };
        let above = homes.get(&row.parent).copied();
        let forked = above
            .and_then(|root| groups.get_mut(&root))
            .filter(|above| {
                above.program.image.file == program.image.file
                    && (above.program.args.head == program.args.head
                        || (judge.same)(&above.program, &program))
            });
        let root = if let Some(group) = forked {
            group.members.push(row.process);
            above.unwrap_or(row.process)
        } else {
            let members = vec![row.process];
            groups.insert(row.process, Group { program, members });
            row.process
        };
        homes.insert(row.process, root);
    }
    groups
}
