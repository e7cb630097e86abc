use super::*;
use crate::event::{Args, Fd, Image};

fn program(exe: &str, argv: &[&str]) -> Program {
    Program {
        image: Image {
            path: exe.into(),
            mode: 0o100_755,
            nlink: 1,
            ..Image::default()
        },
        args: Args {
            head: argv.iter().map(|&arg| arg.into()).collect(),
            argc: u32::try_from(argv.len()).unwrap(),
            ..Args::default()
        },
        cwd: "/srv/app".into(),
        stdio: [Fd::Null, Fd::Pipe, Fd::Pipe],
        ..Program::default()
    }
}

fn shown(exe: &str, argv: &[&str]) -> String {
    let program = program(exe, argv);
    match Ran::new(&program).and_then(|ran| Step::of(&ran)) {
        Ok(step) => {
            let written: Vec<_> = step.args().collect();
            let back = Step::parse(exe, &written).unwrap();
            assert_eq!(back.args().collect::<Vec<_>>(), written);
            assert!(back.matches(&Ran::new(&program).unwrap()), "{written:?}");
            written.join("|")
        }
        Err(refusal) => format!("{refusal:?}"),
    }
}

#[test]
fn programs_become_steps() {
    let sh = "/usr/bin/dash";
    for (exe, argv, expected) in [
        (sh, &["sh", "-c", "id"][..], "sh|-c|id"),
        (sh, &["sh", "-c", "--", "id"], "sh|-c|id"),
        (
            sh,
            &["sh", "-ec", "tool /tmp/x1 3"],
            "sh|-ec|tool {path:/tmp} {number}",
        ),
        (sh, &["sh", "-c", "id", "--"], "sh|-c|id|--"),
        (
            sh,
            &["/bin/sh", "/srv/x.sh", "12"],
            "/bin/sh|/srv/x.sh|{number}",
        ),
        (sh, &["/bin/sh", "x.sh", "en"], "/bin/sh|/srv/app/x.sh|en"),
        (sh, &["/bin/sh", "./../y.sh"], "/bin/sh|/srv/y.sh"),
        ("/bin/busybox", &["sh", "-c", "id"], "sh|-c|id"),
        (
            "/usr/bin/convert",
            &["convert", "/tmp/a.png", "640x480"],
            "convert|{path:/tmp:.png}|{number}x{number}",
        ),
        (
            "/usr/bin/curl",
            &["curl", "-m", "3", "http://127.0.0.1/"],
            "curl|-m|3|http://127.0.0.1/",
        ),
        (
            "/usr/bin/php8.2",
            &["php", "-r", "echo 12;\n"],
            "php|-r|echo 12;\n",
        ),
        (
            "/usr/bin/php8.2",
            &["php", "/srv/cron.php", "12"],
            "php|/srv/cron.php|{number}",
        ),
        (
            "/usr/bin/php8.2",
            &["php", "/tmp/12", "/tmp/13"],
            "php|/tmp/12|/tmp/13",
        ),
    ] {
        assert_eq!(shown(exe, argv), expected, "{argv:?}");
    }
}

#[test]
fn what_is_never_a_step() {
    let sh = "/usr/bin/dash";
    for (exe, argv, expected) in [
        (sh, &["sh"][..], "Input"),
        (sh, &["sh", "-i"], "Input"),
        (sh, &["sh", "-s", "x"], "Input"),
        (sh, &["sh", "-"], "Input"),
        (sh, &["sh", "/dev/stdin"], "Input"),
        (sh, &["sh", "-c"], "Input"),
        (sh, &["sh", "-c", "id $(id)"], "Substitution"),
        (sh, &["sh", "-ic", "id"], "Option"),
        (sh, &["sh", "-lc", "id"], "Option"),
        (sh, &["sh", "-o", "x", "-c", "id"], "Option"),
        (sh, &["sh", "-c", "a\nb"], "Control"),
        ("/usr/bin/python3.11", &["python3"], "Input"),
        ("/usr/bin/php8.2", &["php", "-"], "Input"),
        (
            "/lib64/ld-linux-x86-64.so.2",
            &["ld.so", "/bin/dash"],
            "Loader",
        ),
        ("/usr/bin/id", &["id", "\u{1b}[2J"], "Control"),
    ] {
        assert_eq!(shown(exe, argv), expected, "{argv:?}");
    }
    let mut id = program("/usr/bin/id", &["id"]);
    id.args.truncated = true;
    assert_eq!(Ran::new(&id).unwrap_err(), Refusal::Truncated);
    id.args.truncated = false;
    id.args.head = vec![b"\xff".as_slice().into()];
    assert_eq!(Ran::new(&id).unwrap_err(), Refusal::Encoding);
    id.args.head = vec!["a".into(); ARGS_MAX + 1];
    assert_eq!(Ran::new(&id).unwrap_err(), Refusal::Long);
    id.args.head.clear();
    id.image.unlinked = true;
    assert_eq!(Ran::new(&id).unwrap_err(), Refusal::Unlinked);
}

#[test]
fn a_command_is_no_plain_argument() {
    let step = |argv: &[&str]| {
        let program = program("/usr/bin/dash", argv);
        Step::of(&Ran::new(&program).unwrap()).unwrap()
    };
    let matches = |step: &Step, argv: &[&str]| {
        let program = program("/usr/bin/dash", argv);
        Ran::new(&program).is_ok_and(|ran| step.matches(&ran))
    };
    let learnt = step(&["sh", "-c", "tool 12"]);
    assert!(matches(&learnt, &["sh", "-c", "--", "tool 13"]));
    assert!(!matches(&learnt, &["sh", "-c", "tool 13; id"]));
    assert!(!matches(&learnt, &["sh", "-c", "tool 13", "x"]));
    assert!(!matches(&learnt, &["sh", "-c"]));
    assert!(!matches(&learnt, &["bash", "-c", "tool 13"]));
}

#[test]
fn steps_join_where_they_are_free() {
    let join = |exe: &str, a: &[&str], b: &[&str]| {
        let [a, b] = [a, b].map(|argv| {
            let program = program(exe, argv);
            Step::of(&Ran::new(&program).unwrap()).unwrap()
        });
        a.join(&b)
            .map(|step| step.args().collect::<Vec<_>>().join("|"))
    };
    for (exe, a, b, expected) in [
        (
            "/usr/bin/tool",
            &["tool", "-l", "en"][..],
            &["tool", "-l", "de"][..],
            Some("tool|-l|{word}"),
        ),
        (
            "/usr/bin/tool",
            &["tool", "-l", "en"],
            &["tool", "-x", "en"],
            None,
        ),
        (
            "/usr/bin/dash",
            &["sh", "-c", "tool a"],
            &["sh", "-c", "tool b"],
            Some("sh|-c|tool {word}"),
        ),
        (
            "/usr/bin/dash",
            &["sh", "-c", "tool a"],
            &["sh", "-c", "rm a"],
            None,
        ),
        ("/usr/bin/dash", &["sh", "/srv/a"], &["sh", "/srv/b"], None),
        ("/usr/bin/curl", &["curl", "a"], &["curl", "b"], None),
        (
            "/usr/bin/python3.11",
            &["python3", "/srv/a.py", "1"],
            &["python3", "/srv/a.py", "2"],
            Some("python3|/srv/a.py|{number}"),
        ),
    ] {
        assert_eq!(join(exe, a, b).as_deref(), expected, "{a:?} {b:?}");
    }
}

#[test]
fn the_difference_is_named() {
    let [learnt, hostile] = [["sh", "-c", "tool 1"], ["sh", "-c", "tool 1; id"]]
        .map(|argv| program("/usr/bin/dash", &argv));
    let step = Step::of(&Ran::new(&learnt).unwrap()).unwrap();
    let difference = step.difference(&Ran::new(&hostile).unwrap()).unwrap();
    assert_eq!(difference, "the command goes on with `;`");
    let other = program("/usr/bin/id", &["id"]);
    let difference = step.difference(&Ran::new(&other).unwrap()).unwrap();
    assert_eq!(difference, "/usr/bin/id ran, not /usr/bin/dash");
}
