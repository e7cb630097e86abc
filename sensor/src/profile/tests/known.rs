//! What is silent, and what is said of it: chains that the profile knows, shadows, modes.

use super::*;

#[test]
fn a_known_chain_is_silent_and_an_unknown_one_is_not() {
    let lock = learnt(&[&[TOOL]]);
    let mut world = World::new(Mode::Alert, &lock);
    assert_eq!(world.see(subject(&[TOOL])).1, ["shell_under_app_worker"]);
    for command in [
        "tool /srv/www/a.txt; id",
        "tool /srv/www/b.txt",
        "tool /srv/www/a.txt &",
        "other",
    ] {
        let (alerts, silenced) = world.see(subject(&[&["/usr/bin/dash", "sh", "-c", command]]));
        assert!(
            alerts.contains(&"shell_under_app_worker".to_owned()),
            "{command}: {alerts:?}"
        );
        assert!(silenced.is_empty(), "{command}");
    }
    let (alerts, _) = world.see(subject(&[TOOL, &["/usr/bin/id", "id"]]));
    assert!(
        alerts.contains(&"recon_tool_under_service".to_owned()),
        "{alerts:?}"
    );
    assert_eq!(world.judge.counts(), (1, 0));
}

#[test]
fn the_reason_is_said() {
    let lock = learnt(&[&[TOOL]]);
    let mut world = World::new(Mode::Alert, &lock);
    let reason = |world: &mut World, subject: &Subject| {
        let standing = world.judge.stand(subject).unwrap();
        (standing.judgement.name(), standing.judgement.reason())
    };
    let hostile = subject(&[&["/usr/bin/dash", "sh", "-c", "tool /srv/www/a.txt; id"]]);
    assert_eq!(
        reason(&mut world, &hostile),
        ("unknown", "the command goes on with `;`".to_owned())
    );
    let substituted = subject(&[&["/usr/bin/dash", "sh", "-c", "tool $(id)"]]);
    let (name, why) = reason(&mut world, &substituted);
    assert_eq!(name, "refused");
    assert!(why.contains("substitution"), "{why}");
    let (name, why) = reason(&mut world, &subject(&[TOOL]));
    assert_eq!(name, "known");
    assert!(
        why.starts_with("lineage.lock has `/usr/bin/dash -c"),
        "{why}"
    );
}

#[test]
fn a_shadow_speaks_and_does_not_silence() {
    let lock = learnt(&[&[TOOL]]);
    let mut world = World::new(Mode::Shadow, &lock);
    let (alerts, silenced) = world.see(subject(&[TOOL]));
    assert_eq!((alerts.len(), silenced.len()), (1, 0));
    assert_eq!(world.judge.counts(), (0, 1));
}

#[test]
fn modes_go_by_service() {
    let lock = learnt(&[&[TOOL]]);
    for (choice, silent) in [
        (
            Choice {
                kind: Some("php-fpm".into()),
                ..Choice::default()
            },
            true,
        ),
        (
            Choice {
                unit: Some("php8.2-fpm.service".into()),
                uid: Some(33),
                ..Choice::default()
            },
            true,
        ),
        (
            Choice {
                unit: Some("php8.2-fpm.service".into()),
                uid: Some(34),
                ..Choice::default()
            },
            false,
        ),
        (
            Choice {
                kind: Some("java".into()),
                ..Choice::default()
            },
            false,
        ),
    ] {
        let policy = Policy {
            services: vec![(choice.clone(), Mode::Alert)],
            ..Policy::default()
        };
        let mut world = World::new(Mode::Learn, &lock);
        world.judge = Judge::new(policy, &lock, 0);
        assert_eq!(
            !world.see(subject(&[TOOL])).1.is_empty(),
            silent,
            "{choice:?}"
        );
    }
    let mut world = World::new(Mode::Off, &lock);
    assert!(world.judge.stand(&subject(&[TOOL])).is_none());
    world.see(subject(&[TOOL]));
    assert!(world.learnt().is_empty());
}

#[test]
fn what_is_left_is_seen_for_the_first_time_once() {
    let lock = learnt(&[&[TOOL]]);
    let mut world = World::new(Mode::Alert, &lock);
    let other: &[&str] = &["/usr/bin/other", "other"];
    let refused: &[&str] = &["/usr/bin/dash", "sh", "-c", "tool $(id)"];
    for lines in [other, refused] {
        let (alerts, _) = world.see(subject(&[lines]));
        assert!(
            alerts.contains(&"first_seen_child".to_owned()),
            "{alerts:?}"
        );
        let (alerts, _) = world.see(subject(&[lines]));
        assert!(
            !alerts.contains(&"first_seen_child".to_owned()),
            "{alerts:?}"
        );
    }
    for mode in [Mode::Learn, Mode::Shadow] {
        let mut world = World::new(mode, &lock);
        assert_eq!(world.see(subject(&[other])).0, Vec::<String>::new());
    }
}

#[test]
fn mail_of_php_is_silent_by_itself_and_only_as_it_is() {
    let mail: &[&str] = &["/usr/bin/dash", "sh", "-c", "/usr/sbin/sendmail -t -i"];
    for mode in [Mode::Off, Mode::Learn, Mode::Alert] {
        let mut world = World::new(mode, &Lock::default());
        let (alerts, silenced) = world.see(subject(&[mail]));
        assert_eq!((alerts.len(), silenced.len()), (0, 1), "{mode:?}");
        assert!(world.learnt().is_empty());
        let preload = |it: &mut Program| it.env = vec![("LD_PRELOAD".into(), "/tmp/x.so".into())];
        let (alerts, silenced) = world.see(changed(subject(&[mail]), preload));
        assert!(
            alerts.contains(&"shell_under_app_worker".to_owned()),
            "{alerts:?}"
        );
        assert!(silenced.is_empty());
    }
}

#[test]
fn what_the_profile_lacks_is_noted_for_check() {
    let lock = learnt(&[&[TOOL]]);
    let mut world = World::new(Mode::Learn, &lock);
    world.judge.keep_lacks(false);
    world.see(subject(&[TOOL]));
    world.see(subject(&[&["/usr/bin/dash", "sh", "-c", "tool $(id)"]]));
    for _ in 0..2 {
        world.see(subject(&[&["/usr/bin/other", "other"]]));
    }
    let lacks: Vec<_> = world
        .judge
        .lacks()
        .map(|lack| (lack.chain, lack.count))
        .collect();
    assert_eq!(
        lacks,
        [
            ("/usr/bin/dash".to_owned(), 1),
            ("/usr/bin/other".to_owned(), 2)
        ]
    );

    let other = |by_kind| {
        let mut world = World::new(Mode::Learn, &lock);
        world.judge.keep_lacks(by_kind);
        let mut subject = subject(&[TOOL]);
        let mut service = (**subject.service.as_ref().unwrap()).clone();
        service.unit = "other.service".to_owned();
        subject.service = Some(Arc::new(service));
        world.see(subject);
        world.judge.lacks().count()
    };
    assert_eq!((other(false), other(true)), (1, 0));
}

#[test]
fn the_hash_tells_profiles_apart() {
    let lock = learnt(&[&[TOOL]]);
    assert_ne!(
        crate::profile::hash(&lock),
        crate::profile::hash(&Lock::default())
    );
    assert_eq!(
        crate::profile::hash(&lock),
        crate::profile::hash(&Lock::parse(&lock.to_yaml()).unwrap())
    );
    assert_eq!(lock::VERSION, 1);
}
