//! Who begot whom, as far as rows and records tell, and what follows for membership.
//! Pure; kept only while seeding.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::row::Row;
use crate::{
    event::{Event, Membership, ProcessId},
    ring::Read,
};

/// Parent of each process ever seen, and the members among them.
#[derive(Debug, Default)]
pub(super) struct Family {
    /// By age of the child: a parent is older than its children.
    parents: BTreeMap<ProcessId, ProcessId>,
    /// Members, living or dead.
    pub(super) known: HashMap<ProcessId, Membership>,
    /// Processes with the name of a server that are none.
    pub(super) strangers: HashSet<ProcessId>,
}

impl Family {
    /// Takes the rows of one pass. Where a fork record has told the creator, that stays.
    pub(super) fn learn(&mut self, rows: &[Row]) {
        for row in rows {
            self.parents.entry(row.process).or_insert(row.parent);
            if let Some(membership) = row.membership {
                self.known.entry(row.process).or_insert(membership);
            }
        }
    }

    /// Takes records of the ring.
    pub(super) fn hear(&mut self, reads: &[Read]) {
        for read in reads {
            let (process, membership) = match read {
                Read::Event(Event::Fork(fork), _) => {
                    self.parents.insert(fork.child, fork.creator);
                    (fork.child, fork.membership)
                }
                Read::Event(Event::Exec(exec), _) => (exec.process, exec.membership),
                _ => continue,
            };
            if let Some(membership) = membership {
                self.known.entry(process).or_insert(membership);
            }
        }
    }

    /// Makes every descendant of a member one.
    pub(super) fn close(&mut self) {
        for (&child, parent) in &self.parents {
            if let Some(above) = self.known.get(parent).copied() {
                self.known.entry(child).or_insert(Membership {
                    root: above.root,
                    depth: above.depth.saturating_add(1),
                });
            }
        }
    }

    /// `true` when the parent of `process` is a member.
    pub(super) fn is_below_member(&self, process: ProcessId) -> bool {
        let parent = self.parents.get(&process);
        parent.is_some_and(|parent| *parent != process && self.known.contains_key(parent))
    }

    /// Forgets that `root` was thought to be a root of its own, and what followed.
    pub(super) fn give_back(&mut self, root: ProcessId) {
        self.known.retain(|_, membership| membership.root != root);
    }

    /// Gives a record the membership its process turned out to have.
    pub(super) fn annotate(&self, read: Read) -> Read {
        let Read::Event(mut event, lost) = read else {
            return read;
        };
        let (process, membership) = match &mut event {
            Event::Fork(fork) => (fork.child, &mut fork.membership),
            Event::Exec(exec) => (exec.process, &mut exec.membership),
            Event::Exit(exit) => (exit.process, &mut exit.membership),
            Event::File(_) | Event::Socket(_) | Event::Lost(_) => {
                return Read::Event(event, lost);
            }
        };
        if let Some(known) = self.known.get(&process) {
            *membership = Some(*known);
        }
        Read::Event(event, lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Fork, Stamp};

    fn id(pid: u32) -> ProcessId {
        ProcessId::new(pid, u64::from(pid))
    }

    fn row(pid: u32, parent: u32, root: Option<u32>) -> Row {
        Row {
            membership: root.map(|root| Membership {
                root: id(root),
                depth: 0,
            }),
            ..Row::new(id(pid), id(parent))
        }
    }

    fn fork(creator: u32, child: u32) -> Read {
        let fork = Fork {
            stamp: Stamp::default(),
            child: id(child),
            membership: None,
            creator: id(creator),
            creator_tid: creator,
            parent: id(creator),
            uid: 33,
        };
        Read::Event(Event::Fork(fork), None)
    }

    #[test]
    fn dead_parents_hide_nobody_whether_rows_or_records_told_of_them() {
        let mut family = Family::default();
        // 10 is a server; 20 its child, gone before anything was marked; 30 was forked
        // by 20, and 40 by 30, which no row ever showed.
        family.learn(&[row(10, 1, None), row(20, 10, None)]);
        family.hear(&[fork(20, 30), fork(30, 40)]);
        family.learn(&[row(10, 1, Some(10)), row(40, 1, None)]);
        family.close();
        let depths = [20, 30, 40].map(|pid| family.known.get(&id(pid)).map(|known| known.depth));
        assert_eq!(depths, [Some(1), Some(2), Some(3)]);
        let Read::Event(Event::Fork(fork), _) = family.annotate(fork(30, 40)) else {
            panic!("another record");
        };
        assert_eq!(fork.membership.map(|known| known.root), Some(id(10)));
    }

    #[test]
    fn a_server_below_a_server_is_given_back_with_its_children() {
        let mut family = Family::default();
        family.learn(&[
            row(10, 1, None),
            row(20, 10, Some(20)),
            row(30, 20, Some(20)),
        ]);
        assert!(!family.is_below_member(id(20)));
        let root = Membership {
            root: id(10),
            depth: 0,
        };
        family.known.insert(id(10), root);
        assert!(family.is_below_member(id(20)));
        family.give_back(id(20));
        family.close();
        assert!(family.known.values().all(|known| known.root == id(10)));
        assert_eq!(family.known.len(), 3);
    }
}
