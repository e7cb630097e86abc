//! The shipped set as a whole, and helpers for the tests of parts.

use std::sync::Arc;

use super::{
    detector::{Detector, Fact, Match},
    example::{self, Example, Examples},
    rule::Level,
    ruleset::{Gathered, RuleSet},
    source::Source,
    view::Users,
};
use crate::lineage::Subject;

mod act;
mod dialect;
mod memo;
mod sequence;
mod sigma;
mod waiting;

fn shipped() -> Detector {
    detector(RuleSet::load(&[]).unwrap())
}

fn detector(rules: RuleSet) -> Detector {
    let mut detector = Detector::new(rules, Users::from([(33, "www-data".to_owned())]));
    detector.fact(Fact::Shells(example::shells()), 0);
    detector
}

/// A set of rules called `r0`, `r1`, ... of these detections.
fn rules(detections: &[&str]) -> RuleSet {
    let gathered = Gathered::new(
        detections
            .iter()
            .enumerate()
            .map(|(index, detection)| Source {
                file: format!("{index}.yml"),
                text: format!(
                    "title: r{index}\nid: 00000000-0000-4000-8000-{index:012}\nlevel: low\n\
             logsource: {{product: linux, category: process_creation}}\n{detection}\n"
                ),
            }),
    );
    assert_eq!(gathered.problems, []);
    RuleSet::build(gathered)
}

pub(super) fn subject(example: &str) -> Subject {
    yaml_serde::from_str::<Example>(example)
        .unwrap()
        .subject()
        .unwrap()
}

fn names(matches: &[Match]) -> Vec<&str> {
    matches
        .iter()
        .map(|found| found.rule.name.as_str())
        .collect()
}

/// Ordinary life of servers, by number of `detection.md` section 2.
const BENIGN: &str = r#"
- {note: B1 apachectl graceful, service: none, lineage: [/usr/lib/systemd/systemd], image: /usr/bin/dash, argv: [/bin/sh, /usr/sbin/apachectl, graceful]}
- {note: B1 its apache2, service: none, lineage: [/usr/lib/systemd/systemd, /usr/bin/dash], image: /usr/sbin/apache2, argv: [apache2, -k, graceful]}
- {note: B2 rotatelogs, service: apache, origin: master, image: /usr/bin/rotatelogs, argv: [/usr/bin/rotatelogs, /var/log/x, "86400"]}
- {note: B2 through a shell, service: apache, origin: master, image: /usr/bin/dash, argv: [sh, -c, exec cronolog /var/log/x]}
- {note: B3 nginx reload, service: none, lineage: [/usr/lib/systemd/systemd], image: /usr/sbin/nginx, argv: [nginx, -s, reload]}
- {note: B3 nginx upgrade, service: nginx, origin: master, image: /usr/sbin/nginx, argv: ["nginx: master process /usr/sbin/nginx"]}
- {note: B4 php-fpm reload, origin: master, before: [/usr/sbin/php-fpm8.2], image: /usr/sbin/php-fpm8.2, argv: ["php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)"]}
- {note: apache graceful, service: apache, origin: master, image: /usr/sbin/apache2, argv: [/usr/sbin/apache2, -k, start]}
- {note: B14 cron and php-cli, service: none, lineage: [/usr/lib/systemd/systemd, /usr/sbin/cron, /usr/bin/dash], image: /usr/bin/php8.2, argv: [php, /srv/cron.php]}
- {note: a root shell, service: none, lineage: [/usr/lib/systemd/systemd, /usr/sbin/sshd], image: /usr/bin/bash, argv: [-bash]}
- {note: curl of the administrator, service: none, lineage: [/usr/lib/systemd/systemd, /usr/bin/bash], image: /usr/bin/curl, argv: [curl, http://127.0.0.1/]}
- {note: B18 catalina.sh, service: none, lineage: [/usr/lib/systemd/systemd], image: /usr/bin/dash, argv: [/bin/sh, /usr/share/tomcat10/bin/catalina.sh, run]}
- {note: B18 uname, service: none, lineage: [/usr/lib/systemd/systemd, /usr/bin/dash], image: /usr/bin/uname}
- {note: B18 exec java, service: java, origin: master, before: [/usr/bin/dash], lineage: [/usr/lib/systemd/systemd], image: /usr/lib/jvm/java-17-openjdk-amd64/bin/java, argv: [java, org.apache.catalina.startup.Bootstrap, start]}
- {note: B19 jspawnhelper, service: java, image: /usr/lib/jvm/java-17-openjdk-amd64/lib/jspawnhelper, argv: [/usr/lib/jvm/java-17-openjdk-amd64/lib/jspawnhelper, "11:13"]}
- {note: B19 ldconfig, service: java, image: /usr/sbin/ldconfig, argv: [/sbin/ldconfig, -p]}
- {note: B26 container entry, service: none, lineage: [/usr/bin/containerd-shim-runc-v2], image: /bin/busybox, argv: [/bin/sh, /docker-entrypoint.sh]}
- {note: B28 busybox by proc, service: none, image: /bin/busybox, argv: [cat]}
- {note: B10 an update unpacked, target: {path: /var/www/html/wp-content/upgrade/akismet.5.3/akismet.php, created: true}, low: [script_created_in_cache_directory]}
- {note: B10 moved into place, target: {action: rename, path: /var/www/html/wp-content/plugins/akismet, old: /var/www/html/wp-content/upgrade/akismet.5.3/akismet}}
- {note: B11 permalinks, target: {path: /var/www/html/.htaccess, update: true}, low: [handler_file_rewritten]}
- {note: B12 a firewall's settings, target: {path: /var/www/html/.user.ini, update: true}, low: [handler_file_rewritten]}
- {note: B13 Twig, target: {path: /var/www/app/var/cache/prod/twig/ab/ab12.php, created: true}, low: [script_created_in_cache_directory]}
- {note: B13 Laravel again, target: {path: /var/www/app/storage/framework/views/3f786850e387550fdab836ed7e6dc881de23001b.php}}
- {note: B13 OPcache, target: {path: /var/cache/opcache/f00/var/www/html/index.php.bin, created: true}}
- {note: B15 dpkg installs a page, service: none, lineage: [systemd, apt], image: /usr/bin/dpkg, target: {action: rename, path: /var/www/html/index.php, old: /var/www/html/index.php.dpkg-new, watched: true}}
- {note: B15 a2enmod by a maintainer script, service: none, lineage: [apt, dpkg, sh], image: /usr/bin/perl, target: {action: symlink, path: /etc/apache2/mods-enabled/php8.2.load, old: ../mods-available/php8.2.load, watched: true}}
- {note: B15 phpenmod, service: none, lineage: [apt, dpkg, sh], image: /usr/bin/ln, target: {action: symlink, path: /etc/php/8.2/fpm/conf.d/20-curl.ini, old: /etc/php/8.2/mods-available/curl.ini, watched: true}}
- {note: B16 CGI, service: fcgiwrap, image: /usr/bin/perl, script: /usr/lib/cgi-bin/gitweb.cgi}
- {note: B19 ulimit of Atlassian under ci, service: java, role: ci, image: /usr/bin/bash, argv: [bash, -c, ulimit -u]}
- {note: B20 a compiled page, service: java, target: {path: /var/lib/tomcat10/work/Catalina/localhost/ROOT/org/apache/jsp/index_jsp.class, created: true}}
- {note: B21 a build's script, service: java, role: ci, image: /usr/bin/dash, argv: [sh, -xe, /var/tmp/jenkins1.sh]}
- {note: B22 a health check, service: none, lineage: [/usr/sbin/keepalived], image: /usr/bin/curl, connect: {ip: 127.0.0.1, port: 80}}
- {note: B25 postgres archives by itself, service: postgres, target: {action: rename, path: /var/lib/postgresql/15/main/pg_wal/archive_status/1.done, old: /var/lib/postgresql/15/main/pg_wal/archive_status/1.ready}}
- {note: B25 initdb, service: none, lineage: [/usr/lib/postgresql/15/bin/initdb], image: /usr/bin/locale, argv: [locale, -a]}
- {note: an upload of a picture, target: {action: rename, path: /var/www/html/wp-content/uploads/2026/11/a.jpg, old: /tmp/phpAbCdEf, written: same}}
- {note: and its temporary file, target: {path: /tmp/phpAbCdEf, created: true}}
- {note: a session, target: {path: /var/lib/php/sessions/sess_a, update: true}}
- {note: a page and its database, connect: {ip: 10.0.0.5, port: 3306}}
- {note: an upstream, service: nginx, connect: {ip: 10.0.0.9, port: 8080}}
- {note: extensions at start, origin: master, lineage: [/usr/sbin/php-fpm8.2], target: {action: read, path: /usr/lib/php/20220829/opcache.so}}
- {note: modules at start, service: nginx, lineage: [/usr/sbin/nginx], target: {action: read, path: /usr/lib/nginx/modules/ngx_http_geoip_module.so}}
- {note: a log rotates, service: nginx, lineage: [/usr/sbin/nginx], target: {path: /var/log/nginx/access.log}}
- {note: B7 pictures without a shell, image: /usr/bin/convert, argv: [convert, /tmp/phpX1, /srv/cache/a.jpg]}
"#;

#[test]
fn benign_behaviour_is_silent() {
    let mut detector = shipped();
    for example in yaml_serde::from_str::<Vec<Example>>(BENIGN).unwrap() {
        let matches = example.run(&mut detector).unwrap();
        assert_eq!(names(&matches), example.low, "{}", example.note);
        let low = matches
            .iter()
            .all(|found| matches!(found.rule.level, Level::Low));
        assert!(low, "{}", example.note);
    }
}

#[test]
fn every_shipped_rule_is_complete() {
    let detector = shipped();
    let mut catalogue = Vec::new();
    for rule in detector.rules().list() {
        let examples: Examples = yaml_serde::from_value(rule.examples.clone().unwrap()).unwrap();
        let texts = [&rule.title, &rule.description, &rule.triage];
        assert!(texts.iter().all(|text| !text.is_empty()), "{}", rule.name);
        assert!(
            !rule.techniques.is_empty() && !rule.falsepositives.is_empty(),
            "{}",
            rule.name
        );
        assert!(
            !examples.firing.is_empty() && !examples.silent.is_empty(),
            "{}",
            rule.name
        );
        assert_eq!(rule.file, format!("builtin:{}.yml", rule.name));
        catalogue.extend(rule.catalogue.clone());
    }
    catalogue.sort();
    catalogue.dedup();
    assert_eq!(
        catalogue,
        [
            "C01", "C02", "C03", "C04", "D01", "D02", "D03", "E01", "E02", "E03", "E04", "E05",
            "E06", "E07", "E08", "E09", "E10", "E11", "E12", "E13", "E14", "E15", "E16", "E17",
            "F01", "F02", "F03", "F04", "F05", "F06", "F07", "F08", "F09", "F10", "F11", "H01",
            "J01", "N01", "N02", "N03", "N04"
        ]
    );
    assert_eq!(detector.rules().skipped(), []);
}

#[test]
fn matches_come_most_severe_first_and_say_what_matched() {
    let mut detector = shipped();
    let subject = Arc::new(subject(
        "{image: /tmp/.x/bash, argv: [bash, -c, cat /etc/shadow]}",
    ));
    let matches = detector.evaluate(subject.clone(), 0).matches;
    assert_eq!(
        names(&matches),
        [
            "hostile_shell_command",
            "exec_from_writable_directory",
            "shell_under_app_worker"
        ]
    );
    let fields: Vec<_> = matches[2]
        .fields
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        fields,
        [
            ("Exec.OwnImage", "false"),
            ("Exec.Program", "bash"),
            ("Service.Role", "app"),
            ("Service.Worker", "true")
        ]
    );
    for _ in 0..8 {
        let again = shipped().evaluate(subject.clone(), 0).matches;
        assert!(
            again
                .iter()
                .zip(&matches)
                .all(|(a, b)| a.rule == b.rule && a.fields == b.fields)
        );
    }
}

#[test]
fn bytes_of_any_kind_and_number_are_survived() {
    let mut detector = shipped();
    let mut subject = subject("{image: /usr/bin/dash, argv: [sh, -c, id]}");
    for argument in [
        &b"\xff\xfe\x1b[2J"[..],
        b"",
        b"<script>",
        b"\n\r\0",
        &vec![b'$'; 65_536],
        &vec![0x80; 1 << 20],
    ] {
        let mut program = (*subject.program).clone();
        program.args.head = vec!["sh".into(), argument.into(), argument.into()];
        program.args.tail = vec![argument.into()];
        program.args.truncated = true;
        program.cwd = argument.into();
        program.filename = argument.into();
        program.env = vec![(argument.into(), argument.into())];
        subject.program = Arc::new(program);
        let matches = detector.evaluate(Arc::new(subject.clone()), 0).matches;
        assert!(names(&matches).contains(&"shell_under_app_worker"));
    }
    subject.program = Arc::default();
    subject.lineage.ancestors.clear();
    subject.creator = None;
    assert_eq!(
        names(&detector.evaluate(Arc::new(subject), 0).matches),
        ["memory_only_execution"]
    );
}

#[test]
fn without_users_or_shells_nothing_is_invented() {
    let mut detector = Detector::new(RuleSet::load(&[]).unwrap(), Users::new());
    let copy = subject("{image: /srv/x, file: {same_file: /usr/bin/dash}}");
    let verdicts = detector.evaluate(Arc::new(copy), 0);
    assert!(verdicts.matches.is_empty() && verdicts.requests.is_empty());
}
