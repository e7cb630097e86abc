//! Services in numbers, and the tree of one of them.

use super::*;
use crate::redact::Redactor;

#[test]
fn acts_and_alerts_count_for_their_service() {
    let mut world = World::new();
    let (fpm, worker) = world.fpm();
    let nginx = world.server(200, "/usr/sbin/nginx");
    for pid in 102..105 {
        let child = world.fork(worker, pid);
        world.exec1(child, "/usr/bin/id", "id");
    }
    world.tree.count_alert(nginx, 4);
    world.tree.count_alert(fpm, 2);
    // No level, and no service.
    world.tree.count_alert(fpm, LEVELS);
    world.tree.count_alert(worker, 0);
    let (loads, all) = world.tree.load(10);
    assert_eq!(all, 2);
    let told = |load: &ServiceLoad| (load.pid, load.processes, load.acts.execs, load.acts.alerts);
    assert_eq!(
        loads.iter().map(told).collect::<Vec<_>>(),
        [(200, 1, 0, [0, 0, 0, 0, 1]), (100, 5, 3, [0, 0, 1, 0, 0])]
    );
    assert_eq!(loads[1].unit, "web.service");
    let (loads, all) = world.tree.load(1);
    assert_eq!((loads.len(), loads[0].pid, all), (1, 200, 2));
    world.exit(nginx, ExitStatus::Code(0));
    assert_eq!(world.tree.load(10).1, 1);
}

#[test]
fn one_service_is_shown_alone_and_a_nested_one_too() {
    let mut world = World::new();
    let (_, worker) = world.fpm();
    world.server(200, "/usr/sbin/nginx");
    let child = world.fork(worker, 102);
    world.exec(child, "/usr/sbin/redis-server", "redis-server");
    let redactor = Redactor::default();
    let whole = world.tree.view(&redactor);
    let alone = |pid| world.tree.view_of(pid, &redactor);
    assert_eq!(alone(100), whole[..1]);
    assert_eq!(alone(200), whole[1..]);
    let nested = alone(102);
    assert_eq!((nested.len(), nested[0].kind), (1, "redis"));
    assert_eq!(nested[0].processes[0].pid, 102);
    assert_eq!(
        world.tree.load(10).0.iter().find_map(|it| it.within),
        Some(100)
    );
    assert_eq!(alone(101), []);
}
