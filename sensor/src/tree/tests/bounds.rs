//! Bounds: floods, bombs, long chains. What goes is counted, lineages keep their root.

use super::*;
use crate::lineage::Lineage;

fn small() -> Limits {
    Limits {
        processes: 64,
        services: 4,
        ..Limits::default()
    }
}

#[test]
fn a_fork_bomb_stays_within_the_bound() {
    let mut world = World::with(small(), Scope::Services);
    let (_, worker) = world.fpm();
    let mut last = worker;
    for pid in 200..1_200 {
        last = world.fork(if pid % 3 == 0 { worker } else { last }, pid);
        assert!(world.tree.table.len() <= 64);
    }
    assert!(world.tree.shed().live > 0);
    let subject = world.exec1(last, "/usr/bin/dash", "sh");
    assert_eq!(pids(&subject)[0], 100);
}

#[test]
fn the_exited_go_before_the_living() {
    let mut world = World::with(small(), Scope::Services);
    let (_, worker) = world.fpm();
    for pid in 200..1_200 {
        let child = world.fork(worker, pid);
        world.exec(child, "/usr/bin/true", "true");
        world.exit(child, ExitStatus::Code(0));
    }
    assert_eq!(world.tree.shed().live, 0);
    assert!(world.tree.shed().exited > 0);
    assert_eq!(world.part(worker), Part::Worker);
}

#[test]
fn a_process_that_walks_away_cannot_fill_the_table_with_its_dead_selves() {
    let mut world = World::with(small(), Scope::Services);
    let (_, mut walker) = world.fpm();
    let by_stander = world.fork(walker, 199);
    for pid in 200..1_200 {
        let next = world.fork(walker, pid);
        world.exit(walker, ExitStatus::Code(0));
        walker = next;
    }
    assert!(world.tree.table.len() <= 64);
    assert_eq!(world.tree.shed().live, 0);
    assert_eq!(world.part(by_stander), Part::Worker);
    let subject = world.exec1(walker, "/usr/bin/dash", "sh");
    assert_eq!(
        subject.lineage.ancestors.len(),
        Lineage::HEAD + Lineage::TAIL
    );
    assert_eq!(
        subject.lineage.ancestors.len() + subject.lineage.elided as usize,
        1_002
    );
    assert_eq!((pids(&subject)[0], subject.depth), (100, 1));
}

#[test]
fn what_only_forked_and_exited_leaves_nothing_behind() {
    let mut world = World::new();
    let (_, worker) = world.fpm();
    for pid in 200..300 {
        let child = world.fork(worker, pid);
        world.exit(child, ExitStatus::Code(0));
    }
    let stats = world.tree.stats();
    assert_eq!((stats.live, stats.exited, stats.evicted), (2, 0, 0));
}

#[test]
fn an_exec_bomb_keeps_the_first_and_the_last() {
    let mut world = World::new();
    let (_, worker) = world.fpm();
    let child = world.fork(worker, 102);
    world.exec(child, "/usr/bin/first", "first");
    for _ in 0..100 {
        world.exec(child, "/usr/bin/again", "again");
    }
    let subject = world.exec1(child, "/usr/bin/last", "last");
    let names = chain(&subject);
    assert_eq!(names.len(), 8);
    assert_eq!((names[0].as_str(), names[7].as_str()), ("first", "last"));
    assert_eq!(subject.lineage.ancestors[2].chain_elided, 94);
}

#[test]
fn captured_programs_are_bounded_in_bytes() {
    let limits = Limits {
        program_bytes_exited: 20_000,
        program_bytes: 40_000,
        ..Limits::default()
    };
    let mut world = World::with(limits, Scope::Services);
    let (_, worker) = world.fpm();
    for pid in 200..300 {
        let child = world.fork(worker, pid);
        world.exec(child, "/usr/bin/x", &"a".repeat(3_000));
        if pid % 2 == 0 {
            world.exit(child, ExitStatus::Code(0));
        }
        assert!(world.tree.table.program_bytes() <= 40_000);
    }
    let shed = world.tree.shed();
    assert!(shed.live > 0 && shed.exited > 0);
}

#[test]
fn a_long_live_chain_states_what_it_leaves_out() {
    let mut world = World::new();
    let (_, mut last) = world.fpm();
    for pid in 0..5_000 {
        last = world.fork(last, 1_000 + pid);
    }
    let lineage = world.tree.lineage(last);
    assert_eq!(lineage.ancestors[0].id.tgid, 100);
    assert_eq!(lineage.ancestors.len() + lineage.elided as usize, 5_002);
    let view = world.tree.view(&crate::redact::Redactor::default());
    let json = serde_json::to_string(&view).expect("serialises");
    assert!(
        serde_json::from_str::<serde_json::Value>(&json).is_ok(),
        "and can be read"
    );
}

#[test]
fn a_full_table_of_services_keeps_those_it_has() {
    let mut world = World::with(small(), Scope::Services);
    for pid in 100..104 {
        world.server(pid, "/usr/sbin/nginx");
    }
    world.server(104, "/usr/sbin/nginx");
    assert_eq!(world.started.len(), 4);
    assert_eq!(world.tree.shed().services, 1);
    assert_eq!(world.tree.stats().live, 4);
    let first = world.started[0].0;
    world.exit(first, ExitStatus::Code(0));
    world.server(105, "/usr/sbin/nginx");
    assert_eq!(world.started.len(), 5);
}

#[test]
fn posing_as_servers_does_not_use_up_the_services() {
    let mut world = World::with(
        Limits {
            nested: 2,
            ..Limits::default()
        },
        Scope::Services,
    );
    let (_, worker) = world.fpm();
    for pid in 200..300 {
        let child = world.fork(worker, pid);
        assert!(!world.exec(child, "/tmp/nginx", "nginx").is_empty());
    }
    assert_eq!(world.tree.table.service_count(), 3);
}

#[test]
fn expiry_is_bounded_per_call() {
    let mut world = World::with(
        Limits {
            expire_batch: 10,
            ..Limits::default()
        },
        Scope::Services,
    );
    let (_, worker) = world.fpm();
    for pid in 200..225 {
        let child = world.fork(worker, pid);
        world.exec(child, "/usr/bin/true", "true");
        world.exit(child, ExitStatus::Code(0));
    }
    world.now += 61 * SECOND;
    for left in [15, 5, 0] {
        drop(world.tree.expire(world.now));
        assert_eq!(world.tree.stats().exited, left);
    }
}

#[test]
fn a_service_of_which_nothing_lives_ends_at_once() {
    let mut world = World::new();
    let (kept, _) = world.fpm();
    let mut gone = Vec::new();
    for pid in 200..203 {
        let root = world.server(pid, "/tmp/nginx");
        let child = world.fork(root, pid + 10);
        world.exec(child, "/usr/bin/dash", "sh");
        world.exit(root, ExitStatus::Code(0));
        // Its descendant lives, and knows where it comes from.
        let effects = world.tree.expire(world.now);
        assert!(!effects.retired.contains(&root));
        assert_eq!(lineage_pids(&world.tree, child), [pid, pid + 10]);
        world.exit(child, ExitStatus::Signal(9));
        gone.push(root);
    }
    let (last, before) = (gone.pop(), world.tree.table.len());
    assert_eq!(before, 4);
    assert_eq!(world.tree.expire(world.now).retired, last.as_slice());
    assert_eq!(world.tree.table.len(), 2);
    assert_eq!(world.part(kept), Part::Master);
}

#[test]
fn a_service_that_lost_records_or_its_root_keeps_its_grace() {
    let mut world = World::new();
    let root = world.server(60, "/usr/sbin/nginx");
    world.apply(&Event::Lost(Lost {
        ring: crate::event::RingKind::Lifecycle,
        cpu: 0,
        count: 1,
        time_ns: world.now,
    }));
    world.exit(root, ExitStatus::Code(0));
    assert!(world.tree.expire(world.now).retired.is_empty());
    let later = world.now + 61 * SECOND;
    assert_eq!(world.tree.expire(later).retired, [root]);
}

#[test]
fn ending_services_is_bounded_per_call() {
    let limits = Limits {
        expire_batch: 10,
        ..Limits::default()
    };
    let mut world = World::with(limits, Scope::Services);
    let root = world.server(60, "/usr/sbin/nginx");
    for pid in 100..124 {
        let child = world.fork(root, pid);
        world.exec(child, "/usr/bin/true", "true");
        world.exit(child, ExitStatus::Code(0));
    }
    world.exit(root, ExitStatus::Code(0));
    for left in [15, 5, 0] {
        let ended = world.tree.expire(world.now).retired;
        assert_eq!(world.tree.table.len(), left);
        assert_eq!(ended.contains(&root), left == 0);
    }
}

#[test]
fn the_view_is_ordered_and_shows_the_exited_only_above_the_living() {
    let mut world = World::new();
    let (_, worker) = world.fpm();
    let gone = world.fork(worker, 150);
    let alive = world.fork(gone, 120);
    let sibling = world.fork(worker, 110);
    world.exec(alive, "/usr/bin/dash", "sh -c id");
    world.exit(gone, ExitStatus::Code(0));
    world.exit(sibling, ExitStatus::Code(0));
    world.fork(worker, 109);
    let view = world.tree.view(&crate::redact::Redactor::default());
    assert_eq!((view.len(), view[0].pid, view[0].kind), (1, 100, "php-fpm"));
    let worker = &view[0].processes[0].children[0];
    let below: Vec<_> = worker.children.iter().map(|p| (p.pid, p.exited)).collect();
    assert_eq!(below, [(150, true), (109, false)]);
    assert_eq!(worker.children[0].children[0].args, ["sh", "-c", "id"]);
    assert_eq!(worker.children[0].children[0].part, "descendant");
}

#[test]
fn nodes_stay_small() {
    // 100,000 live processes must fit 60 MB together with everything else.
    assert!(
        size_of::<node::Node>() <= 320,
        "{}",
        size_of::<node::Node>()
    );
}
