//! What is learnt, in which form, for how long.

use super::*;

#[test]
fn learning_silences_nothing_and_notes_the_chain() {
    let mut world = World::new(Mode::Learn, &Lock::default());
    let (alerts, silenced) = world.see(subject(&[TOOL]));
    assert_eq!(alerts, ["shell_under_app_worker"]);
    assert!(silenced.is_empty());
    assert_eq!(world.chains(), ["/usr/bin/dash -c \"tool /srv/www/a.txt\""]);
    let (key, ..) = world
        .learnt()
        .entries()
        .next()
        .map(|(k, c, s)| (k.clone(), c.clone(), s))
        .unwrap();
    assert_eq!(key.to_string(), "php-fpm php8.2-fpm.service uid 33");
}

#[test]
fn entries_expire_by_the_time_of_events() {
    let lock = learnt(&[&[TOOL]]);
    let at = |days: u64| {
        let mut subject = subject(&[TOOL]);
        subject.stamp.time_ns = days * DAY_NS;
        subject
    };
    let mut world = World::new(Mode::Alert, &lock);
    assert_eq!(world.see(at(90)).1.len(), 1);
    // In use, so it does not expire.
    assert_eq!(world.see(at(180)).1.len(), 1);
    assert_eq!(world.see(at(271)).0, ["shell_under_app_worker"]);
    let standing = world.judge.stand(&at(271)).unwrap();
    assert_eq!(
        standing.judgement.reason(),
        "its entry has not been used since 1970-06-30"
    );
    let policy = Policy {
        mode: Mode::Alert,
        expire_days: 0,
        ..Policy::default()
    };
    world.judge = Judge::new(policy, &lock, 0);
    assert_eq!(world.see(at(4_000)).1.len(), 1);
}

#[test]
fn a_fourth_variant_makes_a_template() {
    let mut world = World::new(Mode::Learn, &Lock::default());
    let see = |world: &mut World, name: &str| {
        let command = format!("tool -q /srv/www/{name}.jpg en");
        world.see(subject(&[&["/usr/bin/dash", "sh", "-c", &command]]));
    };
    for name in ["a", "b", "c"] {
        see(&mut world, name);
    }
    assert_eq!(world.chains().len(), 3);
    for name in ["d", "e", "f"] {
        see(&mut world, name);
    }
    assert_eq!(
        world.chains(),
        ["/usr/bin/dash -c \"tool -q {path:/srv/www:.jpg} en\""]
    );
    let (_, _, seen) = world
        .learnt()
        .entries()
        .next()
        .map(|(k, c, s)| (k.clone(), c.clone(), s))
        .unwrap();
    assert_eq!(seen.unwrap().count, 6);
    // Programs, options and operators are no variants.
    for command in [
        "rm -q /srv/www/a.jpg en",
        "tool -x /srv/www/a.jpg en",
        "tool -q /srv/www/a.jpg > en",
    ] {
        world.see(subject(&[&["/usr/bin/dash", "sh", "-c", command]]));
    }
    assert_eq!(world.chains().len(), 4);
}

#[test]
fn a_simulation_teaches_nothing() {
    let mut world = World::new(Mode::Learn, &Lock::default());
    let server = "/tmp/lineage-sensor-simulate.aB3xYz/server/php-fpm";
    let simulated = |path: &str| {
        let mut subject = subject(&[TOOL]);
        for ancestor in &mut subject.lineage.ancestors {
            if ancestor.part != Part::Descendant {
                ancestor.program = Some(Arc::new(program(path, &["php-fpm"])));
                ancestor.chain.clear();
            }
        }
        subject
    };
    let (alerts, _) = world.see(simulated(server));
    assert_eq!(alerts, ["shell_under_app_worker"], "it alerts as ever");
    assert_eq!(world.learnt().entries().count(), 0);
    let refused = world.judge.view()["refused"].as_array().unwrap().len();
    assert_eq!(refused, 0, "nor is there a key for it");
    world.see(simulated("/usr/sbin/php-fpm8.2"));
    assert_eq!(world.learnt().entries().count(), 1);
}

#[test]
fn learning_is_bounded_and_says_so() {
    let mut world = World::new(Mode::Learn, &Lock::default());
    for number in 0..crate::profile::learn::CHAINS_MAX + 10 {
        // Another program each time: nothing to be made one of.
        let exe = format!("/usr/bin/t{number:x}x");
        let subject = subject(&[&[&exe, "t"]]);
        let standing = world.judge.stand(&subject);
        let subject = Subject {
            profile: standing.map(Arc::new),
            ..subject
        };
        world.judge.settle(&subject, Vec::new());
    }
    assert_eq!(world.learnt().len(), crate::profile::learn::CHAINS_MAX);
    assert_eq!(world.judge.learner().overflow(), 10);
}

#[test]
fn secrets_are_not_written_down() {
    let mut world = World::new(Mode::Learn, &Lock::default());
    let dump: &[&str] = &["/usr/bin/mysqldump", "mysqldump", "-phunter2", "shop"];
    world.see(subject(&[dump]));
    world.see(subject(&[&[
        "/usr/bin/dash",
        "sh",
        "-c",
        "tool --password=hunter2",
    ]]));
    world.see(subject(&[&[
        "/usr/bin/tool",
        "tool",
        "--password=[REDACTED]",
    ]]));
    assert_eq!(world.chains(), Vec::<String>::new());
    let refused: Vec<_> = world
        .judge
        .learner()
        .refused()
        .map(|it| (it.2.to_owned(), it.3))
        .collect();
    assert_eq!(refused.len(), 3);
    assert!(
        refused
            .iter()
            .all(|it| *it == ("an argument holds a secret".to_owned(), 1))
    );
}
