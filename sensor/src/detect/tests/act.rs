//! Acts on files and connects, as rules of any author see them.

use std::sync::Arc;

use bstr::ByteSlice as _;

use super::{Gathered, RuleSet, detector, names, shipped, subject};
use crate::{
    detect::source::Source,
    lineage::{Act, Subject},
};

/// Rules called `r0`, `r1`, ... of these categories and detections.
fn rules(all: &[(&str, &str)]) -> RuleSet {
    let text = |index: usize, category: &str, detection: &str| {
        format!(
            "title: r{index}\nid: 00000000-0000-4000-8000-{index:012}\nlevel: low\n\
             logsource: {{product: linux, category: {category}}}\ndetection: {detection}\n"
        )
    };
    let sources = all
        .iter()
        .enumerate()
        .map(|(index, (category, detection))| Source {
            file: format!("{index}.yml"),
            text: text(index, category, detection),
        });
    let gathered = Gathered::new(sources);
    assert_eq!(gathered.problems, []);
    RuleSet::build(gathered)
}

fn fires(category: &str, selection: &str, subject: &Subject) -> bool {
    let detection = format!("{{selection: {{{selection}}}, condition: selection}}");
    let set = rules(&[(category, &detection)]);
    assert_eq!(set.warnings(), [""; 0], "{selection}");
    let mut detector = detector(set);
    let found = detector.evaluate(Arc::new(subject.clone()), 0).matches;
    !found.is_empty()
}

const RENAME: &str = r#"
unit: php8.2-fpm.service
uid: 33
target: {action: rename, path: "/var/www/html/Uploads/a b.PhP.", old: /tmp/phpAbCdEf, mode: 384,
         owner: 33, size: 31, written: same, age: 7, joined: true, uring: true}
"#;

#[test]
fn fields_of_files() {
    let subject = subject(RENAME);
    for (item, expected) in [
        ("TargetFilename|startswith: /var/www/", true),
        ("TargetFilename|endswith: '.php.'", true),
        ("TargetFilename|contains|all: [www, uploads]", true),
        ("TargetFilename|re: '/[Uu]ploads/'", true),
        ("TargetFilename: /tmp/phpAbCdEf", false),
        ("Image|endswith: /php-fpm8.2", true),
        ("User: www-data", true),
        ("ProcessId: 1001", true),
        ("ParentImage|endswith: /php-fpm8.2", true),
        ("Service.Kind: php-fpm", true),
        ("Service.Part: worker", true),
        ("Service.Unit: php8.2-fpm.service", true),
        ("Lineage.Image|endswith: /php-fpm8.2", true),
        ("Target.Action: rename", true),
        ("Target.Action: write", false),
        ("Target.Created: true", true),
        ("Target.Name: 'a b.PhP.'", true),
        ("Target.Directory: /var/www/html/Uploads", true),
        ("Target.Extension: php", true),
        ("Target.Kind: script", true),
        ("Target.Place|contains|all: [web_root, upload]", true),
        ("Target.Class: script", true),
        ("Target.OldPath: /tmp/phpAbCdEf", true),
        ("Target.LinkTarget: null", true),
        ("Target.Access: null", true),
        ("Target.Mode: '0600'", true),
        ("Target.Owner: 33", true),
        ("Target.Size|lt: 32", true),
        ("Target.Links: 1", true),
        ("Target.WrittenByService: true", true),
        ("Target.WrittenBySame: true", true),
        ("Target.WrittenAge: 7", true),
        ("Target.HoldsScripts: false", true),
        ("Target.OwnScript: false", true),
        ("Target.WatchedDirectory: false", true),
        ("Target.PathSource: joined", true),
        ("Target.Truncated: false", true),
        ("Target.IoUring: true", true),
        ("Target.Attempt: false", true),
        ("File.Name: php-fpm8.2", true),
    ] {
        assert_eq!(fires("file_event", item, &subject), expected, "{item}");
    }
}

/// An open through a ring is reported before it is done: what may have made the file has.
#[test]
fn an_open_that_was_asked_for_creates_as_it_says() {
    const O_CREAT: u32 = 0o100;
    for (argument, attempt, expected) in [
        (1, true, false),
        (1 | O_CREAT, true, true),
        (1 | O_CREAT, false, false),
    ] {
        let mut subject = subject("target: {path: /var/www/html/x.php}");
        if let Act::File(file) = &mut subject.act {
            let file = Arc::make_mut(file);
            (file.argument, file.attempt) = (argument, attempt);
        }
        let found = fires("file_event", "Target.Created: true", &subject);
        assert_eq!(found, expected, "{argument} {attempt}");
    }
}

#[test]
fn fields_of_connects() {
    let subject =
        subject("{image: /usr/bin/bash, uid: 33, connect: {ip: 203.0.113.7, port: 4444, fd: 0}}");
    for (item, expected) in [
        ("Initiated: 'true'", true),
        ("Initiated: true", true),
        ("DestinationIp: 203.0.113.7", true),
        ("DestinationIp|cidr: 203.0.113.0/24", true),
        ("DestinationIp|cidr: [10.0.0.0/8, '::1/128']", false),
        ("DestinationPort: 4444", true),
        ("DestinationPort: [80, '4444']", true),
        ("DestinationPort|gt: 1024", true),
        ("DestinationHostname|endswith: .onion", false),
        ("Protocol: tcp", true),
        ("SourcePort: 0", true),
        ("Image|endswith: /bash", true),
        ("User: www-data", true),
        ("Destination.Local: false", true),
        ("Destination.Private: false", true),
        ("Connect.Stdio: true", true),
        ("Connect.Attempt: false", true),
        ("Service.Part: descendant", true),
    ] {
        let found = fires("network_connection", item, &subject);
        assert_eq!(found, expected, "{item}");
    }
    for (ip, private) in [
        ("10.1.2.3", true),
        ("172.32.0.1", false),
        ("100.64.0.1", true),
        ("100.128.0.1", false),
        ("fd00::1", true),
        ("2001:db8::1", false),
    ] {
        let text = format!("{{image: /bin/sh, connect: {{ip: \"{ip}\", port: 1}}}}");
        let item = format!("Destination.Private: {private}");
        let subject = super::subject(&text);
        assert!(fires("network_connection", &item, &subject), "{ip}");
    }
}

/// Written as the public rules for Linux are.
#[test]
fn public_rules_mean_creation_and_see_their_category_alone() {
    let created = "{selection: {TargetFilename|startswith: /etc/cron.d/, TargetFilename|endswith: x}, filter: {Image|endswith: /dpkg}, condition: selection and not filter}";
    let set = [
        ("file_event", created),
        (
            "network_connection",
            "{selection: {Initiated: 'true', DestinationIp|cidr: 203.0.113.0/24}, condition: selection}",
        ),
        (
            "process_creation",
            "{selection: {Image|endswith: /bash}, condition: selection}",
        ),
        (
            "file_event",
            "{selection: {TargetFilename|startswith: /etc/cron.d/, Target.Action: [read, chmod]}, condition: selection}",
        ),
    ];
    let mut detector = detector(rules(&set));
    for (text, expected) in [
        (
            "{target: {path: /etc/cron.d/x, created: true}}",
            &["r0"][..],
        ),
        (
            "{target: {action: rename, path: /etc/cron.d/x, old: /tmp/x}}",
            &["r0"],
        ),
        ("{target: {action: read, path: /etc/cron.d/x}}", &["r3"]),
        ("{target: {action: chmod, path: /etc/cron.d/x}}", &["r3"]),
        (
            "{service: none, image: /usr/bin/dpkg, target: {path: /etc/cron.d/x, created: true}}",
            &[],
        ),
        (
            "{service: none, image: /usr/bin/vi, target: {path: /etc/cron.d/x, created: true}}",
            &["r0"],
        ),
        (
            "{image: /usr/bin/bash, connect: {ip: 203.0.113.9, port: 80}}",
            &["r1"],
        ),
        ("{image: /usr/bin/bash}", &["r2"]),
    ] {
        let found = detector.evaluate(Arc::new(subject(text)), 0).matches;
        assert_eq!(names(&found), expected, "{text}");
    }
}

#[test]
fn what_was_compiled_away_is_told_all_the_same() {
    let mut detector = shipped();
    let subject = subject("{image: /usr/bin/tee, target: {path: /var/www/html/x.php}}");
    let matches = detector.evaluate(Arc::new(subject), 0).matches;
    assert_eq!(
        names(&matches),
        ["script_written_by_tool", "existing_script_modified"]
    );
    let fields: Vec<_> = matches[0].fields.iter().map(|(field, _)| field).collect();
    assert!(fields.contains(&&"Service.Role".to_owned()), "{fields:?}");
    assert!(fields.contains(&&"Target.Action".to_owned()), "{fields:?}");
}

#[test]
fn paths_of_any_bytes_are_survived() {
    let mut detector = shipped();
    for path in [
        &b""[..],
        b"/",
        b"//..//../x.php",
        b"\xff\xfe/\x00\n.php",
        &b"/uploads".repeat(4_000),
        &[b"/var/www/html/".as_slice(), &[b'.'; 5_000]].concat(),
    ] {
        let text = "{target: {action: exchange, path: x, old: y}}";
        let mut subject = subject(text);
        let Act::File(file) = &subject.act else {
            unreachable!("the example is about a file");
        };
        let mut file = crate::event::File::clone(file);
        file.path = path.into();
        file.other = Some(path.as_bstr().into());
        subject.act = Act::File(Arc::new(file));
        drop(detector.evaluate(Arc::new(subject), 0));
    }
}
