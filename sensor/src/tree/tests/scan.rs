//! The scan, and how events that happened meanwhile complete it.

use super::*;
use crate::{
    event::{File, FileAction},
    tree::node::Node,
};

const FPM: &str = "/usr/sbin/php-fpm8.2";

/// master 100, worker 101 with a shell 102; rows of a scan, not yet applied.
fn running() -> (World, [ProcessId; 3], Vec<Scanned>) {
    let mut world = World::new();
    let master = world.stranger(100);
    let worker = world.stranger(101);
    let shell = world.stranger(102);
    world.mark(master, master, 0);
    world.mark(worker, master, 1);
    world.mark(shell, master, 2);
    world.tick();
    let rows = vec![
        world.row(shell, worker, "/usr/bin/dash", 33),
        world.row(worker, master, FPM, 33),
        world.row(master, ProcessId::new(1, 1), FPM, 0),
    ];
    (world, [master, worker, shell], rows)
}

#[test]
fn a_running_server_is_found_with_its_parts() {
    let (mut world, [master, worker, shell], rows) = running();
    world.seed(rows);
    assert_eq!(world.started, [(master, ServiceKind::PhpFpm)]);
    assert_eq!(world.part(master), Part::Master);
    assert_eq!(world.part(worker), Part::Worker);
    assert_eq!(world.part(shell), Part::Descendant);
    let lineage = world.tree.lineage(shell);
    assert!(
        lineage
            .ancestors
            .iter()
            .all(|a| a.provenance == Provenance::Scanned)
    );
    assert_eq!(lineage_pids(&world.tree, shell), [100, 101, 102]);

    world.setuid(worker, 33);
    let child = world.fork(worker, 103);
    let subject = world.exec1(child, "/usr/bin/id", "id");
    let seen: Vec<_> = subject
        .lineage
        .ancestors
        .iter()
        .map(|a| a.provenance)
        .collect();
    assert_eq!(
        seen,
        [
            Provenance::Scanned,
            Provenance::Scanned,
            Provenance::Observed
        ]
    );
}

#[test]
fn a_fork_seen_later_names_the_true_creator() {
    let (mut world, [master, worker, shell], mut rows) = running();
    // The scan found the shell's child under the master, its creator having exited.
    let orphan = world.stranger(104);
    world.mark(orphan, master, 1);
    rows.push(world.row(orphan, master, "/usr/bin/sleep", 33));
    world.seed(rows);
    assert_eq!(lineage_pids(&world.tree, orphan), [100, 104]);
    let stamp = Stamp {
        time_ns: orphan.start_ns,
        ..Stamp::default()
    };
    let fork = Fork {
        stamp,
        child: orphan,
        membership: None,
        creator: shell,
        creator_tid: 102,
        parent: shell,
        uid: 33,
    };
    world.apply(&Event::Fork(fork));
    assert_eq!(lineage_pids(&world.tree, orphan), [100, 101, 102, 104]);
    let last = world.tree.lineage(orphan).ancestors.pop().expect("known");
    assert_eq!(last.provenance, Provenance::Observed);
    // And never again.
    world.apply(&Event::Fork(Fork {
        creator: worker,
        ..fork
    }));
    assert_eq!(lineage_pids(&world.tree, orphan), [100, 101, 102, 104]);
    assert_eq!(world.part(worker), Part::Worker);
}

#[test]
fn an_exec_the_scan_saw_the_result_of_replaces_it() {
    let (mut world, [_, worker, shell], mut rows) = running();
    let exec = world.exec_event(shell, "/usr/bin/dash", "sh -c id");
    let later = world.exec_event(shell, "/usr/bin/id", "id");
    world.tick();
    rows[0] = world.row(shell, worker, "/usr/bin/id", 33);
    world.seed(rows);
    let first = world.apply(&Event::Exec(exec)).remove(0);
    assert_eq!(
        (chain(&first), first.depth, first.origin),
        (vec!["dash".into()], 1, Part::Worker)
    );
    assert_eq!(
        first.previous.map(|p| p.image.name().to_string()),
        Some("php-fpm8.2".into())
    );
    let second = world.apply(&Event::Exec(later)).remove(0);
    assert_eq!(
        (chain(&second), second.depth),
        (vec!["dash".into(), "id".into()], 2)
    );
    let third = world.exec1(shell, "/usr/bin/cat", "cat");
    assert_eq!(chain(&third), ["dash", "id", "cat"]);
}

#[test]
fn the_roots_own_exec_may_come_after_the_scan() {
    let mut world = World::new();
    let master = world.stranger(50);
    let exec = world.exec_event(master, "/usr/sbin/nginx", "nginx");
    world.tick();
    let row = world.row(master, ProcessId::new(1, 1), "/usr/sbin/nginx", 0);
    world.seed(vec![row]);
    assert!(world.apply(&Event::Exec(exec)).is_empty());
    assert_eq!(world.started.len(), 1);
    let last = world.tree.lineage(master).ancestors.pop().expect("known");
    assert_eq!(
        (last.part, last.provenance),
        (Part::Master, Provenance::Observed)
    );
    assert_eq!(last.chain.len(), 1);
}

#[test]
fn members_born_unmarked_while_the_scan_ran_are_adopted() {
    let (mut world, [master, worker, _], rows) = running();
    world.seed(rows);
    world.marked.clear();
    let first = world.fork(worker, 110);
    let second = world.fork(first, 111);
    world.exit(first, ExitStatus::Code(0));
    let adopted: Vec<_> = world
        .adopted
        .iter()
        .map(|(id, m)| (*id, m.root, m.depth))
        .collect();
    assert_eq!(adopted, [(first, master, 2), (second, master, 3)]);
    let subject = world.exec1(second, "/usr/bin/dash", "sh");
    assert_eq!(pids(&subject), [100, 101, 110, 111]);
}

#[test]
fn orphaned_workers_are_master_and_worker_at_once() {
    let mut world = World::new();
    let orphan = world.stranger(80);
    let busy = world.stranger(81);
    let worker = world.stranger(82);
    let shell = world.stranger(83);
    world.mark(orphan, orphan, 0);
    world.mark(busy, busy, 0);
    world.mark(worker, busy, 1);
    world.mark(shell, orphan, 1);
    let init = ProcessId::new(1, 1);
    let rows = vec![
        world.row(orphan, init, "/usr/sbin/nginx", 33),
        world.row(busy, init, "/usr/sbin/nginx", 33),
        world.row(worker, busy, "/usr/sbin/nginx", 33),
        world.row(shell, orphan, "/usr/bin/dash", 33),
    ];
    world.seed(rows);
    assert_eq!(world.part(orphan), Part::Both);
    assert_eq!(world.part(busy), Part::Master);
    assert_eq!(world.part(worker), Part::Worker);
    assert_eq!(world.part(shell), Part::Descendant);
    let child = world.fork(orphan, 84);
    assert_eq!(world.exec1(child, "/usr/bin/dash", "sh").origin, Part::Both);
}

#[test]
fn a_scanned_java_is_decided_by_its_command_line() {
    let mut world = World::new();
    let tool = world.stranger(90);
    let below = world.stranger(91);
    world.mark(tool, tool, 0);
    world.mark(below, tool, 1);
    let rows = vec![
        world.row(tool, ProcessId::new(1, 1), "/opt/jdk/bin/java", 0),
        world.row(below, tool, "/usr/bin/git", 0),
    ];
    world.seed(rows);
    assert_eq!(world.demoted, [tool]);
    assert_eq!(world.tree.stats().live, 0);
}

#[test]
fn a_member_without_a_parent_in_the_service_is_inferred() {
    let (mut world, [master, ..], mut rows) = running();
    let stray = world.stranger(105);
    world.mark(stray, master, 1);
    rows.push(world.row(stray, ProcessId::new(1, 1), "/usr/bin/sleep", 33));
    world.seed(rows);
    let lineage = world.tree.lineage(stray);
    assert_eq!(lineage_pids(&world.tree, stray), [100, 105]);
    assert_eq!(lineage.ancestors[1].provenance, Provenance::Inferred);
}

#[test]
fn a_member_whose_birth_was_lost_stands_under_its_root() {
    let mut world = World::new();
    let (_, worker) = world.fpm();
    world.deaf = true;
    let lost = world.fork(worker, 102);
    world.deaf = false;
    let subject = world.exec1(lost, "/usr/bin/dash", "sh");
    assert_eq!(pids(&subject), [100, 102]);
    assert_eq!(subject.lineage.ancestors[1].provenance, Provenance::Lost);
    assert_eq!(
        subject.lineage.elided, 1,
        "the kernel's depth says that one is missing"
    );
    let child = world.fork(lost, 103);
    assert_eq!(lineage_pids(&world.tree, child), [100, 102, 103]);
}

#[test]
fn a_service_whose_root_was_lost_is_followed_and_named_by_the_next_scan() {
    let mut world = World::new();
    world.deaf = true;
    let (master, worker) = world.fpm();
    world.deaf = false;
    let child = world.fork(worker, 102);
    let subject = world.exec1(child, "/usr/bin/dash", "sh");
    assert_eq!(pids(&subject), [100, 101, 102]);
    assert_eq!(
        subject.service.as_ref().map(|s| s.kind),
        Some(ServiceKind::Unknown)
    );
    assert_eq!(subject.lineage.ancestors[0].provenance, Provenance::Lost);
    assert_eq!(
        subject.lineage.ancestors[2].provenance,
        Provenance::Observed
    );

    world.tick();
    let rows = vec![
        world.row(master, ProcessId::new(1, 1), FPM, 0),
        world.row(worker, master, FPM, 33),
        world.row(child, worker, "/usr/bin/dash", 33),
    ];
    world.seed(rows);
    assert_eq!(world.started, [(master, ServiceKind::PhpFpm)]);
    let subject = world.exec1(child, "/usr/bin/id", "id");
    assert_eq!(
        subject.service.as_ref().map(|s| s.kind),
        Some(ServiceKind::PhpFpm)
    );
    let seen: Vec<_> = subject
        .lineage
        .ancestors
        .iter()
        .map(|a| a.provenance)
        .collect();
    assert_eq!(
        seen,
        [
            Provenance::Scanned,
            Provenance::Scanned,
            Provenance::Observed
        ]
    );
}

#[test]
fn what_a_scan_does_not_list_has_exited() {
    let (mut world, [_, worker, shell], rows) = running();
    world.seed(rows.clone());
    world.now += 60 * SECOND;
    let rows = rows
        .into_iter()
        .filter(|row| row.process != shell)
        .collect();
    world.seed(rows);
    let stats = world.tree.stats();
    assert_eq!((stats.live, stats.exited), (2, 1));
    // A sign of life stands above a scan.
    assert_eq!(world.exec(shell, "/usr/bin/id", "id").len(), 1);
    assert_eq!(world.tree.stats().live, 3);
    assert_eq!(world.part(worker), Part::Worker);
}

#[test]
fn after_a_loss_what_a_scan_shows_to_run_is_judged_once_and_nothing_of_the_service_is() {
    let mut world = World::new();
    let (master, worker) = world.fpm();
    let child = world.fork(worker, 102);
    let shell = world.fork(worker, 104);
    world.exec(shell, "/usr/bin/dash", "sh -c flood");
    // The exec of a shell, a fork with its exec, and a shell's exec of a shell never
    // reach the tree.
    world.deaf = true;
    world.exec(child, "/usr/bin/dash", "sh");
    let grandchild = world.fork(child, 103);
    world.exec(grandchild, "/usr/bin/id", "id");
    world.exec(shell, "/usr/bin/dash", "sh -c spy");
    world.deaf = false;
    world.now += SECOND;
    let rows = vec![
        world.row(master, ProcessId::new(1, 0), "/usr/sbin/php-fpm8.2", 0),
        world.row(worker, master, "/usr/sbin/php-fpm8.2", 33),
        world.row(child, worker, "/usr/bin/dash", 33),
        world.row(grandchild, child, "/usr/bin/id", 33),
        world.row(shell, worker, "/usr/bin/dash", 33),
    ];
    let snapshot = Snapshot {
        time_ns: world.now,
        processes: rows,
    };
    // Without a loss a scan tells of nothing new.
    let mut calm = World::new();
    let (_, other) = calm.fpm();
    let idle = calm.fork(other, 102);
    let row = calm.row(idle, other, "/usr/bin/dash", 33);
    let effects = calm.tree.seed(&Snapshot {
        time_ns: calm.now,
        processes: vec![row],
    });
    assert!(effects.subjects.is_empty());

    drop(world.tree.apply(&Event::Lost(Lost {
        ring: crate::event::RingKind::Lifecycle,
        cpu: 0,
        count: 3,
        time_ns: world.now,
    })));
    let judged = world.tree.seed(&snapshot).subjects;
    let pids: Vec<u32> = judged.iter().map(|s| s.process.tgid).collect();
    assert_eq!(pids, [102, 104, 103]);
    assert!(
        judged
            .iter()
            .all(|s| s.origin == Part::Worker && s.lost_events == 3)
    );
    assert!(world.tree.seed(&snapshot).subjects.is_empty());
}

/// During the start its fork and exit told of nobody's member; what it did to a file, in the
/// other ring, comes after the scan.
#[test]
fn who_acted_before_the_scan_and_is_not_in_it_has_ended() {
    let (mut world, [master, worker, _], rows) = running();
    let gone = world.stranger(103);
    world.mark(gone, master, 1);
    let act = |world: &World, process| {
        Event::File(Arc::new(File {
            stamp: Stamp {
                time_ns: world.now,
                ..Stamp::default()
            },
            membership: Some(Membership {
                root: master,
                depth: 1,
            }),
            ..File::bare(process, FileAction::Write, "/srv/www/a.php".into())
        }))
    };
    let (before, of_worker) = (act(&world, gone), act(&world, worker));
    world.now += 1_000_000_000;
    world.seed(rows);
    world.apply(&before);
    world.apply(&of_worker);
    let is_live = |id| world.tree.table.get(id).is_some_and(Node::is_live);
    assert!(!is_live(gone) && is_live(worker) && is_live(master));
    // Later it is somebody whose fork was lost.
    let late = world.stranger(104);
    world.tick();
    let after = act(&world, late);
    world.apply(&after);
    assert!(world.tree.table.get(late).is_some_and(Node::is_live));
}
