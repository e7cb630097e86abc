//! Who is master: re-exec, upgrade, daemonising, and those who must not become one.

use super::*;

const CODE: ExitStatus = ExitStatus::Code(0);

#[test]
fn php_fpm_usr2_re_executes_in_place() {
    let mut world = World::new();
    let (master, _) = world.fpm();
    let subject = world.exec1(master, "/usr/sbin/php-fpm8.2", "php-fpm8.2");
    assert!(subject.own_image);
    assert_eq!((subject.origin, subject.depth), (Part::Master, 0));
    assert_eq!(world.part(master), Part::Master);
    let worker = world.fork(master, 110);
    assert_eq!(world.part(worker), Part::Worker);
}

#[test]
fn nginx_usr2_makes_a_second_master_of_the_same_service() {
    let mut world = World::new();
    let master = world.server(50, "/usr/sbin/nginx");
    let new = world.fork(master, 51);
    // The upgraded binary has the path and another inode.
    let mut exec = world.exec_event(new, "/usr/sbin/nginx", "nginx");
    let mut upgraded = (*exec.program).clone();
    upgraded.image.file.ino += 1;
    exec.program = Arc::new(upgraded);
    let subjects = world.apply(&Event::Exec(exec));
    assert_eq!(subjects.len(), 1);
    assert!(subjects[0].own_image);
    assert_eq!(world.part(new), Part::Master);
    assert_eq!(world.started.len(), 1);
    let worker = world.fork(new, 52);
    world.setuid(worker, 33);
    assert_eq!(world.part(worker), Part::Worker);
    let child = world.fork(worker, 53);
    let subject = world.exec1(child, "/usr/bin/dash", "sh");
    assert_eq!(pids(&subject), [50, 51, 52, 53]);
    assert_eq!(subject.service.as_ref().map(|s| s.id), Some(master));
}

#[test]
fn a_worker_gains_nothing_by_exec_of_its_own_image() {
    let mut world = World::new();
    let (_, worker) = world.fpm();
    let subject = world.exec1(worker, "/usr/sbin/php-fpm8.2", "php-fpm");
    assert!(subject.own_image);
    assert_eq!(world.part(worker), Part::Worker);
    let child = world.fork(worker, 102);
    let subject = world.exec1(child, "/usr/sbin/php-fpm8.2", "php-fpm -y /tmp/x");
    assert!(!subject.own_image, "a worker's child is no service process");
    assert_eq!(world.part(child), Part::Descendant);
}

#[test]
fn an_image_the_service_can_write_is_its_own_only_while_unchanged() {
    for (owner, mode, ctime, own) in [
        (0, 0o100_755, 6, true),
        (33, 0o100_755, 5, true),
        (33, 0o100_755, 6, false),
        (0, 0o100_777, 6, false),
    ] {
        let mut world = World::new();
        let (_, worker) = world.fpm();
        let mut exec = world.exec_event(worker, "/usr/sbin/php-fpm8.2", "php-fpm");
        let mut other = (*exec.program).clone();
        other.image.owner = owner;
        other.image.mode = mode;
        other.image.ctime_ns = Some(ctime);
        exec.program = Arc::new(other);
        let subjects = world.apply(&Event::Exec(exec));
        assert_eq!(subjects[0].own_image, own, "{owner} {mode:o} {ctime}");
    }
    let mut world = World::new();
    let (_, worker) = world.fpm();
    let mut exec = world.exec_event(worker, "/usr/sbin/php-fpm8.2", "php-fpm");
    let mut other = (*exec.program).clone();
    other.image.file.ino += 1;
    other.ns.mount += 1;
    exec.program = Arc::new(other);
    assert!(
        !world.apply(&Event::Exec(exec))[0].own_image,
        "the same path elsewhere"
    );
}

#[test]
fn daemonising_hands_the_part_on() {
    for path in [
        "/usr/sbin/nginx",
        "/usr/sbin/apache2",
        "/usr/sbin/php-fpm8.2",
    ] {
        let mut world = World::new();
        let first = world.server(60, path);
        let second = world.fork(first, 61);
        // Already serving when the exit of the first is seen.
        let worker = world.fork(second, 62);
        world.exit(first, CODE);
        assert_eq!(world.part(second), Part::Master, "{path}");
        assert_eq!(world.part(worker), Part::Worker);
        let upgrade = world.fork(second, 63);
        assert!(world.exec1(upgrade, path, path).own_image);
        assert_eq!(world.part(upgrade), Part::Master);
    }
}

#[test]
fn daemonising_twice_hands_the_part_on_twice() {
    let mut world = World::new();
    let first = world.server(60, "/usr/sbin/nginx");
    let second = world.fork(first, 61);
    world.exit(first, CODE);
    let third = world.fork(second, 62);
    world.exit(second, CODE);
    assert_eq!(world.part(third), Part::Master);
}

#[test]
fn a_helper_does_not_stand_in_the_way_of_the_heir() {
    let mut world = World::new();
    let first = world.server(60, "/usr/sbin/apache2");
    let logger = world.fork(first, 61);
    let subject = world.exec1(logger, "/usr/bin/rotatelogs", "rotatelogs");
    assert_eq!(subject.origin, Part::Master);
    let second = world.fork(first, 62);
    // The heir may start its loggers before the first exit is seen.
    let logger = world.fork(second, 63);
    assert_eq!(
        world
            .exec1(logger, "/usr/bin/rotatelogs", "rotatelogs")
            .origin,
        Part::Master
    );
    world.exit(first, CODE);
    assert_eq!(world.part(second), Part::Master);
    let logger = world.fork(second, 64);
    assert_eq!(
        world
            .exec1(logger, "/usr/bin/dash", "sh -c rotatelogs")
            .origin,
        Part::Master
    );
    let worker = world.fork(second, 65);
    world.setuid(worker, 33);
    assert_eq!(
        world.exec1(worker, "/usr/bin/dash", "sh").origin,
        Part::Worker
    );
}

#[test]
fn a_killed_or_late_or_busy_master_has_no_heir() {
    for (status, wait, children) in [
        (ExitStatus::Signal(9), 0, 1),
        (ExitStatus::Signal(15), 0, 1),
        (ExitStatus::Code(1), 0, 1),
        (CODE, 31, 1),
        (CODE, 0, 2),
    ] {
        let mut world = World::new();
        let master = world.server(60, "/usr/sbin/apache2");
        let worker = world.fork(master, 61);
        for pid in 1..children {
            world.fork(master, 61 + pid);
        }
        world.now += wait * SECOND;
        world.exit(master, status);
        assert_eq!(
            world.part(worker),
            Part::Worker,
            "{status:?} {wait} {children}"
        );
    }
}

#[test]
fn an_heir_that_replaces_itself_is_judged_as_a_worker() {
    let mut world = World::new();
    let first = world.server(60, "/usr/sbin/nginx");
    let second = world.fork(first, 61);
    world.exit(first, CODE);
    assert_eq!(
        world.exec1(second, "/usr/bin/dash", "sh").origin,
        Part::Worker
    );
}

#[test]
fn a_master_that_replaces_itself_excuses_nothing() {
    for path in ["/usr/sbin/apache2", "/usr/sbin/php-fpm8.2"] {
        let mut world = World::new();
        let master = world.server(60, path);
        let subject = world.exec1(master, "/usr/bin/dash", "sh");
        assert_eq!((subject.origin, subject.depth), (Part::Worker, 1));
        let child = world.fork(master, 61);
        let subject = world.exec1(child, "/usr/bin/id", "id");
        assert_eq!((subject.origin, subject.depth), (Part::Worker, 2));
        // Nor does its return.
        assert!(!world.exec1(master, path, path).own_image);
        let child = world.fork(master, 62);
        assert_eq!(
            world.exec1(child, "/usr/bin/dash", "sh").origin,
            Part::Worker
        );
    }
}

#[test]
fn a_worker_of_a_master_that_is_not_root_never_becomes_master() {
    for (uid, exec_uid, part) in [
        (0, 0, Part::Master),
        (0, 33, Part::Worker),
        (1000, 1000, Part::Worker),
    ] {
        let mut world = World::new();
        let master = world.stranger(60);
        world.setuid(master, uid);
        world.exec(master, "/usr/sbin/php-fpm8.2", "php-fpm");
        let worker = world.fork(master, 61);
        world.setuid(worker, exec_uid);
        let subject = world.exec1(worker, "/usr/sbin/php-fpm8.2", "php-fpm");
        assert!(subject.own_image);
        assert_eq!((world.part(worker), subject.origin), (part, part));
        let child = world.fork(worker, 62);
        let subject = world.exec1(child, "/usr/bin/dash", "sh");
        assert_eq!(subject.origin, Part::Worker);
    }
}

#[test]
fn a_replaced_binary_others_can_write_does_not_silence_its_service() {
    let mut world = World::new();
    let (master, _) = world.fpm();
    for round in 1..3 {
        let mut exec = world.exec_event(master, "/usr/sbin/php-fpm8.2", "php-fpm -F");
        let mut replaced = (*exec.program).clone();
        replaced.image.file.ino += round;
        replaced.image.mode = 0o100_775;
        exec.program = Arc::new(replaced);
        let subjects = world.apply(&Event::Exec(exec));
        assert_eq!(subjects.len(), 1);
        assert_eq!(subjects[0].origin, Part::Worker);
        let worker = world.fork(master, 110);
        world.setuid(worker, 33);
        let child = world.fork(worker, 111);
        let subject = world.exec1(child, "/usr/bin/dash", "sh -c id");
        assert_eq!(subject.origin, Part::Worker);
        assert!(!subject.own_image);
        assert_eq!(subject.service.map(|service| service.id), Some(master));
    }
}

#[test]
fn java_starting_java_is_no_re_exec() {
    let mut world = World::new();
    let java = world.stranger(70);
    world.exec(java, "/opt/jdk/bin/java", "java -jar jenkins.war");
    assert!(
        world
            .exec1(java, "/opt/jdk/bin/java", "java -jar jenkins.war")
            .own_image
    );
    assert_eq!(world.part(java), Part::Both);
    let child = world.fork(java, 71);
    let subject = world.exec1(child, "/opt/jdk/bin/java", "java -classpath /tmp/x Payload");
    assert!(!subject.own_image);
    assert_eq!(world.part(child), Part::Descendant);
}

#[test]
fn a_log_writer_that_ends_before_its_exec_is_no_heir() {
    for status in [ExitStatus::Signal(15), CODE] {
        for first_to_exit in [true, false] {
            let mut world = World::new();
            let launcher = world.server(60, "/usr/sbin/apache2");
            let writer = world.fork(launcher, 61);
            if first_to_exit {
                world.exit(writer, status);
            }
            let daemon = world.fork(launcher, 62);
            world.exit(launcher, CODE);
            if !first_to_exit {
                assert_eq!(world.part(daemon), Part::Worker);
                world.exit(writer, status);
            }
            assert_eq!(world.part(daemon), Part::Master);
            let logger = world.fork(daemon, 63);
            let subject = world.exec1(logger, "/usr/bin/dash", "sh -c rotatelogs");
            assert_eq!(subject.origin, Part::Master);
        }
    }
}

#[test]
fn a_log_writer_that_execs_after_the_launcher_has_gone_frees_the_handover() {
    for (status, wait, part) in [
        (CODE, 0, Part::Master),
        (CODE, 31, Part::Worker),
        (ExitStatus::Signal(9), 0, Part::Worker),
        (ExitStatus::Code(1), 0, Part::Worker),
    ] {
        let mut world = World::new();
        let launcher = world.server(60, "/usr/sbin/apache2");
        let writer = world.fork(launcher, 61);
        let daemon = world.fork(launcher, 62);
        world.exit(launcher, status);
        world.now += wait * SECOND;
        let subject = world.exec1(writer, "/usr/bin/rotatelogs", "rotatelogs");
        assert_eq!(subject.origin, Part::Master);
        assert_eq!(world.part(daemon), part, "{status:?} {wait}");
    }
}

#[test]
fn old_workers_are_no_heirs_of_a_daemon_that_re_executes_itself() {
    let mut world = World::new();
    let launcher = world.server(60, "/usr/sbin/php-fpm8.2");
    let first = world.fork(launcher, 61);
    world.exit(launcher, CODE);
    let old = world.fork(first, 62);
    assert!(
        world
            .exec1(first, "/usr/sbin/php-fpm8.2", "php-fpm")
            .own_image
    );
    let second = world.fork(first, 63);
    world.exit(first, CODE);
    assert_eq!(world.part(second), Part::Master);
    assert_eq!(world.part(old), Part::Worker);
    world.exit(old, CODE);
    assert_eq!(world.part(second), Part::Master);
}

#[test]
fn the_last_child_of_a_lingering_launcher_may_start_log_writers() {
    let mut world = World::new();
    let launcher = world.server(60, "/usr/sbin/apache2");
    let pending = world.fork(launcher, 61);
    let daemon = world.fork(launcher, 62);
    let logger = world.fork(daemon, 63);
    let subject = world.exec1(logger, "/usr/bin/dash", "sh -c rotatelogs");
    assert_eq!(subject.origin, Part::Master);
    // Not the child of another, nor of one that has dropped root.
    let child = world.fork(pending, 64);
    assert_eq!(
        world.exec1(child, "/usr/bin/dash", "sh").origin,
        Part::Worker
    );
    let child = world.fork(daemon, 65);
    world.setuid(child, 33);
    assert_eq!(
        world.exec1(child, "/usr/bin/dash", "sh").origin,
        Part::Worker
    );
    world.exit(launcher, ExitStatus::Signal(9));
    let child = world.fork(daemon, 66);
    assert_eq!(
        world.exec1(child, "/usr/bin/dash", "sh").origin,
        Part::Worker
    );
}
