//! Patterns, ends, and what an exception must not excuse.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::detect::{detector::Detector, ruleset::RuleSet, view::Users};

fn pattern(text: &str) -> Pattern {
    Pattern::new(text).unwrap()
}

#[test]
fn patterns_are_compared_whole() {
    for (text, value, fits) in [
        ("/usr/bin/id", "/usr/bin/id", true),
        ("/usr/bin/id", "/usr/bin/id2", false),
        ("/usr/bin/id", "/x/usr/bin/id", false),
        ("/opt/app/*/bin/tool", "/opt/app/3.2/bin/tool", true),
        ("/opt/app/*/bin/tool", "/opt/app/3/4/bin/tool", false),
        ("/opt/app/**/bin/tool", "/opt/app/3/4/bin/tool", true),
        (
            "tar -cf a.tar *",
            "tar -cf a.tar --use-compress-program=x",
            false,
        ),
        ("tool --file=*", "tool --file=a-b", true),
        ("tool --file=*", "tool --file=-o", false),
        ("sh -c ls \\*", "sh -c ls *", true),
        ("sh -c ls \\*", "sh -c ls x", false),
        ("a\\\\b", "a\\b", true),
        ("/opt/app/*/bin/tool", "/opt/app/../../tmp/bin/tool", false),
        ("sh -c report *", "sh -c report 2026-01-01", true),
        ("sh -c report *", "sh -c report x; curl y", false),
        ("sh -c report *", "sh -c report x y", false),
        ("sh -c report *", "sh -c report x\ncurl", false),
        ("sh -c report *", "sh -c report $(id)", false),
        ("sh -c report *", "sh -c report `id`", false),
        ("sh -c a * b * c", "sh -c a 1 b 2 c", true),
        ("sh -c a * b * c", "sh -c a 1; b 2 c", false),
        ("*.php", "index.php", true),
        ("a*a", "a", false),
        ("a*a", "aa", true),
    ] {
        assert_eq!(pattern(text).matches(value), fits, "{text} on {value}");
    }
}

#[test]
fn an_exception_names_fields_that_there_are() {
    for name in FIELDS {
        assert!(field::find(name).is_some(), "{name}");
    }
    assert_eq!(nearest_exception_field("comandline"), Some("CommandLine"));
    assert_eq!(nearest_exception_field("zzz"), None);
}

#[test]
fn what_is_no_condition_is_no_pattern() {
    for text in ["", "*", "**", "a\nb", "a\u{fffd}", "a*b*c*d*e*f*g*h*i*j"] {
        assert!(Pattern::new(text).is_err(), "{text:?}");
    }
    assert!(Pattern::new(&"a".repeat(LENGTH_TOO_LONG)).is_err());
}

const LENGTH_TOO_LONG: usize = pattern::LENGTH + 1;

proptest! {
    /// Whatever stands where a `*` is: with a character a shell acts on it never fits.
    #[test]
    fn a_star_never_swallows_what_a_shell_acts_on(
        before in "[a-z/ ]{0,12}",
        middle in "[a-z0-9./]{0,8}[;|&$()<>`\"'\\\\ \t\n{}\\[\\]!#~?^*][a-z0-9./]{0,8}",
        after in "[a-z/ ]{1,12}",
    ) {
        let whole = format!("{before}{middle}{after}");
        let pattern = pattern(&format!("{before}*{after}"));
        // `middle` may end in a blank and `after` begin with one: what the pattern
        // itself says may be found earlier, but a character it does not name never is.
        let named = |c: char| c.is_ascii_alphanumeric() || "/. ".contains(c);
        if middle.chars().any(|c| !named(c)) {
            prop_assert!(!pattern.matches(&whole), "{pattern} on {whole:?}");
        }
    }

    #[test]
    fn an_escaped_text_fits_itself_alone(text in "[ -~]{1,40}", other in "[ -~]{1,40}") {
        let pattern = pattern(&Pattern::escape(&text));
        prop_assert!(pattern.matches(&text));
        prop_assert_eq!(pattern.matches(&other), text == other);
    }
}

const DAY_NS: i64 = 86_400_000_000_000;

/// A page that runs `report`; examples happen 1,000,000 s after boot.
const REPORT: &str = "{note: report, image: /usr/bin/dash, argv: [sh, -c, report --daily]}";

fn exception(expires: Date, fields: &[(&str, &str)]) -> Exception {
    Exception {
        rule: "shell_under_app_worker".to_owned(),
        owner: "web".to_owned(),
        reason: "report".to_owned(),
        expires,
        fields: fields
            .iter()
            .map(|(name, text)| ((*name).to_owned(), pattern(text)))
            .collect(),
    }
}

/// Rules that alert on an example and those that are excused, the machine having
/// started on 2026-01-01.
fn judged(exceptions: &[Exception], example: &str) -> (Vec<String>, Vec<String>) {
    let offset = date(2026, 1, 1).to_zoned(TimeZone::UTC).unwrap();
    let offset = i64::try_from(offset.timestamp().as_nanosecond()).unwrap();
    let detector = Detector::new(RuleSet::load(&[]).unwrap(), Users::new());
    let mut detector = detector.tuned(Tuning::new(exceptions, offset));
    let subject = crate::detect::tests::subject(example);
    let verdicts = detector.evaluate(Arc::new(subject), 0);
    let alerts = verdicts.matches.iter().map(|it| it.rule.name.clone());
    let excepted = verdicts.excepted.iter().map(|it| it.rule.name.clone());
    (alerts.collect(), excepted.collect())
}

#[test]
fn an_exception_excuses_its_rule_and_what_it_names_alone() {
    let shell = || vec!["shell_under_app_worker".to_owned()];
    let until = date(2026, 2, 1);
    let exact = [exception(
        until,
        &[
            ("CommandLine", "sh -c report --*"),
            ("Image", "/usr/bin/dash"),
            ("Service.Kind", "php-fpm"),
        ],
    )];
    assert_eq!(judged(&exact, REPORT), (vec![], shell()));
    for other in [
        "{note: more, image: /usr/bin/dash, argv: [sh, -c, report --daily; x]}",
        "{note: newline, image: /usr/bin/dash, argv: [sh, -c, \"report --daily\\nx\"]}",
        "{note: cut, image: /usr/bin/dash, argv: [sh, -c, report --daily], truncated: true}",
        "{note: another service, service: java, image: /usr/bin/dash, argv: [sh, -c, report --daily]}",
    ] {
        let (alerts, excepted) = judged(&exact, other);
        assert!(
            alerts.contains(&shell()[0]) && excepted.is_empty(),
            "{other}"
        );
    }
    // A file of that name elsewhere, under the same arguments.
    let forged = "{note: forged, image: /tmp/sh, argv: [sh, -c, report --daily]}";
    assert!(judged(&exact, forged).1.is_empty());
    // A command line alone says nothing: argv is the caller's text.
    let unbound = [exception(until, &[("CommandLine", "sh -c report --daily")])];
    assert!(judged(&unbound, REPORT).1.is_empty());
    let hostile = "{note: hostile, image: /usr/bin/dash, argv: [sh, -c, curl x|sh]}";
    let wide = [exception(until, &[("Image", "/usr/bin/dash")])];
    let (alerts, excepted) = judged(&wide, hostile);
    assert_eq!(excepted, shell());
    assert_eq!(
        alerts,
        ["hostile_shell_command"],
        "another rule is not excused"
    );
}

#[test]
fn an_exception_ends_with_its_day_and_says_so_once() {
    // 1,000,000 s after 2026-01-01 is the 12th.
    let fields = [("Image", "/usr/bin/dash")];
    let before = [exception(date(2026, 1, 13), &fields)];
    assert_eq!(judged(&before, REPORT).1.len(), 1);
    let after = [exception(date(2026, 1, 12), &fields)];
    assert_eq!(judged(&after, REPORT).0.len(), 1);

    let two = [
        exception(date(1970, 1, 3), &fields),
        exception(date(1970, 1, 2), &fields),
    ];
    let mut tuning = Tuning::new(&two, 0);
    let day = |n: i64| u64::try_from(n * DAY_NS).unwrap();
    assert_eq!(tuning.ended(day(1) - 1).len(), 0);
    let first = tuning.ended(day(1));
    assert_eq!(first.len(), 1);
    assert_eq!(
        first[0].to_string(),
        "exception of web for shell_under_app_worker until 1970-01-02 (report)"
    );
    assert_eq!(tuning.ended(day(1)).len(), 0);
    assert_eq!(tuning.ended(day(9)).len(), 1);
}

#[test]
fn a_rule_is_off_or_at_another_level() {
    let adjust = |enabled, level| Adjustment {
        rule: "shell_under_app_worker".to_owned(),
        enabled,
        level,
    };
    let rules = || RuleSet::load(&[]).unwrap();
    let names = |rules: RuleSet| {
        let mut detector = Detector::new(rules, Users::new());
        let subject = Arc::new(crate::detect::tests::subject(REPORT));
        let matches = detector.evaluate(subject, 0).matches;
        let names = matches
            .iter()
            .map(|it| (it.rule.name.clone(), it.rule.level));
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(rules().adjusted(&[adjust(false, None)])), []);
    let high = rules().adjusted(&[adjust(true, Some(Level::High))]);
    let listed = high.list().iter().map(|rule| rule.level as u8);
    assert!(listed.is_sorted_by(|a, b| a >= b));
    assert_eq!(
        names(high),
        [("shell_under_app_worker".to_owned(), Level::High)]
    );
    assert_eq!(rules().unknown("shell_under_app_worker"), None);
    assert_eq!(
        rules().unknown("shell_under_ap_worker"),
        Some("shell_under_app_worker")
    );
    assert_eq!(rules().unknown("zzz"), Some(""));
}
