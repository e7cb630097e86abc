use proptest::prelude::*;

use super::*;

fn template(text: &str) -> Template {
    Template::parse(text).unwrap()
}

#[test]
fn templates_are_read_back() {
    for text in [
        "",
        "id",
        "{number}x{number}",
        "-f{address}",
        "{{a}}",
        "a{{{number}}}b",
        "png:{path:/tmp}",
    ] {
        assert_eq!(template(text).to_string(), text);
    }
    assert_eq!(template("{{a}}").as_literal(), Some("{a}"));
    for text in ["{", "}", "a}b", "{nope}", "{number}{hex}", "{number"] {
        assert!(Template::parse(text).is_err(), "{text}");
    }
}

#[test]
fn matching_is_whole_and_greedy() {
    for (text, yes, no) in [
        (
            "{number}x{number}",
            &["1x2", "640x480"][..],
            &["1x", "x", "1x2x", "1x2;id", "-1x2"][..],
        ),
        (
            "-f{address}",
            &["-fwww@web-1"],
            &["-f", "-fx", "-f-x@y", "-f x@y"],
        ),
        (
            "{path:/tmp:.png}",
            &["/tmp/a.png"],
            &["/tmp/a.php", "/tmp/a.png;id"],
        ),
        ("{word}c", &[], &["abc"]),
        ("", &[""], &["a"]),
    ] {
        for value in yes {
            assert!(template(text).matches(value.as_bytes()), "{text} {value}");
        }
        for value in no {
            assert!(!template(text).matches(value.as_bytes()), "{text} {value}");
        }
    }
}

#[test]
fn what_joins() {
    let all = Freedom::All;
    for (a, b, freedom, expected) in [
        ("1", "2", all, Some("{number}")),
        ("{number}", "3", all, Some("{number}")),
        ("{number}", "x1", all, Some("{word}")),
        ("/srv/www/a", "/srv/www/b", all, Some("{path:/srv/www}")),
        (
            "{path:/srv/www:.jpg}",
            "/srv/www/c/d.png",
            all,
            Some("{path:/srv/www}"),
        ),
        (
            "{path:/srv/www/a}",
            "/srv/www/b/c",
            all,
            Some("{path:/srv/www}"),
        ),
        (
            "{path:/srv/www/a}",
            "{path:/srv/www/b}",
            all,
            Some("{path:/srv/www}"),
        ),
        ("-a", "-b", all, None),
        ("-a", "b", all, None),
        ("en", "de", Freedom::Numbers, None),
        ("1", "2", Freedom::Numbers, Some("{number}")),
        ("1", "2", Freedom::None, None),
        ("http://a/", "http://b/", all, None),
    ] {
        let joined = template(a).join(&template(b), freedom);
        assert_eq!(
            joined.map(|it| it.to_string()).as_deref(),
            expected,
            "{a} {b}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Any text is its own literal and survives being written down.
    #[test]
    fn literals_round_trip(text in ".{0,64}", freedom in 0..3_u8) {
        let freedom = [Freedom::None, Freedom::Numbers, Freedom::All][usize::from(freedom)];
        let seen = Template::of(&text, freedom);
        prop_assert!(seen.matches(text.as_bytes()));
        prop_assert_eq!(template(&seen.to_string()), seen);
    }

    /// What two templates are joined to matches what each matched.
    #[test]
    fn a_join_matches_both(a in "[a-z0-9/.-]{1,24}", b in "[a-z0-9/.-]{1,24}") {
        let (first, second) = (Template::of(&a, Freedom::All), Template::of(&b, Freedom::All));
        if let Some(joined) = first.join(&second, Freedom::All) {
            prop_assert!(joined.matches(a.as_bytes()) && joined.matches(b.as_bytes()));
            prop_assert_eq!(second.join(&first, Freedom::All), Some(joined));
        }
    }

    /// A placeholder never stands for anything with a metacharacter, nor for an option.
    #[test]
    fn no_placeholder_takes_a_metacharacter(
        before in "[ -~]{0,12}", sign in "[;|&$()<>`\n\r\\\\'\"*?#~!{}\\[\\]]", after in "[ -~]{0,12}",
    ) {
        let value = format!("{before}{sign}{after}");
        for class in ["{number}", "{hex}", "{word}", "{address}", "{path:/tmp}", "{path:/srv/a:.jpg}"] {
            prop_assert!(!template(class).matches(value.as_bytes()));
            for text in [value.clone(), format!("/tmp/{value}"), format!("-{after}")] {
                let matches = template(class).matches(text.as_bytes());
                prop_assert!(!matches, "{} {}", class, text);
            }
        }
    }
}
