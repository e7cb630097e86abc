//! Directories of rules: several documents in a file, what is for others, what is wrong.

use std::{fs, path::Path};

use super::{
    super::super::{category::Category, ruleset::RuleSet},
    Named, TAIL, head, load, matched,
};

const DETECTION: &str =
    "detection:\n    selection:\n        Image|endswith: '/bash'\n    condition: selection\n";

fn write(directory: &Path, name: &str, text: &str) {
    let path = directory.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn rule(index: usize) -> String {
    format!("{}{DETECTION}{TAIL}", head(index, "process_creation"))
}

fn bash() -> Named {
    Named::one(Category::Process, "Image", Some("/usr/bin/bash"))
}

#[test]
fn several_documents_in_a_file_and_files_below_directories() {
    let directory = tempfile::tempdir().unwrap();
    let several = format!("{}---\n{}---\n{}", rule(1), rule(2), rule(3));
    write(directory.path(), "several.yml", &several);
    write(directory.path(), "linux/process_creation/one.yml", &rule(4));
    write(directory.path(), "linux/other.yaml", &rule(5));
    write(directory.path(), "README.md", "no rule");
    let mut detector = load(directory.path(), |_| false);
    let found = matched(&mut detector, &bash());
    assert_eq!(
        found,
        [
            "dialect_1",
            "dialect_2",
            "dialect_3",
            "dialect_4",
            "dialect_5"
        ]
    );
}

#[test]
fn a_collection_with_what_is_common_to_all() {
    let directory = tempfile::tempdir().unwrap();
    let global = format!(
        "action: global\nstatus: test\nauthor: the tests of this project\nlevel: low\n\
         detection:\n    condition: selection\n---\n\
         title: Dialect 1\nid: 00000000-0000-4000-8000-000000000001\n\
         logsource:\n    product: linux\n    category: process_creation\n\
         detection:\n    selection:\n        Image|endswith: '/bash'\n---\n\
         title: Dialect 2\nid: 00000000-0000-4000-8000-000000000002\n\
         logsource:\n    product: linux\n    category: file_event\n\
         detection:\n    selection:\n        TargetFilename|endswith: '.php'\n---\n\
         action: reset\n---\n{}",
        rule(3)
    );
    write(directory.path(), "collection.yml", &global);
    let mut detector = load(directory.path(), |_| false);
    assert_eq!(
        matched(&mut detector, &bash()),
        ["dialect_1", "dialect_3"].map(String::from).as_slice()
    );
    let page = Named::one(
        Category::File,
        "TargetFilename",
        Some("/var/www/html/a.php"),
    );
    assert_eq!(matched(&mut detector, &page), ["dialect_2"]);
}

/// A rule of another source, by what stands below `logsource:`.
fn elsewhere(index: usize, source: &str) -> String {
    let head = head(index, "process_creation");
    let (before, _) = head.split_once("logsource:").unwrap();
    format!("{before}logsource:\n    {source}\n{DETECTION}{TAIL}")
}

#[test]
fn what_is_for_others_is_left_out_and_counted() {
    let sources = [
        (
            "product: windows\n    category: process_creation",
            "for product windows",
        ),
        (
            "product: macos\n    category: file_event",
            "for product macos",
        ),
        (
            "product: linux\n    category: dns_query",
            "of category dns_query",
        ),
        (
            "product: linux\n    category: image_load",
            "of category image_load",
        ),
        (
            "product: linux\n    service: auditd",
            "for the log of service auditd",
        ),
        (
            "product: linux\n    service: sshd\n    category: process_creation",
            "for the log of service sshd",
        ),
        ("product: linux", "of no category"),
        ("category: webserver", "of category webserver"),
    ];
    let directory = tempfile::tempdir().unwrap();
    for (index, (source, _)) in sources.iter().enumerate() {
        write(
            directory.path(),
            &format!("{index}.yml"),
            &elsewhere(index, source),
        );
    }
    // One file may hold both.
    let mixed = format!("{}---\n{}", elsewhere(90, "product: windows"), rule(91));
    write(directory.path(), "90.yml", &mixed);
    write(
        directory.path(),
        "92.yml",
        &rule(92).replace("status: test", "status: deprecated"),
    );
    write(
        directory.path(),
        "93.yml",
        &rule(93).replace("status: test", "status: unsupported"),
    );
    // No product: the category alone decides.
    write(
        directory.path(),
        "94.yml",
        &elsewhere(94, "category: process_creation"),
    );
    let rules = RuleSet::load(&[directory.path().to_owned()]).unwrap();
    let skipped: Vec<_> = rules
        .skipped()
        .iter()
        .map(|it| it.reason.as_str())
        .collect();
    let mut expected: Vec<_> = sources.iter().map(|(_, reason)| *reason).collect();
    expected.extend(["for product windows", "deprecated", "unsupported"]);
    assert_eq!(skipped, expected);
    assert!(
        rules
            .to_string()
            .ends_with(&format!("{} skipped", expected.len()))
    );
    assert_eq!(rules.warnings().len(), expected.len());
    let mut detector = load(directory.path(), |warning| warning.contains(": skipped: "));
    assert_eq!(
        matched(&mut detector, &bash()),
        ["dialect_91", "dialect_94"]
    );
}

#[test]
fn correlations_and_filters_are_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let correlation = "title: Many\nid: 00000000-0000-4000-8000-000000000077\ncorrelation:\n    \
        type: event_count\n    rules:\n        - 00000000-0000-4000-8000-000000000001\n    \
        group-by:\n        - User\n    timespan: 5m\n    condition:\n        gte: 10\nlevel: high\n";
    let filter = "title: Not here\nid: 00000000-0000-4000-8000-000000000078\nlogsource:\n    \
        product: linux\n    category: process_creation\nfilter:\n    rules:\n        \
        - 00000000-0000-4000-8000-000000000001\n    selection:\n        User: root\n    \
        condition: not selection\n";
    write(
        directory.path(),
        "1.yml",
        &format!("{}---\n{correlation}---\n{filter}", rule(1)),
    );
    let rules = RuleSet::load(&[directory.path().to_owned()]).unwrap();
    let skipped: Vec<String> = rules.skipped().iter().map(|it| it.reason.clone()).collect();
    assert_eq!(skipped.len(), 2, "{skipped:?}");
    assert!(skipped[0].contains("a correlation rule"), "{}", skipped[0]);
    assert!(skipped[1].contains("a filter"), "{}", skipped[1]);
    let mut detector = load(directory.path(), |warning| warning.contains(": skipped: "));
    assert_eq!(matched(&mut detector, &bash()), ["dialect_1"]);
}

#[test]
fn what_is_wrong_is_named_and_nothing_is_loaded() {
    for (text, reason) in [
        (
            rule(1).replace("condition: selection", "condition: selektion"),
            "`selektion`",
        ),
        (
            rule(1).replace("condition: selection", "condition: selection and"),
            "condition",
        ),
        (
            rule(1).replace("Image|endswith", "Image|endswiht"),
            "endswiht",
        ),
        (
            rule(1).replace("Image|endswith: '/bash'", "Image|re: '('"),
            "regex",
        ),
        (
            rule(1).replace("Image|endswith: '/bash'", "Image|cidr: 10.0.0.0/40"),
            "invalid cidr",
        ),
        (rule(1).replace("id: 0000", "id: x000"), "not a uuid"),
        (rule(1).replace("level: medium", "level: loud"), "level"),
        (format!("{}---\n{}", rule(1), rule(1)), "already used"),
        ("not a rule".to_owned(), ""),
    ] {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "good.yml", &rule(2));
        write(directory.path(), "wrong.yml", &text);
        let error = RuleSet::load(&[directory.path().to_owned()])
            .unwrap_err()
            .to_string();
        assert!(error.contains("wrong.yml"), "{error}");
        assert!(!error.contains("good.yml"), "{error}");
        assert!(error.to_lowercase().contains(reason), "{reason}: {error}");
    }
}
