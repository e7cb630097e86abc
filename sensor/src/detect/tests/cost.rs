//! What an evaluation costs: numbers for people, run by hand and in release form:
//! `cargo test --release -p sensor --lib -- --ignored --nocapture detect::tests::cost`.

use std::{sync::Arc, time::Instant};

use super::{shipped, subject};

const EVENTS: &[&str] = &[
    "{note: a log, service: nginx, target: {path: /var/log/nginx/access.log}}",
    "{note: a session, target: {path: /var/lib/php/sessions/sess_0123456789abcdef, update: true}}",
    "{note: an upload of a picture, target: {action: rename, path: /var/www/html/wp-content/uploads/2026/11/a.jpg, old: /tmp/phpAbCdEf}}",
    "{note: a page is read, target: {action: read, path: /var/www/html/wp-includes/load.php}}",
    "{note: a library is read, image: /usr/bin/dash, target: {action: read, path: /usr/lib/x86_64-linux-gnu/libc.so.6}}",
    "{note: a database writes, service: postgres, target: {path: /var/lib/postgresql/15/main/base/5/1259, update: true}}",
    "{note: dpkg in a watched directory, service: none, lineage: [systemd, apt], image: /usr/bin/dpkg, target: {path: /etc/nginx/nginx.conf.dpkg-new, created: true, watched: true}}",
    "{note: a web shell arrives, target: {path: /var/www/html/uploads/x.php, created: true}}",
    "{note: a connect of a server, connect: {ip: 10.0.0.5, port: 3306}}",
    "{note: a tool is run, image: /usr/bin/convert, argv: [convert, /tmp/phpX1, /srv/a.jpg]}",
];

#[test]
#[ignore = "prints times"]
fn of_one_event() {
    let mut detector = shipped();
    for text in EVENTS {
        let subject = subject(text);
        let note = text.split([':', ',']).nth(1).unwrap_or_default();
        let rounds = 20_000;
        let subjects: Vec<_> = (0..rounds).map(|_| Arc::new(subject.clone())).collect();
        let start = Instant::now();
        let mut matches = 0;
        for subject in subjects {
            matches += detector.evaluate(subject, 0).matches.len();
        }
        let each = start.elapsed().as_nanos() / rounds;
        println!(
            "{note:<30} {each:>7} ns, {} matches",
            matches as u128 / rounds
        );
    }
}
