//! Whatever comes in, in whatever order: no cycle, no panic, no bound crossed, every
//! lineage ends at its root, and the same inputs give the same tree.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::{
    lineage::{Act, Lineage},
    tree::{node::Branch, orphan::due_ns},
};

const PROCESSES: usize = 24;
const SERVICES: usize = 4;

/// Few ids, so that records collide.
fn id() -> impl Strategy<Value = ProcessId> {
    (1..14_u32, 0..3_u64).prop_map(|(tgid, age)| ProcessId::new(tgid, u64::from(tgid) * 10 + age))
}

fn membership() -> impl Strategy<Value = Option<Membership>> {
    prop::option::of((id(), 0..5_u32).prop_map(|(root, depth)| Membership { root, depth }))
}

fn path() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "/usr/sbin/nginx",
        "/usr/sbin/apache2",
        "/opt/jdk/bin/java",
        "/opt/jdk/lib/jspawnhelper",
        "/usr/bin/python3",
        "/bin/sh",
        "/usr/bin/env",
        "",
    ])
}

fn some_program() -> impl Strategy<Value = Program> {
    (
        path(),
        prop::sample::select(vec!["x", "java -jar jenkins.war", "python3 -m uvicorn"]),
        0..200_u64,
        0..2_u32,
        any::<bool>(),
    )
        .prop_map(|(path, args, time_ns, uid, scan)| {
            let mut program = program(path, args);
            program.time_ns = time_ns;
            program.cred.uid = uid;
            program.source = if scan { Source::Scan } else { Source::Exec };
            program
        })
}

fn stamp() -> impl Strategy<Value = Stamp> {
    (0..200_u64).prop_map(|time_ns| Stamp {
        time_ns,
        ..Stamp::default()
    })
}

#[derive(Clone, Debug)]
enum Input {
    Event(Event),
    Scan(Snapshot),
    Expire(u64),
}

fn input() -> impl Strategy<Value = Input> {
    let fork = (stamp(), id(), membership(), id(), id()).prop_map(
        |(stamp, child, membership, creator, parent)| {
            let uid = creator.tgid % 2;
            Event::Fork(Fork {
                stamp,
                child,
                membership,
                creator,
                creator_tid: 0,
                parent,
                uid,
            })
        },
    );
    let exec = (
        stamp(),
        id(),
        membership(),
        any::<(bool, bool)>(),
        id(),
        some_program(),
    )
        .prop_map(
            |(stamp, process, membership, (recognised, candidate), parent, program)| {
                let program = Arc::new(program);
                Event::Exec(Exec {
                    stamp,
                    process,
                    membership,
                    recognised,
                    candidate,
                    parent,
                    program,
                })
            },
        );
    let listen = (stamp(), id(), membership(), any::<(bool, bool)>()).prop_map(
        |(stamp, process, membership, (promoted, candidate))| {
            Event::Socket(Arc::new(Socket {
                promoted,
                candidate,
                ..listening(stamp, process, membership)
            }))
        },
    );
    let exit = (stamp(), id(), any::<bool>()).prop_map(|(stamp, process, killed)| {
        let status = if killed {
            ExitStatus::Signal(9)
        } else {
            ExitStatus::Code(0)
        };
        Event::Exit(Exit {
            stamp,
            process,
            membership: None,
            status,
        })
    });
    let lost = any::<u64>().prop_map(|count| {
        Event::Lost(Lost {
            ring: crate::event::RingKind::Lifecycle,
            cpu: 0,
            count,
            time_ns: 0,
        })
    });
    let row = (
        id(),
        id(),
        membership(),
        any::<bool>(),
        prop::option::of(some_program()),
    )
        .prop_map(
            |(process, parent, membership, recognised, program)| Scanned {
                process,
                parent,
                membership,
                recognised,
                program: program.map(Arc::new),
            },
        );
    let scan = (0..80 * SECOND, prop::collection::vec(row, 0..12))
        .prop_map(|(time_ns, processes)| Input::Scan(Snapshot { time_ns, processes }));
    prop_oneof![
        8 => fork.prop_map(Input::Event),
        8 => exec.prop_map(Input::Event),
        3 => exit.prop_map(Input::Event),
        3 => listen.prop_map(Input::Event),
        1 => lost.prop_map(Input::Event),
        2 => scan,
        1 => (0..200 * SECOND).prop_map(Input::Expire),
    ]
}

fn tree(scope: Scope) -> Tree {
    let limits = Limits {
        processes: PROCESSES,
        services: SERVICES,
        nested: 2,
        contexts: 3,
        retired: 3,
        expire_batch: 5,
        ..Limits::default()
    };
    Tree::new(limits, scope, Catalogue::default())
}

fn feed(tree: &mut Tree, input: &Input) -> String {
    let effects = match input {
        Input::Event(event) => tree.apply(event),
        Input::Scan(snapshot) => tree.seed(snapshot),
        Input::Expire(now) => {
            let expected = outliving(tree, *now);
            let effects = tree.expire(*now);
            let subjects = effects.subjects.iter();
            let found = subjects.filter(|it| it.act == Act::Outlive).map(|subject| {
                let service = subject.service.as_ref().map(|service| service.id);
                (subject.stamp.time_ns, subject.process, service)
            });
            assert_eq!(found.collect::<Vec<_>>(), expected);
            effects
        }
    };
    for subject in &effects.subjects {
        if let Some(service) = &subject.service {
            let first = subject.lineage.ancestors.first().expect("not empty");
            assert_eq!(first.id, service.id, "a lineage begins at the root");
        }
        assert_eq!(
            subject.lineage.ancestors.last().map(|a| a.id),
            Some(subject.process)
        );
    }
    format!(
        "{effects:?}{:?}{:?}",
        tree.view(&crate::redact::Redactor::default()),
        tree.stats()
    )
}

/// What [`Tree::expire`] has to report, by a walk over the whole table: the oldest live
/// process of each branch that is due at a moment kept for its service.
fn outliving(tree: &Tree, now_ns: u64) -> Vec<(u64, ProcessId, Option<ProcessId>)> {
    let mut oldest: BTreeMap<_, (ProcessId, Branch)> = BTreeMap::new();
    for (id, node) in tree.table.nodes().filter(|(_, node)| node.is_live()) {
        for branch in node.branches().filter(|it| it.part == Part::Descendant) {
            let known = oldest
                .entry((branch.service, branch.spawn_root))
                .or_insert((id, *branch));
            if id < known.0 {
                *known = (id, *branch);
            }
        }
    }
    let mut found: Vec<_> = oldest
        .into_iter()
        .filter_map(|((service, _), (id, branch))| {
            let due = due_ns(tree.orphaned_ns(&branch)?);
            let is_due = due <= now_ns && tree.orphans.contains(&(due, service));
            is_due.then_some((due, id, Some(service)))
        })
        .collect();
    found.sort_unstable();
    found
}

/// The live processes of each branch, by a walk over the whole table.
fn living(tree: &Tree) -> BTreeSet<(ProcessId, ProcessId, ProcessId)> {
    let live = tree.table.nodes().filter(|(_, node)| node.is_live());
    let branches = live.flat_map(|(id, node)| node.branches().map(move |branch| (id, branch)));
    branches
        .filter(|(_, branch)| branch.part == Part::Descendant)
        .map(|(id, branch)| (branch.service, branch.spawn_root, id))
        .collect()
}

fn check(tree: &Tree) {
    let table = &tree.table;
    assert_eq!(*table.living().members(), living(tree));
    assert!(table.len() <= PROCESSES);
    assert!(table.service_count() <= SERVICES);
    assert!(tree.retired.len() <= 3 && tree.retired_order.len() == tree.retired.len());
    let mut live = 0;
    for (id, node) in table.nodes() {
        let children = table
            .nodes()
            .filter(|(_, other)| other.creator == Some(id))
            .count();
        assert_eq!(node.children as usize, children);
        let live_children = table
            .nodes()
            .filter(|(_, other)| other.creator == Some(id) && other.is_live())
            .count();
        assert_eq!(node.live_children as usize, live_children);
        if let Some(creator) = node.creator {
            assert!(
                creator < id && table.contains(creator),
                "edges lead to older, known processes"
            );
        }
        live += usize::from(node.is_live());
        for branch in node.branches() {
            assert!(table.service(branch.service).is_some(), "{branch:?}");
            assert!(
                table.contains(branch.service),
                "a root outlives its members"
            );
        }
        let lineage = tree.lineage(id);
        assert!(lineage.ancestors.len() <= Lineage::HEAD + Lineage::TAIL);
        assert_eq!(lineage.ancestors.last().map(|a| a.id), Some(id));
        if let Some(home) = node.home {
            assert_eq!(lineage.ancestors.first().map(|a| a.id), Some(home.service));
        }
    }
    assert_eq!(table.live(), live);
    for (id, entry) in table.services() {
        let of = |live: bool| {
            table
                .nodes()
                .filter(|(_, n)| n.branch(id).is_some() && (!live || n.is_live()))
                .count()
        };
        assert_eq!(
            (entry.members as usize, entry.live as usize),
            (of(false), of(true))
        );
        let nested = table
            .services()
            .filter(|(_, other)| other.within == Some(id))
            .count();
        assert_eq!(entry.nested as usize, nested);
    }
    for id in table.dead() {
        let node = table.get(id).expect("a dead leaf stands in the table");
        assert!(!node.is_live() && node.children == 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_records_leave_a_sound_tree(
        inputs in prop::collection::vec(input(), 1..120),
        host in any::<bool>(),
    ) {
        let scope = if host { Scope::Host } else { Scope::Services };
        let (mut one, mut two) = (tree(scope), tree(scope));
        for input in &inputs {
            let said = feed(&mut one, input);
            check(&one);
            prop_assert_eq!(said, feed(&mut two, input));
        }
    }

    #[test]
    fn everything_expires_in_the_end(inputs in prop::collection::vec(input(), 1..120)) {
        let mut tree = tree(Scope::Services);
        for input in &inputs {
            feed(&mut tree, input);
        }
        let ids: Vec<_> = tree.table.nodes().map(|(id, _)| id).collect();
        for process in ids {
            let stamp = Stamp { time_ns: 1_000, ..Stamp::default() };
            let exit = Exit { stamp, process, membership: None, status: ExitStatus::Code(0) };
            drop(tree.apply(&Event::Exit(exit)));
        }
        for _ in 0..=PROCESSES {
            drop(tree.expire(u64::MAX));
        }
        prop_assert_eq!(tree.table.len(), 0);
        prop_assert_eq!(tree.table.service_count(), 0);
        prop_assert_eq!(tree.table.program_bytes(), 0);
    }
}
