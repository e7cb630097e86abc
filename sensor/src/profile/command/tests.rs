use proptest::prelude::*;

use super::*;

fn command(text: &str) -> Command {
    Command::parse(text).unwrap()
}

fn of(text: &str) -> Result<Command, Refusal> {
    Command::of(&tokens(text.as_bytes())?)
}

fn matches(command: &Command, text: &str) -> Result<bool, Refusal> {
    tokens(text.as_bytes()).map(|tokens| command.matches(&tokens))
}

fn seen(text: &str) -> String {
    of(text).unwrap().to_string()
}

#[test]
fn commands_seen_once() {
    for (text, expected) in [
        ("id", "id"),
        ("  id ", "id"),
        (
            "convert '/tmp/a' -resize 640x480 /srv/up/a.jpg",
            "convert {path:/tmp} -resize {number}x{number} /srv/up/a.jpg",
        ),
        ("gs -q 'a b' 2>&1", "gs -q 'a b' 2>& 1"),
        ("cd /x && make 3", "cd /x && make {number}"),
        ("A=1 make 3 > /tmp/out4", "A=1 make {number} > /tmp/out4"),
        (
            "curl http://a/ 12 | head -n 3",
            "curl http://a/ 12 | head -n {number}",
        ),
        ("echo {a} 'b;c'", "echo {{a}} 'b;c'"),
        ("a# '#b'", "a# '#b'"),
        ("nohup x & echo $!", "nohup x & echo $!"),
        ("echo \"a $$\"", "echo \"a $$\""),
        ("12 13", "12 {number}"),
        (">1 12 13", "> 1 12 13"),
        ("x < /tmp/a12 > /tmp/b12", "x < {path:/tmp} > /tmp/b12"),
        ("python3 < /tmp/a12", "python3 < /tmp/a12"),
    ] {
        assert_eq!(seen(text), expected, "{text}");
        let back = Command::parse(expected).unwrap();
        assert!(matches(&back, text).unwrap(), "{text}");
        assert_eq!(back.to_string(), expected);
    }
}

#[test]
fn quotes_count_where_they_change_the_meaning() {
    for (template, yes, no) in [
        ("ls '*'", "ls '*'", "ls *"),
        ("ls *", "ls *", "ls '*'"),
        ("ls a", "ls 'a'", "ls b"),
        ("echo '$$'", "echo '$$'", "echo $$"),
        ("echo '~'", "echo '~'", "echo ~"),
    ] {
        assert!(matches(&command(template), yes).unwrap(), "{template}");
        assert!(!matches(&command(template), no).unwrap(), "{template}");
    }
}

#[test]
fn no_placeholder_stands_for_a_program_or_a_target() {
    for text in [
        "{word}",
        "a; {word}",
        "a | {path:/tmp}",
        "X={word} y",
        "a > {path:/tmp}",
        "curl {word}",
        "php {path:/tmp}",
        "",
    ] {
        assert!(Command::parse(text).is_err(), "{text}");
    }
    assert!(Command::parse("php /srv/a.php {number}").is_ok());
}

#[test]
fn the_difference_is_named() {
    let template = command("convert {path:/tmp} x");
    for (text, expected) in [
        ("convert /tmp/a x; id", "the command goes on with `;`"),
        ("convert /tmp/a", "the command ends before x"),
        (
            "convert /etc/passwd x",
            "part 2 of the command is `/etc/passwd`, not {path:/tmp}",
        ),
        (
            "convert|x x",
            "part 2 of the command is `|`, not {path:/tmp}",
        ),
    ] {
        assert_eq!(
            template
                .difference(&tokens(text.as_bytes()).unwrap())
                .unwrap(),
            expected
        );
    }
    assert_eq!(
        template.difference(&tokens(b"convert /tmp/a x").unwrap()),
        None
    );
}

#[test]
fn programs_of_a_command() {
    let programs: Vec<_> = command("A=1 cd /x && a b | c 2>&1; (d)")
        .programs()
        .collect();
    assert_eq!(programs, ["A=1", "cd", "a", "c", "d"]);
}

const TEMPLATES: &[&str] = &[
    "convert {path:/tmp} -resize {number}x{number} {path:/srv/up:.jpg}",
    "sendmail -t -i -f{address}",
    "cd /srv/x && tool {word} 2>&1",
    "tool '{path:/srv/a b}' {hex} | head -n {number}",
    "echo $$ {word}",
];

/// Words that may be safe, and ones that are not.
fn filler() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9]{1,8}",
        Just("/tmp/a".to_owned()),
        "[ -~]{0,16}",
        "[;|&$()<>`\n\\\\'\"]{1,3}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// No template matches a command with more operators than it has itself.
    #[test]
    fn no_template_matches_metacharacters_beyond_it(
        template in proptest::sample::select(TEMPLATES), at in 0..200_usize,
        insert in "[ -~]{0,6}[;|&$()<>`\n\r][ -~]{0,6}", quote in proptest::sample::select(&["", "'", "\""][..]),
    ) {
        let command = command(template);
        let mut text = template.to_owned();
        for (slot, value) in [
            ("{path:/tmp}", "/tmp/a"), ("{number}", "12"), ("{path:/srv/up:.jpg}", "/srv/up/a.jpg"),
            ("{address}", "a@b"), ("{word}", "word"), ("{path:/srv/a b}", "/srv/a b/c"),
            ("{hex}", "0123abcd"),
        ] {
            text = text.replace(slot, value);
        }
        prop_assert_eq!(matches(&command, &text), Ok(true));
        let at = at % (text.len() + 1);
        let hostile = format!("{}{quote}{insert}{quote}{}", &text[..at], &text[at..]);
        // The one thing that may be added is what a shell ignores.
        prop_assert_ne!(matches(&command, &hostile), Ok(true), "{}", hostile);
    }

    /// The same for whole commands put together by chance.
    #[test]
    fn chance_matches_nothing_dangerous(
        template in proptest::sample::select(TEMPLATES), words in proptest::collection::vec(filler(), 0..8),
    ) {
        let text = words.join(" ");
        let command = command(template);
        if matches(&command, &text) == Ok(true) {
            let signs = |tokens: Vec<Token>| tokens.iter().filter(|t| matches!(t, Token::Op(_))).count();
            prop_assert_eq!(
                signs(tokens(text.as_bytes()).unwrap()),
                signs(tokens(template.as_bytes()).unwrap())
            );
        }
    }

    /// What was seen matches its own template, which survives being written down.
    #[test]
    fn what_was_seen_matches(words in proptest::collection::vec(filler(), 1..8)) {
        let text = words.join(" ");
        let Ok(seen) = of(&text) else { return Ok(()) };
        prop_assert_eq!(matches(&seen, &text), Ok(true));
        if !seen.0.is_empty() {
            let back = Command::parse(&seen.to_string());
            prop_assert_eq!(back.as_ref(), Ok(&seen), "{}", text);
        }
    }

    /// What two commands join to matches both.
    #[test]
    fn a_join_matches_both(a in "[a-c]( [a-z0-9/]{1,6}){0,3}", b in "[a-c]( [a-z0-9/]{1,6}){0,3}") {
        let [first, second] = [&a, &b].map(|text| of(text).unwrap());
        if let Some(joined) = first.join(&second) {
            prop_assert_eq!(matches(&joined, &a), Ok(true));
            prop_assert_eq!(matches(&joined, &b), Ok(true));
        }
    }
}
