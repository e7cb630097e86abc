//! What an evaluation costs: numbers for people, run by hand and in release form:
//! `cargo test --release -p sensor --lib -- --ignored --nocapture detect::tests::cost`.

use std::{sync::Arc, time::Instant};

use super::{shipped, subject};
use crate::{
    event::{Event, Exec, File, Fork, Image, Membership, ProcessId, Program, Stamp},
    lineage::Act,
    service::Catalogue,
    tree::{Limits, Scope, Tree},
};

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

/// A php-fpm with one worker.
fn tree() -> (Tree, Membership, ProcessId) {
    let mut tree = Tree::new(Limits::default(), Scope::Services, Catalogue::default());
    let (root, worker) = (ProcessId::new(100, 1), ProcessId::new(101, 2));
    let program = Program {
        image: Image {
            path: "/usr/sbin/php-fpm8.2".into(),
            ..Image::default()
        },
        ..Program::default()
    };
    let exec = Event::Exec(Exec {
        stamp: Stamp::default(),
        process: root,
        membership: None,
        recognised: true,
        candidate: false,
        parent: ProcessId::new(1, 0),
        program: Arc::new(program),
    });
    let membership = Membership { root, depth: 1 };
    let fork = Event::Fork(Fork {
        stamp: Stamp::default(),
        child: worker,
        membership: Some(membership),
        creator: root,
        creator_tid: 100,
        parent: root,
        uid: 0,
    });
    assert_eq!(tree.apply(&exec).started.len(), 1);
    assert!(tree.apply(&fork).subjects.is_empty());
    (tree, membership, worker)
}

#[test]
#[ignore = "prints times"]
fn of_one_file_with_its_subject() {
    let mut detector = shipped();
    for text in EVENTS {
        let Act::File(file) = subject(text).act else {
            continue;
        };
        let (mut tree, membership, worker) = tree();
        let file = File {
            process: worker,
            membership: Some(membership),
            ..File::clone(&file)
        };
        let event = Event::File(Arc::new(file));
        let note = text.split([':', ',']).nth(1).unwrap_or_default();
        let rounds = 20_000;
        let (mut subjects, start) = (0, Instant::now());
        for _ in 0..rounds {
            subjects += tree.apply(&event).subjects.len() as u128;
        }
        let built = start.elapsed().as_nanos() / rounds;
        let start = Instant::now();
        for _ in 0..rounds {
            for subject in tree.apply(&event).subjects {
                drop(detector.evaluate(Arc::new(subject), 0));
            }
        }
        let each = start.elapsed().as_nanos() / rounds;
        println!("{note:<30} {built:>7} ns for the subject, {each:>7} ns with rules");
        assert_eq!(subjects, rounds);
    }
}
