//! Apache: what a look at its master changes, and when it is asked for.

use super::*;
use crate::lineage::Role;
use crate::service::{Apache, Modules};

const PLAIN: Modules = Modules {
    any: true,
    scripting: false,
    cgid: false,
};
const CGID: Modules = Modules {
    any: true,
    scripting: true,
    cgid: true,
};

/// An Apache whose master has forked a first child, which it was looked at for.
fn apache(world: &mut World) -> (ProcessId, ProcessId) {
    let master = world.server(50, "/usr/sbin/apache2");
    let fork = world.fork_event(master, 51);
    let effects = world.tree.apply(&Event::Fork(fork));
    assert_eq!(effects.examine, [master]);
    (master, fork.child)
}

fn found(master: ProcessId, modules: Modules, cgid: Option<ProcessId>) -> Apache {
    let cgid = cgid.map(|id| (id.tgid, id.start_ns / crate::event::TICK_NS));
    Apache {
        master,
        modules,
        cgid,
    }
}

fn role(world: &World, service: ProcessId) -> Role {
    world.tree.table.service(service).unwrap().service.role
}

#[test]
fn without_script_modules_it_is_edge_once_that_is_certain() {
    let mut world = World::new();
    let (master, _) = apache(&mut world);
    assert_eq!(role(&world, master), Role::App);
    for (modules, expected) in [
        (PLAIN, Role::App),
        (PLAIN, Role::Edge),
        // A reload brings modules, and takes them away again.
        (CGID, Role::App),
        (PLAIN, Role::App),
        (PLAIN, Role::Edge),
        // Linked with what it needs, whatever that is.
        (Modules::default(), Role::App),
    ] {
        world.tree.apache(&found(master, modules, None));
        assert_eq!(role(&world, master), expected, "{modules:?}");
    }
    let stranger = ProcessId::new(99, 1);
    world.tree.apache(&found(stranger, PLAIN, None));
    assert_eq!(role(&world, master), Role::App);
}

#[test]
fn what_the_daemon_forks_is_cgi_and_what_a_worker_forks_is_not() {
    let mut world = World::new();
    let (master, daemon) = apache(&mut world);
    let worker = world.fork(master, 52);
    world.tree.apache(&found(master, CGID, Some(daemon)));
    let role = |subject: &Subject| subject.service.as_ref().map(|service| service.role);

    let child = world.fork(daemon, 60);
    let script = world.exec1(child, "/usr/bin/dash", "sh /usr/lib/cgi-bin/x");
    assert_eq!(role(&script), Some(Role::Cgi));
    let below = world.fork(child, 61);
    let tool = world.exec1(below, "/usr/bin/id", "id");
    assert_eq!(role(&tool), Some(Role::Cgi));

    let child = world.fork(worker, 62);
    let shell = world.exec1(child, "/usr/bin/dash", "sh -c id");
    assert_eq!(role(&shell), Some(Role::App));
    // The daemon itself runs nothing in its own place.
    let shell = world.exec1(daemon, "/usr/bin/dash", "sh -c id");
    assert_eq!(role(&shell), Some(Role::App));
}

#[test]
fn looks_are_asked_for_with_pauses_and_come_to_an_end() {
    const MS: u64 = 1_000_000;
    let mut world = World::new();
    let (master, _) = apache(&mut world);
    let asked = world.now;
    let examined = |world: &mut World, now: u64| world.tree.expire(now).examine.len();
    // No answer, no second question, but for a fork: a second later.
    assert_eq!(examined(&mut world, asked + 5_000 * MS), 0);
    world.fork(master, 52);
    world.fork(master, 53);
    assert_eq!(examined(&mut world, asked + 500 * MS), 0);
    assert_eq!(examined(&mut world, asked + 1_100 * MS), 1);
    // The daemon is awaited for a while.
    let mut now = asked + 1_100 * MS;
    let mut looks = 0;
    world.tree.apache(&found(master, CGID, None));
    for _ in 0..1_000 {
        now += 100 * MS;
        if examined(&mut world, now) == 1 {
            looks += 1;
            world.tree.apache(&found(master, CGID, None));
        }
    }
    assert_eq!(looks, 25);
}

#[test]
fn only_a_master_is_looked_at_and_no_declared_apache() {
    let mut world = World::new();
    let (_, worker) = apache(&mut world);
    let fork = world.fork_event(worker, 70);
    assert!(world.tree.apply(&Event::Fork(fork)).examine.is_empty());
    let nginx = world.server(80, "/usr/sbin/nginx");
    let fork = world.fork_event(nginx, 81);
    assert!(world.tree.apply(&Event::Fork(fork)).examine.is_empty());
}
