//! Interpreters: nothing until they listen or are told to serve, then services with all
//! that follows.

use super::*;

const PYTHON: &str = "/usr/bin/python3.11";
const NODE: &str = "/usr/bin/node";

fn kind(world: &World, id: ProcessId) -> Option<ServiceKind> {
    let found = world.started.iter().rev().find(|(root, _)| *root == id);
    found.map(|&(_, kind)| kind)
}

#[test]
fn an_interpreter_is_nobody_until_it_listens() {
    let mut world = World::new();
    let script = world.stranger(100);
    assert!(world.exec(script, PYTHON, "python3 /srv/app.py").is_empty());
    assert!(world.started.is_empty() && world.promoted.is_empty());
    assert_eq!(world.tree.stats().live, 0);

    world.listen(script, Some(script));
    assert_eq!(kind(&world, script), Some(ServiceKind::Python));
    assert!(world.promoted.is_empty(), "the kernel has done it");
    assert_eq!((world.surveys, world.part(script)), (1, Part::Both));

    let child = world.fork(script, 101);
    let shell = world.exec1(child, "/bin/sh", "sh -c id");
    let service = shell.service.expect("of the service");
    assert_eq!((service.id, service.kind), (script, ServiceKind::Python));
    assert_eq!(
        shell.lineage.ancestors[0]
            .program
            .as_ref()
            .unwrap()
            .args
            .head[1],
        "/srv/app.py"
    );
}

#[test]
fn a_listening_child_makes_a_service_of_its_root() {
    let mut world = World::new();
    let master = world.stranger(100);
    assert!(world.exec(master, PYTHON, "python3 prefork.py").is_empty());
    let worker = world.stranger(101);
    world.listen(worker, Some(master));
    assert_eq!(kind(&world, master), Some(ServiceKind::Python));
    let shell = world.fork(worker, 102);
    assert_eq!(
        world.exec1(shell, "/bin/sh", "sh").service.unwrap().id,
        master
    );
}

#[test]
fn a_command_line_that_names_a_server_need_not_wait() {
    for (path, args, expected) in [
        (
            PYTHON,
            "python3 /usr/bin/gunicorn app:app",
            ServiceKind::Gunicorn,
        ),
        (
            PYTHON,
            "python3 -m uvicorn app:app --workers 2",
            ServiceKind::Uvicorn,
        ),
        (
            "/usr/bin/ruby3.1",
            "ruby /usr/bin/puma -C puma.rb",
            ServiceKind::Puma,
        ),
        ("/usr/bin/php8.2", "php -S 0.0.0.0:8000", ServiceKind::Php),
    ] {
        let mut world = World::new();
        let root = world.stranger(100);
        assert!(world.exec(root, path, args).is_empty());
        assert_eq!(kind(&world, root), Some(expected), "{args}");
        assert_eq!(world.promoted, [root]);
        assert_eq!(world.surveys, 1);
        assert!(world.adopted.is_empty(), "the promotion marks it");
    }
}

#[test]
fn an_unknown_java_serves_once_it_listens() {
    let mut world = World::new();
    let java = world.server(100, "/opt/jdk/bin/java");
    assert_eq!(
        (world.demoted.clone(), world.retired.clone()),
        (vec![java], vec![])
    );
    let early = world.fork(java, 101);
    assert!(world.exec(early, "/bin/sh", "sh").is_empty(), "of nobody");
    // The kernel had not yet heard that it is none: an ordinary member's listening.
    world.listen(java, None);
    assert_eq!(kind(&world, java), Some(ServiceKind::Java));
    assert_eq!(world.promoted, [java]);
    let child = world.fork(java, 102);
    assert_eq!(
        world.exec1(child, "/bin/sh", "sh").service.unwrap().id,
        java
    );
}

#[test]
fn a_listener_nobody_remembers_is_identified_by_the_scan() {
    let mut world = World::with(
        Limits {
            candidates: 1,
            ..Limits::default()
        },
        Scope::Services,
    );
    let (old, new) = (world.stranger(100), world.stranger(101));
    world.exec(old, PYTHON, "python3 old.py");
    world.exec(new, PYTHON, "python3 new.py");
    world.listen(old, Some(old));
    assert_eq!(kind(&world, old), Some(ServiceKind::Unknown));
    let row = world.row(old, ProcessId::new(1, 1), PYTHON, 0);
    world.seed(vec![row]);
    assert_eq!(kind(&world, old), Some(ServiceKind::Python));
    // A java that listens is not sent back, whatever its command line.
    let java = world.stranger(102);
    world.listen(java, Some(java));
    let row = world.row(java, ProcessId::new(1, 1), "/opt/jdk/bin/java", 0);
    world.seed(vec![row]);
    assert_eq!(kind(&world, java), Some(ServiceKind::Java));
    assert!(world.demoted.is_empty());
}

#[test]
fn workers_that_were_execed_before_the_master_listened_are_taken_along() {
    let mut world = World::new();
    let exec = |world: &mut World, pid, args: &str, parent| {
        let id = world.stranger(pid);
        let mut exec = world.exec_event(id, NODE, args);
        let mut program = (*exec.program).clone();
        program.cwd = "/srv".into();
        (exec.parent, exec.program) = (parent, Arc::new(program));
        world.apply(&Event::Exec(exec));
        id
    };
    let npm = exec(
        &mut world,
        99,
        "node /usr/bin/npm start",
        ProcessId::new(1, 1),
    );
    let root = exec(&mut world, 100, "node ./server.js", npm);
    let worker = exec(&mut world, 101, "/usr/bin/node /srv/server.js", root);
    let other = exec(&mut world, 102, "node -e 1", root);
    let stranger = exec(&mut world, 103, "node ./server.js", npm);
    world.listen(root, Some(root));
    assert_eq!(world.adopted, [(worker, Membership { root, depth: 1 })]);
    assert_eq!(world.part(worker), Part::Worker);
    for outside in [npm, other, stranger] {
        assert!(world.tree.lineage(outside).ancestors.is_empty());
    }
    world.mark(worker, root, 1);
    let child = world.fork(worker, 104);
    let shell = world.exec1(child, "/bin/sh", "sh -c id");
    assert_eq!(shell.service.unwrap().id, root);
}

#[test]
fn cluster_workers_are_the_masters_own_image_and_one_liners_are_not() {
    let mut world = World::new();
    let master = world.stranger(100);
    world.exec(master, NODE, "node /srv/server.js --port 80");
    world.listen(master, Some(master));
    let worker = world.fork(master, 101);
    let subject = world.exec1(worker, NODE, "/usr/bin/node /srv/server.js --port 80");
    assert!(subject.own_image);
    assert_eq!(world.part(worker), Part::Worker);
    for args in [
        "node -e require('child_process')",
        "node /tmp/x.js",
        "node",
        "node -r /tmp/x.js /srv/server.js --port 80",
        "node --eval=1 /srv/server.js",
    ] {
        let child = world.fork(master, 200);
        let subject = world.exec1(child, NODE, args);
        assert!(!subject.own_image, "{args}");
        assert_eq!(world.part(child), Part::Descendant, "{args}");
        world.exit(child, ExitStatus::Code(0));
    }
    // In place, too.
    assert!(!world.exec1(master, NODE, "node -e 1").own_image);
}

#[test]
fn spawned_workers_belong_to_the_root_alone() {
    let spawn = |code: &str| Program {
        args: Args {
            head: ["python3", "-c", code, "--multiprocessing-fork"]
                .map(Into::into)
                .to_vec(),
            ..Args::default()
        },
        ..program(PYTHON, "")
    };
    let code =
        "from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=5, pipe_handle=7)";
    let evil = "from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=5, pipe_handle=7);import os";
    let mut world = World::new();
    let root = world.stranger(100);
    world.exec(root, PYTHON, "python3 -m uvicorn app:app --workers 2");
    world.mark(root, root, 0);
    let exec = |world: &mut World, creator, pid, code: &str| {
        let child = world.fork(creator, pid);
        let mut exec = world.exec_event(child, PYTHON, "");
        exec.program = Arc::new(spawn(code));
        let subjects = world.apply(&Event::Exec(exec));
        (child, subjects[0].own_image)
    };
    let (worker, own) = exec(&mut world, root, 101, code);
    assert!(own);
    assert_eq!(world.part(worker), Part::Worker);
    assert!(!exec(&mut world, root, 102, evil).1);
    assert!(!exec(&mut world, worker, 103, code).1);
}

#[test]
fn what_ended_before_the_kernel_knew_it_goes() {
    let mut world = World::new();
    let root = world.stranger(100);
    world.exec(root, PYTHON, "python3 /usr/bin/gunicorn --version");
    assert_eq!(world.tree.stats().live, 1);
    world.tree.gone(root, world.now);
    assert_eq!(world.tree.stats().live, 0);
    let effects = world.tree.expire(world.now + 100 * SECOND);
    assert_eq!(effects.retired, [root]);
}
