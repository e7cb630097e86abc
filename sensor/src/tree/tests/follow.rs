//! Following processes: forks, execs, dead parents, in-place execs, nested servers.

use super::*;

const CODE: ExitStatus = ExitStatus::Code(0);

#[test]
fn a_shell_under_a_worker_is_a_subject_with_its_whole_lineage() {
    let mut world = World::new();
    let (master, worker) = world.fpm();
    let child = world.fork(worker, 102);
    let subject = world.exec1(child, "/usr/bin/dash", "sh -c id");
    assert_eq!(pids(&subject), [100, 101, 102]);
    assert!(
        subject
            .lineage
            .ancestors
            .iter()
            .all(|a| a.provenance == Provenance::Observed)
    );
    let parts: Vec<_> = subject.lineage.ancestors.iter().map(|a| a.part).collect();
    assert_eq!(parts, [Part::Master, Part::Worker, Part::Descendant]);
    assert_eq!(subject.service.as_ref().map(|s| s.id), Some(master));
    assert_eq!(
        subject.service.as_ref().map(|s| s.unit.as_str()),
        Some("web.service")
    );
    assert_eq!(subject.origin, Part::Worker);
    assert_eq!((subject.depth, subject.own_image), (1, false));
    assert_eq!(subject.spawn_root, child);
    assert_eq!(subject.creator.as_ref().map(|c| c.id), Some(worker));
    assert_eq!(
        subject
            .previous
            .as_ref()
            .map(|p| p.image.name().to_string()),
        Some("php-fpm8.2".into())
    );

    let id = world.fork(child, 103);
    let subject = world.exec1(id, "/usr/bin/id", "id");
    assert_eq!((subject.depth, subject.spawn_root), (2, child));
    assert_eq!(pids(&subject), [100, 101, 102, 103]);
}

#[test]
fn double_fork_and_dead_parents_keep_the_lineage() {
    let mut world = World::new();
    let (master, worker) = world.fpm();
    let first = world.fork(worker, 102);
    let second = world.fork(first, 103);
    world.exit(first, CODE);
    let third = world.fork(second, 104);
    world.exit(second, CODE);
    world.exit(worker, ExitStatus::Signal(9));
    world.exit(master, ExitStatus::Signal(9));
    world.now += 3_600 * SECOND;
    assert!(world.tree.expire(world.now).retired.is_empty());
    let subject = world.exec1(third, "/usr/bin/dash", "sh");
    assert_eq!(pids(&subject), [100, 101, 102, 103, 104]);
    assert!(
        subject
            .lineage
            .ancestors
            .iter()
            .all(|a| a.provenance == Provenance::Observed)
    );
    assert_eq!(subject.depth, 1);
    assert_eq!(
        subject.lineage.ancestors[0].exit.map(|(_, status)| status),
        Some(ExitStatus::Signal(9))
    );

    world.exit(third, CODE);
    world.now += 61 * SECOND;
    assert_eq!(world.tree.expire(world.now).retired, [master]);
    assert!(world.tree.expire(world.now).retired.is_empty());
    let stats = world.tree.stats();
    assert_eq!((stats.live, stats.exited, stats.evicted), (0, 0, 0));
    assert!(world.tree.lineage(third).ancestors.is_empty());
    assert_eq!(stats.services.values().sum::<usize>(), 0);
    assert!(
        world
            .tree
            .view(&crate::redact::Redactor::default())
            .is_empty()
    );
}

#[test]
fn a_reused_pid_is_another_process() {
    let mut world = World::new();
    let (_, worker) = world.fpm();
    let child = world.fork(worker, 102);
    world.exec(child, "/usr/bin/dash", "sh");
    world.exit(child, CODE);
    let again = world.fork(worker, 102);
    assert_ne!(child, again);
    assert_eq!(world.part(again), Part::Worker);
    assert_eq!(world.part(child), Part::Descendant);
}

#[test]
fn the_creator_counts_not_the_parent_of_the_day() {
    let mut world = World::new();
    let (master, worker) = world.fpm();
    let mut fork = world.fork_event(worker, 102);
    fork.parent = master;
    world.apply(&Event::Fork(fork));
    let subject = world.exec1(fork.child, "/usr/bin/dash", "sh");
    assert_eq!(pids(&subject), [100, 101, 102]);
    assert_eq!(subject.origin, Part::Worker);
}

#[test]
fn execs_in_place_stay_visible() {
    let mut world = World::new();
    let (_, worker) = world.fpm();
    let child = world.fork(worker, 102);
    let env = world.exec1(child, "/usr/bin/env", "env sh");
    assert_eq!(env.depth, 0);
    let sh = world.exec1(child, "/usr/bin/bash", "bash -c id");
    assert_eq!(sh.depth, 1);
    let id = world.exec1(child, "/usr/bin/id", "id");
    assert_eq!(id.depth, 2);
    assert_eq!(chain(&id), ["env", "bash", "id"]);
    assert_eq!(
        id.previous.as_ref().map(|p| p.image.name().to_string()),
        Some("bash".into())
    );
    assert_eq!(id.spawn_root, child);
    assert_eq!(id.creator.as_ref().map(|c| c.id.tgid), Some(101));
}

#[test]
fn a_worker_that_replaces_itself_is_a_worker_that_left() {
    let mut world = World::new();
    let (_, worker) = world.fpm();
    let subject = world.exec1(worker, "/usr/bin/dash", "sh");
    assert_eq!((subject.origin, subject.own_image), (Part::Worker, false));
    assert_eq!(subject.spawn_root, worker);
    // As root in a container as well: php-fpm's master never starts helpers.
    let root_worker = {
        let id = world.fork(
            ProcessId::new(100, world.marked[&worker].root.start_ns),
            105,
        );
        world.setuid(id, 0);
        id
    };
    assert_eq!(
        world.exec1(root_worker, "/usr/bin/dash", "sh").origin,
        Part::Worker
    );
}

#[test]
fn catalina_becomes_a_server_when_its_shell_execs_java() {
    let mut world = World::new();
    let shell = world.stranger(200);
    assert!(
        world
            .exec(shell, "/usr/bin/dash", "sh catalina.sh run")
            .is_empty()
    );
    let uname = world.fork(shell, 201);
    assert!(world.exec(uname, "/usr/bin/uname", "uname").is_empty());
    assert!(
        world
            .exec(
                shell,
                "/opt/jdk/bin/java",
                "java -Dcatalina.base=/t org.apache.catalina.startup.Bootstrap start"
            )
            .is_empty()
    );
    assert_eq!(world.started, [(shell, ServiceKind::Java)]);
    assert_eq!(world.part(shell), Part::Both);
    assert!(world.tree.lineage(uname).ancestors.is_empty());
    let child = world.fork(shell, 202);
    let subject = world.exec1(child, "/usr/bin/dash", "sh -c id");
    assert_eq!(pids(&subject), [200, 202]);
    assert_eq!(subject.origin, Part::Both);
}

#[test]
fn the_real_jspawnhelper_is_transparent_and_an_impostor_is_not() {
    let mut world = World::new();
    let java = world.stranger(200);
    world.exec(java, "/opt/jdk/bin/java", "java -jar jenkins.war");
    let child = world.fork(java, 201);
    assert!(
        world
            .exec(child, "/opt/jdk/lib/jspawnhelper", "jspawnhelper 1:2")
            .is_empty()
    );
    let subject = world.exec1(child, "/usr/bin/dash", "sh -c id");
    assert_eq!((subject.depth, subject.origin), (1, Part::Both));
    assert_eq!(chain(&subject), ["jspawnhelper", "dash"]);
    assert_eq!(subject.creator.as_ref().map(|c| c.id), Some(java));

    for path in [
        "/tmp/jspawnhelper",
        "/opt/jdk2/lib/jspawnhelper",
        "/opt/jdk/lib/x",
    ] {
        let child = world.fork(java, 202);
        assert_eq!(world.exec(child, path, path).len(), 1, "{path}");
    }
    let child = world.fork(java, 203);
    let mut exec = world.exec_event(child, "/opt/jdk/lib/jspawnhelper", "jspawnhelper");
    let mut writable = (*exec.program).clone();
    writable.image.owner = 1000;
    exec.program = Arc::new(writable);
    assert_eq!(world.apply(&Event::Exec(exec)).len(), 1, "not root's");
}

#[test]
fn jspawnhelper_is_reported_outside_the_java_service_or_its_mount_namespace() {
    // A java tool below a shell is no service process.
    let mut world = World::new();
    let (_, worker) = world.fpm();
    let tool = world.fork(worker, 102);
    world.exec(tool, "/opt/jdk/bin/java", "java -version");
    let child = world.fork(tool, 103);
    let path = "/opt/jdk/lib/jspawnhelper";
    assert_eq!(world.exec(child, path, path).len(), 1);

    // A java in a namespace of its own, where the path may be anything.
    let mut world = World::new();
    let java = world.stranger(200);
    world.exec(java, "/opt/jdk/bin/java", "java -jar jenkins.war");
    let child = world.fork(java, 201);
    for path in ["/opt/jdk/bin/java", path] {
        let mut exec = world.exec_event(child, path, "java -jar jenkins.war");
        let mut moved = (*exec.program).clone();
        moved.ns.mount += 1;
        exec.program = Arc::new(moved);
        assert!(!world.apply(&Event::Exec(exec)).is_empty(), "{path}");
    }
}

#[test]
fn a_server_started_by_a_member_is_judged_in_both_services() {
    let mut world = World::new();
    let (master, worker) = world.fpm();
    let child = world.fork(worker, 102);
    let subjects = world.exec(child, "/tmp/nginx", "nginx: worker process");
    let services: Vec<_> = subjects
        .iter()
        .filter_map(|s| s.service.as_ref().map(|s| s.id))
        .collect();
    assert_eq!(services, [master, child]);
    assert_eq!(
        subjects.iter().map(|s| s.own_image).collect::<Vec<_>>(),
        [false, true]
    );
    assert_eq!(subjects.iter().map(|s| s.depth).collect::<Vec<_>>(), [1, 0]);
    assert_eq!(pids(&subjects[0]), [100, 101, 102]);
    assert_eq!(pids(&subjects[1]), [102]);

    let below = world.fork(child, 103);
    let subjects = world.exec(below, "/usr/bin/id", "id");
    assert_eq!(subjects.len(), 2);
    assert_eq!(pids(&subjects[0]), [100, 101, 102, 103]);
    assert_eq!(subjects[0].origin, Part::Worker);
    assert_eq!((pids(&subjects[1]), subjects[1].depth), (vec![102, 103], 1));
    assert_eq!(subjects[1].lineage.ancestors[0].part, Part::Master);
    assert_eq!(
        world.tree.view(&crate::redact::Redactor::default()).len(),
        1,
        "a nested service stands in its root's view"
    );
}

#[test]
fn a_worker_that_execs_java_gains_a_nested_server_only_by_its_command_line() {
    let mut world = World::new();
    let (_, worker) = world.fpm();
    let tool = world.fork(worker, 102);
    assert_eq!(
        world
            .exec(tool, "/opt/jdk/bin/java", "java -jar tool.jar")
            .len(),
        1
    );
    let server = world.fork(worker, 103);
    assert_eq!(
        world
            .exec(server, "/opt/jdk/bin/java", "java -jar jenkins.war")
            .len(),
        2
    );
    assert!(world.retired.is_empty());
}

#[test]
fn a_java_that_is_no_server_is_retired_with_its_members() {
    let mut world = World::new();
    let mvn = world.stranger(300);
    assert!(
        world
            .exec(mvn, "/opt/jdk/bin/java", "java -version")
            .is_empty()
    );
    assert_eq!(world.demoted, [mvn]);
    assert!(world.started.is_empty());
    // Records made before the kernel knew.
    let child = world.fork(mvn, 301);
    assert!(world.exec(child, "/usr/bin/git", "git").is_empty());
    assert_eq!(world.tree.stats().live, 0);
    // The same process may become a server yet.
    world.exec(mvn, "/opt/jdk/bin/java", "java -jar jenkins.war");
    assert_eq!(world.started, [(mvn, ServiceKind::Java)]);
}

#[test]
fn host_scope_sees_strangers_too() {
    let mut world = World::with(Limits::default(), Scope::Host);
    let login = world.stranger(10);
    let shell = world.fork(login, 11);
    let subject = world.exec1(shell, "/usr/bin/bash", "bash");
    assert!(subject.service.is_none());
    assert_eq!(pids(&subject), [10, 11]);
    let server = world.fork(shell, 12);
    assert!(
        world
            .exec1(server, "/usr/sbin/nginx", "nginx")
            .service
            .is_none()
    );
    let child = world.fork(server, 13);
    let subject = world.exec1(child, "/usr/bin/dash", "sh");
    assert_eq!(subject.service.as_ref().map(|s| s.id), Some(server));
    assert_eq!(pids(&subject), [12, 13]);
}

#[test]
fn losses_count_from_the_start_of_the_service() {
    let mut world = World::new();
    let lost = |count| {
        Event::Lost(Lost {
            ring: crate::event::RingKind::Lifecycle,
            cpu: 0,
            count,
            time_ns: 0,
        })
    };
    world.apply(&lost(7));
    let (_, worker) = world.fpm();
    world.apply(&lost(5));
    let child = world.fork(worker, 102);
    assert_eq!(world.exec1(child, "/usr/bin/dash", "sh").lost_events, 5);
    world.apply(&lost(u64::MAX));
    assert_eq!(
        world.exec1(child, "/usr/bin/id", "id").lost_events,
        u64::MAX - 7
    );
}
